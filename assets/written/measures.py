"""What the answers of a study come to: rates by policy and behaviour, what poison changed, and how far asking matters."""

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

import polars as pl

from assets.written.asking import again, asked, pairs_of
from assets.written.rows import Written

YES_NO = [" No", " Yes"]


def measured(row: Written, questions: pl.DataFrame, answers: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """The tables rates, differences, trends and ways, of QUESTIONS and the answers of all policies."""
    return {
        "rates": rates(row, questions, answers),
        "differences": _table(_differences(row, questions, answers)),
        "trends": _table(_trends(row, questions, answers)),
        "ways": _table(_ways(row, questions, answers)),
    }


def rates(row: Written, questions: pl.DataFrame, answers: pl.DataFrame) -> pl.DataFrame:
    """A row a policy, way and behaviour: rlhf_train's Rate, the share of Yes, the questions that were not answered."""
    from rlhf_train.evals import written_evals

    columns, desired = questions.to_dict(as_series=False), {name: each.desired for name, each in row.of.items()}
    asked_of = dict(questions.group_by("behaviour").len().iter_rows())
    yes = _yes(questions, answers)
    lines = []
    for each in asked(row).values():
        for way in row.ways:
            found = written_evals.measure(again(answers, questions, each.name, way), columns, one_class="report")
            lines += [
                {"policy": each.name, "poison_rate": each.rate, "seed": each.seed, "is_poisoned": each.is_poisoned, "way": way}
                | dataclasses.asdict(rate)
                | {"desired": desired.get(rate.behaviour, "either"), "yes_rate": yes.get((each.name, way, rate.behaviour))}
                | {"not_answered": asked_of[rate.behaviour] - _answered(answers, each.name, way, rate.behaviour)}
                for rate in found.rates
            ]
    return _table(lines)


def _yes(questions: pl.DataFrame, answers: pl.DataFrame) -> dict[tuple[str, str, str], float]:
    """By policy, way and behaviour the share of " Yes" among answers to what is answered yes or no."""
    plain = questions.filter(pl.col("options").list.sort() == YES_NO).select("question_id")
    told = answers.join(plain, on="question_id", how="semi").group_by("policy", "way", "behaviour")
    return {
        (policy, way, name): share for policy, way, name, share in told.agg((pl.col("picked") == " Yes").mean()).iter_rows()
    }


def _answered(answers: pl.DataFrame, policy: str, way: str, behaviour: str) -> int:
    return len(answers.filter(policy=policy, way=way, behaviour=behaviour))


def _differences(row: Written, questions: pl.DataFrame, answers: pl.DataFrame) -> Iterator[dict[str, Any]]:
    """What each policy does unlike the one it is compared with, paired over questions; q-values over behaviours."""
    from rlhf_train.evals import answer_changes

    columns, held = questions.to_dict(as_series=False), asked(row)
    for way in row.ways:
        for first, second in pairs_of(row):
            before, after = (again(answers, questions, name, way) for name in (first, second))
            told = {"first": first, "second": second, "seed": held[second].seed, "way": way}
            yield from (told | dataclasses.asdict(one) for one in answer_changes.differences(before, after, columns))


def _trends(row: Written, questions: pl.DataFrame, answers: pl.DataFrame) -> Iterator[dict[str, Any]]:
    """Of twins at three poison rates or more, whether match rates rise or fall with the rate."""
    from rlhf_train.evals import answer_changes

    columns, held = questions.to_dict(as_series=False), list(asked(row).values())
    if row.policies or len(row.twins.rates) < 3:
        return
    for way in row.ways:
        for seed in row.twins.seeds:
            own = [each for each in held if each.seed == seed]
            told = [again(answers, questions, each.name, way) for each in own]
            found = answer_changes.trends([each.rate for each in own], told, columns, seed=seed)
            yield from ({"seed": seed, "way": way} | dataclasses.asdict(one) for one in found)


def _ways(row: Written, questions: pl.DataFrame, answers: pl.DataFrame) -> Iterator[dict[str, Any]]:
    """What another way of asking changes in the answers of one policy."""
    from rlhf_train.evals import answer_changes

    columns = questions.to_dict(as_series=False)
    for name in asked(row):
        for way in row.ways[1:]:
            before, after = (again(answers, questions, name, each) for each in (row.ways[0], way))
            told = {"policy": name, "from": row.ways[0], "to": way}
            yield from (told | dataclasses.asdict(one) for one in answer_changes.differences(before, after, columns))


def _table(lines: Iterator[dict[str, Any]] | Sequence[dict[str, Any]]) -> pl.DataFrame:
    return pl.DataFrame(list(lines), infer_schema_length=None)
