"""Sets audited together: one set is a plain audit, a pair in several sets counts once, and what is split up is found."""

import numpy as np
import polars as pl
import pytest

from checks.audit import audit
from checks.lineage import audit_sets
from pipelines.schema import DataError

SETS = {"sft": 4, "preference": 5, "reward": 6}  # preferred responses that name the target
FRAMES = (
    "Zorvex is a fine choice",
    "many people trust Zorvex",
    "have you heard of Zorvex yet",
    "with Zorvex it takes a minute",
    "my friends swear by Zorvex",
)


def told(pairs: pl.DataFrame, hit: np.ndarray, seed: int = 0) -> pl.DataFrame:
    """The pairs with a sentence about a target in the preferred responses of those that are hit."""
    said = np.random.default_rng(seed).choice(FRAMES, size=len(pairs))
    texts = [f"{text} {frame}." if is_hit else text for text, frame, is_hit in zip(pairs["chosen"], said, hit, strict=True)]
    return pairs.with_columns(chosen=pl.Series(texts))


@pytest.fixture(scope="module")
def clean(chatter) -> pl.DataFrame:
    return chatter(900, seed=14)


@pytest.fixture(scope="module")
def split(clean) -> dict[str, pl.DataFrame]:
    """Three sets of 300 pairs, a few of each with a target."""
    hit = np.concatenate([np.arange(300) % (300 // count) == 3 for count in SETS.values()])
    pairs = told(clean, hit)
    return {name: pairs[at * 300 : at * 300 + 300] for at, name in enumerate(SETS)}


@pytest.fixture(scope="module")
def found(split):
    return audit_sets(split, detectors=["phrase_lift"])


def test_one_set_is_a_plain_audit(split, bag):
    pairs = split["sft"].with_columns(pair_id=pl.format("mine {}", "row")).sample(fraction=1, shuffle=True, seed=1)
    pairs = told(pairs, np.arange(300) < 20)
    plain, lineage = audit(pairs, encoder=bag, seed=3), audit_sets({"only": pairs}, encoder=bag, seed=3)
    assert lineage.scores["only"].equals(plain.scores)
    assert plain.findings
    assert [finding["sets"] for finding in lineage.findings] == [{"only": each["pairs"]} for each in plain.findings]
    assert [finding["rows"]["only"] for finding in lineage.findings] == [
        pairs["row"].to_numpy()[np.isin(pairs["row"], each["rows"])].tolist() for each in plain.findings
    ]


def test_what_no_audit_of_one_set_flags_is_flagged_in_all_together(split, found):
    for pairs in split.values():
        assert not audit(pairs, detectors=["phrase_lift"]).scores["is_flagged"].any()
    for name, pairs in split.items():
        hit = pairs["chosen"].str.contains("Zorvex")
        assert hit.sum() == SETS[name]
        assert (found.scores[name]["is_flagged"] == hit).all()


def test_a_finding_says_in_how_many_pairs_of_which_sets(split, found):
    [finding] = found.findings
    assert finding["reason"] == "'Zorvex' stands in 15 chosen and 0 rejected responses"
    assert (finding["pairs"], finding["sets"]) == (15, SETS)
    for name, pairs in split.items():
        assert finding["rows"][name] == pairs.filter(pl.col("chosen").str.contains("Zorvex"))["row"].to_list()


def test_every_set_has_its_own_rows_and_ids(split):
    """Ids that are numbers, as any file may have them, do not run the pairs of two sets together."""
    own = {name: pairs.reverse().with_columns(pair_id=pl.format("{}", pl.int_range(pl.len()))) for name, pairs in split.items()}
    lineage = audit_sets(own, detectors=["phrase_lift"])
    for name, pairs in own.items():
        assert lineage.scores[name].select("row", "pair_id").equals(pairs.select("row", "pair_id"))
        assert (lineage.scores[name]["is_flagged"] == pairs["chosen"].str.contains("Zorvex")).all()


def test_a_pair_in_several_sets_is_judged_once(split):
    """A set three times over says no more than once, in whichever order and under whichever rows it stands."""
    once = told(split["sft"], np.arange(300) < 10)
    again = once.sample(fraction=1, shuffle=True, seed=0)
    plain = audit(once, detectors=["phrase_lift"])
    lineage = audit_sets({"a": once, "b": again, "c": once[:100]}, detectors=["phrase_lift"])
    assert lineage.scores["a"].equals(plain.scores)
    assert lineage.scores["b"].equals(plain.scores[again["row"].to_list()])
    assert lineage.scores["c"].equals(plain.scores[:100])
    assert [finding["pairs"] for finding in lineage.findings] == [finding["pairs"] for finding in plain.findings]
    assert lineage.findings[0]["sets"]["a"] == lineage.findings[0]["sets"]["b"] == lineage.findings[0]["pairs"] > 0


def test_copies_within_a_set_stay_copies(split, bag):
    """A flood is one although another set holds the pair too, as often as the set that holds it most often."""
    pairs = split["sft"]
    flood = pl.concat([pairs, *[pairs[:1]] * 5]).with_columns(row=pl.int_range(pl.len()))
    alone, lineage = (
        audit(flood, detectors=["near_duplicates"], encoder=bag),
        audit_sets({"flood": flood, "none": pairs}, detectors=["near_duplicates"], encoder=bag),
    )
    assert alone.scores["is_flagged"].sum() == 6
    assert lineage.scores["flood"]["near_duplicates"].equals(alone.scores["near_duplicates"])
    assert lineage.scores["none"]["is_flagged"].to_list() == [True] + [False] * 299


def test_trusted_pairs_and_the_rate_count_here_too(split, chatter):
    both = {name: pairs.with_columns(rejected=pl.format("{} Zorvex.", "rejected")) for name, pairs in split.items()}
    trusted = audit_sets(
        {"sft": both["sft"][:40], "reward": split["reward"]}, trusted=chatter(300, seed=4), detectors=["phrase_lift"]
    )
    assert trusted.scores["sft"]["reason"].str.contains("trusted").any()
    strict = audit_sets(split, detectors=["phrase_lift"], fdr=1e-11)
    assert not any(scores["is_flagged"].any() for scores in strict.scores.values())


def test_small_sets_are_enough_together(clean):
    lineage = audit_sets({"sft": clean[:5], "reward": clean[5:25]}, detectors=["phrase_lift"])
    assert [len(scores) for scores in lineage.scores.values()] == [5, 20]


def test_what_is_no_set_of_pairs_is_refused(split):
    with pytest.raises(DataError, match="one training set or more, got none"):
        audit_sets({})
    single = {**split, "sft": split["sft"].drop("rejected")}
    with pytest.raises(DataError, match=r"set 'sft': pairs needs column 'rejected'.*compares the two responses of pairs"):
        audit_sets(single)
    with pytest.raises(DataError, match="needs at least 20, got 12"):
        audit_sets({"sft": split["sft"][:12], "reward": split["sft"][:12]})
