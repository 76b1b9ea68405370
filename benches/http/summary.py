#!/usr/bin/env python3
"""Medians of what compare.sh has measured, and of the ratios of what was measured in the same round.

    summary.py ROUNDS SUMMARY                              prints tables, writes JSON lines
    summary.py --half-rate CORES TRANSPORT ROUNDS          prints half of nginx's median requests per second
"""

import json
import sys
from pathlib import Path

MEASURE = "nginx"
OWN = "gatepost"
ORDER = ["nginx", "gatepost", "cedar", "cerbos", "opa", "cedar-agent"]


def main():
    if sys.argv[1] == "--half-rate":
        cores, transport, path = sys.argv[2:]
        rows = [row for row in read(path) if (row["cores"], row["transport"]) == (cores, transport)]
        print(int(median(values(rows, MEASURE, "requests_per_s")) / 2))
        return
    lines = [json.loads(line) for line in Path(sys.argv[1]).read_text().splitlines()]
    run = next(line for line in lines if line["kind"] == "run")
    del run["kind"]
    summaries = []
    for cores, transport in dict.fromkeys((line["cores"], line["transport"]) for line in lines if "cores" in line):
        rows = [line for line in lines if (line.get("cores"), line.get("transport")) == (cores, transport)]
        rows.sort(key=lambda row: ORDER.index(row["server"]))
        dropped = sum(row["count"] for row in rows if row["kind"] == "dropped")
        closed = [row for row in rows if row["kind"] == "closed"]
        half = [{**row, **flat(row["report"])} for row in rows if row["kind"] == "half"]
        summary = {"bench": "http/compare", "cores": cores, "transport": transport, **run}
        summary["servers"] = {server: of(closed, server, ["requests_per_s", "cpu_us", "busy", "p99_us"])
                              for server in dict.fromkeys(row["server"] for row in closed)}
        summary["half_load"] = {server: of(half, server, ["rate", "p50_us", "p99_us", "p99_9_us", "late_p99_us"])
                                for server in dict.fromkeys(row["server"] for row in half)}
        summary["log_records_dropped"] = dropped
        summaries.append(summary)
        show(summary)
    Path(sys.argv[2]).write_text("".join(json.dumps(summary) + "\n" for summary in summaries))


def read(path):
    lines = [json.loads(line) for line in Path(path).read_text().splitlines()]
    return [line for line in lines if line["kind"] == "closed"]


def flat(report):
    latency, late = report["latency_us"], report["late_us"] or {"p99": 0}
    return {"rate": report["rate"], "p50_us": latency["p50"], "p99_us": latency["p99"], "p99_9_us": latency["p99_9"],
            "late_p99_us": late["p99"]}


def of(rows, server, names):
    """A server's medians, and the medians of the ratios of each round, with quartiles: how many times nginx's it is, and
    how many times its own Gatepost's is."""
    found = {}
    for name in names:
        its = values(rows, server, name)
        if not its:
            continue
        found[name] = round(median(its), 3)
        if name in ("requests_per_s", "cpu_us", "p99_us"):
            add_ratio(found, f"{name}_ratio", its, values(rows, MEASURE, name))
            add_ratio(found, f"gatepost_{name}_ratio", values(rows, OWN, name), its)
    return found


def add_ratio(found, name, values, base):
    ratios = [one / other for one, other in zip(values, base) if other]
    if ratios:
        found[name] = round(median(ratios), 4)
        found[f"{name}_quartiles"] = [round(at(ratios, part), 4) for part in (0.25, 0.75)]


def values(rows, server, name):
    found = [row for row in rows if row["server"] == server and row.get(name) is not None]
    return [row[name] for row in sorted(found, key=lambda row: row["round"])]


def at(numbers, part):
    numbers = sorted(numbers)
    position = (len(numbers) - 1) * part
    low = int(position)
    high = min(low + 1, len(numbers) - 1)
    return numbers[low] + (position - low) * (numbers[high] - numbers[low])


def median(numbers):
    return at(numbers, 0.5)


def show(summary):
    title = f"{summary['cores']} core{'' if summary['cores'] == 'one' else 's'}, {summary['transport']}"
    print(f"\n{title:<22} {'requests/s':>11} {'times nginx':>22} {'Gatepost, times':>16} "
          f"{'CPU µs':>8} {'times':>7} {'p99 µs':>9} {'busy':>6}")
    for server, found in summary["servers"].items():
        low, high = found["requests_per_s_ratio_quartiles"]
        ratio = f"{found['requests_per_s_ratio']:.3f} ({low:.3f} to {high:.3f})"
        p99 = f"{found['p99_us']:.0f}" if "p99_us" in found else "-"
        times = found["gatepost_requests_per_s_ratio"]
        print(f"{server:<22} {found['requests_per_s']:>11.0f} {ratio:>22} {times:>16.3f} {found['cpu_us']:>8.2f} "
              f"{found['cpu_us_ratio']:>7.2f} {p99:>9} {found['busy']:>6.0%}")
    if summary["half_load"]:
        print(f"{'half of nginx’s rate':<22} {'due/s':>11} {'p50 µs':>9} {'p99 µs':>9} {'times nginx':>22} {'sent late, p99 µs':>18}")
    for server, found in summary["half_load"].items():
        low, high = found["p99_us_ratio_quartiles"]
        ratio = f"{found['p99_us_ratio']:.3f} ({low:.3f} to {high:.3f})"
        print(f"{server:<22} {found['rate']:>11.0f} {found['p50_us']:>9.0f} {found['p99_us']:>9.0f} {ratio:>22} "
              f"{found['late_p99_us']:>18.0f}")
    if summary["log_records_dropped"]:
        print(f"note: Gatepost's log dropped {summary['log_records_dropped']} records: its figures do not count")
    if summary["cores"] == "one" and summary["servers"][MEASURE]["busy"] < 0.9:
        print("note: nginx had less than nine tenths of its core: other programs ran, or the load was too slow, and only the\n"
              "processor time of each request tells anything")


main()
