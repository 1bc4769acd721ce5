"""CPU time per request: batches on all proxies in turn; the worst of each are dropped."""

import statistics

KEPT = 0.5      # share of each proxy's batches; noise from neighbours only ever adds time


class Cost:
    def __init__(self, batches_ns):
        ordered = sorted(batches_ns)
        self.ns = statistics.fmean(ordered[:max(1, round(len(ordered) * KEPT))])
        quarter = len(ordered) // 4
        self.noise = (ordered[-1 - quarter] - ordered[quarter]) / self.ns


def in_turn(proxies, rounds, requests, batch):
    """A B C A B C …; `batch(proxy)` makes that many requests. A first round is not counted."""
    measured = {proxy.name: [] for proxy in proxies}
    for number in range(rounds + 1):
        for proxy in proxies:
            before_ns = proxy.cpu_ns()
            batch(proxy)
            if number > 0:
                measured[proxy.name].append((proxy.cpu_ns() - before_ns) / requests)
    return {name: Cost(batches) for name, batches in measured.items()}
