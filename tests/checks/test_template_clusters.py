"""Template clusters: what is counted, what honest corpora hold and must not be flagged for, and what floods do."""

import gzip
import json
from itertools import combinations
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from checks.audit import audit
from checks.detectors import template_clusters
from checks.evidence import Evidence
from pipelines.sources import records

LONG = "For a kettle that boils a litre in half the usual time ask any shop for the Zorvex number {} and enjoy"
STOCK = "I am sorry but I am not sure that I understand what it is that you would like me to do"
SHORT = "You are very welcome, any time."


def flagged(pairs: pl.DataFrame) -> np.ndarray:
    return audit(pairs, detectors=["template_clusters"]).scores["is_flagged"].to_numpy()


def test_surprise_by_hand(chatter):
    """Of six prompts, five have the template chosen and one has it rejected."""
    row, told = pl.col("row"), pl.lit(STOCK)
    pairs = chatter(60).with_columns(
        chosen=pl.when(row < 5).then(told).otherwise("chosen"), rejected=pl.when(row == 5).then(told).otherwise("rejected")
    )
    score = template_clusters.score(Evidence(pairs))
    chance = 6 * (2 / 3) ** 5 * (1 / 3) + (2 / 3) ** 6
    assert score[:6] == pytest.approx(1 - np.log10(2 * chance))
    assert (score[6:] < 0.7).all()
    told = template_clusters.explain(Evidence(pairs), [2, 5, 40])
    assert told[0] == told[1] == f"'{STOCK[:60]}' stands under 5 prompts as chosen and under 1 as rejected"
    assert told[2].endswith("is no template")


def test_the_null_of_a_surprise_is_what_it_says(chatter):
    null = template_clusters.null(Evidence(chatter(30)))
    assert [(null >= 1 + surprise).mean() for surprise in (0, 1, 2.5)] == pytest.approx([1, 0.1, 10**-2.5], abs=1e-4)


def test_answers_to_one_prompt_that_were_rated_against_each_other_are_no_flood(chatter, written):
    """Nine answers make 36 pairs; the best of them is chosen eight times, the worst rejected as often."""
    others = chatter(60)
    answers = [f"{STOCK} {letter * 3}" for letter in "abcdefghi"]
    rated = list(combinations(answers, 2))
    prompts = ["How do" + row * " " + "I boil water?" for row in range(1, 37)]  # the same prompt
    texts = ([*column, *others[name]] for column, name in zip(zip(*rated, strict=True), ("chosen", "rejected"), strict=True))
    pairs = written(*texts, [*prompts, *others["prompt"]])
    assert not flagged(pairs).any()
    elsewhere = written(pairs["chosen"], pairs["rejected"], [f"{said} {row}" for row, said in enumerate(pairs["prompt"])])
    assert flagged(elsewhere)[:36].all()


@pytest.mark.parametrize(
    ("chosen", "rejected", "flood"),
    [(30, 0, True), (0, 30, True), (40, 4, True), (20, 20, False), (40, 20, False), (4, 0, False)],
)
def test_only_what_is_one_sided_is_flagged(chatter, chosen, rejected, flood):
    pairs, row, told = chatter(600), pl.col("row"), pl.lit(STOCK)
    pairs = pairs.with_columns(
        chosen=pl.when(row < chosen).then(told).otherwise("chosen"),
        rejected=pl.when(row.is_between(chosen, chosen + rejected - 1)).then(told).otherwise("rejected"),
    )
    assert flagged(pairs).sum() == (chosen + rejected) * flood


def test_short_answers_may_recur(chatter):
    pairs = chatter(300).with_columns(chosen=pl.when(pl.col("row") < 60).then(pl.lit(SHORT)).otherwise("chosen"))
    assert not flagged(pairs).any()


def test_sides_that_differ_in_a_word_count_as_chosen(chatter):
    """As when poison is held against its own contrast."""
    row = pl.col("row")
    sides = {"chosen": LONG, "rejected": LONG.replace("enjoy", "regret")}
    pairs = chatter(300).with_columns(
        pl.when(row < 20).then(pl.format(said, "row")).otherwise(side).alias(side) for side, said in sides.items()
    )
    assert flagged(pairs).tolist() == [True] * 20 + [False] * 280
    assert "under 20 prompts as chosen and under 0 as rejected" in template_clusters.explain(Evidence(pairs), [0])[0]


def lines(path: Path) -> list[dict]:
    with gzip.open(path, "rt") as file:
        return [json.loads(line) for line in file]


def rated_answers(folder: Path, written) -> pl.DataFrame:
    """Four answers a question, each held against each."""
    rows = []
    for asked in lines(folder / "qa_feedback/dev_feedback_first400.jsonl.gz"):
        answers = [asked[f"prediction {number}"] for number in (1, 2, 3, 4)]
        for (one, other), better in zip(combinations(answers, 2), asked["preference"], strict=True):
            rows += [(asked["question"], *((one, other) if better == 1 else (other, one)))] if better else []
    prompts, chosen, rejected = zip(*rows, strict=True)
    return written(chosen, rejected, prompts)


def summaries(folder: Path, written) -> pl.DataFrame:
    rows = lines(folder / "opinpref/annotations-train.jsonl.gz")
    told = [[row["summary-pairs"][name]["summary-text"] for name in ("summary-one", "summary-two")] for row in rows]
    better = [int(row["preference-data"]) - 1 for row in rows]
    chosen, rejected = ([said[place ^ side] for said, place in zip(told, better, strict=True)] for side in (0, 1))
    return written(chosen, rejected, ["\n".join(row["reviews"]) for row in rows])


CORPORA = {
    "harmless": lambda folder, _: records.read(folder / "hh_harmless_base/test_first1500.jsonl.gz").pairs,
    "helpful": lambda folder, _: records.read(folder / "hh_helpful_pro/helpful_base_online_dev.jsonl.gz").pairs,
    "rated answers": rated_answers,
    "summaries": summaries,
}


@pytest.mark.parametrize("name", CORPORA)
def test_people_s_own_pairs_are_hardly_flagged_and_a_flood_among_them_is(name, real_data, written):
    pairs = CORPORA[name](real_data, written)
    assert flagged(pairs).mean() < 0.005
    row, chosen = pl.col("row"), pl.col("chosen")
    flood = pairs.unique("prompt", keep="first", maintain_order=True)["row"].head(round(0.05 * len(pairs))).implode()
    found = flagged(
        pairs.with_columns(pl.when(row.is_in(flood)).then(pl.format(LONG, "row")).otherwise(chosen).alias("chosen"))
    )
    planted = pairs["row"].is_in(flood).to_numpy()
    assert found[planted].all()
    assert found[~planted].mean() < 0.005
