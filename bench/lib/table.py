"""The tables that bench/run prints."""

import sys


def others(rows):
    return [name for name in ("nginx", "HAProxy", "bare-relay") if name in rows]


def ratio(value, other):
    return f"{value / other:.2f}"


def print_table(title, columns, rows):
    lines = [[name, *values] for name, values in rows.items()]
    numbers = [all(line[i][:1].isdigit() for line in lines) for i in range(len(lines[0]))]
    if columns:
        lines.insert(0, ["", *columns])
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    print(f"\n{title}")
    for line in lines:
        cells = [cell.rjust(width) if number else cell.ljust(width)
                 for cell, width, number in zip(line, widths, numbers)]
        print("  " + "  ".join(cells).rstrip())
    sys.stdout.flush()
