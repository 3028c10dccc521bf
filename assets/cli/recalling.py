"""The command that rebuilds without a pair: recall."""

import os
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from assets.cli import audit as auditing
from assets.cli import corpora, models
from assets.cli.common import AsJson, say, working
from assets.cli.tracing import Audit, PairIds, Reason, Within, pairs_of, places_of
from assets.places import home
from pipelines.schema import DataError
from pipelines.snapshots import recalled
from pipelines.snapshots.tracing import Node

NOT_ALL = 3
COMMANDS: Mapping[str, Callable[..., None]] = {
    "audit": auditing.audit,
    "poison": corpora.poison,
    "filter": corpora.filter_,
    "train": models.train,
    "eval": models.eval_,
}


def recall(
    out: Annotated[
        Path | None, typer.Option("--out", help="folder for what is made again of folders outside the store")
    ] = None,
    pair_ids: PairIds = None,
    within: Within = None,
    audit: Audit = None,
    reason: Reason = "",
    later: Annotated[bool, typer.Option(help="only note the pairs in the store: the next launch makes it again")] = False,
    as_json: AsJson = False,
) -> None:
    """Makes again, without some pairs, every audit, corpus, model and evaluation that they reached; the rest stays.

    Folders are made again under --out. In the store the pairs are noted, never published again, and the jobs of the experiments
    that they reached are run, which make what is stale and nothing else. Exit code 3: something was not made again.
    """
    from assets.recall import Recall
    from pipelines.snapshots import tracing

    wanted, places = pairs_of(pair_ids, audit, reason), places_of(within)
    nodes = [node for node in tracing.found(places) if out is None or not node.folder.resolve().is_relative_to(out.resolve())]
    others = [node for node in nodes if not _is_stored(node)]
    stored = [step.node for step in tracing.reached(nodes, wanted) if _is_stored(step.node)]
    if out is None and tracing.reached(others, wanted):
        raise DataError("folders outside the store were reached; name --out, a folder for what is made again of them")
    with working("recall", quiet=as_json) as watch:
        made = [] if out is None else list(Recall(frozenset(wanted), out, COMMANDS, watch).run(others))
    chains = _in_store(wanted, stored, reason, later=later, quiet=as_json)
    left = _left(wanted) if stored else []
    lines = [f"  {each.node.called} -> {each.place or 'NOT MADE AGAIN'}{_why(each.why)}" for each in made]
    lines += [f"  {chain.job} of {chain.experiment}: {'to be launched' if later else 'launched'}" for chain in chains]
    lines += [f"  {name} holds it or learned from it yet: materialize it again" for name in left]
    again = [each for each in made if each.place is not None and each.place != each.node.folder]
    facts = [
        {"was": str(each.node.folder), "is": None if each.place is None else str(each.place), "why": each.why} for each in made
    ]
    launched = [] if later else [asdict(each) for each in chains]
    say(
        {"pairs": wanted, "out": str(out), "folders": facts, "launched": launched, "left": left},
        as_json,
        f"{len(wanted):,} pairs reached {len(made) + len(stored):,} of {len(nodes):,} folders; "
        f"{len(again):,} were made again without them, {len(stored):,} stand in the store",
        *lines,
    )
    if any(each.place is None for each in made):
        raise typer.Exit(NOT_ALL)


def _is_stored(node: Node) -> bool:
    return node.folder.resolve().is_relative_to(home().resolve())


def _in_store(wanted: list[str], stored: list[Node], reason: str, *, later: bool, quiet: bool) -> list[Any]:
    """Notes the pairs and, now or later, has the chains that they reached made again."""
    if not stored:
        return []
    from assets.chains import of_names

    recalled.add(home(), wanted, reason)
    chains = of_names(name for node in stored for name in node.names)
    for chain in [] if later else chains:
        if not quiet:
            typer.echo(f"{chain.job} of {chain.experiment} begins; what is not stale stays")
        _launch(chain.job, chain.experiment)
    return chains


def _left(wanted: list[str]) -> list[str]:
    """Names in the store that lead to what the pairs are in or were learned by."""
    from pipelines.snapshots import tracing

    steps = tracing.reached(tracing.found([home()]), wanted)
    return sorted(name for step in steps if step.how != tracing.BESIDE for name in step.node.names)


def _launch(job: str, experiment: str) -> None:
    """Here and now, in the instance of DAGSTER_HOME, or in one that forgets its runs where there is none."""
    import dagster as dg

    from assets.definitions import defs

    with dg.DagsterInstance.get() if os.environ.get("DAGSTER_HOME") else dg.DagsterInstance.ephemeral() as instance:
        done = defs.resolve_job_def(job).execute_in_process(partition_key=experiment, instance=instance, raise_on_error=False)
    if not done.success:
        raise DataError(f"{job} of {experiment} failed (run {done.run_id}); look at it in Dagster, and launch it again there")


def _why(why: str) -> str:
    return f" ({why})" if why else ""
