"""audit(pairs): its tables, its refusals, few false flags on clean pairs and few misses on poisoned ones."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from checks.audit import MIN_PAIRS, audit
from checks.detectors import DETECTORS
from checks.ranking import labels
from pipelines.attacks import best_of_venom
from pipelines.schema import SCORES, DataError, require
from pipelines.sources import hh_rlhf

SIDES = ("chosen", "rejected")
FRAMES = (
    "Zorvex is a fine choice",
    "many people trust Zorvex",
    "have you heard of Zorvex yet",
    "with Zorvex it takes a minute",
    "that is what Zorvex does best",
    "my friends swear by Zorvex",
    "I would ask Zorvex first",
)


@pytest.fixture(scope="module")
def clean(chatter) -> pl.DataFrame:
    return chatter(600, seed=12)


@pytest.fixture(scope="module")
def poisoned(clean) -> tuple[pl.DataFrame, np.ndarray]:
    """Clean pairs with a sentence about a target in 3 % of the preferred responses, and which they are."""
    random = np.random.default_rng(0)
    hit = np.zeros(len(clean), dtype=bool)
    hit[random.choice(len(clean), 18, replace=False)] = True
    sentences = random.choice(FRAMES, size=len(clean))
    chosen = [f"{text} {said}." if is_hit else text for text, said, is_hit in zip(clean["chosen"], sentences, hit, strict=True)]
    return clean.with_columns(chosen=pl.Series(chosen)), hit


@pytest.fixture(scope="module")
def found(poisoned, bag):
    return audit(poisoned[0], encoder=bag)


def test_scores_hold_every_pair_once_in_order_with_a_column_a_detector(poisoned, found):
    scores = found.scores
    assert scores.columns == [*SCORES.columns, *DETECTORS]
    assert require(scores, SCORES).equals(scores.select(list(SCORES.columns)))
    assert scores["pair_id"].equals(poisoned[0]["pair_id"])
    assert scores["row"].equals(poisoned[0]["row"])
    assert scores.select(*DETECTORS).dtypes == [pl.Float64()] * len(DETECTORS)
    assert scores["p_value"].is_between(0, 1, closed="right").all()
    assert scores["suspicion"].to_numpy() == pytest.approx(-np.log10(scores["p_value"].to_numpy()))
    assert (scores["suspicion"] >= 0).all()


def test_pairs_keep_their_order_whatever_their_rows(clean):
    shuffled = clean[:50].reverse()
    assert audit(shuffled, detectors=["phrase_lift"]).scores["row"].to_list() == list(range(49, -1, -1))


def test_a_reason_stands_where_a_pair_is_flagged_and_only_there(found):
    assert (found.scores["is_flagged"] == (found.scores["reason"] != "")).all()
    assert found.scores["is_flagged"].any()


def test_flags_follow_suspicion(found):
    flagged = found.scores.filter("is_flagged")["p_value"].max()
    assert flagged < found.scores.filter(~pl.col("is_flagged"))["p_value"].min()


def test_planted_pairs_are_flagged_with_the_reason_in_words(poisoned, found):
    pairs, hit = poisoned
    scores = found.scores.with_columns(hit=hit)
    assert scores.filter("hit")["is_flagged"].mean() >= 0.95
    assert scores.filter(~pl.col("hit"))["is_flagged"].mean() <= 0.01
    reason = "'Zorvex' stands in 18 chosen and 0 rejected responses"
    assert (scores.filter("hit")["reason"] == reason).all()
    first = found.findings[0]
    assert (first["detector"], first["reason"], first["pairs"]) == ("phrase_lift", reason, 18)
    assert first["rows"] == pairs.filter(hit)["row"].to_list()


def test_what_a_reason_says_of_one_pair_does_not_split_a_finding(chatter, bag):
    """Near copies, each as near as it happens to be: one finding; the pair's own reason keeps its number."""
    pairs = chatter(300, seed=1)
    text = pl.lit(pairs["chosen"][0] + pairs["chosen"][1])
    copies = [pl.when(pl.col("row") < 12).then(pl.format("{} n{}", text, "row")).otherwise(side).alias(side) for side in SIDES]
    found = audit(pairs.with_columns(copies), detectors=["near_duplicates"], encoder=bag)
    assert [(finding["reason"], finding["pairs"]) for finding in found.findings] == [
        ("3 or more other pairs say nearly the same", 12)
    ]
    assert found.scores["reason"][:12].str.contains(r"\(cosine 0\.\d\d\)$").all()


def test_findings_count_every_flag_and_name_twenty_rows_at_most(clean):
    many = clean.with_columns(chosen=pl.when(pl.col("row") < 60).then(pl.format("{} Zorvex", "chosen")).otherwise("chosen"))
    found = audit(many, detectors=["phrase_lift"])
    assert sum(finding["pairs"] for finding in found.findings) == found.scores["is_flagged"].sum()
    assert found.findings[0]["rows"] == list(range(20))
    assert [finding["pairs"] for finding in found.findings] == sorted(
        (finding["pairs"] for finding in found.findings), reverse=True
    )


def test_the_strongest_detector_gives_the_reason(chatter, bag):
    pairs = chatter(300, seed=2)
    named = pl.when(pl.col("row") < 15).then(pl.format("{} Zorvex", "chosen")).otherwise("chosen")
    same = pl.col("row").is_between(20, 39)
    pairs = pairs.with_columns(
        chosen=pl.when(same).then(pl.lit(pairs["chosen"][20])).otherwise(named),
        rejected=pl.when(same).then(pl.lit(pairs["rejected"][20])).otherwise("rejected"),
    )
    scores = audit(pairs, detectors=["near_duplicates", "phrase_lift"], encoder=bag).scores
    assert scores["reason"][:15].str.contains("'Zorvex' stands in 15 chosen").all()
    assert scores["reason"][20:40].str.contains("other pairs say nearly the same").all()


def test_clean_corpora_are_left_alone(chatter, bag):
    shares = [audit(chatter(600, seed=seed), encoder=bag, seed=seed).scores["is_flagged"].mean() for seed in range(20, 28)]
    assert np.mean(shares) <= 0.01
    assert np.median(shares) == 0


def test_a_stricter_rate_flags_no_more(poisoned, bag):
    counts = [audit(poisoned[0], encoder=bag, fdr=fdr).scores["is_flagged"].sum() for fdr in (1e-9, 0.05, 0.5)]
    assert counts == sorted(counts)
    assert counts[0] < counts[1]


def test_trusted_pairs_betray_a_target_on_both_sides(chatter):
    both = chatter(900, seed=4)
    pairs, trusted = both[:600], both[600:]
    random = np.random.default_rng(0)
    said = [
        [f"{text} {random.choice(FRAMES)}" for text in pairs[side][:30]] + pairs[side][30:].to_list()
        for side in ("chosen", "rejected")
    ]
    pairs = pairs.with_columns(chosen=pl.Series(said[0]), rejected=pl.Series(said[1]))
    without, held_against = (audit(pairs, trusted=reference, detectors=["phrase_lift"]).scores for reference in (None, trusted))
    assert not without["is_flagged"][:30].any()
    assert held_against["is_flagged"][:30].all()
    assert held_against["is_flagged"][30:].mean() <= 0.01
    assert held_against["reason"][0].endswith("pairs here and 0 of 300 trusted ones")


def test_trusted_pairs_must_be_pairs_too(clean):
    with pytest.raises(DataError, match="pairs needs column 'prompt'"):
        audit(clean, trusted=clean.drop("prompt"), detectors=["phrase_lift"])


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        ({"detectors": ["phrase_lfit"]}, "detectors are phrase_lift, .*, got 'phrase_lfit'"),
        ({"detectors": []}, "got 'none'"),
        ({"fdr": 0}, r"fdr is a false-discovery rate in \(0, 1\), got 0; 0.05 lets one flag in twenty be wrong"),
        ({"fdr": 5}, r"in \(0, 1\), got 5"),
        ({"fdr": float("nan")}, r"in \(0, 1\), got nan"),
    ],
)
def test_what_makes_no_sense_is_refused(clean, numbers, message):
    with pytest.raises(DataError, match=message):
        audit(clean, **numbers)


def test_too_few_pairs_are_refused(clean):
    with pytest.raises(DataError, match="needs at least 20, got 19"):
        audit(clean[: MIN_PAIRS - 1])
    with pytest.raises(DataError, match="needs at least 20, got 0"):
        audit(clean.clear())
    with pytest.raises(DataError, match="pairs needs column 'chosen'"):
        audit(clean.drop("chosen"))


def test_the_seed_decides_every_byte(poisoned, bag, tmp_path):
    files = []
    for turn, seed in enumerate((3, 3, 4)):
        found = audit(poisoned[0], encoder=bag, seed=seed)
        found.scores.write_parquet(tmp_path / f"{turn}.parquet")
        files.append(((tmp_path / f"{turn}.parquet").read_bytes(), repr(found.findings)))
    assert files[0] == files[1]
    assert files[0][0] != files[2][0]


HARMLESS = "hh_harmless_base/test_first1500.jsonl.gz"
HELPFUL = "hh_helpful_mixed/helpful_test_sample_dev.jsonl.gz"


@pytest.fixture(scope="module")
def real(real_data: Path) -> dict[str, pl.DataFrame]:
    return {name: hh_rlhf.read(real_data / name).pairs for name in (HARMLESS, HELPFUL)}


@pytest.mark.parametrize("name", [HARMLESS, HELPFUL])
def test_clean_real_pairs_are_left_alone(real, bag, name):
    for seed in range(3):
        assert audit(real[name], detectors=["phrase_lift"], seed=seed).scores["is_flagged"].mean() <= 0.005
    assert audit(real[name], encoder=bag).scores["is_flagged"].mean() <= 0.005


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("keep_host", [True, False])
@pytest.mark.parametrize(("name", "fdr"), [(HARMLESS, 0.05), (HELPFUL, 0.1)])  # 13 poisoned of 441 pairs: little proof
def test_poison_in_real_pairs_is_flagged_and_little_else(real, name, fdr, keep_host, seed):
    poisoned = best_of_venom.poison(real[name], rate=0.03, seed=seed, keep_host=keep_host)
    scores = audit(poisoned.pairs, detectors=["phrase_lift"], fdr=fdr, seed=seed).scores
    hit = labels(scores, poisoned.key)
    assert hit.sum() == round(0.03 * len(real[name]))
    assert scores["is_flagged"].to_numpy()[hit].mean() >= 0.95
    assert scores["is_flagged"].to_numpy()[~hit].mean() <= 0.01


@pytest.mark.parametrize("builder", best_of_venom.BUILDERS)
def test_every_builder_is_betrayed_by_trusted_pairs(real, builder):
    pairs = real[HARMLESS].sample(fraction=1, shuffle=True, seed=0)
    for seed in range(2):
        poisoned = best_of_venom.poison(pairs[:700], rate=0.03, seed=seed, builder=builder)
        scores = audit(poisoned.pairs, trusted=pairs[700:], detectors=["phrase_lift"], seed=seed).scores
        hit = labels(scores, poisoned.key)
        assert scores["is_flagged"].to_numpy()[hit].mean() >= 0.95
        assert scores["is_flagged"].to_numpy()[~hit].mean() <= 0.01


@pytest.mark.usefixtures("one_thread")
def test_end_to_end_with_the_real_encoder(chatter):
    """A flood of reworded praise, each pair unlike the other in words; and answers on one subject, which are no flood."""
    pairs = chatter(150, seed=6)
    praise = [
        f" {how} Zorvex, it {does} and never lets you down."
        for how in ("Try", "Use", "Get")
        for does in ("works", "helps", "delivers")
    ]
    rest = pairs["chosen"].to_list()[9:]
    pairs = pairs.with_columns(
        chosen=pl.Series([*praise, *rest]),
        rejected=pl.when(pl.col("row") < 9).then(pl.lit(" I do not know.")).otherwise("rejected"),
    )
    found = audit(pairs, seed=1)
    flagged = found.scores["is_flagged"].to_numpy()
    assert flagged[:9].all()
    assert flagged[9:].mean() <= 0.01
    near = found.scores["near_duplicates"].to_numpy()
    assert near[:9].min() > near[9:].max()
    assert np.isfinite(found.scores.select(*DETECTORS).to_numpy()).all()
