"""System calls per request, counted by strace in a separate run."""

import re
import signal
import subprocess

from .load import BenchError
from .proxies import find_program


def syscalls_per_request(proxy, ask, requests):
    """By name; `ask(proxy, count)` makes requests. strace slows the proxy down, so it finds more events at each wake-up
    than without."""
    command = [find_program("strace"), "-f", "-c", "-U", "name,calls"]
    for pid in proxy.pids():
        command += ["-p", str(pid)]
    strace = subprocess.Popen(command, text=True, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL)
    for _ in proxy.pids():
        attached = strace.stderr.readline()
        if "attached" not in attached:
            strace.wait()
            raise BenchError(f"strace cannot attach to {proxy.name}: {attached.strip()}")
    ask(proxy, requests)
    strace.send_signal(signal.SIGINT)
    table = strace.stderr.read()
    strace.wait()
    calls = {name: int(count) / requests for name, count in re.findall(r"^(\w+) +(\d+)$", table, re.MULTILINE)}
    calls.pop("total", None)
    return calls
