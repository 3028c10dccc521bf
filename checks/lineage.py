"""All training sets of one experiment audited together: what is rare in each set may be common in all.

Whoever poisons imitation, preferences and reward model a little each (cf. Baumgärtner et al., 2024, on pairs that serve both
as demonstrations and as comparisons) stays below what an audit of any one of them can see.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from checks.audit import Audit, audit, findings
from checks.encoding import Encoder, encode
from pipelines.schema import PAIRS, DataError, require, with_pair_ids


@dataclass(frozen=True, slots=True)
class Lineage:
    """SCORES by set, with a column a detector, in the set's own rows and ids; and the findings in all sets, in words.

    A finding's `pairs` counts distinct pairs; `sets` says in how many pairs of which set, and `rows` in which for example.
    """

    scores: Mapping[str, pl.DataFrame]
    findings: list[dict[str, Any]]


def audit_sets(
    sets: Mapping[str, pl.DataFrame],
    *,
    trusted: pl.DataFrame | None = None,
    detectors: Sequence[str] | None = None,
    fdr: float = 0.05,
    encoder: Encoder = encode,
    seed: int = 0,
) -> Lineage:
    """One audit of the PAIRS of all `sets`; a pair that stands in several is judged once, as it stands in the first of them.

    The false-discovery rate `fdr` holds over the distinct pairs of all sets. Raises DataError as `audit` does, and where
    there is no set, or one that is not of pairs.
    """
    if not sets:
        raise DataError("an experiment has one training set or more, got none; name each set's pairs")
    own = {name: _numbered(name, pairs) for name, pairs in sets.items()}
    distinct = pl.concat(own.values()).unique("text_id", keep="first", maintain_order=True)
    together = distinct.with_columns(pair_id="text_id", row=pl.int_range(pl.len()))
    found = audit(together, trusted=trusted, detectors=detectors, fdr=fdr, encoder=encoder, seed=seed)
    judged = found.scores.drop("row").rename({"pair_id": "text_id"}).with_columns(found.speaker)
    scores = {
        name: pairs.select("row", "pair_id", "text_id").join(judged, on="text_id", maintain_order="left")
        for name, pairs in own.items()
    }
    return Lineage({name: each.drop("text_id", "detector") for name, each in scores.items()}, _by_set(found, scores))


def _numbered(name: str, pairs: pl.DataFrame) -> pl.DataFrame:
    """PAIRS with `text_id`, which is the same for the same text in every set; the n-th copy in one is that of another."""
    try:
        pairs = require(pairs, PAIRS)
    except DataError as error:
        raise DataError(f"set {name!r}: {error}; an audit compares the two responses of pairs, single ones can't be") from None
    return pairs.with_columns(text_id=with_pair_ids(pairs)["pair_id"])


def _by_set(found: Audit, scores: Mapping[str, pl.DataFrame]) -> list[dict[str, Any]]:
    """The findings of the audit of all, each with the pairs and the example rows of every set that has some."""
    every = pl.concat(each.with_columns(set=pl.lit(name)) for name, each in scores.items())
    parts: dict[tuple[str, str], dict[str, dict[str, Any]]] = {}
    for part in findings(every, "set"):
        parts.setdefault((part["detector"], part["reason"]), {})[part["set"]] = part
    told = []
    for finding in found.findings:
        held = parts[finding["detector"], finding["reason"]]
        there = {name: held[name] for name in scores if name in held}
        numbers = {wanted: {name: part[wanted] for name, part in there.items()} for wanted in ("pairs", "rows")}
        told.append({**finding, "sets": numbers["pairs"], "rows": numbers["rows"]})
    return told
