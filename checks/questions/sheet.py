"""A data sheet of a set of questions (after Gebru et al., 2021): what it is, how it was made, its numbers, and its limits."""

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from checks.encoding import Encoder, encode
from checks.questions import diversity, evenness
from checks.questions.claims import texts
from checks.questions.map import grouped
from checks.questions.scoring import copies
from pipelines.schema import QUESTIONS, DataError, require

LIMITS = (
    "A stated answer is no action: a policy may say one thing and do another.",
    "The label of a question is a discriminator's or a writer's word; a confidence bounds how high a match rate can be read.",
    "What the filter prefers is prototypical, so that kept questions are less varied than what was written.",
    "Where writer and discriminator are of one family, both may share a blind spot.",
)
Sheet = Mapping[str, Mapping[str, Any]]


def sheet(
    questions: pl.DataFrame,
    *,
    dropped: pl.DataFrame | None = None,
    gold: pl.DataFrame | None = None,
    made: str = "",
    licence: str = "",
    encoder: Encoder = encode,
    seed: int = 0,
) -> dict[str, dict[str, Any]]:
    """Sections of facts by name; `dropped` is a filter's, with reasons; `gold` holds the examples that a writer was shown.

    Numbers that would need what isn't there are None. Raises DataError for no questions.
    """
    questions = require(questions, QUESTIONS)
    if not len(questions):
        raise DataError("a sheet needs a question, got none; loosen the filter")
    said, labels = texts(questions), questions["matching"].list.join(", ")
    vectors = encoder(said.to_list())
    worst = evenness.cluster_imbalance(grouped(vectors, 10, seed=seed), labels.to_list())
    same = copies(questions, seed=seed).to_numpy()
    sure = questions["label_confidence"].to_numpy()
    known = questions["label_confidence"].drop_nulls().to_numpy()
    leaks = evenness.leakage(said, texts(gold)) if gold is not None and len(gold) else None
    return {
        "what": {
            "behaviours": questions["behaviour"].unique(maintain_order=True).to_list(),
            "questions": len(questions),
            "sources": questions["source"].n_unique(),
            "options of a question": sorted(questions["options"].list.len().unique().to_list()),
        },
        "how made": {"writer": made or "not said", "licence": licence or "not said"},
        "yield of filters": _yield(questions, dropped),
        "labels": {
            **{f"matching {label or 'none'}": count for label, count in labels.value_counts(sort=True).head(12).iter_rows()},
            "largest gap of an option's place from an even share": _number(evenness.position_gap(questions)),
            "largest gap of two labels' mean confidence": _number(evenness.prior_gap(questions, sure)) if len(known) else None,
            "ceiling of a match rate": _number(evenness.ceiling_floor(known)[0]) if len(known) else None,
            "least confidence": _number(float(known.min())) if len(known) else None,
        },
        "variety": {
            "share that says the same as another": _number(float((same != range(len(same))).mean())),
            "distinct-2": _number(diversity.distinct(said)),
            "vendi score": _number(diversity.vendi(vectors)),
            "mean cosine of two": _number(diversity.self_similarity(vectors)),
            "most lopsided cluster: share of its commonest label above an even one": _number(worst.gap) if worst else None,
            "share with half of its words of an example": None if leaks is None else _number(float((leaks >= 0.5).mean())),
        },
        "limits": {str(place): limit for place, limit in enumerate(LIMITS, 1)},
    }


def warnings(found: Sheet) -> list[str]:
    """What of a sheet is out of the bounds that a set should keep, in sentences."""
    labels, variety = found["labels"], found["variety"]
    bounds = [
        (labels["largest gap of an option's place from an even share"], 0.05, "options match unevenly by their place"),
        (labels["largest gap of two labels' mean confidence"], 0.1, "one label is trusted more than another"),
        (variety["share that says the same as another"], 0.05, "many questions say the same"),
        (
            variety["most lopsided cluster: share of its commonest label above an even one"],
            0.3,
            "a cluster has one label nearly alone",
        ),
        (variety["share with half of its words of an example"], 0.05, "questions repeat the examples"),
    ]
    told = [
        f"{words}: {value:.3g}, at most {most:g} is wanted"
        for value, most, words in bounds
        if value is not None and value > most
    ]
    least = labels["least confidence"]
    return told + (
        [f"a label is doubted: confidence {least:.3g}, above 0.5 is wanted"] if least is not None and least <= 0.5 else []
    )


def markdown(found: Sheet, *, title: str = "Questions") -> str:
    """The sheet as a page; what others wrote is kept to one line and can't end a code span or begin a tag."""
    lines = [f"# {_plain(title)}", ""]
    for section, facts in found.items():
        lines += [f"## {section.capitalize()}", ""]
        lines += [f"- {fact}" if name.isdigit() else f"- {_plain(name)}: {_plain(shown(fact))}" for name, fact in facts.items()]
        lines.append("")
    return "\n".join(lines)


def _yield(questions: pl.DataFrame, dropped: pl.DataFrame | None) -> dict[str, Any]:
    if dropped is None:
        return {"filtered": "no"}
    kinds = dropped.select(reason=pl.col("reason").str.replace(r":.*", "")).to_series().value_counts(sort=True)
    return {"written": len(questions) + len(dropped), "kept": len(questions), **dict(kinds.iter_rows())}


def _number(value: float) -> float | None:
    return round(value, 4) if value == value else None


def shown(fact: Any) -> str:
    """A fact in words."""
    if fact is None:
        return "not known"
    return ", ".join(map(str, fact)) if isinstance(fact, Sequence) and not isinstance(fact, str) else str(fact)


def _plain(text: str) -> str:
    line = " ".join(text.split())
    return "".join(f"\\{each}" if each in "\\`*_[]<>|#" else each for each in line)
