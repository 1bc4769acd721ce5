"""Draws a run as SVG: ratios of what Baton costs to what others cost, and how long connections stood still."""

from xml.sax.saxutils import escape

# What we aim at (docs/performance.md).
TARGETS = {
    "requests": {"nginx": 0.75}, "tls": {"nginx": 0.65}, "tls-bodies": {"nginx": 0.65},
    "bodies": {"nginx": 0.60, "HAProxy": 1.0}, "uploads": {"nginx": 0.60, "HAProxy": 1.0},
    "until-close": {"nginx": 0.60, "HAProxy": 1.0}, "tunnel-bodies": {"nginx": 0.60, "HAProxy": 1.0},
    "tunnel": {"bare-relay": 1.03}, "connections": {"nginx": 0.85}, "tls-handshakes": {"nginx": 1.0},
    "tls-resumed": {"nginx": 0.95}, "h2": {"nginx": 0.60}, "h2c": {"nginx": 0.60}, "h2-to-h2": {"HAProxy": 0.60},
    "h2c-to-h2": {"HAProxy": 0.60},
    "handover": {"bare-sockets": 1.8}, "tls-handover": {"bare-sockets": 3.0},
}
PEERS = ("nginx", "HAProxy", "nghttpx", "bare-relay", "bare-sockets")
MOST = 2.0            # the scale's end; what is above stands there, with its number
LEFT, RIGHT, WIDTH = 180, 560, 760
LINE = 20

STYLE = """
  text { font: 12px system-ui, sans-serif; fill: #24292f }
  .title { font-weight: 600; font-size: 14px } .small { font-size: 11px; fill: #57606a }
  .grid { stroke: #d0d7de } .one { stroke: #57606a }
  .nginx { fill: #0969da; stroke: #0969da } .HAProxy { fill: #bc4c00; stroke: #bc4c00 }
  .nghttpx { fill: #1a7f37; stroke: #1a7f37 } .bare-relay, .bare-sockets { fill: #57606a; stroke: #57606a }
  .noisy { fill: none } .target { stroke-width: 2 } .bar { fill: #0969da }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 } .small { fill: #9198a1 } .grid { stroke: #3d444d } .one { stroke: #9198a1 }
    .nginx { fill: #4493f8; stroke: #4493f8 } .HAProxy { fill: #db6d28; stroke: #db6d28 }
    .nghttpx { fill: #3fb950; stroke: #3fb950 } .bare-relay, .bare-sockets { fill: #9198a1; stroke: #9198a1 }
    .noisy { fill: none } .bar { fill: #4493f8 }
  }
"""


def draw(results):
    body, height = [], 0
    rows = {name: tables[0] for name, tables in results["rows"].items()}
    for part in (_ratios, _pauses):
        lines, height = part(rows, height)
        body += lines
    height += 16
    return "\n".join([f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" '
                      f'height="{height}" role="img">', f"<style>{STYLE}</style>", *body, "</svg>", ""])


def _text(x, y, text, kind="", anchor="start"):
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}" text-anchor="{anchor}">{escape(text)}</text>'


def _line(x1, y1, x2, y2, kind):
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{kind}"/>'


def _mark(x, y, peer, is_noisy):
    kind = f"{peer} noisy" if is_noisy else peer
    if peer == "HAProxy":
        return f'<rect x="{x - 4:.1f}" y="{y - 4:.1f}" width="8" height="8" class="{kind}"/>'
    if peer in ("nghttpx", "bare-relay", "bare-sockets"):
        return f'<path d="M{x:.1f} {y - 5:.1f}l5 5l-5 5l-5 -5z" class="{kind}"/>'
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4.5" class="{kind}"/>'


def _at(ratio):
    return LEFT + (RIGHT - LEFT) * min(ratio, MOST) / MOST


def _ratios(rows, top):
    shown = {name: {peer: ratio for peer, ratio in row["ratios"].items() if peer in PEERS}
             for name, row in rows.items() if "ratios" in row}
    shown = {name: ratios for name, ratios in shown.items() if ratios}
    if not shown:
        return [], top
    out = [_text(16, top + 24, "What Baton costs, divided by what others cost (smaller is better)", "title")]
    x = 16
    for peer in PEERS:
        if any(peer in ratios for ratios in shown.values()):
            out += [_mark(x + 5, top + 41, peer, False), _text(x + 15, top + 45, peer, "small")]
            x += 105
    out.append(_text(x, top + 45, "hollow: too noisy to judge; | the target", "small"))
    top += 72
    bottom = top + LINE * len(shown)
    for tenths in range(0, int(MOST * 10) + 1, 5):
        at = _at(tenths / 10)
        out += [_line(at, top - 8, at, bottom, "one" if tenths == 10 else "grid"),
                _text(at, top - 12, f"{tenths / 10:.1f}", "small", "middle")]
    for number, (name, ratios) in enumerate(shown.items()):
        y = top + LINE * number + LINE / 2
        out.append(_text(LEFT - 12, y + 4, name, "", "end"))
        for peer, target in TARGETS.get(name, {}).items():
            if peer in ratios:
                out.append(_line(_at(target), y - 8, _at(target), y + 8, f"target {peer}"))
        out += [_mark(_at(ratio), y, peer, rows[name]["too_noisy"]) for peer, ratio in ratios.items()]
        out.append(_text(RIGHT + 14, y + 4, ", ".join(f"{ratio:.2f}" for ratio in ratios.values()), "small"))
    return out, bottom


def _up_to(bound_s):
    if bound_s is None:
        return "more"
    return f"up to {bound_s * 1000:.2g} ms" if bound_s < 0.1 else f"up to {bound_s:.2g} s"


def _pauses(rows, top):
    out = []
    for name, row in rows.items():
        if not row.get("pauses"):
            continue
        total = sum(count for _, count in row["pauses"])
        used = [number for number, (_, count) in enumerate(row["pauses"]) if count]
        if not used:
            continue
        shown = row["pauses"][used[0]:used[-1] + 1]
        out.append(_text(16, top + 36, f"{name}: how long a connection stood still", "title"))
        top += 48
        most = max(count for _, count in shown)
        for bound, count in shown:
            width = (RIGHT - LEFT) * count / most
            label = _up_to(bound)
            out += [_text(LEFT - 12, top + 14, label, "small", "end"),
                    f'<rect x="{LEFT}" y="{top + 4}" width="{width:.1f}" height="{LINE - 6}" class="bar"/>',
                    _text(LEFT + width + 8, top + 14, f"{count / total:.1%}", "small")]
            top += LINE
    return out, top
