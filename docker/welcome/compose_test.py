"""Usage: compose_test.py
Does what ../../compose.yaml and its page tell people to do, with the image baton:blue, while it receives the page's
stream of events. Needs Docker with Compose."""
import json
import os
import pathlib
import re
import select
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
PORT = 8080
LIMIT_S = 60  # for each wait


def run(*command, **options):
    return subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE, **options).stdout


def compose_command():
    plugin = subprocess.run(["docker", "compose", "version"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return ["docker", "compose"] if plugin.returncode == 0 else ["docker-compose"]


class Stage:
    """The files where the containers' user can read them, whatever the checkout's modes."""

    def __init__(self, folder):
        self.folder = folder
        folder.chmod(0o755)
        shutil.copy(ROOT / "compose.yaml", folder)
        shutil.copytree(ROOT / "docker/welcome", folder / "docker/welcome")
        for each in folder.rglob("*"):
            each.chmod(0o755 if each.is_dir() else 0o644)

    def compose(self, *arguments):
        return run(*compose_command(), *arguments, cwd=self.folder, stdin=subprocess.DEVNULL)

    def in_baton(self, *command):
        return self.compose("exec", "-T", "baton", *command)


class Events:
    """The page's stream: one connection, whose events are counted from 1. HTTP/1.0 has no chunks."""

    def __init__(self):
        self.socket = socket.create_connection(("127.0.0.1", PORT), LIMIT_S)
        self.socket.sendall(b"GET /events/1 HTTP/1.0\r\nHost: localhost\r\n\r\n")
        self.unread = b""
        while b"\r\n\r\n" not in self.unread:
            self.receive()
        head, self.unread = self.unread.split(b"\r\n\r\n", 1)
        assert b" 200 " in head.splitlines()[0], head
        self.count = 0

    def expect_more(self, what):
        # What has come by now may be of the process before.
        while select.select([self.socket], [], [], 0)[0]:
            self.receive()
        self.judge()
        end = self.count + 3
        while self.count < end:
            self.receive()
            self.judge()
        print(f"  {what}: the stream goes on, at event {self.count}", flush=True)

    def receive(self):
        data = self.socket.recv(65536)
        assert data, "the stream has ended"
        self.unread += data

    def judge(self):
        *events, self.unread = self.unread.split(b"\n\n")
        for event in events:
            self.count += 1
            expected = f"id: {self.count}\nevent: beat\ndata: this is event {self.count} of /events/1"
            assert event.decode() == expected, f"{event} instead of {expected}"


def get(path):
    with urllib.request.urlopen(f"http://127.0.0.1:{PORT}{path}", timeout=LIMIT_S) as response:
        return response.headers["Content-Type"], response.read().decode()


def status():
    return json.loads(get("/status")[1])


def answers():
    try:
        return get("/status")
    except OSError:
        return None


def wait_until(what, condition):
    end = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < end, f"{what}: not within {LIMIT_S} s"
        time.sleep(0.1)


def expect_published_on_loopback_only(stage):
    for container in stage.compose("ps", "-q").split():
        ports = json.loads(run("docker", "inspect", "-f", "{{json .NetworkSettings.Ports}}", container))
        for bindings in ports.values():
            for binding in bindings or []:
                assert binding["HostIp"] == "127.0.0.1", ports


def expect_admin_interface_is_read_only():
    try:
        urllib.request.urlopen(urllib.request.Request(f"http://127.0.0.1:{PORT}/status", method="POST"), timeout=LIMIT_S)
    except urllib.error.HTTPError as error:
        assert error.code >= 400
    else:
        raise AssertionError("the admin interface takes a POST")
    assert get("/stop")[1].startswith("line 1 of "), "another path than /status reaches the admin interface"


def play(stage):
    stage.compose("up", "-d")
    wait_until("an answer", answers)
    expect_published_on_loopback_only(stage)

    kind, page = get("/")
    assert kind == "text/html; charset=utf-8" and "<title>Baton</title>" in page, page
    told = re.findall("<pre>docker compose exec baton (.*?)</pre>", page)
    upgrade, kill, reload = [re.sub("<.*?>", "", command) for command in told]
    assert get("/anything")[1].startswith("line 1 of "), "the origin does not answer"
    expect_admin_interface_is_read_only()

    events = Events()
    events.expect_more("before")
    assert status()["generation"] == 1

    stage.in_baton(*upgrade.split())
    assert status()["generation"] == 2
    events.expect_more(upgrade)

    pid = status()["pid"]
    assert kill == "sh -c 'kill -9 PID'", kill
    stage.in_baton("sh", "-c", f"kill -9 {pid}")
    wait_until("another process", lambda: status()["pid"] != pid)
    events.expect_more("kill -9")

    configuration = stage.folder / "docker/welcome/baton.yaml"
    configuration.write_text(configuration.read_text().replace("{ path: / }", "{ path: /page }"))
    stage.in_baton(*reload.split())
    assert get("/page")[1] == page
    events.expect_more(reload)


def main():
    started = time.monotonic()
    run("docker", "tag", "baton:blue", "baton")
    os.environ["COMPOSE_PROJECT_NAME"] = "baton-welcome"
    os.environ["BATON_PORT"] = str(PORT)
    with tempfile.TemporaryDirectory() as folder:
        stage = Stage(pathlib.Path(folder))
        try:
            play(stage)
        except BaseException:
            print(stage.compose("logs", "--no-color", "--tail", "20"))
            raise
        finally:
            stage.compose("down", "--volumes", "--timeout", "2")
    print(f"  PASSED in {time.monotonic() - started:.0f} s: compose.yaml")


main()
