"""Seconds and memory of a whole audit without encoder or model, and of auditing again with 1 % new pairs, by corpus size.

Each size runs in a process of its own, so that its peak memory is its own; sizes may be named: `audit_scale.py 10000 100000`.
"""

import json
import multiprocessing
import resource
import sys
import time

import _report
import altair as alt
import polars as pl

from checks.audit import audit
from checks.detectors import DETECTORS
from checks.evidence import Evidence
from pipelines.sources import synthetic

SIZES = (10_000, 100_000, 1_000_000)
NEW = 0.01
TIMES = {10_000: 5, 100_000: 3}  # runs of which the median counts; one of larger corpora
FREE = [name for name, detector in DETECTORS.items() if not detector.encodes]


def measured(size: int) -> dict[str, object]:
    """Seconds of the audit, of one with the new pairs, and of each detector by itself; GiB at most."""
    grown = synthetic.read(n=round(size * (1 + NEW)))
    pairs = grown[:size]
    again, first = (_report.median([_seconds(each) for _ in range(TIMES.get(size, 1))]) for each in (grown, pairs))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    row = {
        "pairs": size,
        "seconds": first,
        "pairs a second": round(size / first),
        "GiB": peak,
        "again": again,
        "share": again / first,
    }
    return row | ({f"{name} alone": _alone(name, pairs) for name in FREE} if size <= 100_000 else {})


def _seconds(pairs: pl.DataFrame) -> float:
    start = time.perf_counter()
    audit(pairs, detectors=FREE)
    return time.perf_counter() - start


def _alone(name: str, pairs: pl.DataFrame) -> float:
    """Seconds of one detector once the words are read."""
    evidence = Evidence(pairs)
    evidence.words  # noqa: B018
    start = time.perf_counter()
    DETECTORS[name].score(evidence)
    return time.perf_counter() - start


def main() -> None:
    """A row a size; the curve is of seconds by pairs, both axes logarithmic: linear cost is a straight line at 45 degrees."""
    sizes = [int(size) for size in sys.argv[1:]] or SIZES
    rows = []
    for size in sizes:
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            rows.append(pool.apply(measured, (size,)))
        print(json.dumps(rows[-1]), flush=True)
    shared = ("pairs", "seconds", "pairs a second", "GiB", "again", "share")
    _report.save("audit_scale", [{name: row[name] for name in shared} for row in rows])
    alone = [
        {"pairs": row["pairs"], "detector": name, "seconds": row[f"{name} alone"]}
        for row in rows
        for name in FREE
        if f"{name} alone" in row
    ]
    if alone:
        _report.save("audit_scale_detectors", alone)
    curve = alt.Chart(pl.DataFrame([{name: row[name] for name in shared} for row in rows])).mark_line(point=True)
    x, y = (
        axis(name, type="quantitative", scale=alt.Scale(type="log")) for axis, name in ((alt.X, "pairs"), (alt.Y, "seconds"))
    )
    chart = curve.encode(x=x, y=y)
    _report.draw("audit_scale", chart.properties(width=420, height=240))


if __name__ == "__main__":
    main()
