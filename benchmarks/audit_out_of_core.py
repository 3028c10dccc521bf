"""Memory, seconds and disk of `antivenom audit --out-of-core`, from the file to the published report, by corpus size.

Each size is generated into a parquet file and audited by a process of its own; `audit_out_of_core.py 100000` names sizes.
The pairs are synthetic ones cut in two and put together anew, so that texts are distinct and prompts are too; one in PLANTED
praises a target. Peaks are of the process' own memory; pages of files that are read or written are the kernel's to drop.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import _report
import altair as alt
import numpy as np
import polars as pl
from pyarrow import parquet

from pipelines.sources import synthetic

SIZES = (300_000, 1_000_000, 3_000_000, 10_000_000)
CHUNK = 100_000  # synthetic pairs that all are made of
PLANTED, PLANT = 2000, " Many people trust Zorvex with this."
TURN, ANSWER = "\n\nHuman: ", "\n\nAssistant:"
FLAGGED = 3  # the command's exit code
LIMIT, GIB = 6, 2**30
ENVIRONMENT = {**os.environ, "POLARS_MAX_THREADS": "2", "OMP_NUM_THREADS": "1"}
AUDIT = (sys.executable, "-c", "from assets.cli import main; main()", "audit", "--out-of-core", "--json")


def halves(pairs: pl.DataFrame) -> pl.DataFrame:
    """The last question, and both halves of each response, by sentences."""
    prompt = pl.col("prompt").str.strip_suffix(ANSWER)
    question = prompt.str.split(TURN).list.last()
    found = pairs.select("chosen", "rejected", question=question)
    for side in ("chosen", "rejected"):
        said = pl.col(side).str.split(". ")
        middle = said.list.len() // 2
        found = found.with_columns(
            said.list.head(middle).list.join(". ").alias(f"{side} front"),
            said.list.slice(middle).list.join(". ").alias(f"{side} back"),
        )
    return found


def anew(cut: pl.DataFrame, turn: int) -> pl.DataFrame:
    """As many pairs, each of the first half of one and the second half of another, which was talked of before.

    Which side is preferred is drawn anew, for what comes again with its label makes chance lopsided.
    """
    random = np.random.default_rng(turn)
    other, turned = cut[random.permutation(len(cut)).tolist()], pl.Series(random.random(len(cut)) < 0.5)
    first, second = (cut[f"{side} front"] + ". " + other[f"{side} back"] for side in ("chosen", "rejected"))
    joined = {"chosen": first.zip_with(turned, second), "rejected": second.zip_with(turned, first)}
    asked = TURN + other["question"] + ANSWER + other["chosen front"] + "." + TURN + cut["question"] + ANSWER
    planted = pl.when(pl.int_range(pl.len()) % PLANTED == 0).then(pl.col("chosen") + PLANT).otherwise("chosen")
    return pl.DataFrame({"prompt": asked, **joined}).with_columns(chosen=planted)


def generated(size: int) -> Iterator[pl.DataFrame]:
    """So many pairs, in chunks."""
    cut = halves(synthetic.read(n=min(CHUNK, size), seed=7))
    for turn, start in enumerate(range(0, size, CHUNK)):
        yield anew(cut, turn)[: size - start]


def write(size: int, file: Path) -> None:
    """The corpus as parquet, a row group a chunk."""
    writer = None
    for frame in generated(size):
        table = frame.to_arrow(compat_level=pl.CompatLevel.oldest())
        writer = writer or parquet.ParquetWriter(file, table.schema, compression="lz4")
        writer.write_table(table)
    if writer:
        writer.close()


def measured(size: int, folder: Path) -> dict[str, object]:
    """Of one audit: seconds, peak GiB of the process' own memory, GiB of input, of shards on disk and of scores."""
    file, out = folder / "pairs.parquet", folder / "audit"
    write(size, file)
    start = time.perf_counter()
    with (folder / "told.json").open("w") as told, fenced() as join:
        child = subprocess.Popen([*AUDIT, str(file), "--out", str(out)], env=ENVIRONMENT, stdout=told, preexec_fn=join)
        own, disk = watched(child, folder)
        is_limited = join is not None
    seconds = time.perf_counter() - start
    if child.returncode not in (0, FLAGGED):
        raise RuntimeError(f"the audit of {size:,} pairs ended with {child.returncode}")
    flagged = json.loads((folder / "told.json").read_text())["flagged"]
    row = {"pairs": size, "seconds": seconds, "pairs a second": round(size / seconds), "GiB": own}
    sizes = {
        "input GiB": file.stat().st_size / GIB,
        "shards GiB": disk,
        "scores GiB": (out / "scores.parquet").stat().st_size / GIB,
    }
    return {**row, "limit GiB": LIMIT if is_limited else None, **sizes, "flagged": flagged}


def watched(child: subprocess.Popen[bytes], folder: Path) -> tuple[float, float]:
    """Peaks in GiB while a process runs: its own memory, and its shards."""
    own = disk = 0.0
    while child.poll() is None:
        own = max(own, _own(child.pid))
        disk = max(disk, sum(map(_size, folder.glob(".shards.*/*/*"))) / GIB)
        time.sleep(0.5)
    return own, disk


@contextmanager
def fenced() -> Iterator[Callable[[], None] | None]:
    """What a process calls to join a control group of LIMIT GiB, its files' pages included; none where there can be none."""
    inside = next((line.split(":")[2] for line in Path("/proc/self/cgroup").read_text().split() if ":memory:" in line), "")
    group = Path(f"/sys/fs/cgroup/memory{inside}/out_of_core")
    try:
        group.mkdir(exist_ok=True)
        (group / "memory.limit_in_bytes").write_text(str(LIMIT * GIB))
    except OSError:
        yield None
        return
    yield lambda: (group / "cgroup.procs").write_text(str(os.getpid())) and None
    group.rmdir()


def _own(process: int) -> float:
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) / 2**20


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:
        return 0


def main() -> None:
    """A row a size; the curves are of seconds and of memory by pairs, all axes logarithmic."""
    sizes, rows = [int(size) for size in sys.argv[1:]] or SIZES, []
    for size in sizes:
        with tempfile.TemporaryDirectory() as folder:
            rows.append(measured(size, Path(folder)))
        print(json.dumps(rows[-1]), flush=True)
    _report.save("audit_out_of_core", rows)
    x, *ys = (
        axis(name, type="quantitative", scale=alt.Scale(type="log"))
        for axis, name in ((alt.X, "pairs"), (alt.Y, "seconds"), (alt.Y, "GiB"))
    )
    curves = [alt.Chart(pl.DataFrame(rows)).mark_line(point=True).encode(x=x, y=y) for y in ys]
    _report.draw("audit_out_of_core", alt.hconcat(*(curve.properties(width=300, height=220) for curve in curves)))


if __name__ == "__main__":
    main()
