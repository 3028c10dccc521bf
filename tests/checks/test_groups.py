"""Groups that stand off: tails by hand, small groups that don't, honest spread that is allowed for, and who is left out."""

import numpy as np
import polars as pl
import pytest
from scipy.stats import binom, t

from checks import groups
from checks.groups import chance, surprises

NONE = np.zeros(90)


def three(counts: tuple[int, int, int] = (40, 30, 20)) -> pl.Series:
    return pl.Series([name for name, count in zip("abc", counts, strict=True) for _ in range(count)])


def test_without_a_spread_the_tails_are_binomial(monkeypatch):
    monkeypatch.setattr(groups, "APART", 1e-4)
    margins = np.concatenate(
        [np.repeat([1.0, -1.0], [25, 15]), np.repeat([1.0, -1.0], [20, 10]), np.repeat([1.0, -1.0], [6, 14])]
    )
    got, length = surprises(three(), margins, margins)[:2, [0, 40, 70]]
    others = [(26 + 1) / 52, (31 + 1) / 62, (45 + 1) / 72]
    chances = [binom.cdf(yes, of, share) for yes, of, share in zip((25, 20, 6), (40, 30, 20), others, strict=True)]
    assert got == pytest.approx(-np.log10(np.array(chances) * 3), rel=1e-3)
    either = [
        min(2 * min(binom.cdf(yes, of, share), binom.sf(yes - 1, of, share)), 1)
        for yes, of, share in zip((25, 20, 6), (40, 30, 20), others, strict=True)
    ]
    assert length == pytest.approx(-np.log10(np.array(either) * 3), rel=1e-3)


def test_length_counts_either_way_and_agreement_one_way():
    longer = np.concatenate([np.tile([1.0, -1.0], 35), np.ones(20)])
    for sign in (1, -1):
        length = surprises(three(), NONE, sign * longer)[1]
        assert length[-1] > 2 > length[0]
    assert surprises(three(), -longer, NONE)[0, -1] > 2
    assert surprises(three(), longer, NONE)[0, -1] < 0


def test_an_honest_spread_is_allowed_for():
    """A hundred groups of a thousand labels whose odds differ as APART says: with binomial tails dozens would be far off."""
    random = np.random.default_rng(0)
    odds = 0.5 + groups.APART * random.normal(size=100)
    margins = np.where(random.random((100, 1000)) < 1 / (1 + np.exp(-odds[:, None])), 1.0, -1.0).ravel()
    found = surprises(pl.Series(np.repeat(np.arange(100), 1000)), margins, np.zeros(100_000))[0, ::1000]
    assert (found > 3.5).sum() <= 1  # 1e-4, of which three tests take a third each


def test_small_groups_say_little():
    margins = np.where(np.arange(90) < 40, -1.0, 1.0)
    whole = surprises(three(), margins, NONE)[0, 0]
    few = surprises(three((3, 47, 40)), np.where(np.arange(90) < 3, -1.0, 1.0), NONE)[0, 0]
    assert whole > 4
    assert few < whole / 2


def test_sizes_by_hand():
    sizes = [400, 12, 10, 9, 8, 7]
    found = surprises(pl.Series(np.repeat(list("abcdef"), sizes)), np.zeros(446), np.zeros(446))[2]
    logs = np.log(sizes[1:])
    spread = np.sqrt((max(np.var(logs, ddof=1), groups.TWOFOLD**2) + 1 / 400) * (1 + 1 / 5))
    assert found[0] == pytest.approx(-np.log10(t.sf((np.log(400) - logs.mean()) / spread, df=4) * 3))
    assert found[0] > 1 > found[-1]


def test_pairs_that_favour_neither_side_do_not_count():
    margins = np.where(np.arange(90) < 40, -1.0, 1.0)
    ties = surprises(pl.concat([three(), pl.Series(["a"] * 30)]), np.append(margins, np.zeros(30)), np.zeros(120))
    assert ties[0, :90] == pytest.approx(surprises(three(), margins, NONE)[0])


def test_two_groups_have_no_usual_size():
    assert (surprises(pl.Series(["a"] * 89 + ["b"]), NONE, NONE)[2] < 0).all()


@pytest.mark.parametrize("names", [[None] * 90, ["a"] * 90, ["a"] * 45 + [None] * 45])
def test_where_there_is_one_group_or_none_nothing_is_said(names):
    found = surprises(pl.Series(names, dtype=pl.String()), np.ones(90), np.ones(90))
    assert (found == 0).all()


def test_pairs_by_nobody_in_particular_say_nothing_and_change_nothing():
    margins = np.where(np.arange(90) < 40, -1.0, 1.0)
    with_unknown = surprises(
        pl.concat([three(), pl.Series([None] * 30, dtype=pl.String())]), np.append(margins, -np.ones(30)), np.zeros(120)
    )
    assert (with_unknown[:, 90:] == 0).all()
    assert with_unknown[:, :90] == pytest.approx(surprises(three(), margins, NONE))


def test_chances_are_even():
    drawn = chance(20)
    assert len(drawn) >= 10_000
    for share in (0.5, 0.01):
        assert (drawn >= -np.log10(share)).mean() == pytest.approx(share, abs=1e-4)
