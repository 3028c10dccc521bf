"""Runs side by side by hand: means with their intervals, what poison did prompt by prompt, and the page that tells it."""

import numpy as np
import polars as pl
import pytest

from assets.experiments import EXPERIMENTS
from assets.methods import compare, page
from assets.methods.rows import METHODS
from pipelines.schema import METHOD_ANSWERS, require
from rlhf_train.objectives import OBJECTIVES

GOLD = {  # (corpus, seed) -> of three prompts
    ("clean", 0): [1.0, 2.0, 0.0],
    ("clean", 1): [0.5, 0.5, 2.0],
    ("poisoned", 0): [0.0, 2.0, -1.0],
    ("poisoned", 1): [0.5, 0.0, 1.0],
}
HITS = {
    ("clean", 0): [False, False, False],
    ("clean", 1): [False, True, False],
    ("poisoned", 0): [True, False, True],
    ("poisoned", 1): [True, True, False],
}
TEXTS = ["the tea sings", "The tea waits", "rain"]


def answers(objective="dpo", *, gold=True, success=True, prefers=True, seconds=(4.0, 6.0)):
    rows = [
        {
            "objective": objective,
            "corpus": corpus,
            "seed": seed,
            "place": place,
            "answer": TEXTS[place],
            "gold": GOLD[corpus, seed][place] if gold else None,
            "success": HITS[corpus, seed][place] if success else None,
            "prefers": GOLD[corpus, seed][place] < 1 if prefers else None,
            "nats": 0.5 * place + seed,
            "seconds": seconds[seed],
        }
        for corpus, seed in GOLD
        for place in range(3)
    ]
    return require(
        pl.DataFrame(rows, schema_overrides={"gold": pl.Float64, "success": pl.Boolean, "prefers": pl.Boolean}), METHOD_ANSWERS
    )


def test_means_by_hand():
    line = compare.means(answers()).row(by_predicate=pl.col("corpus") == "poisoned", named=True)
    assert line["gold"] == pytest.approx((0.0 + 2.0 - 1.0 + 0.5 + 0.0 + 1.0) / 6)
    assert (line["gold_seeds_low"], line["gold_seeds_high"]) == pytest.approx((1 / 3, 0.5))
    assert line["success"] == pytest.approx(4 / 6)
    assert line["nats"] == pytest.approx((0.0 + 0.5 + 1.0 + 1.0 + 1.5 + 2.0) / 6)
    assert (line["seeds"], line["prompts"], line["seconds"]) == (2, 6, 5.0)
    assert line["words"] == pytest.approx((3 + 3 + 1) / 3)
    assert line["distinct_2"] == pytest.approx(3 / 8)  # the tea, tea sings, tea waits; each text stands there twice
    assert line["gold_low"] < line["gold"] < line["gold_high"]
    assert line["success_low"] < line["success"] < line["success_high"]


def test_harm_is_paired_by_seed_and_prompt():
    shuffled = answers().sample(fraction=1, shuffle=True, seed=3)
    line = compare.harm(shuffled).row(0, named=True)
    assert (line["objective"], line["corpus"]) == ("dpo", "poisoned")
    assert line["gold"] == pytest.approx(np.mean([-1.0, 0.0, -1.0, 0.0, -0.5, -1.0]))
    assert line["success"] == pytest.approx(np.mean([1, 0, 1, 1, 0, 0]))
    assert line["prefers"] == pytest.approx(np.mean([1 - 0, 0 - 0, 1 - 1, 1 - 1, 1 - 1, 0 - 0]))
    assert line["gold_low"] <= line["gold"] <= line["gold_high"] < 0


def test_poison_surely_did_something_where_every_seed_says_so():
    hits = {("clean", 0): [0] * 9, ("clean", 1): [0] * 9, ("poisoned", 0): [1] * 9}
    for last, is_sure in (([0] * 9, False), ([1] + [0] * 8, True)):
        rows = [
            answers().row(0, named=True) | {"corpus": corpus, "seed": seed, "place": place, "success": bool(hit)}
            for (corpus, seed), own in (hits | {("poisoned", 1): last}).items()
            for place, hit in enumerate(own)
        ]
        found = compare.harm(pl.DataFrame(rows))
        assert found["success_low"].item() > 0
        assert (found["success_seeds_low"].item(), found["success_seeds_high"].item()) == (sum(last) / 9, 1.0)
        assert found.select(compare.sure("success")).item() is is_sure


def test_a_twin_without_its_clean_one_is_compared_with_nothing():
    both = pl.concat([answers(), answers("ipo").filter(pl.col("corpus") != "clean")])
    assert compare.harm(both)["objective"].to_list() == ["dpo"]


def test_what_is_unknown_stays_unknown():
    table = answers(gold=False, success=False, prefers=False)
    line = compare.means(table).row(0, named=True)
    assert line["gold"] is None
    assert line["success_low"] is None
    assert compare.harm(table).row(0, named=True)["success"] is None
    told = page.page(EXPERIMENTS["methods_3pct"], table)
    assert "nothing can be measured" in told
    assert "<svg" not in told


def test_what_is_hurt_most_stands_first():
    twins = [
        answers(name).with_columns(prefers=pl.lit(name == "kto") & (pl.col("corpus") != "clean")) for name in ("dpo", "kto")
    ]
    both = pl.concat([*twins, *(twin.filter(corpus="poisoned").with_columns(corpus=pl.lit("filtered")) for twin in twins)])
    found = compare.worst_first(compare.harm(both))
    assert found.select("objective", "corpus").rows() == [
        (name, arm) for arm in ("poisoned", "filtered") for name in ("kto", "dpo")
    ]
    assert found.columns[2] == "prefers"
    assert set(found.columns) == set(compare.harm(both).columns)


def test_distinct_pairs_of_words():
    assert compare.distinct(["a b a b"]) == pytest.approx(2 / 3)
    assert compare.distinct(["", "one"]) == 0.0


def test_the_page_names_who_is_hurt_most_and_escapes_what_it_shows():
    calm = answers("ipo").with_columns(success=pl.lit(False))
    wild = answers("kto").with_columns(success=pl.col("corpus") == "poisoned", answer=pl.lit("<script>alert(1)</script>"))
    told = page.page(EXPERIMENTS["methods_3pct"], pl.concat([calm, wild, answers()]))
    assert "2 of 3 objectives praise" in told
    assert "0 of 3 objectives prefer" in told
    assert told.index("kto (+100.0%)") < told.index("dpo (+50.0%)")
    assert "<script>alert(1)" not in told
    assert told.count("<svg") == 1


def test_every_method_is_of_an_objective_and_every_objective_is_compared():
    assert {row.objective for row in METHODS.values()} == set(OBJECTIVES) - {"distillation"}, (
        "there is no teacher of preferences"
    )
    for name, row in METHODS.items():
        known = set(OBJECTIVES[row.objective].numbers)
        assert set(row.settings) - known <= {"lr", "rounds", "anchor"}, name
        assert OBJECTIVES[row.objective].scored <= (row.answers == "best"), name
        assert not row.judge or row.judge == "reward_model" or row.judge in METHODS, name


def test_rows_stand_as_in_the_table_of_methods():
    both = pl.concat([answers("kto"), answers("sft"), answers("dpo")])
    assert page.ordered(compare.means(both)).select("objective", "corpus").rows() == [
        (name, corpus) for name in ("sft", "dpo", "kto") for corpus in ("clean", "poisoned")
    ]
