"""The proxies as processes: started from templates, observed through /proc, ended by PID."""

import ctypes
import grp
import os
import pwd
import random
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time

from .load import BenchError

PACKAGES = {"taskset": "util-linux", "callgrind_annotate": "valgrind", "nghttpx": "nghttp2-proxy",
            "h2load": "nghttp2-client", "nghttpd": "nghttp2-server"}      # others are named after their program
CONFIGS = os.path.join(os.path.dirname(os.path.dirname(os.path.realpath(__file__))), "configs")
LOG_LINES_SHOWN = 15
START_PATIENCE_S = 300      # under valgrind on a busy machine


def find_program(name):
    path = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/local/sbin:/usr/sbin:/sbin")
    if path is None:
        package = PACKAGES.get(name, name)
        raise BenchError(f"{name} is missing; install the package {package} (scripts/test --quick installs them all)")
    return path


class Proxy:
    """A running proxy. `service`: "plain", "tls" or "h2" (HTTP/2 over TLS), "h2c", "h2_to_h2", "h2c_to_h2" or "tunnel".
    `prefix`: a command to run it under, such as valgrind."""

    def __init__(self, kind, service, origin_port, prefix=()):
        self.name = kind.name
        self.scheme = "http" if service in ("h2c", "h2c_to_h2") else "https"
        self.speaks = service if service in ("tls", "h2") else "plain"
        self.port = free_port()
        self.directory = tempfile.mkdtemp(dir=kind.directory)
        self.log = os.path.join(self.directory, "log")
        self._service = service
        self._template = kind.template
        self._values = {"PORT": self.port, "ORIGIN": origin_port, "DIR": self.directory,
                        "CERTIFICATE": certificate_in(kind.directory),
                        "USER": pwd.getpwuid(os.geteuid()).pw_name,
                        "GROUP": grp.getgrgid(os.getegid()).gr_name}
        self.write_config(kind.edit)
        config = os.path.join(self.directory, kind.template)
        command = [*prefix, *(word.replace("@CONFIG@", config) for word in kind.command)]
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(["taskset", "-c", str(kind.cpu), *command], cwd=self.directory,
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.pid = self.process.pid
        self._wait_until_it_accepts()

    def write_config(self, edit):
        """The template after `edit`, with the values of this process: what it reads next."""
        write_config(self._service, self._template, os.path.join(self.directory, self._template), self._values, edit)

    def pids(self):
        return [self.pid, *children(self.pid)]

    def cpu_ns(self):
        return sum(cpu_clock_ns(pid) for pid in self.pids())

    def anonymous_bytes(self):
        total = 0
        for pid in self.pids():
            with open(f"/proc/{pid}/status", encoding="ascii") as status:
                total += sum(int(line.split()[1]) * 1024 for line in status if line.startswith("RssAnon:"))
        return total

    def log_text(self):
        with open(self.log, encoding="utf-8", errors="replace") as log:
            return log.read()

    def ask_admin(self, path):
        """Baton's answer on its admin socket, or that of its successor."""
        with socket.socket(socket.AF_UNIX) as admin:
            admin.settimeout(START_PATIENCE_S)
            admin.connect(os.path.join(self.directory, "admin.sock"))
            admin.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
            answer = b"".join(iter(lambda: admin.recv(65536), b""))
        return answer.partition(b"\r\n\r\n")[2].decode()

    def stop(self):
        end(self.pid, self.process)

    def _wait_until_it_accepts(self):
        if wait_until_it_accepts(self.port, self.process):
            return
        self.stop()
        last_lines = "\n".join(self.log_text().splitlines()[-LOG_LINES_SHOWN:])
        raise BenchError(f"{self.name} does not start:\n{last_lines}")


def wait_until_it_accepts(port, process):
    """False: it does not, or has ended."""
    deadline = time.monotonic() + START_PATIENCE_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=START_PATIENCE_S).close()
            return True
        except ConnectionRefusedError:
            time.sleep(0.02)
    return False


class Kind:
    """How to start one of them, or one of them with another configuration: `edit` changes the template's text. `cpu`
    may be a list such as 0,1."""

    def __init__(self, name, template, command, directory, cpu, edit=lambda text: text):
        self.name = name
        self.template = template
        self.command = command
        self.directory = directory
        self.cpu = cpu
        self.edit = edit


def write_config(service, template, path, values, edit):
    """Keeps lines that end with "# only SERVICE…" for these services only."""
    folder = os.path.join(CONFIGS, "tunnel" if service == "tunnel" else "")
    with open(os.path.join(folder, template), encoding="utf-8") as source:
        text = edit(_only(service, source.read()))
    for name, value in values.items():
        text = text.replace(f"@{name}@", str(value))
    with open(path, "w", encoding="utf-8") as target:
        target.write(text)


def _only(service, template):
    kept = re.sub(rf"^.* # only (?!(?:\w+ )*{service}\b)[\w ]+\n", "", template, flags=re.MULTILINE)
    return re.sub(r" *# only [\w ]+$", "", kept, flags=re.MULTILINE)    # nghttpx takes no comments behind a value


def certificate_in(directory):
    """Makes an ECDSA certificate on P-256 and its key once, in a single file that all of them read."""
    path = os.path.join(directory, "certificate.pem")
    if not os.path.exists(path):
        key = path + ".key"
        made = subprocess.run([find_program("openssl"), "req", "-x509", "-nodes", "-newkey", "ec", "-pkeyopt",
                               "ec_paramgen_curve:P-256", "-keyout", key, "-subj", "/CN=localhost", "-days", "2",
                               "-addext", "subjectAltName=DNS:localhost"],
                              check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        with open(key, "rb") as source, open(path, "wb") as target:
            target.write(made.stdout + source.read())
    return path


def free_port():
    """Below the ephemeral ports, so that no outgoing connection takes it before the proxy does."""
    while True:
        port = random.randrange(10_000, 32_768)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                pass


def children(pid):
    found = []
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/children", encoding="ascii") as file:
                found += [int(child) for child in file.read().split()]
    except FileNotFoundError:
        pass
    return found


def cpu_clock_ns(pid):
    """User and system time of all threads of a process so far, from its CPU clock (clock_getcpuclockid)."""
    scheduler_clock = 2
    return time.clock_gettime_ns(~pid << 3 | scheduler_clock)


def end(pid, process=None):
    """Ends one of our processes, gracefully if possible."""
    for number, patience_s in ((signal.SIGTERM, 10), (signal.SIGKILL, 10)):
        if process is not None and process.poll() is not None:
            return
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return
        deadline = time.monotonic() + patience_s
        while time.monotonic() < deadline:
            if process is not None:
                if process.poll() is not None:
                    return
            elif reaped(pid):
                return
            time.sleep(0.01)


def reaped(pid):
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == pid
    except ChildProcessError:
        return not os.path.exists(f"/proc/{pid}")


def adopt_orphans():
    """Makes orphans of our children our children, so that we can end a successor whose predecessor has exited."""
    set_child_subreaper = 36
    if ctypes.CDLL(None).prctl(set_child_subreaper, 1, 0, 0, 0) != 0:
        raise BenchError("prctl(PR_SET_CHILD_SUBREAPER) failed")


def end_all_children():
    while ours := children(os.getpid()):      # when one has ended, its children may be ours
        for pid in ours:
            end(pid)
