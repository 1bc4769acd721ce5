"""CPU time of both processes when SIGUSR2 makes a Baton hand connections to a successor."""

import os
import re
import signal
import statistics
import time

from .load import BenchError
from .proxies import Proxy, cpu_clock_ns, end

# The report in Baton's log; `moved` counts client connections, not pooled upstream connections.
REPORT = re.compile(r"upgrade: .*PID \d+ to (?P<successor>\d+).* (?P<duration_ms>[\d.]+) ms; "
                    r"moved=(?P<moved>\d+) \(.*"
                    r"pause p50=(?P<p50>\d+) us p99=(?P<p99>\d+) us max=(?P<max>\d+) us")


# A bucket of the histogram in the metrics: its upper bound in seconds and the count up to there.
BUCKET = re.compile(r'^baton_handover_pause_seconds_bucket\{.*le="(?P<bound>[^"]+)".*\} (?P<count>\d+)', re.MULTILINE)


class Move:
    def __init__(self, report, predecessor_ns, successor_ns, metrics):
        self.duration_ms = float(report["duration_ms"])
        self.pause_us = [int(report[name]) for name in ("p50", "p99", "max")]
        self.predecessor_ns = predecessor_ns
        self.successor_ns = successor_ns
        self.pauses = [(bucket["bound"], int(bucket["count"])) for bucket in BUCKET.finditer(metrics)]


class Handover:
    """The cost of moving nothing (start, configuration, end) is subtracted."""

    def __init__(self, kind, service, load, connections, rounds, speaks=None, origin_port=None):
        empty, full = [], []
        for _ in range(rounds):
            empty.append(_move(kind, service, load, 0, speaks, origin_port))
            full.append(_move(kind, service, load, connections, speaks, origin_port))

        def each_us(side):
            return (statistics.median(getattr(move, side) for move in full) -
                    statistics.median(getattr(move, side) for move in empty)) / connections / 1000

        self.connections = connections
        self.predecessor_us = each_us("predecessor_ns")
        self.successor_us = each_us("successor_ns")
        self.start_ms = statistics.median(move.predecessor_ns + move.successor_ns for move in empty) / 1e6
        self.duration_ms = statistics.median(move.duration_ms for move in full)
        self.pause_us = [statistics.median(move.pause_us[i] for move in full) for i in range(3)]
        self.pauses = _histogram([move.pauses for move in full])


def _histogram(moves):
    """How many are in each bucket, in all of them: pairs of its upper bound, None for the last, and their number."""
    found, below = [], 0
    for bounds in zip(*moves):
        upper, count = bounds[0][0], sum(one for _, one in bounds)
        found.append((None if upper == "+Inf" else float(upper), count - below))
        below = count
    return found


def _move(kind, service, load, connections, speaks, origin_port):
    proxy = Proxy(kind, service, origin_port or load.origin_port)
    load.open("moving", proxy, connections, speaks)
    before_ns = cpu_clock_ns(proxy.pid)
    os.kill(proxy.pid, signal.SIGUSR2)
    _, status, usage = os.wait4(proxy.pid, 0)
    proxy.process.returncode = os.waitstatus_to_exitcode(status)
    predecessor_ns = round((usage.ru_utime + usage.ru_stime) * 1e9) - before_ns
    report = REPORT.search(proxy.log_text())
    if report is None or int(report["moved"]) != connections:
        raise BenchError(f"the handover of {connections} connections failed:\n{proxy.log_text()}")
    successor = int(report["successor"])
    successor_ns = cpu_when_quiet(successor)
    metrics = proxy.ask_admin("/metrics")
    load.each("moving", connections)      # all of them are alive in the new process
    load.close("moving")
    end(successor)
    return Move(report, predecessor_ns, successor_ns, metrics)


def cpu_when_quiet(pid):
    quiet_ns = 200_000
    before, now = 0, cpu_clock_ns(pid)
    while now - before > quiet_ns:
        time.sleep(0.05)
        before, now = now, cpu_clock_ns(pid)
    return now
