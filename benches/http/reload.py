#!/usr/bin/env python3
"""Latencies before and during reloads, and the median of the ratios of each pair that reload.sh has measured.

    reload.py ROUNDS POLICIES RATE
"""

import json
import statistics
import sys
from pathlib import Path

PERCENTILES = ["p50", "p99", "p99_9"]


def main():
    rounds = [json.loads(line) for line in Path(sys.argv[1]).read_text().splitlines()]
    found = {"bench": "http/reload", "policies": int(sys.argv[2]), "rate": int(sys.argv[3]), "rounds": len(rounds)}
    found["generations"] = sum(pair["generations"] for pair in rounds)
    for side in ["quiet", "reloading"]:
        found[side] = {f"{name}_us": statistics.median(pair[side]["latency_us"][name] for pair in rounds) for name in PERCENTILES}
    for name in PERCENTILES:
        ratios = [pair["reloading"]["latency_us"][name] / pair["quiet"]["latency_us"][name] for pair in rounds]
        found[f"{name}_ratio"] = round(statistics.median(ratios), 3)
    print(f"{found['generations']} generations in {len(rounds)} rounds at {found['rate']} requests/s, none failed")
    print(f"{'latency, µs':<14} {'quiet':>9} {'reloading':>10} {'times':>7}")
    for name in PERCENTILES:
        quiet, reloading = found["quiet"][f"{name}_us"], found["reloading"][f"{name}_us"]
        print(f"{name.replace('_', '.'):<14} {quiet:>9.0f} {reloading:>10.0f} {found[f'{name}_ratio']:>7.2f}")
    print(json.dumps(found))


main()
