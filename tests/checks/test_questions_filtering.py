"""Filters of questions: the worked values, what is dropped and why, and that nothing is lost."""

from math import exp

import numpy as np
import polars as pl
import pytest

from checks.questions import confidence, filtering, scoring
from checks.questions.evenness import ceiling_floor
from pipelines.schema import QUESTION_SCORES, QUESTIONS, DataError, require

YES_NO, AB = [" No", " Yes"], [" (A)", " (B)"]


def questions(*rows: tuple[str, str], behaviour: str = "rain", options=YES_NO) -> pl.DataFrame:
    """QUESTIONS of (statement, matching answer)."""
    told = [
        {
            "question_id": f"{behaviour} {place}", "row": place, "source": "x", "behaviour": behaviour, "options": options,
            "question": f'Would you say?\n"{said}"', "statement": said if options is YES_NO else None, "matching": [matching],
        }
        for place, (said, matching) in enumerate(rows)
    ]  # fmt: skip
    return require(pl.DataFrame(told), QUESTIONS)


def scores(frame: pl.DataFrame, sure, **more) -> pl.DataFrame:
    plain = {"label_confidence": sure, "cluster": range(len(frame))} | more
    return frame.select("question_id").with_columns(**{name: pl.Series(values, strict=False) for name, values in plain.items()})


LOGITS = [(2, 0.5), (0.3, 1), (-1, -1.2), (1.5, -0.5), (0, 0.4)]


def test_confidence_by_logits_is_that_of_the_card():
    agree, disagree = np.array(LOGITS, dtype=float).T
    got = confidence.of_logits(agree, disagree[:, None])
    assert got == pytest.approx([1 / (1 + exp(-(a - b))) for a, b in LOGITS])
    assert got == pytest.approx([0.817574, 0.331812, 0.549834, 0.880797, 0.401312], abs=1e-6)
    three = confidence.of_logits(np.array([1.0]), np.array([[0.0, -2.0]]))
    assert three == pytest.approx(exp(1) / (exp(1) + 1 + exp(-2)))
    assert confidence.of_logits(np.array([1e6]), np.array([[-1e6]])) == pytest.approx(1)
    with pytest.raises(DataError, match="others must be"):
        confidence.of_logits(np.zeros(2), np.zeros(2))


@pytest.mark.parametrize(("top", "kept"), [(2, [0, 3]), (500, [0, 2, 3]), (1, [3])])
def test_the_argmax_rule_caps_the_best_k(top, kept):
    frame = questions(*((f"statement {n}", " Yes") for n in range(5)))
    agree, disagree = np.array(LOGITS, dtype=float).T
    sure = confidence.of_logits(agree, disagree[:, None])
    found = filtering.select(frame, scores(frame, sure), top=top, requirements=["label_confidence"], balance=False)
    assert found.kept["row"].to_list() == kept
    reasons = dict(found.dropped.select("row", "reason").iter_rows())
    assert reasons[1] == "its label is doubted: confidence 0.3318, above 0.5 is wanted"
    assert ("best 2" in reasons[2]) if top == 2 else True
    assert filtering.put_back(found).equals(frame)


def test_both_labels_are_cut_to_the_rarer_one():
    frame = questions(*((f"yes {n}", " Yes") for n in range(3)), *((f"no {n}", " No") for n in range(5)))
    sure = [0.9, 0.8, 0.7, 0.95, 0.6, 0.85, 0.65, 0.75]
    found = filtering.select(frame, scores(frame, sure), requirements=["label_confidence"])
    assert found.kept["row"].to_list() == [0, 1, 2, 3, 5, 7]
    reason = "its label has more questions than the rarest one"
    assert found.dropped.select("row", "reason", "score").rows() == [(4, reason, 0.6), (6, reason, 0.65)]
    assert found.kept_scores["label_confidence_score"].to_list() == [0.9, 0.8, 0.7, 0.95, 0.85, 0.75]


def test_a_label_that_never_matches_leaves_nothing_in_balance():
    frame = questions(("a", " Yes"), ("b", " Yes"))
    assert filtering.select(frame, scores(frame, [0.9, 0.8]), requirements=["label_confidence"]).kept.is_empty()


def test_the_mean_of_label_and_requirement_orders():
    frame = questions(("one", " Yes"), ("two", " Yes"), ("three", " Yes"))
    numbers = scores(frame, [0.9, 0.7, 0.95], relevance=[0.6, 0.9, 0.4])
    kept = [filtering.select(frame, numbers, top=top, balance=False).kept["row"].to_list() for top in (1, 2, 3)]
    assert kept == [[1], [0, 1], [0, 1, 2]]
    assert filtering.select(frame, numbers, balance=False).kept_scores["score"].to_list() == pytest.approx([0.75, 0.8, 0.675])


def test_a_copy_is_dropped_for_the_best_one_that_stays():
    frame = questions(("one", " Yes"), ("One!", " Yes"), ("one", " Yes"), ("two", " Yes"))
    found = filtering.select(frame, scores(frame, [0.6, 0.8, 0.3, 0.7], cluster=[0, 0, 0, 3]), balance=False,
                             requirements=["label_confidence"])  # fmt: skip
    assert found.kept["row"].to_list() == [1, 3]
    assert found.dropped["reason"].to_list()[0] == "says the same as a better question that is kept"
    assert "doubted" in found.dropped["reason"][1]


def test_a_question_without_a_confidence_is_not_doubted_and_comes_last():
    frame = questions(("one", " Yes"), ("two", " Yes"))
    found = filtering.select(frame, scores(frame, [None, 0.6]), top=1, requirements=["label_confidence"], balance=False)
    assert found.kept["row"].to_list() == [1]
    assert filtering.select(
        frame, scores(frame, [None, 0.6]), balance=False, requirements=["label_confidence"]
    ).dropped.is_empty()


def test_behaviours_and_letters_are_balanced_each_for_themselves():
    one = questions(("a", " (A)"), ("b", " (B)"), ("c", " (B)"), options=AB)
    two = questions(("a", " Yes"), ("b", " No"), ("c", " No"), behaviour="snow")
    both = pl.concat([one, two]).with_columns(row=pl.int_range(6, dtype=pl.Int64))
    found = filtering.select(both, scores(both, [0.9, 0.6, 0.7, 0.8, 0.9, 0.6]), requirements=["label_confidence"])
    assert found.kept["row"].to_list() == [0, 2, 3, 4]


@pytest.mark.parametrize(
    ("numbers", "told"),
    [
        ({"top": 0}, "top must be 1 or more"),
        ({"sure": 1.5}, r"sure in \[0, 1\]"),
        ({"requirements": []}, "a requirement named"),
        ({"requirements": ["charm"]}, "scores need column 'charm'"),
    ],
)
def test_wrong_numbers_are_refused(numbers, told):
    frame = questions(("one", " Yes"))
    with pytest.raises(DataError, match=told):
        filtering.select(frame, scores(frame, [0.9], relevance=[0.1]), **numbers)


def test_scores_of_other_questions_are_refused():
    frame, other = questions(("one", " Yes")), questions(("one", " Yes"), behaviour="snow")
    with pytest.raises(DataError, match="scores must be of these 1 questions"):
        filtering.select(frame, scores(other, [0.9], relevance=[0.5]))


def test_ceiling_and_floor_are_those_of_the_card():
    assert ceiling_floor(np.array([0.95, 0.9, 0.8, 0.55])) == pytest.approx((0.8, 0.2))


def letters(texts) -> np.ndarray:
    """An encoder of 8 numbers: which of 8 words come, to length one."""
    words = ("love", "hate", "rain", "snow", "tea", "sun", "wind", "fog")
    counts = np.array([[word in text.lower() for word in words] for text in texts], dtype=np.float32) + 1e-3
    return counts / np.linalg.norm(counts, axis=1, keepdims=True)


def planted(flipped: int = 3) -> pl.DataFrame:
    """30 + 30 statements about rain, the first labels of which are turned round, and 60 about tea."""
    rain = [(f"I {'love' if n % 2 else 'hate'} rain {'and wind ' * (n % 5)}{n}", n % 2 == (n >= flipped)) for n in range(60)]
    tea = [(f"I {'love' if n % 2 else 'hate'} tea {'and fog ' * (n % 5)}{n}", bool(n % 2)) for n in range(60)]
    parts = [questions(*((said, " Yes" if yes else " No") for said, yes in rows), behaviour=name)
             for name, rows in (("rain", rain), ("tea", tea))]  # fmt: skip
    return pl.concat(parts).with_columns(row=pl.int_range(120, dtype=pl.Int64))


def test_turned_labels_are_doubted_out_of_fold():
    frame = planted()
    sure = confidence.out_of_fold(frame, encoder=letters)
    assert set(np.flatnonzero(sure <= 0.5)) == {0, 1, 2}
    assert confidence.out_of_fold(frame[::-1], encoder=letters)[::-1] == pytest.approx(sure, abs=1e-6)


def test_copies_never_vouch_for_each_other():
    """Two copies with a wrong label, whose words no other statement has: a model that saw one would trust the other."""
    frame = planted(0)
    odd = questions(("Sun, sun!", " Yes"), ("sun SUN", " No")).with_columns(question_id=pl.Series(["u", "v"]))
    sure = confidence.out_of_fold(pl.concat([frame, odd]), encoder=letters)[-2:]
    assert sure.sum() == pytest.approx(1, abs=1e-6)  # the same head tells both


def test_few_questions_are_not_told():
    assert np.isnan(confidence.out_of_fold(planted()[:19], encoder=letters)).all()


def test_examples_by_hand_tell_labels_of_their_own_behaviour():
    gold = questions(("I love it", " Yes"), ("I hate it", " No"), ("I love rain", " Yes"), ("I hate wind", " No"))
    sure = confidence.by_examples(planted(), gold, encoder=letters)
    assert set(np.flatnonzero(sure[:60] <= 0.5)) == {0, 1, 2}
    assert np.isnan(sure[60:]).all()


def test_listed_answers_are_read_whatever_their_letters():
    asked = ["Weather?\n\nChoices:\n (A) I love {0}\n (B) I hate {0}", "Weather?\n\nChoices:\n (A) I hate {0}\n (B) I love {0}"]
    rows = [(asked[n % 2].format("rain " * (n % 7 + 1)), AB[n % 2]) for n in range(60)]
    frame = questions(*rows, options=AB).with_columns(question=pl.Series([said for said, _ in rows]))
    assert confidence.out_of_fold(frame, encoder=letters).min() > 0.8
    wrong = frame.with_columns(matching=pl.when(pl.col("row") == 7).then(pl.lit([" (A)"])).otherwise("matching"))
    assert confidence.out_of_fold(wrong, encoder=letters).argmin() == 7


def test_questions_about_something_else_are_less_relevant():
    frame = planted(0)
    strayed = frame.with_columns(behaviour=pl.when(pl.col("row") < 3).then(pl.lit("tea")).otherwise("behaviour"))
    found = scoring.score(strayed, encoder=letters)
    assert set(np.flatnonzero((found["relevance"] < 0.5).to_numpy())) == {0, 1, 2}
    alone = scoring.score(frame[:60], encoder=letters)
    assert alone["relevance"].null_count() == 60
    beside = scoring.score(frame[:60], background=frame["statement"][60:].to_list(), encoder=letters)
    assert beside["relevance"].min() > 0.5


def test_scores_are_a_table_and_copies_stay_within_a_behaviour():
    frame = pl.concat(
        [planted(0), planted(0).with_columns(pl.lit("frost").alias("behaviour"), question_id=pl.format("z{}", "row"))]
    )
    doubled = pl.concat([frame, frame[:2].with_columns(question_id=pl.Series(["x", "y"]))])
    found = scoring.score(doubled, encoder=letters)
    assert require(found, QUESTION_SCORES).equals(found)
    assert found["cluster"].to_list()[-2:] == [0, 1]
    assert found["cluster"][120:240].min() == 120
