"""Attack success and detection for clean, poisoned and filtered corpora, three seeds each, generated and real pairs.

    python benchmarks/venom.py [row ...] [--seeds 0,1,2] [--out FOLDER]

Each row is kept as it is finished, so that an interrupted run goes on where it stopped.
"""

import argparse
import dataclasses
import os
from pathlib import Path

import _report
import polars as pl

from assets import comparison, report
from assets.experiments import EXPERIMENTS, Experiment
from pipelines.snapshots import staged

REAL = {
    "harmless": ["hh_harmless_base/test_first1500.jsonl.gz"],
    "helpful": ["hh_helpful_mixed/helpful_test_sample_dev.jsonl.gz", "hh_helpful_pro/helpful_base_online_dev.jsonl.gz"],
}


def rows(out: Path, seeds: tuple[int, ...]) -> dict[str, Experiment]:
    """The generated corpus, and the real ones where ANTIVENOM_REAL_DATA says they are."""
    plain = dataclasses.replace(EXPERIMENTS["venom_poison_vs_rejected_3pct"], seeds=seeds)
    found = {"synthetic": plain}
    place = os.environ.get("ANTIVENOM_REAL_DATA")
    for name, files in REAL.items() if place else ():
        folder = out / "sources" / name
        folder.mkdir(parents=True, exist_ok=True)
        for file in files:
            link = folder / Path(file).name
            if not link.exists():
                link.symlink_to(Path(place or "", file).resolve())
        found[name] = dataclasses.replace(plain, source=str(folder), pairs=1500)
    return {name: dataclasses.replace(row, name=f"venom_{name}") for name, row in found.items()}


def run(row: Experiment, folder: Path) -> report.Results | None:
    """The whole comparison of one row at one seed, or nothing where it was run before."""
    if folder.exists():
        return None
    with staged(folder, kind="experiment", experiment=row.name, poisoned=True) as aside:
        results = comparison.run(row, aside, lambda *said: None)
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
                    "success": row["success"], "low": row["low"], "high": row["high"], "reward accuracy": accuracy[row["corpus"]],
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
    given = ask.parse_args()
    seeds = tuple(map(int, given.seeds.split(",")))
    table: list[dict[str, object]] = []
    for name, row in rows(given.out, seeds).items():
        if given.rows and name not in given.rows:
            continue
        folders = [given.out / f"{name}-seed{seed}" for seed in seeds]
        for seed, folder in zip(seeds, folders, strict=True):
            run(dataclasses.replace(row, seeds=(seed,)), folder)
        table += gathered(name, folders)
    _report.save("venom", table)


if __name__ == "__main__":
    main()
