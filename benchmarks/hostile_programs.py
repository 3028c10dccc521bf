"""What hostile programs come to in the sandbox, wall by wall, and what a run costs beyond the interpreter's own start.

`python benchmarks/hostile_programs.py`: five minutes of one core.
"""

import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import altair as alt
from _report import alternate, draw, median, save
from rich.progress import track

from pipelines.sandbox import LAYERS, Limits, run, run_all, strength
from pipelines.sandbox.hostile import HOSTILE

WALLS = {"all": LAYERS, "namespaces": ("namespaces",), "without namespaces": ("landlock", "seccomp")}
LIMITS = Limits(cpu=1, wall=2, memory=256 << 20)
PLACES = {"PORT": 9, "SOCKET": "/run/antivenom.sock", "FILE": Path(__file__), "PARENT": os.getpid()}
PROGRAM = "print(sum(map(int, input().split())))"
MANY = 20


def contained() -> list[dict[str, object]]:
    """A row a program: how it ended behind each set of walls, and whether it got what it wanted behind any."""
    rows = []
    for name, hostile in track(HOSTILE.items(), "hostile programs"):
        runs = {walls: run(hostile.aimed(PLACES), limits=LIMITS, layers=layers) for walls, layers in WALLS.items()}
        out = any(b"ESCAPED" in ran.stdout or ran.end not in hostile.ends for ran in runs.values())
        rows.append({"program": name, **{walls: str(ran.end) for walls, ran in runs.items()}, "got out": out})
    return rows


def costs() -> list[dict[str, object]]:
    """Seconds of a run behind each set of walls beside bare interpreters in the same turn, and of many side by side."""
    python = os.path.realpath(sys.executable)
    calls = {
        "python -I -B -c pass": partial(subprocess.run, [python, "-I", "-B", "-c", "pass"]),
        "python -I -B -S -c pass": partial(subprocess.run, [python, "-I", "-B", "-S", "-c", "pass"]),
        **{f"run: {walls}": partial(run, PROGRAM, b"1 2", layers=layers) for walls, layers in WALLS.items()},
    }
    calls |= {f"{MANY} runs, {n} at a time": partial(run_all, [(PROGRAM, b"1 2")] * MANY, workers=n) for n in (1, 2, 4)}
    taken = {name: median(seconds) for name, seconds in alternate(calls, times=15).items()}
    share = {name: seconds / MANY if name.startswith(f"{MANY} runs") else seconds for name, seconds in taken.items()}
    bare = share["python -I -B -c pass"]
    return [{"what": name, "ms a run": 1000 * seconds, "ratio": seconds / bare} for name, seconds in share.items()]


if __name__ == "__main__":
    print(strength())
    save("hostile_programs", contained())
    rows = costs()
    save("sandbox_cost", rows)
    bars = alt.Chart(alt.Data(values=rows)).mark_bar().encode(x="ms a run:Q", y=alt.Y("what:N", sort=None, title=None))
    draw("sandbox_cost", bars.properties(title="What a run costs"))
