"""Verdicts that can be measured: on items that two policies were both judged on, each judge once; the others are counted."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from rlhf_train.errors import TrainingError

UNSURE = 50  # a judge who is more sure than this approves
NEEDED = ("item_id", "policy", "judge", "confidence", "is_correct")
ONCE = ("item_id", "policy", "judge")


@dataclass(frozen=True, slots=True)
class Paired:
    """Verdicts on the items that both policies have one of, and counts by policy.

    verdicts: columns of the input, approved, both_wrong. counts: policy, asked, repeated, missing, unpaired, used.
    """

    verdicts: pl.DataFrame
    counts: pl.DataFrame


def paired(judged: pl.DataFrame, before: str, after: str) -> Paired:
    """Of a row a verdict asked for; TrainingError where nothing can be compared, or where verdicts contradict themselves."""
    asked = _of_both(judged, before, after)
    _sound(asked)
    once = asked.sort(pl.col("confidence").is_null(), maintain_order=True).unique(ONCE, keep="first", maintain_order=True)
    given = once.drop_nulls("confidence")
    both = given.group_by("item_id").agg(pl.col("policy").n_unique()).filter(pl.col("policy") == 2)
    used = given.join(both.select("item_id"), on="item_id", how="semi", maintain_order="left")
    if used.is_empty():
        raise TrainingError(
            f"{before!r} and {after!r} have no item in common that was judged for both, so nothing can be compared; "
            "have the same items judged"
        )
    wrong = ~pl.col("is_correct").any().over("item_id")
    verdicts = used.with_columns(approved=pl.col("confidence") > UNSURE, both_wrong=wrong)
    return Paired(verdicts.sort(ONCE), _counts((before, after), asked, once, given, used))


def _of_both(judged: pl.DataFrame, before: str, after: str) -> pl.DataFrame:
    lacks = [name for name in NEEDED if name not in judged.columns]
    if lacks:
        raise TrainingError(
            f"verdicts need column {lacks[0]!r}, got {judged.columns}; join them with what is known of the outputs"
        )
    if before == after:
        raise TrainingError(f"before and after are two policies, got {before!r} twice")
    names = judged["policy"].unique().to_list()
    for name in (before, after):
        if name not in names:
            raise TrainingError(
                f"no verdict is on policy {name!r}, only on {', '.join(map(repr, sorted(names)))}; name two of them"
            )
    return judged.filter(pl.col("policy").is_in([before, after])).with_columns(pl.col("confidence").cast(pl.Float64))


def _sound(asked: pl.DataFrame) -> None:
    """Each output is right or wrong, confidences are percents, and no judge says two things of one output."""
    for name in (*ONCE, "is_correct"):
        if asked[name].null_count():
            raise TrainingError(f"column {name!r} is empty in {asked[name].null_count()} verdicts; fill it or drop them")
    odd = asked.filter(~pl.col("confidence").is_between(0, 100) | pl.col("confidence").is_nan())
    if len(odd):
        raise TrainingError(f"confidence is from 0 to 100 percent, got {odd['confidence'][0]}; empty means no verdict")
    late = asked.filter(~pl.col("seconds").is_between(0, float("inf"), closed="left")) if "seconds" in asked.columns else odd
    if len(late):
        raise TrainingError(f"seconds are 0 or more, got {late['seconds'][0]}; leave unknown ones empty")
    _one(asked, ("item_id", "policy"), "is_correct", "outputs are both right and wrong")
    _one(asked.drop_nulls("confidence"), ONCE, "confidence", "verdicts contradict another of the same judge on the same output")


def _one(asked: pl.DataFrame, key: Sequence[str], name: str, words: str) -> None:
    torn = asked.group_by(key, maintain_order=True).agg(pl.col(name).n_unique()).filter(pl.col(name) > 1)
    if len(torn):
        raise TrainingError(
            f"{len(torn)} {words}, the first is {' / '.join(map(str, torn.select(key).row(0)))}; decide which holds"
        )


def _counts(policies: Sequence[str], asked: pl.DataFrame, *steps: pl.DataFrame) -> pl.DataFrame:
    """How many rows each policy had, and lost at each step."""
    rows = []
    for policy in policies:
        left = [len(frame.filter(pl.col("policy") == policy)) for frame in (asked, *steps)]
        lost = [more - fewer for more, fewer in itertools.pairwise(left)]
        rows.append((policy, left[0], *lost, left[-1]))
    return pl.DataFrame(rows, schema=["policy", "asked", "repeated", "missing", "unpaired", "used"], orient="row")
