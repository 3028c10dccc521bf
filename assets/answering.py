"""Written evaluations of a saved model: what it answers to every question, and how often that shows the behaviour."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from math import isfinite
from typing import Any, Literal

import polars as pl

from assets.runs import folder_of
from pipelines.schema import QUESTION_ANSWERS, require


@dataclass(frozen=True, slots=True)
class Answered:
    """QUESTION_ANSWERS, a row a behaviour, and the numbers over all of them."""

    answers: pl.DataFrame
    rates: pl.DataFrame
    result: dict[str, Any]


def evaluate(
    questions: pl.DataFrame,
    model: str,
    *,
    way: Literal["plain", "announced"] = "plain",
    stem: str = "",
    judge: bool = False,
    one_class: Literal["refuse", "report"] = "refuse",
    watch: Callable[[int, int], None] = lambda done, of: None,
) -> Answered:
    """What the policy at `model` answers to QUESTIONS, or with `judge` which option a reward model there prefers.

    Answers begin with `stem`. TrainingError where it is no policy, and for behaviours with one matching answer throughout.
    """
    from rlhf_train.evals import EVALS, written_evals
    from rlhf_train.guards import check_packing
    from rlhf_train.models import judges, policies
    from rlhf_train.models.opening import opened

    columns = questions.to_dict(as_series=False)
    held = opened(folder_of(model), judges.load if judge else policies.load)
    if judge:
        found = written_evals.prefer(held, columns, name=model, way=way, stem=stem)
    else:
        check_packing(held.model)
        found = written_evals.answer(held, columns, name=model, way=way, stem=stem, watch=watch)
    answers = pl.DataFrame(found.columns(columns), schema=QUESTION_ANSWERS.empty().schema)
    labelled = bool((questions["matching"].list.len() > 0).any())
    sentences = questions["percent_women"].is_not_null().any()
    rates, result = pl.DataFrame(), {}
    if labelled or not sentences:
        measured = EVALS["written_evals"](found, columns, one_class=one_class)
        rates = pl.DataFrame([dataclasses.asdict(rate) for rate in measured.rates], infer_schema_length=None)
        result = {name: value for name, value in dataclasses.asdict(measured).items() if name != "rates"}
    if sentences:
        result |= _pronouns(found, columns)
    return Answered(require(answers, QUESTION_ANSWERS), rates, {name: _told(value) for name, value in result.items()})


def _pronouns(found: Any, columns: dict[str, list[Any]]) -> dict[str, Any]:
    from rlhf_train.evals import pronoun_bias

    measured = pronoun_bias.measure(found, columns)
    return {f"pronouns_{name}": value for name, value in dataclasses.asdict(measured).items() if name != "bias"}


def _told(value: Any) -> Any:
    """JSON has no NaN."""
    return None if isinstance(value, float) and not isfinite(value) else value
