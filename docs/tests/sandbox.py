"""sandbox.py BATON DEMO PAGE: runs the commands of a page and checks its configurations, in namespaces of its own:
with this machine's programs, but other processes, another loopback network, and a /etc, /run, /tmp and /var that end
with it. So every command runs as it is written, with its own ports and paths. Exits with 1 if something is wrong, and
with 77 if nothing can be mounted here."""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time

import configurations
import pages

HUNG_AFTER_S = 150
HERE = pathlib.Path(__file__).resolve().parent
LOG = "/var/log/baton/events.log"
STATE = "/tests/state"                # what one block leaves to the next: variables and the folder


def skip(why):
    print(f"SKIPPED: {why}")
    sys.exit(77)


def mount(*words):
    done = subprocess.run(["mount", *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        skip(f"nothing can be mounted here: {done.stdout.strip()}")


def protect(host):
    """No command in a page can write to the machine's own files."""
    devices = tuple(f"{host}/{name}" for name in ("proc", "sys", "dev"))
    for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines():
        point, options = line.split()[4:6]
        point = point.replace("\\040", " ")
        # Some are below another mount and cannot be reached.
        if f"{point}/".startswith(f"{host}/") and not point.startswith(devices) and os.path.ismount(point):
            mount("-o", f"remount,bind,{options.replace('rw', 'ro', 1)}", point)


# Folders of the tree itself. The rest is the machine's, behind links, and cannot be written.
OWN = ("etc/baton", "etc/letsencrypt", "usr/bin", "usr/sbin", "run", "tmp", "var/log/baton", "var/lib", "root", "srv",
       "proc", "dev", "tests", "home")


def make_tree(baton, demo):
    """Makes a root of links to the machine's files, in memory, and enters it."""
    tree = pathlib.Path("/mnt")
    if not tree.is_dir():
        skip("there is no /mnt to mount something at")
    mount("--make-rprivate", "/")
    mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", str(tree))
    host = tree / "host"
    host.mkdir()
    mount("--rbind", "/", str(host))
    protect(host)
    for name in OWN:
        (tree / name).mkdir(parents=True)
    (tree / "tmp").chmod(0o1777)
    for folder in ("", "etc", "usr", "usr/bin", "usr/sbin"):
        for entry in pathlib.Path("/", folder).iterdir():
            link = tree / folder / entry.name
            if not os.path.lexists(link):
                is_link_of_the_root = entry.is_symlink() and not folder    # /bin to usr/bin, which is another one here
                link.symlink_to(os.readlink(entry) if is_link_of_the_root else f"/host/{folder}/{entry.name}")
    for name, text in (("hosts", "127.0.0.1 localhost app.internal\n"), ("resolv.conf", "nameserver 127.0.0.1\n")):
        (tree / "etc" / name).unlink(missing_ok=True)
        (tree / "etc" / name).write_text(text)
    for path, program in (("usr/bin/baton", baton), ("usr/bin/baton-demo", demo)):
        (tree / path).unlink(missing_ok=True)
        shutil.copy(program, tree / path)
    mount("--rbind", "/dev", str(tree / "dev"))
    mount("-t", "proc", "proc", str(tree / "proc"))
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    os.chroot(tree)
    os.chdir("/root")
    if not pages.root.exists():        # it is below one of the folders that are the sandbox's own
        pages.root.parent.mkdir(parents=True, exist_ok=True)
        pages.root.symlink_to(f"/host{pages.root}")
    for name in list(os.environ):
        if name not in ("PATH", "LANG", "LC_ALL", "TERM"):
            del os.environ[name]
    os.environ.update(HOME="/root", HELPERS=str(HERE / "helpers.sh"), PYTHONDONTWRITEBYTECODE="1")
    os.umask(0o022)


def run(commands, name, prelude=""):
    """Runs `commands` in the shell's state that the last ones left. (exit code, what they printed)"""
    script = f"""set -e -o pipefail
if [ -e {STATE} ]; then . {STATE} 2>/dev/null; cd "$OLD_FOLDER"; fi
trap 'code=$?; {{ export OLD_FOLDER="$PWD"; declare -px; }} >{STATE}; exit $code' EXIT
{prelude}
{commands}
"""
    pathlib.Path("/tests/script").write_text(script)
    output = pathlib.Path("/tests", name)
    with open(output, "wb") as file, open("/dev/null", "rb") as nothing:
        shell = subprocess.Popen(["bash", "/tests/script"], stdin=nothing, stdout=file, stderr=subprocess.STDOUT)
        try:
            code = shell.wait(HUNG_AFTER_S)
        except subprocess.TimeoutExpired:
            shell.kill()
            code = f"a timeout, after {HUNG_AFTER_S} s"
    return code, output.read_text(errors="replace")


def pattern_of(line):
    """What a line in a page stands for: any numbers, and anything for an ellipsis."""
    parts = re.split(r"(…|\.\.\.|\d+|\s+)", line.strip())
    return "".join(".*" if part in ("…", "...") else r"\d+" if part.isdigit() else r"\s+" if part.isspace() else
                   re.escape(part) for part in parts)


def missing_line(expected, printed, is_log=False):
    """The first of the expected lines that was not printed, in this order. In a log several processes write, in any."""
    rest = iter(printed.splitlines())
    for line in expected:
        rest = iter(printed.splitlines()) if is_log else rest
        wanted = re.compile(r"(|[\d:.TZ-]+ )" + pattern_of(line))  # a time may be left out
        if line.strip() not in ("", "…", "...") and not any(wanted.fullmatch(one.strip()) for one in rest):
            return line
    return None


class Failures:
    def __init__(self):
        self.count = 0

    def add(self, block, what, printed=""):
        self.count += 1
        print(f"{block.place}: {what}")
        for line in printed.splitlines()[-30:]:
            print(f"    {line}")


def check_log(block, failures):
    """The lines of a block of text come in Baton's log after `given`, in this order."""
    log = pathlib.Path(LOG)
    begin = log.stat().st_size if log.exists() else 0
    if not run_hidden(block, block.given, "given", failures):
        return
    deadline = time.monotonic() + HUNG_AFTER_S / 2
    while (line := missing_line(block.text.splitlines(), said := log.read_text(errors="replace")[begin:],
                                is_log=True)) is not None:
        if time.monotonic() > deadline:
            return failures.add(block, f"the log does not say `{line}`, but", said)
        time.sleep(0.05)
    if block.then:
        run_hidden(block, block.then, "then", failures)


def run_block(block, failures):
    if block.given and not run_hidden(block, block.given, "given", failures):
        return
    parts = pages.commands_and_output(block.text) if block.language == "console" else [(block.text, [])]
    for number, (commands, expected) in enumerate(parts):
        code, printed = run(commands, "output")
        wanted = block.exit if number == len(parts) - 1 else 0
        if code != wanted:
            return failures.add(block, f"`{commands.strip().splitlines()[0]}` … ended with {code}", printed)
        if (line := missing_line(expected, printed)) is not None:
            return failures.add(block, f"`{commands}` does not print `{line.strip()}`, but", printed)
    if block.then:
        code, printed = run(block.then, "then", '. "$HELPERS"')
        if code != 0:
            said = pathlib.Path("/tests/output").read_text(errors="replace")
            failures.add(block, f"`then` ended with {code}", said + printed)


def run_hidden(block, commands, name, failures):
    code, printed = run(commands, name, '. "$HELPERS"')
    if code != 0:
        failures.add(block, f"`{name}` ended with {code}", printed)
    return code == 0


def check_configuration(block, failures):
    whole = configurations.whole(block.text)
    folder = pathlib.Path("/tests/check")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for path, content in configurations.files_named_in(whole).items():
        pathlib.Path(path).parent.mkdir(parents=True, exist_ok=True)
        if not pathlib.Path(path).exists():
            pathlib.Path(path).write_text(content)
    (folder / "baton.yaml").write_text(whole)
    # Names of the environment that the configuration uses have some value.
    named = dict.fromkeys(re.findall(r"\$\{([A-Z_]+)\}", whole), "0123456789abcdef")
    checked = subprocess.run(["baton", "check", "-c", folder / "baton.yaml"], stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, text=True, timeout=HUNG_AFTER_S, env={**named, **os.environ})
    if checked.returncode != 0:
        failures.add(block, "`baton check` refuses this", checked.stdout)
    if block.given:
        pathlib.Path("/etc/baton/baton.yaml").write_text(whole)
        run_hidden(block, block.given, "given", failures)


def reap_for(child):
    """The first process of a PID namespace: waits for what loses its parent there, until `child` ends."""
    while True:
        ended, status = os.wait()
        if ended == child:
            return os.waitstatus_to_exitcode(status)


def main():
    if os.getpid() == 1 and (child := os.fork()):
        return reap_for(child)
    baton, demo, page = sys.argv[1:4]
    blocks, _ = pages.read(page)
    make_tree(baton, demo)
    failures = Failures()
    for block in blocks:
        if block.not_run:
            continue
        pathlib.Path("/tests/block").write_text(block.text)
        if block.language in ("sh", "console"):
            run_block(block, failures)
        elif block.language == "text" and block.given:
            check_log(block, failures)
        elif block.given and block.language != "yaml":
            run_hidden(block, block.given, "given", failures)
        elif block.language == "yaml":
            check_configuration(block, failures)
    if failures.count and pathlib.Path(LOG).exists():
        print("Baton's log:")
        print(pathlib.Path(LOG).read_text(errors="replace")[-4000:])
    return 1 if failures.count else 0


if __name__ == "__main__":
    sys.exit(main())
