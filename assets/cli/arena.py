"""The arena from the command line."""

from typing import Annotated

import polars as pl
import typer

from assets.cli.common import AsJson, Out, Settings, say, settings_of, working
from pipelines.schema import DataError
from pipelines.snapshots import staged


def arena(
    out: Out,
    source: Annotated[str, typer.Argument(metavar="[INPUT]", help="pairs to attack; generated ones without")] = "synthetic",
    rows: Annotated[str | None, typer.Option(help="names of rows, with commas between; all by default")] = None,
    seeds: Annotated[str, typer.Option(help="whole numbers, with commas between")] = "0,1,2",
    settings: Settings = None,
    as_json: AsJson = False,
) -> None:
    """Runs every attack against every detector on the same pairs; what was measured before is not measured again."""
    from assets.arena import cells, laws, page
    from assets.experiment_files import changed
    from assets.experiments import Experiment
    from checks.memory import Memory, folder

    base = changed(Experiment("arena", source=source, pairs=1500, seeds=_seeds(seeds)), settings_of(settings))
    chosen = cells.cells(base, None if rows is None else [name.strip() for name in rows.split(",")])
    facts = {"source": source, "rows": [row.name for row in chosen], "seeds": list(base.seeds), "poisoned": True}
    with staged(out, "arena", facts, inputs=[source]) as place:
        with working("arena", quiet=as_json) as watch:
            found = cells.run(chosen, folder() / "arena", watch, memory=Memory(folder() / "embeddings"))
        found.detection.write_parquet(place / "detection.parquet")
        found.retrained.write_parquet(place / "retrained.parquet")
        found.lost.write_parquet(place / "lost.parquet")
        laws.by_count(found.detection).write_parquet(place / "by_count.parquet")
        (place / "report.html").write_text(page.page(base, found), encoding="utf-8")
    counts = ("poisoned", "poisoned_flagged", "clean_flagged", "tpr_0.01")
    fused = (
        found.detection.filter(pl.col("detector") == "fused").group_by("row", maintain_order=True).agg(pl.col(counts).mean())
    )
    lines = [
        f"  {line['row']}: {line['poisoned_flagged']:.0f} of {line['poisoned']:.0f} flagged, "
        + (
            f"{line['tpr_0.01']:.0%} found at 1 % of clean pairs"
            if line["poisoned"]
            else f"{line['clean_flagged']:.1f} clean ones"
        )
        for line in fused.iter_rows(named=True)
    ]
    say({**facts, "detection": found.detection.to_dicts(), "out": str(out)}, as_json, *lines, f"report: {out / 'report.html'}")


def _seeds(words: str) -> tuple[int, ...]:
    try:
        return tuple(int(word) for word in words.split(","))
    except ValueError:
        raise DataError(f"--seeds must be whole numbers with commas between, got {words!r}; for example 0,1,2") from None
