"""The command that rebuilds without a pair: recall."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated

import typer

from assets.cli import audit as auditing
from assets.cli import corpora, models
from assets.cli.common import AsJson, say, working
from assets.cli.tracing import Audit, PairIds, Reason, Within, pairs_of, places_of

COMMANDS: Mapping[str, Callable[..., None]] = {
    "audit": auditing.audit,
    "poison": corpora.poison,
    "filter": corpora.filter_,
    "train": models.train,
    "eval": models.eval_,
}


def recall(
    out: Annotated[
        Path, typer.Option("--out", help="folder for all that is made again; interrupted, the same command goes on there")
    ],
    pair_ids: PairIds = None,
    within: Within = None,
    audit: Audit = None,
    reason: Reason = "",
    as_json: AsJson = False,
) -> None:
    """Makes again, without some pairs, every audit, corpus, model and evaluation that they reached; the rest stays."""
    from assets.recall import Recall
    from pipelines.snapshots import tracing

    wanted = pairs_of(pair_ids, audit, reason)
    nodes = tracing.found(places_of(within))
    with working("recall", quiet=as_json) as watch:
        made = list(Recall(frozenset(wanted), out, COMMANDS, watch).run(nodes))
    lines = [f"  {each.node.called} -> {each.place or 'NOT MADE AGAIN'}{_why(each.why)}" for each in made]
    again = [each for each in made if each.place is not None and each.place != each.node.folder]
    facts = [
        {"was": str(each.node.folder), "is": None if each.place is None else str(each.place), "why": each.why} for each in made
    ]
    say(
        {"pairs": wanted, "out": str(out), "folders": facts},
        as_json,
        f"{len(wanted):,} pairs reached {len(made):,} of {len(nodes):,} folders; {len(again):,} were made again without them",
        *lines,
    )


def _why(why: str) -> str:
    return f" ({why})" if why else ""
