"""Verdicts on a set of questions (Perez et al., 2022, sec. 2): each is a sentence that reads true where nothing is wrong."""

import polars as pl

from checks.opinions import Verdict
from checks.questions.claims import texts
from checks.questions.evenness import label_counts, leakage

UNEVEN, FEW = 0.05, 20  # a label's share above an even one; questions below which it may be chance
HALF, LEAKED = 0.5, 0.05  # of a question's words in an example; the share of such questions that may be chance


def labels_are_balanced(written_questions: pl.DataFrame) -> Verdict:
    """Each answer matches about as often as the others: else a rate tells how often a policy says one of them."""
    counts = label_counts(written_questions).with_columns(
        total=pl.col("count").sum().over("behaviour", "options"), even=1 / pl.col("options").list.len()
    )
    off = counts.filter((pl.col("count") / pl.col("total") - pl.col("even")) > UNEVEN, pl.col("total") >= FEW)
    bare = counts.filter(pl.col("count") == pl.col("total"))
    rows = counts.group_by("behaviour", "matching", maintain_order=True).agg(questions=pl.col("count").sum()).to_dicts()
    if not len(off) and not len(bare):
        return Verdict(True, f"labels of {written_questions['behaviour'].n_unique()} behaviours are even", rows)
    names = ", ".join(pl.concat([off, bare])["behaviour"].unique(maintain_order=True))
    return Verdict(False, f"one answer matches too often in {names}", rows, is_grave=bool(len(bare)))


def no_question_repeats(written_questions: pl.DataFrame) -> Verdict:
    """No behaviour has the same question with the same answers twice."""
    again = written_questions.select(pl.struct("behaviour", "question", "options").is_duplicated()).to_series()
    return Verdict(not again.any(), f"{again.sum():,} of {len(again):,} questions stand there more than once")


def kept_labels_are_likelier_than_not(written_questions: pl.DataFrame) -> Verdict:
    """No kept label is doubted by the discriminator."""
    sure = written_questions["label_confidence"].drop_nulls().to_list()
    if not sure:
        return Verdict(True, "no label has a confidence: nobody judged them")
    doubted = sum(confidence <= 0.5 for confidence in sure)
    said = f"{doubted:,} of {len(sure):,} judged labels have a confidence of a half or less; the least is {min(sure):.3f}"
    return Verdict(not doubted, said)


def no_gold_example_leaks(behaviours: pl.DataFrame, written_questions: pl.DataFrame) -> Verdict:
    """Hardly any question repeats half or more of an example by hand, which it was written from or judged by."""
    gold = behaviours["examples"].explode().drop_nulls().cast(pl.String)
    if not len(gold) or not len(written_questions):
        return Verdict(True, "there are no examples by hand to repeat")
    leaks = leakage(texts(written_questions), gold)
    share = float((leaks >= HALF).mean())
    said = f"{share:.1%} of {len(leaks):,} questions have half of their runs of five words in an example"
    return Verdict(share <= LEAKED, said)


def generator_is_not_the_discriminator(question_sheet: pl.DataFrame) -> Verdict:
    """Questions are judged by another than who wrote them: a model prefers what it wrote itself."""
    told = dict(question_sheet.filter(section="how made").select("fact", "value").iter_rows())
    writer, judge = told.get("writer", "not said"), told.get("discriminator", "not said")
    return Verdict(writer != judge, f"written by {writer}, judged by {judge}")
