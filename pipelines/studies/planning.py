"""Who judges what: outputs of two policies dealt to judges at random, none of whom sees a question twice or a policy's name."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from pipelines.schema import OUTPUTS, TEXT, WHOLE, DataError, digest, require

STRATA = ("same_right", "same_wrong", "differ")
ASSIGNED = {
    "shown_id": TEXT, "judge": TEXT, "place": WHOLE, "item_id": TEXT, "policy": TEXT, "stratum": TEXT, "shown": TEXT,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Plan:
    """The key of a study: it alone says which policy wrote what is shown, so it stays with whoever runs the study.

    assignments: shown_id (an opaque name for one output shown to one judge), judge, place in the judge's order from 0, item_id,
    policy, stratum, shown (digest of the texts). populations: items in all by stratum, for which sampled ones stand. `seconds`
    is the limit for an item.
    """

    assignments: pl.DataFrame
    populations: Mapping[str, int]
    seconds: float
    seed: int


def plan(
    outputs: pl.DataFrame,
    *,
    before: str = "base",
    after: str = "trained",
    judges: int = 10,
    per_output: int = 1,
    sample: Mapping[str, int] | None = None,
    seconds: float = 180.0,
    seed: int = 0,
) -> Plan:
    """A study of OUTPUTS to the items that both policies answered; every judge has about as many of each policy.

    Args:
        per_output: judges that see an output; an item's two outputs together need twice as many, each another person.
        sample: items drawn of a stratum (same_right, same_wrong, differ), all of those left out; all items where none is given.
        seconds: limit for an item.
    """
    if per_output < 1 or judges < 2 * per_output:
        raise DataError(f"an item needs {2 * per_output} judges who have not seen it, got judges={judges}; take more judges")
    if not 0 < seconds < float("inf"):
        raise DataError(f"seconds is the limit for an item and more than 0, got {seconds}")
    both = _both(require(outputs, OUTPUTS), before, after)
    random = np.random.default_rng(seed)
    items = _sampled(both, sample, random)
    dealt = _dealt(items, (before, after), judges, per_output, random)
    populations = dict(both.group_by("stratum").len().sort("stratum").iter_rows())
    return Plan(_named(dealt, outputs, random), populations, float(seconds), seed)


def stratum(right_before: pl.Expr, right_after: pl.Expr) -> pl.Expr:
    """Whether both policies are right, both wrong, or one of them."""
    same = pl.when(right_before).then(pl.lit("same_right")).otherwise(pl.lit("same_wrong"))
    return pl.when(right_before == right_after).then(same).otherwise(pl.lit("differ"))


def shown(prompt: str, evidence: str | None, output: str) -> str:
    """Digest of what a judge is shown."""
    return digest(prompt, evidence or "", output)


def _both(outputs: pl.DataFrame, before: str, after: str) -> pl.DataFrame:
    """item_id and stratum of the items that both policies answered once."""
    sides = [outputs.filter(pl.col("policy") == policy).select("item_id", "is_correct") for policy in (before, after)]
    for policy, side in zip((before, after), sides, strict=True):
        if side["item_id"].is_duplicated().any():
            raise DataError(f"a study shows one output of {policy!r} to each item, got several; keep one")
    both = sides[0].join(sides[1], on="item_id", suffix="_after").sort("item_id")
    if before == after or both.is_empty():
        raise DataError(
            f"a study compares two policies on the same items, and {before!r} and {after!r} have none; check the names"
        )
    return both.select("item_id", stratum=stratum(pl.col("is_correct"), pl.col("is_correct_after")))


def _sampled(both: pl.DataFrame, sample: Mapping[str, int] | None, random: np.random.Generator) -> list[tuple[str, str]]:
    """(item, stratum) in random order."""
    wanted = dict(sample) if sample is not None else {}
    if not set(wanted) <= set(STRATA) or any(number < 0 for number in wanted.values()):
        raise DataError(f"sample is items by stratum, of {', '.join(STRATA)}, 0 or more each, got {wanted}")
    rows = [both.row(int(at)) for at in random.permutation(len(both))]
    kept = [(item, name) for name in STRATA for item in [row[0] for row in rows if row[1] == name][: wanted.get(name)]]
    if not kept:
        raise DataError(f"no item is left of the sample {wanted}; ask for more")
    return [kept[int(at)] for at in random.permutation(len(kept))]


def _dealt(
    items: list[tuple[str, str]], policies: tuple[str, str], judges: int, per_output: int, random: np.random.Generator
) -> list[tuple[int, str, str, str]]:
    """(judge, item, policy, stratum): an item to the judges who have fewest, its first policy to those who had fewest of it."""
    load, leaning, rows = np.zeros(judges), np.zeros(judges), []
    for item, name in items:
        chosen = np.lexsort((random.random(judges), load))[: 2 * per_output]
        first = set(chosen[np.lexsort((random.random(len(chosen)), leaning[chosen]))[:per_output]].tolist())
        for judge in chosen.tolist():
            load[judge] += 1
            leaning[judge] += 1 if judge in first else -1
            rows.append((judge, item, policies[judge not in first], name))
    return rows


def _named(dealt: list[tuple[int, str, str, str]], outputs: pl.DataFrame, random: np.random.Generator) -> pl.DataFrame:
    """Assignments with opaque names, in the order in which each judge sees them."""
    seen = {
        (row["item_id"], row["policy"]): shown(row["prompt"], row["evidence"], row["output"])
        for row in require(outputs, OUTPUTS).iter_rows(named=True)
    }
    places: dict[int, int] = {}
    rows = []
    for judge, item, policy, name in dealt:
        place = places[judge] = places.get(judge, -1) + 1
        rows.append((random.bytes(8).hex(), f"judge-{judge + 1:02}", place, item, policy, name, seen[item, policy]))
    return pl.DataFrame(rows, schema=ASSIGNED, orient="row").sort("judge", "place")
