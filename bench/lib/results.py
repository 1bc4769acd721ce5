"""What a run finds: printed as tables meanwhile, and at its end written as JSON and drawn (plot.py)."""

import datetime
import json
import os
import platform
import subprocess

from . import plot
from .table import print_table

NOISE_MAX = 0.20      # above it, a ratio is no verdict; README.md says what noise is


class Results:
    def __init__(self, quick):
        self.rows = {}
        self._quick = quick
        self._row = None
        self._ticks = _ticks()

    def begin(self, row):
        self._row = row

    def table(self, title, columns, lines, unit=None, values=None, noise=None, pauses=None):
        """`values`: by name, in `unit`, the smaller the better, Baton's first. `noise` by name. `pauses`: a histogram, as
        pairs of a bucket's upper bound in seconds and how many connections are in it."""
        print_table(title, columns, lines)
        found = {"title": title, "unit": unit, "values": values, "noise": noise, "pauses": pauses,
                 "lines": {name: dict(zip(columns, cells)) if columns else cells for name, cells in lines.items()}}
        if values:
            ours = next(iter(values.values()))
            found["ratios"] = {name: round(ours / value, 3) for name, value in list(values.items())[1:] if value > 0}
        loud = [f"{name} {share:.0%}" for name, share in (noise or {}).items() if share > NOISE_MAX]
        found["too_noisy"] = bool(loud)
        if loud:
            print(f"  too noisy to judge (above {NOISE_MAX:.0%}): {', '.join(loud)}", flush=True)
        self.rows.setdefault(self._row, []).append({key: value for key, value in found.items() if value is not None})

    def too_noisy(self):
        return [name for name, tables in self.rows.items() if any(table["too_noisy"] for table in tables)]

    def finish(self, folder, commands, is_complete=True):
        """Writes results.json and results.svg there, and says what to think of the run. False: a row failed, or the user
        has ended it."""
        if not self.rows:
            return
        stolen = _stolen_since(self._ticks)
        everything = {"at": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
                      "complete": is_complete, "quick": self._quick, "stolen": round(stolen, 3), "machine": _machine(),
                      "versions": {name: _first_line(command) for name, command in commands.items()}, "rows": self.rows}
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, "results.json"), "w", encoding="utf-8") as file:
            json.dump(everything, file, indent=1, ensure_ascii=False)
            file.write("\n")
        with open(os.path.join(folder, "results.svg"), "w", encoding="utf-8") as file:
            file.write(plot.draw(everything))
        print(f"\nOther machines on this host took {stolen:.1%} of the CPUs' time." if stolen >= 0.001 else "")
        if loud := self.too_noisy():
            again = " ".join(f"--only {name}" for name in loud)
            print(f"{len(loud)} of {len(self.rows)} rows were too noisy to judge. On a quieter machine: bench/run {again}")
        if not is_complete:
            print("This run is not complete.")
        print(f"Written: {os.path.join(folder, 'results.json')} and results.svg beside it")


def _ticks():
    """Of all CPUs, and those of them that were stolen."""
    with open("/proc/stat", encoding="ascii") as stat:
        ticks = [int(word) for word in stat.readline().split()[1:9]]
    return sum(ticks), ticks[7]


def _stolen_since(before):
    now = _ticks()
    return (now[1] - before[1]) / max(1, now[0] - before[0])


def _machine():
    with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as cpuinfo:
        model = next((line.partition(":")[2].strip() for line in cpuinfo if line.startswith("model name")), "")
    return {"cpu": model, "cpus": len(os.sched_getaffinity(0)), "kernel": platform.release()}


def _first_line(command):
    said = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False).stdout
    return said.strip().partition("\n")[0]
