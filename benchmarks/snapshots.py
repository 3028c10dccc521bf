"""What publishing and verifying costs beside writing and reading the same parquet bare; how long a trace takes, and an audit
of pairs that did not change.

    python benchmarks/snapshots.py [--pairs 200000] [--snapshots 1000] [--unchanged 1000000] [--turns 7]

Both ways take turns within one run; what is told is their medians and ratios. A pair is some 600 letters long.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median

import _report
import numpy as np
import polars as pl

from pipelines.schema import with_pair_ids
from pipelines.snapshots import Store, tracing

WORDS = 20_000  # made up, the first ones said most often, as in any language


def pairs(count: int, seed: int = 0) -> pl.DataFrame:
    """Made-up pairs, no two alike."""
    random = np.random.default_rng(seed)
    words = np.array(["".join(random.choice(list("etaoinshrdlu"), random.integers(2, 9))) for _ in range(WORDS)])
    often = 1 / np.arange(1, WORDS + 1)

    def said(length: int) -> list[str]:
        drawn = random.choice(WORDS, (count, length), p=often / often.sum())
        return [" ".join(words[row]) for row in drawn]

    columns = {"prompt": said(20), "chosen": said(50), "rejected": said(50)}
    return with_pair_ids(pl.DataFrame(columns))


def timed(call: Callable[[], object]) -> float:
    """Seconds of one call."""
    begun = time.perf_counter()
    call()
    return time.perf_counter() - begun


def costs(table: pl.DataFrame, turns: int, folder: Path) -> dict[str, object]:
    """Medians of writing and reading, bare and published."""
    store, file = Store(folder / "store"), folder / "bare.parquet"
    turns_of = {
        "write": lambda turn: table.write_parquet(file),
        # a fact of its own, else a snapshot that is there is only compared
        "publish": lambda turn: store.point(
            "clean/pairs", store.publish("pairs", lambda each: table.write_parquet(each / "t.parquet"), {"turn": turn})
        ),
        "read": lambda turn: pl.read_parquet(file),
        "verify and read": lambda turn: pl.read_parquet(store.verified("clean/pairs")[0] / "t.parquet"),
    }
    seconds: dict[str, list[float]] = {name: [] for name in turns_of}
    for turn in range(turns):
        for name, call in turns_of.items():
            seconds[name].append(timed(partial(call, turn)))
        shutil.rmtree(store.root)
    found = {name: median(each) for name, each in seconds.items()}
    both = [(publish + verify) / (write + read) for write, publish, read, verify in zip(*seconds.values(), strict=True)]
    return {
        "pairs": len(table),
        "MB": file.stat().st_size / 1e6,
        **found,
        "publish to write": found["publish"] / found["write"],
        "verify and read to read": found["verify and read"] / found["read"],
        "both to both": median(both),
    }


def traced(count: int, folder: Path) -> dict[str, object]:
    """How long it takes to follow a pair through chains of tables, models and evaluations."""
    store, table = Store(folder / "many"), pairs(500)
    wanted = str(table["pair_id"][0])
    for at in range(count // 4):
        own = table if at % 2 else table.slice(1)
        held = store.publish("pairs", lambda each, own=own: own.write_parquet(each / "t.parquet"), {"at": at})
        kept = store.publish(
            "kept", lambda each, own=own: own.head(400).write_parquet(each / "t.parquet"), {"at": at}, parents=[held]
        )
        model = store.publish("model", lambda each: (each / "m.txt").write_text("m"), {"at": at}, parents=[kept])
        told = store.publish("accuracy", lambda each: (each / "r.txt").write_text("r"), {"at": at}, parents=[model])
        store.point(f"clean/accuracy/{at}", told)
    seconds = [timed(lambda: tracing.reached(tracing.found([store.root]), [wanted])) for _ in range(5)]
    steps = tracing.reached(tracing.found([store.root]), [wanted])
    return {"snapshots": len(store.snapshots()), "reached": len(steps), "seconds": median(seconds)}


def unchanged(count: int, folder: Path) -> dict[str, object]:
    """The command that audits pairs, and the same again where nothing changed: the whole process, its imports too."""
    file = folder / "pairs.jsonl"
    pairs(count).drop("pair_id").write_ndjson(file)
    command = [str(Path(sys.executable).with_name("antivenom")), "audit", str(file)]
    words = [*command, "--out", str(folder / "audit"), "--detectors", "degenerate"]

    def audited() -> None:
        if subprocess.run(words, stdout=subprocess.DEVNULL).returncode not in (0, 3):
            raise SystemExit("the audit failed")

    first = timed(audited)
    return {"pairs": count, "MB": file.stat().st_size / 1e6, "first": first, "again": median(timed(audited) for _ in range(3))}


def main() -> None:
    """Three tables."""
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--pairs", type=int, default=200_000)
    ask.add_argument("--snapshots", type=int, default=1000)
    ask.add_argument("--turns", type=int, default=7)
    ask.add_argument("--unchanged", type=int, default=1_000_000)
    given = ask.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        _report.save(
            "snapshots", [costs(pairs(count), given.turns, Path(folder)) for count in (given.pairs // 10, given.pairs)]
        )
        _report.save("snapshots_traced", [traced(given.snapshots, Path(folder))])
        _report.save("snapshots_unchanged", [unchanged(given.unchanged, Path(folder))])


if __name__ == "__main__":
    main()
