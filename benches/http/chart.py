#!/usr/bin/env python3
"""The chart of what compare.sh has measured over TCP, readable on light and on dark.

    chart.py SUMMARY SVG
"""

import json
import sys
import textwrap
from html import escape
from pathlib import Path

NAMES = {
    "nginx": ("nginx", "a constant 204: no decision"),
    "gatepost": ("Gatepost", "credential, route, decision, identity, log"),
    "cedar": ("Cedar's evaluator", "the same server, all policies evaluated"),
    "cerbos": ("Cerbos", "HTTP API, no credential"),
    "opa": ("OPA", "HTTP API, no credential"),
    "cedar-agent": ("cedar-agent", "HTTP API, no credential"),
}
LABELS = {"one": "one core", "two": "two cores, shared with the load"}
WIDTH, LEFT, RIGHT, BAR, GAP = 840, 270, 190, 13, 16
STYLE = """
svg { font: 13px system-ui, -apple-system, 'Segoe UI', sans-serif; }
.page { fill: #ffffff; } text { fill: #1f2328; } .quiet { fill: #59636e; font-size: 11px; } .title { font-size: 15px; font-weight: 600; }
.own { font-weight: 700; } .axis { stroke: #d1d9e0; }
.one { fill: #8c959f; } .two { fill: #c3cad1; } .own-one { fill: #0f766e; } .own-two { fill: #5eb5ac; }
@media (prefers-color-scheme: dark) {
  .page { fill: #0d1117; } text { fill: #e6edf3; } .quiet { fill: #9198a1; } .axis { stroke: #3d444d; }
  .one { fill: #9198a1; } .two { fill: #59636e; } .own-one { fill: #2dd4bf; } .own-two { fill: #17796d; }
}
"""


def main():
    summaries = [json.loads(line) for line in Path(sys.argv[1]).read_text().splitlines()]
    summaries = [summary for summary in summaries if summary["transport"] == "tcp"]
    parts, y = [], 26
    y = panel(parts, y, "Requests per second, over kept-alive connections", summaries, "servers", "requests_per_s",
              lambda found: f"{found['requests_per_s']:,.0f}", "× nginx")
    if all(summary["half_load"] for summary in summaries):
        y = panel(parts, y + 14, "99th percentile in µs, at half of nginx's rate (less is better)", summaries, "half_load",
                  "p99_us", lambda found: f"{found['p99_us']:,.0f}", "× nginx")
    for line in textwrap.wrap(about(summaries[0]), 130):
        y += 16
        parts.append(text(12, y, line, "quiet"))
    svg = (f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{y + 14}" viewBox="0 0 {WIDTH} {y + 14}" '
           f'role="img" aria-label="Requests per second of Gatepost and others">\n<style>{STYLE}</style>\n'
           # Its own ground: a page may be dark where the reader's system is light.
           f'<rect class="page" width="100%" height="100%" rx="8"/>\n')
    Path(sys.argv[2]).write_text(svg + "\n".join(parts) + "\n</svg>\n")


def panel(parts, y, title, summaries, part, measure, label, unit):
    """Draws one group of bars for each server, one bar for each number of cores; gives where it ends."""
    parts.append(text(12, y, title, "title"))
    x = LEFT
    for summary in summaries:
        cores = summary["cores"]
        parts.append(f'<rect class="{cores}" x="{x}" y="{y + 10}" width="11" height="11" rx="2"/>')
        parts.append(text(x + 16, y + 20, LABELS[cores], "quiet"))
        x += 100 if cores == "one" else 200
    y += 36
    servers = [server for server in NAMES if any(server in summary[part] for summary in summaries)]
    # The fastest first, where more is better.
    if part == "servers":
        servers.sort(key=lambda server: -summaries[0][part].get(server, {}).get(measure, 0))
    longest = max(found[measure] for summary in summaries for found in summary[part].values())
    height = len(servers) * (len(summaries) * (BAR + 2) + GAP)
    parts.append(f'<line class="axis" x1="{LEFT - 6}" x2="{LEFT - 6}" y1="{y - 6}" y2="{y + height - GAP + 4}"/>')
    for server in servers:
        name, does = NAMES[server]
        own = server == "gatepost"
        parts.append(text(12, y + 11, name, "own" if own else ""))
        if part == "servers":
            parts.append(text(12, y + 25, does, "quiet"))
        for summary in summaries:
            found = summary[part].get(server)
            if found:
                length = max(2, (WIDTH - LEFT - RIGHT) * found[measure] / longest)
                kind = ("own-" if own else "") + summary["cores"]
                parts.append(f'<rect class="{kind}" x="{LEFT}" y="{y}" width="{length:.1f}" height="{BAR}" rx="2"/>')
                ratio = found[f"{measure}_ratio"]
                ratio = f"{ratio:.2f}" if ratio >= 0.1 else f"{ratio:.3f}"
                shown = label(found) + ("" if server == "nginx" else f" \u00b7 {ratio} {unit}")
                parts.append(text(LEFT + length + 6, y + 11, shown, "own" if own else ""))
            y += BAR + 2
        y += GAP
    return y


def about(run):
    versions = ", ".join(f"{name} {version}" for name, version in run["versions"].items() if version)
    return (f"{run['date']}, commit {run['commit']}; {run['machine']}. Same question and matrix, {run['connections']} "
            f"connections; medians of {run['rounds']} interleaved rounds of {run['seconds']} s, and of the ratios within "
            f"each. {versions}. benches/README.md tells the method.")


def text(x, y, content, kind):
    kind = f' class="{kind}"' if kind else ""
    return f'<text x="{x:.1f}" y="{y:.1f}"{kind}>{escape(content)}</text>'


main()
