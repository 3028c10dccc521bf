"""Exact and near duplicates among 10,000 to 1,000,000 pairs: seconds, memory, and which planted copies are found.

Every run is a process of its own and reads the same texts: both responses of a pair, words in threes, Jaccard 0.7. A peer
that would take over ten minutes, going by the size before, or that isn't installed (pip install rensa datasketch semhash) is
left out with a word. "found" are exact and near copies (J 0.75 to 0.99) of which one of the two is dropped; "right" is the
share of dropped rows that belong to those: decoys (J 0.3 to 0.6) are planted too. The audit is that of `template_clusters`.
"""

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import _report
import altair as alt
import numpy as np
import polars as pl
from _peers import PEERS
from _planted import corpus

SIZES = {10_000: 3, 100_000: 1, 1_000_000: 1}  # and how many times each is run, in turns
LIMIT, OVER = 600, "over ten minutes"
AUDIT = "antivenom audit"


def measured(name: str, file: str) -> dict[str, Any]:
    """Seconds, peak memory of this process and that of the rows alone, and the rates of one method."""
    pairs = pl.read_parquet(file)
    texts, before, start = pairs["chosen"] + " " + pairs["rejected"], _peak(), time.perf_counter()
    dropped = _audited(pairs) if name == AUDIT else PEERS[name](texts)
    row: dict[str, Any] = {"seconds": time.perf_counter() - start, "peak GiB": _peak(), "rows alone GiB": before}
    return row if name == AUDIT else row | _rates(pairs, dropped)


def _audited(pairs: pl.DataFrame) -> np.ndarray:
    from checks.audit import audit

    return audit(pairs, detectors=["template_clusters"]).scores["is_flagged"].to_numpy()


def _rates(pairs: pl.DataFrame, dropped: np.ndarray) -> dict[str, str]:
    kind, original = pairs["kind"].fill_null("").to_numpy(), pairs["original"].fill_null(0).to_numpy()
    found = dropped | dropped[original]
    copies = np.isin(kind, ["exact", "near"])
    right = copies.copy()
    right[original[copies]] = True
    rates = {"exact found": found[kind == "exact"], "near found": found[kind == "near"], "right": right[dropped]}
    return {name: f"{part.mean():.2%}" for name, part in rates.items()}


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def _run(*arguments: str) -> dict[str, Any]:
    """What this script prints in a process of its own; of one that fails, why in a word."""
    try:
        command = [sys.executable, __file__, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=None if arguments[0] == "rows" else LIMIT)
    except subprocess.TimeoutExpired:
        return {"word": OVER}
    if done.returncode == 0:
        return json.loads(done.stdout.splitlines()[-1])
    return {"word": "not installed" if "ModuleNotFoundError" in done.stderr else done.stderr.strip().splitlines()[-1][:80]}


def _turns(file: str, times: int, names: list[str]) -> dict[str, dict[str, Any]]:
    """The median run of each method, taken in turns."""
    runs: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
    for _ in range(times):
        for name in names:
            runs[name].append(_run(name, file))
    return {name: sorted(each, key=lambda run: run.get("seconds", 0))[times // 2] for name, each in runs.items()}


def main() -> None:
    """Every method at every size that it can be run at."""
    columns = ["pairs", "method", "seconds", "peak GiB", "rows alone GiB", "exact found", "near found", "right", "word"]
    rows, last = [], {name: {"seconds": 0.0} for name in [*PEERS, AUDIT]}
    with tempfile.TemporaryDirectory() as folder:
        for size, times in SIZES.items():
            file = str(Path(folder) / f"{size}.parquet")
            _run("rows", file, str(size))  # elsewhere, since a process takes over the peak memory of the one that starts it
            found = _turns(file, times, [name for name, row in last.items() if row.get("seconds", LIMIT) * 10 < LIMIT])
            last = {name: found.get(name, {"word": row.get("word", OVER)}) for name, row in last.items()}
            rows += [{"pairs": size, "method": name} | row for name, row in last.items()]
    rows = [{column: row.get(column, "") for column in columns} for row in rows]
    _report.save("duplicates", rows)
    _report.draw("duplicates", _chart([row for row in rows if row["seconds"]]))


def _chart(rows: list[dict[str, Any]]) -> alt.Chart:
    x, y = (alt.X("pairs:Q").scale(type="log"), alt.Y("seconds:Q").scale(type="log"))
    return (
        alt.Chart(pl.DataFrame(rows)).mark_line(point=True).encode(x=x, y=y, color="method:N").properties(width=420, height=240)
    )


if __name__ == "__main__":
    if sys.argv[1:2] == ["rows"]:
        corpus(int(sys.argv[3])).write_parquet(sys.argv[2])
        print("{}")
    elif sys.argv[1:]:
        print(json.dumps(measured(*sys.argv[1:])))
    else:
        main()
