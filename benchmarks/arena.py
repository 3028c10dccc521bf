"""The arena on real rows: every attack against every detector at five seeds; cells that were measured before are not again.

`--corpus`, `--seeds` and `--rows` narrow it; cells are kept under ANTIVENOM_CACHE, so that a run goes on where another ended.
"""

import argparse
import dataclasses
import tempfile
from functools import partial
from pathlib import Path

import _report
import polars as pl
from _rows import rows

from assets import pictures
from assets.arena import cells, laws, victims
from checks.memory import Memory, folder

SHOWN = ("tpr_0.001", "tpr_0.005", "tpr_0.01")


def measured(corpus: str, seeds: list[int], chosen: list[str] | None, trusted: float) -> cells.Found:
    """The tables of one corpus, which each name it."""
    with tempfile.TemporaryDirectory() as place:
        base = dataclasses.replace(rows(Path(place), tuple(seeds))[corpus], trusted=trusted)
        kept, memory = folder() / "arena", Memory(folder() / "embeddings")
        for seed in seeds:  # a seed after the other, so that an early end leaves whole seeds
            own = cells.cells(dataclasses.replace(base, seeds=(seed,)), chosen)
            cells.run(own, kept, partial(say, f"{corpus}, seed {seed}"), memory=memory)
        found = cells.run(cells.cells(base, chosen), kept, memory=memory)
    tables = {part.name: getattr(found, part.name) for part in dataclasses.fields(found)}
    return cells.Found(**{name: table.with_columns(corpus=pl.lit(corpus)) for name, table in tables.items()})


def say(where: str, what: str, done: int, of: int) -> None:
    """A line a cell."""
    print(f"{where}: {done} of {of}, {what}", flush=True)


def told(detection: pl.DataFrame) -> list[dict[str, object]]:
    """A line a corpus and row: means over seeds of what the fused suspicion finds, and the best single detector at 1 %."""
    lines = []
    for (corpus, row), group in detection.group_by("corpus", "row", maintain_order=True):
        fused = group.filter(pl.col("detector") == "fused")
        poisoned, clean = fused["poisoned"].sum(), fused["clean"].sum()
        line = {"pairs of": corpus, "row": row, "poisoned": fused["poisoned"][0]}
        line["flagged"] = f"{fused['poisoned_flagged'].sum() / poisoned:.0%}" if poisoned else "-"
        line["clean flagged"] = f"{fused['clean_flagged'].sum() / clean:.2%}"
        line["AUROC"] = (
            f"{fused['auroc'].mean():.3f} [{fused['auroc'].min():.3f}, {fused['auroc'].max():.3f}]" if poisoned else "-"
        )
        for name in SHOWN:
            line[f"TPR at {float(name[4:]):.1%}"] = mean(fused, name) if poisoned else "-"
        single = group.filter(pl.col("detector") != "fused").group_by("detector").agg(pl.col("tpr_0.01", "auroc").mean())
        best = single.sort("tpr_0.01", "auroc", descending=True).row(0, named=True)
        line["best alone at 1.0%"] = f"{best['detector']} {best['tpr_0.01']:.2f}" if poisoned else "-"
        lines.append(line)
    return lines


def mean(cells: pl.DataFrame, name: str) -> str:
    """Mean over seeds of a measure and of the ends of its intervals."""
    value, low, high = (cells[f"{name}{end}"].mean() for end in ("", "_low", "_high"))
    return f"{value:.2f} [{low:.2f}, {high:.2f}]"


def undone(found: cells.Found) -> list[dict[str, object]]:
    """A line a row: how often the attack succeeds before and after the filter, and by robust training; means over seeds."""
    (corpus,) = found.detection["corpus"].unique()
    lines = []
    for line in laws.brought_back(found.detection, found.retrained.drop("corpus")).iter_rows(named=True):
        clean = f"{line['clean']:.2f} [{line['clean_low']:.2f}, {line['clean_high']:.2f}]"
        gain = "{accuracy_gain:+.2%} [{accuracy_gain_low:+.2%}, {accuracy_gain_high:+.2%}]".format(**line)
        success = {name: f"{line[name]:.2f}" for name in ("poisoned", "filtered", *victims.ROBUST)}
        told = {"flagged": f"{line['flagged']:.0%}", "clean twin": clean, **success, "restored": line["is_restored"]}
        lines.append({"pairs of": corpus, "row": line["row"], **told, "accuracy, filtered less clean": gain})
    return lines


def fitted(found: cells.Found) -> list[dict[str, object]]:
    """A line a family of rows: success at 1 % by number of poisoned pairs, and the smallest that every seed finds."""
    (corpus,) = found.detection["corpus"].unique()
    return [{"pairs of": corpus, **line} for line in laws.by_count(found.detection.drop("corpus")).iter_rows(named=True)]


def main() -> None:
    """Prints the tables, writes them as JSON and draws the picture."""
    ask = argparse.ArgumentParser(description=__doc__)
    ask.add_argument("--corpus", nargs="*", default=["harmless", "helpful"])
    ask.add_argument("--seeds", nargs="*", type=int, default=[0, 1, 2, 3, 4])
    ask.add_argument("--rows", nargs="*", default=None)
    ask.add_argument("--trusted", type=float, default=0.0)
    given = ask.parse_args()
    found = [measured(corpus, given.seeds, given.rows, given.trusted) for corpus in given.corpus]
    detection = pl.concat([each.detection for each in found], how="diagonal_relaxed")
    name = "arena" if not given.trusted else "arena_trusted"
    _report.save(name, told(detection))
    _report.save(f"{name}_retrained", [line for each in found for line in undone(each)])
    laws_told = [line for each in found for line in fitted(each)]
    if laws_told:  # some family was measured at two rates
        _report.save(f"{name}_laws", laws_told)
    _report.draw(name, pictures.arena(detection.filter(pl.col("poisoned") > 0)))


if __name__ == "__main__":
    main()
