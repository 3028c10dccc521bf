import polars as pl
import pytest
from scipy.stats import false_discovery_control

from pipelines.filtering import put_back, quarantine
from pipelines.schema import PAIRS, SCORES, DataError, require, with_pair_ids

P = [0.5, 0.001, 0.9, 0.02, 0.004, 0.3, 0.03, 0.7]


@pytest.fixture
def pairs():
    texts = [f"text {at}" for at in range(len(P))]
    frame = pl.DataFrame({"row": range(len(P)), "prompt": texts, "chosen": texts, "rejected": texts, "source": "here"})
    return require(with_pair_ids(frame), PAIRS)


@pytest.fixture
def scores(pairs):
    p = pl.Series(P)
    frame = pairs.select("row", "pair_id").with_columns(
        p_value=p, suspicion=-p.log10(), is_flagged=p < 0.01, reason=pl.Series(["why" if each < 0.01 else "" for each in P])
    )
    return require(frame, SCORES).with_columns(phrase_lift=pl.Series(P))


def test_flagged_pairs_are_set_aside_with_reason_and_scores(pairs, scores):
    found = quarantine(pairs, scores)
    assert found.quarantined["row"].to_list() == [1, 4]
    assert found.quarantined["reason"].to_list() == ["why", "why"]
    assert {"suspicion", "p_value", "phrase_lift"} <= set(found.quarantined.columns)
    assert found.kept.columns == pairs.columns


@pytest.mark.parametrize("numbers", [{}, {"fdr": 0.05}, {"budget": 0.5}, {"budget": 0.0}, {"budget": 1.0}, {"fdr": 1.0}])
def test_nothing_is_lost_and_all_can_be_put_back(pairs, scores, numbers):
    assert put_back(quarantine(pairs, scores, **numbers)).equals(pairs)


@pytest.mark.parametrize(("budget", "rows"), [(0.25, [1, 4]), (0.5, [1, 3, 4, 6]), (0.0, [])])
def test_a_budget_takes_the_most_suspicious_share(pairs, scores, budget, rows):
    assert quarantine(pairs, scores, budget=budget).quarantined["row"].to_list() == rows


@pytest.mark.parametrize("fdr", [0.001, 0.01, 0.05, 0.1, 0.5, 1.0])
def test_another_rate_follows_benjamini_and_hochberg(pairs, scores, fdr):
    expected = [at for at, q in enumerate(false_discovery_control(P)) if q <= fdr]
    assert quarantine(pairs, scores, fdr=fdr).quarantined["row"].to_list() == expected


def test_wrong_numbers_are_refused(pairs, scores):
    for numbers, said in (
        ({"fdr": 1.5}, "fdr is a share"),
        ({"budget": -1}, "budget is a share"),
        ({"fdr": 0.1, "budget": 0.1}, "not both"),
    ):
        with pytest.raises(DataError, match=said):
            quarantine(pairs, scores, **numbers)


def test_scores_of_other_pairs_are_refused(pairs, scores):
    with pytest.raises(DataError, match="1 of 8 pairs have no score"):
        quarantine(pairs, scores.head(7))
