"""What a crash costs when the connections of the killed worker move to another one, and how long they pause."""

import json
import os
import re
import signal
import statistics
import subprocess
import threading
import time

from .handover import cpu_when_quiet
from .instructions import EVENTS_OF_SOCKETS, instructions, per_request
from .load import BenchError
from .proxies import Kind, Proxy, children, cpu_clock_ns

ACTIVE = 16     # clients that send a request as soon as the worker is dead
PLACES = 8      # among the idle connections, where some of those are
PATIENCE_S = 60
CLONE = os.path.join(os.path.dirname(os.path.realpath(__file__)), "clone.c")


def measure(kind, service, load, quick, table):
    """Gives what it has measured to `table` (Results.table)."""
    streams, connections, rounds = service == "h2", 2_000 if quick else 10_000, 3 if quick else 9
    if streams:
        connections //= 10      # each has ten connections to the origin
    crash = Crash(kind, service, load, connections, rounds, "stalled" if streams else None)
    what = {"plain": "idle connections", "tls": "idle connections over TLS 1.3",
            "h2": "connections of HTTP/2 over TLS 1.3, ten open streams on each"}[service]
    title = f"SIGKILL for a worker with {connections:,} {what}, all processes on one CPU (median of {rounds})"
    table(title, [], {
        "stall": [f"{crash.stall_ms:.1f} ms", f"{crash.stall_of_none_ms:.1f} ms with nothing to move"],
        "gap of an active client": ["p50 {:.1f} ms".format(crash.gaps_ms[0]),
                                    "p99 {:.1f} ms, max {:.1f} ms".format(*crash.gaps_ms[1:])],
        "CPU time": [f"{crash.keeper_ms + crash.successor_ms:.1f} ms",
                     f"keeper {crash.keeper_ms:.1f}, successor {crash.successor_ms:.1f}; "
                     f"{crash.cpu_of_none_ms:.1f} of it with nothing to move"],
        "in all rounds": [f"{crash.whole:,} went on", f"{crash.lost:,} were lost"],
    })
    without, having = keeper_instructions(kind, service, load, 500 if quick else 2_000)
    table("A small request to a supervised worker: user-space instructions", ["each", "more"], {
        "survive: off": [f"{without:,.1f}", "0.0"], "survive: all": [f"{having:,.1f}", f"{having - without:.1f}"]})


def supervised(kind, survive="all"):
    command = (*kind.command[:2], "--supervise", *kind.command[2:])
    return Kind(f"{kind.name}-{survive}", kind.template, command, kind.directory, kind.cpu,
                lambda text: kind.edit(text).replace("ready_timeout: 1m", f"ready_timeout: 1m, survive: {survive}"))


class Crash:
    """The medians of some crashes, each of a fresh Baton, because crashes in a row spare fewer connections. Those of
    workers with nothing but the active clients are beside them: starts, configuration, ends."""

    def __init__(self, kind, service, load, connections, rounds, speaks=None):
        kind = supervised(kind)
        empty, full = [], []
        for _ in range(rounds):
            empty.append(_Round(kind, service, load, 0, speaks))
            full.append(_Round(kind, service, load, connections, speaks))

        def median(rounds, name):
            return statistics.median(getattr(one, name) for one in rounds)

        self.stall_ms = median(full, "stall_us") / 1000
        self.stall_of_none_ms = median(empty, "stall_us") / 1000
        self.keeper_ms, self.successor_ms = median(full, "keeper_ns") / 1e6, median(full, "successor_ns") / 1e6
        self.cpu_of_none_ms = statistics.median(one.keeper_ns + one.successor_ns for one in empty) / 1e6
        self.whole, self.lost = sum(one.whole for one in full), sum(one.lost for one in full)
        gaps_us = sorted(gap for one in full for gap in one.gaps_us)
        last = len(gaps_us) - 1
        self.gaps_ms = [gaps_us[min(last, len(gaps_us) * percent // 100)] / 1000 for percent in (50, 99, 100)]


class _Round:
    def __init__(self, kind, service, load, connections, speaks):
        proxy = Proxy(kind, service, load.origin_port)
        for place in range(PLACES):
            load.open("active", proxy, ACTIVE // PLACES)
            some = connections * (place + 1) // PLACES - connections * place // PLACES
            load.open("idle", proxy, some, speaks)
        before = _status(proxy)
        worker = before["pid"]
        _await(proxy, f"supervisor: PID {worker} is the instance")
        cpu_when_quiet(worker)
        keeper = _Clock(_keeper_of(worker))
        killed_ns = time.monotonic_ns()
        os.kill(worker, signal.SIGKILL)
        answered_us = load.when("active", ACTIVE)
        keeper.join()
        said = _await(proxy, rf"PID {worker} crashed: (\d+) connections go on, (\d+) were lost")
        whole, self.lost = (int(number) for number in said.groups())
        after = _status(proxy)
        last = after["crashes"]["last"]
        if (last["whole"], last["lost"]) != (whole, self.lost) or whole + self.lost != connections + ACTIVE:
            raise BenchError(f"{connections + ACTIVE} connections, but the status has {last}")
        self.whole = whole
        self.stall_us = last["stall_us"]
        self.keeper_ns = keeper.ns
        self.successor_ns = cpu_when_quiet(after["pid"])
        self.gaps_us = [at - killed_ns / 1000 for at in answered_us]
        load.each("idle", connections, self.lost)      # the others are alive
        load.close("idle")
        load.close("active")
        proxy.stop()


class _Clock(threading.Thread):
    """Reads the CPU clock of a process until it has gone: its parent is not we."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self._pid = pid
        self._before_ns = cpu_clock_ns(pid)
        self.ns = 0
        self.start()

    def run(self):
        try:
            while True:
                self.ns = cpu_clock_ns(self._pid) - self._before_ns
                time.sleep(0.0002)
        except OSError:
            pass


def keeper_instructions(kind, service, load, requests):
    """Those per request without and with a keeper. Valgrind knows no clone that shares descriptors alone, so the keeper
    gets a copy of them; nothing else differs in the worker."""
    library = os.path.join(kind.directory, "clone.so")
    subprocess.run([os.environ.get("CC", "gcc"), "-shared", "-fPIC", "-O2", "-o", library, CLONE, "-ldl"], check=True)

    def count(survive):
        one = supervised(kind, survive)

        def ask(proxy, requests):
            if "will end all connections" in proxy.log_text():
                raise BenchError(f"there is no keeper under valgrind:\n{proxy.log_text()[:2000]}")
            load.ask(one.name, requests)

        return per_request(lambda number: instructions(one, service, load, 1, EVENTS_OF_SOCKETS,
                                                       lambda proxy: ask(proxy, number), preload=library), requests)[0]

    return count("off"), count("all")


def _keeper_of(worker):
    for pid in children(worker):
        with open(f"/proc/{pid}/comm", encoding="ascii") as comm:
            if comm.read().strip() == "baton-keeper":
                return pid
    raise BenchError("the worker has no keeper")


def _await(proxy, pattern):
    deadline = time.monotonic() + PATIENCE_S
    while (found := re.search(pattern, proxy.log_text())) is None:
        if time.monotonic() > deadline:
            raise BenchError(f"no '{pattern}':\n{proxy.log_text()[-2000:]}")
        time.sleep(0.01)
    return found


def _status(proxy):
    return json.loads(proxy.ask_admin("/status"))
