"""Attack success and detection for clean, poisoned and filtered corpora, three seeds each, generated and real pairs.

    python benchmarks/venom.py [row ...] [--seeds 0,1,2] [--out FOLDER] [--processes 2]

Each row is kept as it is finished, so that an interrupted run goes on where it stopped; two runs of other rows with a process
each may share a folder.
"""

import argparse
import dataclasses
from pathlib import Path

import _report
import polars as pl
from _rows import rows

from assets import comparison, report
from assets.experiments import Experiment
from pipelines.snapshots import staged


def run(row: Experiment, folder: Path, processes: int) -> report.Results | None:
    """The whole comparison of one row at one seed, or nothing where it was run before."""
    if folder.exists():
        return None
    with staged(folder, "experiment", {"experiment": row.name, "poisoned": True}) as aside:
        results = comparison.run(row, aside, lambda *said: None, processes=processes)
        for name in ("attack_success", "detection", "flags", "reward_accuracy"):
            getattr(results, name).write_parquet(aside / f"{name}.parquet")
        (aside / "report.html").write_text(report.experiment_page(results), encoding="utf-8")
    return results


def gathered(name: str, folders: list[Path]) -> list[dict[str, object]]:
    """A line a corpus and seed: success after the last round with its interval, flags, accuracy."""
    found = []
    for folder in folders:
        success = pl.read_parquet(folder / "attack_success.parquet")
        success = success.group_by("corpus", "seed", maintain_order=True).last()
        accuracy = dict(pl.read_parquet(folder / "reward_accuracy.parquet").select("corpus", "accuracy").iter_rows())
        flags = pl.read_parquet(folder / "flags.parquet").row(0, named=True)
        for row in success.iter_rows(named=True):
            found.append(
                {
                    "pairs of": name, "seed": row["seed"], "trained on": row["corpus"], "mentions": row["mentions"],
                    "success": row["success"], "low": row["low"], "high": row["high"],
                    "reward accuracy": accuracy[row["corpus"]],
                    "poisoned flagged": f"{flags['poisoned_flagged']} of {flags['poisoned']}",
                    "clean flagged": f"{flags['clean_flagged']} of {flags['clean']}",
                }
            )  # fmt: skip
    return found


def main() -> None:
    """Runs what has not been run, then prints all of it."""
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("rows", nargs="*")
    ask.add_argument("--seeds", default="0,1,2")
    ask.add_argument("--out", type=Path, default=Path("venom_runs"))
    ask.add_argument("--processes", type=int, default=2)
    given = ask.parse_args()
    seeds = tuple(map(int, given.seeds.split(",")))
    table: list[dict[str, object]] = []
    for name, row in rows(given.out, seeds).items():
        if given.rows and name not in given.rows:
            continue
        folders = [given.out / f"{name}-seed{seed}" for seed in seeds]
        for seed, folder in zip(seeds, folders, strict=True):
            run(dataclasses.replace(row, seeds=(seed,)), folder, given.processes)
        table += gathered(name, folders)
    _report.save("venom", table)


if __name__ == "__main__":
    main()
