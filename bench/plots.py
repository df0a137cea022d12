#!/usr/bin/env python3
"""The plots of docs/benchmarks.md and the table that they show: docs/benchmarks.json in, SVG in docs/images and the lines between
two comments of the page out.

    plots.py [--check]     --check writes nothing, and ends with 1 where a plot or the table is another one

Figures are [median, least, most]. Nothing beside the standard library.
"""

import json
import math
import sys
from pathlib import Path
from xml.sax.saxutils import escape

ROOT = Path(__file__).resolve().parent.parent
OURS, PEER, INK, FAINT = "#0969da", "#9a6700", "#1f2328", "#d0d7de"
LINES = ["#0969da", "#1a7f37", "#9a6700"]
WIDTH = 760


def text(x, y, words, anchor="start", colour=INK, weight="normal"):
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}" font-weight="{weight}">{escape(words)}</text>\n'


def page(height, title, body):
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" role="img" font-family="sans-serif"'
        f' font-size="13">\n<title>{escape(title)}</title>\n<rect width="100%" height="100%" rx="6" fill="#ffffff"/>\n{body}</svg>\n'
    )


def brief(value):
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def bars(figures):
    """Two bars for each figure from 0 on, with the range as a line; the ratio at the end."""
    left, room, step = 24, 420, 78
    out = ""
    for number, one in enumerate(figures):
        top = 20 + number * step
        most = max(one["peer"][2], one["ours"][2])
        ratio = one["peer"][0] / one["ours"][0]
        out += text(left, top + 10, f'{one["case"]}: {one["what"]}', weight="bold")
        out += text(WIDTH - 24, top + 10, f"{ratio:.0f} times less", "end")
        for row, (name, colour, values) in enumerate([("kubectl skills", OURS, one["ours"]), (one["peerName"], PEER, one["peer"])]):
            y = top + 18 + row * 22
            median, least, longest = (left + room * value / most for value in values)
            out += f'<rect x="{left}" y="{y}" width="{max(median - left, 1):.1f}" height="16" fill="{colour}"/>\n'
            out += f'<line x1="{least:.1f}" x2="{longest:.1f}" y1="{y + 8}" y2="{y + 8}" stroke="{INK}" stroke-width="2"/>\n'
            out += text(max(median, longest) + 8, y + 13, f'{brief(values[0])} {one["unit"]}, {name}')
    return page(20 + step * len(figures), "Median with the range: less is better", out)


def lines(data):
    """Milliseconds by the number of SkillBindings, both axes by powers of ten; a point at 0 stands at the left edge."""
    left, right, top, bottom = 70, 520, 24, 300
    longest = max(value for line in data["lines"] for value in line["p95"] if value is not None)
    high = math.ceil(math.log10(longest))
    x_of = lambda index: left + (right - left) * index / (len(data["bindings"]) - 1)
    y_of = lambda value: bottom - (bottom - top) * math.log10(max(value, 1)) / high
    out = ""
    for power in range(high + 1):
        y = y_of(10**power)
        out += f'<line x1="{left}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}" stroke="{FAINT}"/>\n' + text(left - 8, y + 4, f"{10**power} ms", "end")
    for index, count in enumerate(data["bindings"]):
        out += text(x_of(index), bottom + 20, str(count), "middle")
    out += text((left + right) / 2, bottom + 40, "SkillBindings in the namespace", "middle")
    for line, colour in zip(data["lines"], LINES):
        for key, dashes in (("median", ""), ("p95", ' stroke-dasharray="4 4"')):
            points = [(x_of(index), y_of(value)) for index, value in enumerate(line[key]) if value is not None]
            joined = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
            out += f'<polyline points="{joined}" fill="none" stroke="{colour}" stroke-width="2"{dashes}/>\n'
            if key == "median":
                out += "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>\n' for x, y in points)
    for number, (line, colour) in enumerate(zip(data["lines"], LINES)):
        y = top + 20 + number * 22
        out += f'<rect x="{right + 20}" y="{y - 9}" width="10" height="10" fill="{colour}"/>\n' + text(right + 36, y, line["name"])
    out += text(right + 20, top + 100, "dashed: the 95th percentile")
    return page(bottom + 56, "How long the creation of a pod takes", out)


def table(figures):
    """The figures as a table of Markdown."""
    out = "| | ours | peer | ratio | goal |\n|---|---|---|---|---|\n"
    for one in figures:
        ours, peer = (f'{brief(values[0])} {one["unit"]} [{brief(values[1])}-{brief(values[2])}]' for values in (one["ours"], one["peer"]))
        ratio = one["peer"][0] / one["ours"][0]
        out += f'| {one["case"]}, {one["what"]} | {ours} | {one["peerName"]}: {peer} | {ratio:.0f} | {one["goal"] or ""} |\n'
    return out


def page_with(name, inside):
    """The page with other lines between the comments of that name."""
    before, _, rest = (ROOT / "docs/benchmarks.md").read_text().partition(f"<!-- {name} -->\n")
    _, end, after = rest.partition(f"<!-- end of {name} -->")
    if not end:
        sys.exit(f"plots: docs/benchmarks.md has no comments {name} and end of {name}")
    return f"{before}<!-- {name} -->\n{inside}{end}{after}"


def main():
    data = json.loads((ROOT / "docs/benchmarks.json").read_text())
    made = {
        "docs/images/bench-transform.svg": bars(data["transform"]["figures"]),
        "docs/images/bench-policy.svg": lines(data["policy"]),
        "docs/benchmarks.md": page_with("transform", table(data["transform"]["figures"])),
    }
    differ = [name for name, text in made.items() if not (ROOT / name).exists() or (ROOT / name).read_text() != text]
    for name in differ:
        if "--check" in sys.argv[1:]:
            print(f"plots: {name} is not what docs/benchmarks.json says: bench/plots.py", file=sys.stderr)
        else:
            (ROOT / name).write_text(made[name])
    return 1 if differ and "--check" in sys.argv[1:] else 0


if __name__ == "__main__":
    sys.exit(main())
