"""What a reload costs, and how long it keeps connections waiting."""

import os
import signal
import statistics
import time

from .configurations import many_routes
from .handover import cpu_when_quiet
from .instructions import instructions
from .load import BenchError
from .proxies import Proxy

BATCH = 500     # requests, a few milliseconds
DONE = "reload: done"
PATIENCE_S = 600    # under valgrind
# The one event of a worker in which it takes the new configuration.
EVENT = "baton::proxy::Worker::reconfigure*"


def configuration(version):
    return many_routes(upstreams=200, servers_each=10, version=version)


class Reload:
    def __init__(self, kind, load, busy, idle, rounds):
        self.load = load
        self.proxy = Proxy(kind, "plain", load.origin_port)
        self.version = 0
        load.open("busy", self.proxy, busy)
        load.open("idle", self.proxy, idle)
        cpu_ns, slowest_us, undisturbed_us = [], [], []
        for _ in range(rounds):
            cpu_ns.append(self._cost_ns())
            slowest_us.append(self._slowest_us(with_reload=True))
            undisturbed_us.append(self._slowest_us(with_reload=False))
        load.close("busy")
        load.close("idle")
        self.proxy.stop()
        self.cpu_ms = statistics.median(cpu_ns) / 1e6
        self.slowest_ms = [quantile / 1000 for quantile in (min(slowest_us), statistics.median(slowest_us))]
        self.undisturbed_ms = [quantile / 1000 for quantile in (min(undisturbed_us), statistics.median(undisturbed_us))]

    def _cost_ns(self):
        before_ns = cpu_when_quiet(self.proxy.pid)
        done = self._begin()
        _wait(done)
        return cpu_when_quiet(self.proxy.pid) - before_ns

    def _slowest_us(self, with_reload):
        done = self._begin() if with_reload else lambda: True
        slowest, batches_left = 0, 40       # after the reload, since some of its work may come later
        while batches_left > 0:
            slowest = max(slowest, self.load.ask("busy", BATCH))
            batches_left -= done()
        return slowest

    def _begin(self):
        self.version += 1
        self.proxy.write_config(configuration(self.version))
        return begin(self.proxy)


def begin(proxy):
    """Reads the configuration again; returns a function that says whether that has been done."""
    already = proxy.log_text().count(DONE)
    os.kill(proxy.pid, signal.SIGHUP)

    def done():
        if "reload: failed" in proxy.log_text():
            raise BenchError(f"a reload failed:\n{proxy.log_text()[-1000:]}")
        return proxy.log_text().count(DONE) > already

    return done


def _wait(done):
    deadline = time.monotonic() + PATIENCE_S
    while not done():
        if time.monotonic() > deadline:
            raise BenchError("a reload does not end")
        time.sleep(0.01)


def instructions_of_the_event(kind, load, connections):
    def work(proxy):
        proxy.write_config(configuration(1))
        _wait(begin(proxy))

    return instructions(kind, "plain", load, connections, EVENT, work).total()
