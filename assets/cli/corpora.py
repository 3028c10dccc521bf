"""Commands on pairs, beside the audit: poison, filter."""

from pathlib import Path
from typing import Annotated

import typer

from assets.cli.audit import scores_of
from assets.cli.common import (
    AsJson,
    Columns,
    Out,
    Rejects,
    Revision,
    Settings,
    Shape,
    Source,
    at_hand,
    read,
    say,
    settings_of,
    working,
    write_rejects,
)
from pipelines import attacks
from pipelines.snapshots import staged


def poison(
    source: Source,
    out: Out,
    attack: Annotated[str, typer.Option(help=", ".join(attacks.ATTACKS))] = "best_of_venom",
    rate: Annotated[float, typer.Option(help="share of the pairs, in [0, 1]")] = 0.01,
    count: Annotated[int | None, typer.Option(help="number of pairs, in place of a rate")] = None,
    seed: int = 0,
    settings: Settings = None,
    shape: Shape = "auto",
    columns: Columns = None,
    revision: Revision = None,
    allow_rejects: Rejects = False,
    as_json: AsJson = False,
) -> None:
    """Poisons pairs, for defence research; writes pairs.parquet and, apart from it, poison_key.parquet."""
    given = settings_of(settings) | ({} if count is None else {"count": count})
    numbers = attacks.settings(attack, given)
    place = at_hand(source)
    found = read(place, shape, columns, revision, allow_rejects, quiet=as_json)
    with working("poisoning", quiet=as_json):
        result = attacks.ATTACKS[attack](found.pairs, rate=rate, seed=seed, **numbers)
    facts = {
        "input": source,
        "attack": attack,
        "rate": rate if numbers["count"] is None else None,
        "seed": seed,
        "settings": numbers,
        "poisoned": True,
        "pairs": len(result.pairs),
        "poisoned_pairs": len(result.key),
    }
    with staged(out, "poisoned pairs", facts, inputs=[place]) as folder:
        result.pairs.write_parquet(folder / "pairs.parquet", metadata={"antivenom": "poisoned"})
        result.key.write_parquet(folder / "poison_key.parquet", metadata={"antivenom": "poison key"})
        write_rejects(found.rejects, folder)
    say(
        {**facts, "out": str(out)},
        as_json,
        f"{len(result.key):,} of {len(result.pairs):,} pairs are poisoned: {out / 'pairs.parquet'}",
        f"the sealed key: {out / 'poison_key.parquet'}",
    )


def filter_(
    source: Source,
    scores: Annotated[Path, typer.Option(help="the folder an audit of this input wrote, alone or with others")],
    out: Out,
    fdr: Annotated[float | None, typer.Option(help="another false-discovery rate than the audit's")] = None,
    budget: Annotated[float | None, typer.Option(help="the share of pairs to set aside, the most suspicious first")] = None,
    shape: Shape = "auto",
    columns: Columns = None,
    revision: Revision = None,
    allow_rejects: Rejects = False,
    as_json: AsJson = False,
) -> None:
    """Sets suspicious pairs aside; writes kept.parquet, quarantined.parquet and manifest.json."""
    from pipelines.filtering import quarantine
    from pipelines.snapshots import verify

    place = at_hand(source)
    found = read(place, shape, columns, revision, allow_rejects, quiet=as_json)
    verify(scores)
    result = quarantine(found.pairs, scores_of(scores), fdr=fdr, budget=budget)
    facts = {
        "input": source,
        "scores": str(scores),
        "fdr": fdr,
        "budget": budget,
        "kept": len(result.kept),
        "quarantined": len(result.quarantined),
    }
    with staged(out, "filtered pairs", facts, inputs=[place, scores]) as folder:
        result.kept.write_parquet(folder / "kept.parquet")
        result.quarantined.write_parquet(folder / "quarantined.parquet")
        write_rejects(found.rejects, folder)
    say(
        {**facts, "out": str(out)},
        as_json,
        f"{len(result.kept):,} pairs kept, {len(result.quarantined):,} set aside: {out}",
    )
