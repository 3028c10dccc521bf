"""What every benchmark shares: alternated timings, a table on the screen, and JSON beside it."""

import json
import platform
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"


def alternate(calls: Mapping[str, Callable[[], Any]], *, times: int = 5) -> dict[str, list[float]]:
    """Seconds of each call, taken in turns so that a slow moment of the machine falls on all alike; one warm-up each."""
    taken: dict[str, list[float]] = {name: [] for name in calls}
    for turn in range(times + 1):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            if turn:
                taken[name].append(time.perf_counter() - start)
    return taken


def median(seconds: Sequence[float]) -> float:
    """The middle one."""
    return statistics.median(seconds)


def save(name: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Prints the rows as a table and writes them, with the machine they were taken on, to results/NAME.json."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title=name)
    for column in rows[0]:
        table.add_column(column, justify="right" if isinstance(rows[0][column], int | float) else "left")
    for row in rows:
        table.add_row(*(f"{value:,.4g}" if isinstance(value, float) else str(value) for value in row.values()))
    Console(width=140).print(table)
    RESULTS.mkdir(exist_ok=True)
    machine = {"processor": _processor(), "python": platform.python_version()}
    (RESULTS / f"{name}.json").write_text(json.dumps({"machine": machine, "rows": list(rows)}, indent=1) + "\n")


def draw(name: str, chart: Any) -> None:
    """Writes an altair chart to results/NAME.svg."""
    import vl_convert

    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.svg").write_text(vl_convert.vegalite_to_svg(chart.to_dict()))


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{len(names)} x {names[0]}" if names else platform.processor()
