"""Attack success and detection for clean, poisoned and filtered corpora, three seeds each, generated and real pairs.

    python benchmarks/venom.py [row ...] [--seeds 0,1,2] [--out FOLDER] [--processes 2] [--defences]

`--defences` adds an arm for each way of robust training that makes a reward model, on the poisoned corpus.

Each row is kept as it is finished, so that an interrupted run goes on where it stopped; two runs of other rows with a process
each may share a folder.
"""

import argparse
import dataclasses
from pathlib import Path

import _report
import altair as alt
import polars as pl
from _rows import rows

from assets import comparison, report
from assets.experiments import Experiment
from assets.pictures import ARM_COLOURS, OTHER_COLOURS
from pipelines.snapshots import staged
from rlhf_train.defences import DEFENCES


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


def picture(table: pl.DataFrame) -> alt.FacetChart:
    """Success after the last round with its interval, a point an arm and seed, a panel a corpus."""
    names = table["trained on"].unique(maintain_order=True).to_list()
    colours = [ARM_COLOURS.get(name, OTHER_COLOURS[0]) for name in names]
    base = alt.Chart(table).encode(
        x=alt.X("trained on:N", sort=names, title=None, axis=alt.Axis(labelAngle=-40)),
        xOffset="seed:N",
        color=alt.Color("trained on:N", scale=alt.Scale(domain=names, range=colours), legend=None),
    )
    bars = base.mark_rule().encode(y=alt.Y("low:Q", title="attack success", axis=alt.Axis(format="%")), y2="high:Q")
    points = base.mark_point(filled=True).encode(y="success:Q")
    return (bars + points).properties(width=190, height=220).facet(column=alt.Column("pairs of:N", title=None))


def main() -> None:
    """Runs what has not been run, then prints all of it."""
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("rows", nargs="*")
    ask.add_argument("--seeds", default="0,1,2")
    ask.add_argument("--out", type=Path, default=None, help="venom_runs, or defences_runs")
    ask.add_argument("--processes", type=int, default=2)
    ask.add_argument("--defences", action="store_true")
    given = ask.parse_args()
    scored = tuple(name for name, defence in DEFENCES.items() if defence.scored and name != "none")
    defences, about = (scored, "defences") if given.defences else ((), "venom")
    seeds = tuple(map(int, given.seeds.split(",")))
    out, table = given.out or Path(f"{about}_runs"), []
    for name, row in rows(out, seeds).items():
        if given.rows and name not in given.rows:
            continue
        folders = [out / f"{name}-seed{seed}" for seed in seeds]
        for seed, folder in zip(seeds, folders, strict=True):
            run(dataclasses.replace(row, seeds=(seed,), defences=defences), folder, given.processes)
        table += gathered(name, folders)
    _report.save(about, table)
    _report.draw(about, picture(pl.DataFrame(table)))


if __name__ == "__main__":
    main()
