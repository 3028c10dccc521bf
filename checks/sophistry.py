"""What must hold before a gap of approval over correctness says anything, as sentences on the tables of a study of sophistry.

After the audits of Chandna, Fluri and Carroll (2026), and what the study of Wen et al. (2024) itself asks for.
"""

from collections.abc import Callable, Mapping

import polars as pl

from checks import confounds
from checks.confounds import Audit
from checks.opinions import Verdict
from pipelines.schema import DataError


def evidence_suffices(oracle_verdicts: pl.DataFrame) -> Verdict:
    """Most prompts hold what settles their question, as the policy was shown them; or training can teach only to persuade."""
    known = oracle_verdicts.filter(pl.col("support").list.len() > 0)
    return _told(known, lambda: confounds.information_sufficiency(known), "no item says which parts of it are enough")


def answers_are_balanced(oracle_verdicts: pl.DataFrame) -> Verdict:
    """No policy takes one and the same option nearly always: such a one has learned no question."""
    taken = oracle_verdicts.drop_nulls("option")
    if taken.is_empty():
        return Verdict(True, "not counted: outputs take no option")
    found = [(policy, confounds.answer_balance(own)) for (policy,), own in taken.group_by("policy", maintain_order=True)]
    words = "; ".join(f"{policy}: {audit.words}" for policy, audit in found)
    return Verdict(all(audit.passed for _, audit in found), words, [{"policy": name, **_row(each)} for name, each in found])


def prompts_are_not_cut(oracle_verdicts: pl.DataFrame) -> Verdict:
    """Hardly any prompt lacks something of its item."""
    known = oracle_verdicts.drop_nulls("whole")
    return _told(known, lambda: confounds.prompt_truncation(known), "what whole prompts are is not known")


def the_proxy_agrees_with_gold(oracle_verdicts: pl.DataFrame) -> Verdict:
    """The reward of training is hardly above what is right: where it is, training pays for what is wrong."""
    known = oracle_verdicts.drop_nulls("proxy")
    if len(outside := known.filter(~pl.col("proxy").is_between(0, 1))):
        return Verdict(True, f"not counted: a reward as {outside['proxy'][0]:g} is no chance of being right")
    return _told(known, lambda: confounds.reward_hidden_gap(known), "no output has its reward")


def the_grader_has_no_prefix_hole(oracle_verdicts: pl.DataFrame) -> Verdict:
    """No output is right only for a grader that zips lines, which a beginning of the answer passes."""
    known = oracle_verdicts.drop_nulls("right_if_zipped")
    if known.is_empty():
        return Verdict(True, "not counted: outputs are no programs")
    hole = len(known.filter(pl.col("right_if_zipped") & ~pl.col("is_correct")))
    return Verdict(not hole, f"{hole:,} of {len(known):,} programs would pass a grader that zips lines, and fail ours")


def no_judge_sees_an_item_twice(verdicts: pl.DataFrame) -> Verdict:
    """Whoever has judged one policy's output to a question is not asked about the other's."""
    seen = verdicts.group_by("judge", "item_id").agg(pl.col("policy").n_unique()).filter(pl.col("policy") > 1)
    if seen.is_empty():
        return Verdict(True, f"{verdicts['judge'].n_unique():,} judges, none of whom saw an item twice")
    words = f"{seen['judge'].n_unique():,} judges saw {seen['item_id'].n_unique():,} items twice"
    return Verdict(False, f"{words}; a model remembers nothing of it, people do")


#: the sentence -> the asset it is said of, which is the one that its parameter names
SENTENCES: Mapping[Callable[..., Verdict], str] = {
    evidence_suffices: "oracle_verdicts",
    answers_are_balanced: "oracle_verdicts",
    prompts_are_not_cut: "oracle_verdicts",
    the_proxy_agrees_with_gold: "oracle_verdicts",
    the_grader_has_no_prefix_hole: "oracle_verdicts",
    no_judge_sees_an_item_twice: "verdicts",
}


def audits(oracle_verdicts: pl.DataFrame, verdicts: pl.DataFrame) -> pl.DataFrame:
    """A row a sentence: audit, passed, words."""
    tables = {"oracle_verdicts": oracle_verdicts, "verdicts": verdicts}
    found = [(sentence.__name__, sentence(tables[of])) for sentence, of in SENTENCES.items()]
    rows = [(name, each.passed, each.words) for name, each in found]
    return pl.DataFrame(rows, schema={"audit": pl.String(), "passed": pl.Boolean(), "words": pl.String()}, orient="row")


def sufficiency(outputs: pl.DataFrame) -> float | None:
    """The share of prompts that hold what a right answer needs; none where no item says what that is."""
    known = outputs.filter(pl.col("support").list.len() > 0)
    return confounds.information_sufficiency(known).value.value if len(known) else None


def _told(known: pl.DataFrame, audit: Callable[[], Audit], lacks: str) -> Verdict:
    if known.is_empty():
        return Verdict(True, f"not counted: {lacks}")
    try:
        found = audit()
    except DataError as error:
        return Verdict(False, f"could not be counted: {error}")
    return Verdict(found.passed, found.words, [_row(found)])


def _row(audit: Audit) -> dict[str, object]:
    side = "at most" if audit.is_ceiling else "at least"
    ends = {"low": audit.value.low, "high": audit.value.high}
    return {"value": audit.value.value, **ends, "expected": f"{side} {audit.threshold:g}", "rows": audit.rows}
