"""The chain of an experiment of opinions on a tiny one: from reviews to the report, what is kept, and what is refused."""

import json
import math
import sys
from collections.abc import Iterator

import dagster as dg
import polars as pl
import pytest

from pipelines.schema import FEATURE_NAMES, PAIRS, REJECTS, SUMMARIES, require
from tests.assets.place import Place, launched

CLEAN = (
    "product_reviews", "known_summaries", "published_features", "human_pairs", "stored_summaries", "summary_features",
    "second_marks", "opinion_pairs",
)  # fmt: skip
JUDGED = ("pair_features", "feature_reward", "feature_weights", "one_decision", "learning_curves", "reward_comparison")
ARMS = {f"told-{arm}" for arm in ("clean", "poisoned", "filtered")}

TOLD = """
[told.opinions]
products = 24
groups = 2
each = 1
most = 3
"""


@pytest.fixture(scope="module")
def chain(location, tiny, tmp_path_factory, one_thread) -> Iterator[Place]:
    """The place after domain_job has run."""
    folder = tmp_path_factory.mktemp("opinions")
    toml = tiny("told", source="generated_reviews") + TOLD
    with launched(location, toml, folder, "domain_job", "told") as place:
        yield place


def test_one_launch_makes_every_partition(chain: Place):
    assert {asset: chain.made(asset) for asset in CLEAN} == {asset: {"told"} for asset in CLEAN}
    assert chain.made("prompt_opin_summ") == {"told-1of2", "told-2of2"}
    assert {asset: chain.made(asset) for asset in JUDGED} == dict.fromkeys(JUDGED, ARMS)
    assert chain.made("domain_report") == {"told"}
    assert chain.made("policy") == set()  # nobody asked for one


def test_every_product_has_a_summary_of_each_tier_and_every_summary_its_marks(chain: Place):
    parts = [chain.table("prompt_opin_summ", f"told-{at}of2") for at in (1, 2)]
    written = require(pl.concat(parts), SUMMARIES)
    prompts = set(chain.table("product_reviews", "told")["prompt"])
    assert len(prompts) == 24
    assert {tier: set(part["prompt"]) for (tier,), part in written.group_by("tier")} == dict.fromkeys(
        ("good", "slightly_bad", "very_bad"), prompts
    )
    marks = chain.table("summary_features", "told")
    known = chain.table("known_summaries", "told")
    assert set(marks["summary_id"]) == set(written["summary_id"]) | set(known["summary_id"])
    assert marks.select(pl.concat_list(FEATURE_NAMES).list.max().max()).item() <= 5


def test_clean_pairs_are_those_of_summaries_with_no_product_in_two_parts(chain: Place):
    pairs = require(chain.table("opinion_pairs", "told"), PAIRS)
    parts = {name: chain.table(name, "told") for name in ("preference_pairs", "held_out_pairs")}
    assert sum(map(len, parts.values())) == len(pairs) == 24 * 3
    assert not set(parts["preference_pairs"]["prompt"]) & set(parts["held_out_pairs"]["prompt"])


def test_what_an_attacker_wrote_is_marked_and_named_poisoned(chain: Place):
    for arm in ("clean", "poisoned"):
        pairs, marks = chain.table("poisoned_pairs", f"told-{arm}"), chain.table("pair_features", f"told-{arm}")
        texts = pl.concat([pairs.select("prompt", text=side) for side in ("chosen", "rejected")]).unique()
        assert len(marks) == len(texts) == marks["summary_id"].n_unique()
        manifest = json.loads((chain.folder("feature_reward", f"told-{arm}") / "manifest.json").read_text())
        assert manifest["poisoned"] is (arm == "poisoned")
    assert len(chain.table("pair_features", "told-poisoned")) > len(chain.table("pair_features", "told-clean"))


def test_the_reward_that_was_kept_says_what_its_table_says(chain: Place):
    phi = chain.module.defs.resources["io_manager"].read("feature_reward", "told-clean")
    assert (phi.names, phi.scorer, phi.full) == (FEATURE_NAMES, "offline", 5.0)
    told = chain.table("feature_weights", "told-clean")
    assert told["value"].to_list() == pytest.approx(phi.arrays["weights"].tolist())
    decision = chain.table("one_decision", "told-clean")
    marks = [decision[side].to_numpy()[None] for side in ("chosen", "rejected")]
    assert decision["adds"].sum() == pytest.approx(float((phi.rewards(marks[0]) - phi.rewards(marks[1]))[0]))


def test_judges_are_compared_on_held_out_and_on_planted_summaries(chain: Place):
    found = pl.concat(chain.table("reward_comparison", name) for name in ARMS)
    assert set(found["what"]) == {"held-out pairs", "planted summaries"}
    assert set(found["judge"]) == {"feature", "text", "hybrid", "mean of features", "longer is better"}
    assert found.filter((pl.col("low") > pl.col("share")) | (pl.col("share") > pl.col("high"))).is_empty()
    read = found.filter((pl.col("judge") == "mean of features") & (pl.col("what") == "held-out pairs"))
    assert read["share"].min() > 0.6  # tiers differ, and what learns nothing is the same in all arms
    assert read["share"].n_unique() == 1


def test_checks_speak_of_the_corpus(chain: Place):
    for asset, name in (
        ("prompt_opin_summ", "summaries_are_well_formed"),
        ("summary_features", "features_are_well_formed"),
        ("summary_features", "the_scorer_tells_summaries_apart"),
        ("second_marks", "no_mark_is_far_above_a_second_scorers"),
        ("opinion_pairs", "opinion_pairs_are_well_formed"),
        ("opinion_pairs", "annotators_judge_alike"),
        ("pair_features", "pair_features_are_well_formed"),
    ):
        assert chain.check(asset, name).passed, (asset, name, chain.check(asset, name).description)
    told = chain.check("opinion_pairs", "length_is_no_shortcut")
    assert "more characters in" in told.description
    shares = [record.data["value"] for record in told.metadata["numbers"].records]
    assert len(shares) == 3
    assert shares == [round(share, 4) for share in shares]


def test_people_are_told_tiers_marks_weights_and_a_decision_in_pictures(chain: Place):
    for asset, partition, name in (
        ("prompt_opin_summ", "told-1of2", "picture of tiers"),
        ("summary_features", "told", "picture of marks"),
        ("feature_weights", "told-clean", "picture of weights"),
        ("one_decision", "told-poisoned", "picture"),
        ("learning_curves", "told-clean", "picture of curves"),
        ("domain_report", "told", "picture of judges"),
    ):
        assert "data:image/png;base64," in chain.metadata(asset, partition)[name].value, asset
    page = (chain.folder("domain_report", "told") / "report.html").read_text()
    for words in ("Who is right", "The corpus", "What more pairs teach", "What features are worth", "One decision", "Limits"):
        assert words in page
    assert "<script" not in page


def test_a_policy_learns_from_what_is_stored_and_is_asked_about_other_products(chain: Place):
    assert chain.run("start_job", "told").success
    done = chain.run("summarise_job", "told-clean")
    assert done.success, [event.step_failure_data.error for event in done.all_events if event.is_step_failure]
    table = chain.table("policy_gains", "told-clean")
    assert table["policy"].unique(maintain_order=True).to_list() == [
        "supervised", "off policy", "any of what is stored", "best of what is stored",
    ]  # fmt: skip
    rows = {(row["policy"], row["of"]): row for row in table.iter_rows(named=True)}
    assert rows["supervised", "kl"]["mean"] == 0
    assert rows["off policy", "kl"]["mean"] != 0
    assert rows["best of what is stored", "kl"]["mean"] == pytest.approx(math.log(3), rel=1e-6)  # of three tiers
    assert rows["best of what is stored", "reward"]["gain"] > 0.05, table.filter(pl.col("of") == "reward").to_dicts()
    assert "data:image/png" in chain.metadata("policy_gains", "told-clean")["picture of gains"].value
    assert "data:image/png" in chain.metadata("summary_policy", "told-clean")["learning curve"].value
    assert not list((chain.home / ".runs").iterdir())


def test_a_scorer_whose_marks_are_all_alike_stops_all_that_would_follow(chain: Place, monkeypatch):
    """The published network of the method dies in such a way; a dead scorer is the same to whoever learns from it."""
    scorers = sys.modules["assets.domain.scorers"]

    def dead(prompts, summaries, *, published, cache):
        found = scorers.features.score(prompts, summaries)
        return scorers.Marked(found.with_columns(pl.lit(2.5).alias(name) for name in FEATURE_NAMES), REJECTS.empty())

    monkeypatch.setattr(scorers, "SCORERS", {**scorers.SCORERS, "offline": dead})
    done = chain.run("pairs_job", "told")
    assert done.success  # an error that people see
    found = chain.check("summary_features", "the_scorer_tells_summaries_apart")
    assert (found.passed, found.severity) == (False, dg.AssetCheckSeverity.ERROR)
    failed = chain.run("rewards_job", "told-clean")
    assert not failed.success
    said = [event.step_failure_data.error.to_string() for event in failed.all_events if event.is_step_failure]
    assert said
    assert all("gives both sides the same reward in 100% of" in words for words in said)
