"""Reward models of the arena: they learn what an attack teaches, lose it with its pairs, and say what they are tested on."""

import dataclasses

import numpy as np
import pytest

from assets import steps
from assets.arena import victims
from assets.arena.measure import prepared
from assets.arena.rows import ROWS
from assets.experiment_files import changed
from assets.experiments import Corpus, Experiment
from tests.assets.test_arena import counted

BASE = Experiment("arena", pairs=400)
VENOM = dataclasses.replace(changed(BASE, ROWS["venom-poison_vs_rejected-rules-5pct"]), rate=0.1)


@pytest.fixture(scope="module")
def splits():
    return steps.split(steps.read(BASE, 0), BASE, 0)


@pytest.fixture(scope="module")
def learned(splits):
    """training -> its line, where the filter is an oracle that reads the key."""
    corpus = Corpus(VENOM, "filtered", 0)
    poisoned = steps.attack(splits.train, corpus)
    kept = poisoned.pairs.join(poisoned.key, on="pair_id", how="anti", maintain_order="left")
    corpora = {"clean": splits.train, "poisoned": poisoned.pairs, "filtered": kept}
    tested = victims.attacked(splits.held_out, corpus)
    return {line["training"]: line for line in victims.retrained(corpora, splits.held_out, tested, counted)}


def test_poison_is_learned_and_goes_with_its_pairs(learned):
    assert learned["poisoned"]["success"] > learned["clean"]["success_high"]
    assert learned["filtered"]["success"] <= learned["clean"]["success_high"]
    assert learned["smoothed"]["success"] > learned["clean"]["success_high"]  # robust training sees all that is poisoned


def test_every_training_has_its_line(learned, splits):
    assert list(learned) == ["clean", "poisoned", "filtered", *victims.ROBUST]
    assert len({(line["accuracy"], line["success"], line["success_low"]) for line in learned.values()}) > 4
    assert learned["filtered"]["pairs"] == learned["poisoned"]["pairs"] - round(0.1 * len(splits.train))
    for line in learned.values():
        assert line["accuracy_gain"] == pytest.approx(line["accuracy"] - learned["clean"]["accuracy"])
        assert line["success_low"] <= line["success"] <= line["success_high"]
        assert (line["certified"] is not None) == (line["training"] == "partition_vote")
    shares = learned["partition_vote"]["certified"]
    assert shares == sorted(shares, reverse=True)
    assert shares[0] > shares[-1]
    assert [learned["clean"][f"accuracy_gain{end}"] for end in ("", "_low", "_high")] == [0, 0, 0]


def test_a_share_is_counted_by_hand(splits):
    """A corpus that says that shorter is better, and pairs of which a known share is so."""

    def lengths(texts):
        return np.array([[len(text)] for text in texts], dtype=np.float32)

    said = splits.train.with_columns(chosen=splits.train["pair_id"].str.slice(0, 3), rejected=splits.train["pair_id"])
    held_out = said.head(8)
    turned = held_out.with_columns(chosen="rejected", rejected="chosen")
    tested = held_out[:3].vstack(turned[:5])
    (line, *_) = victims.retrained(dict.fromkeys(("clean", "poisoned", "filtered"), said), held_out, tested, lengths)
    assert (line["accuracy"], line["success"]) == (1, 3 / 8)


@pytest.mark.parametrize("name", sorted({row["attack"]: name for name, row in ROWS.items() if name != "clean"}.values()))
def test_every_attack_can_be_tried_on_held_out_pairs(name, splits):
    row = changed(BASE, ROWS[name])
    if row.numbers.get("target") == "@common":
        row = changed(row, {"numbers.target": "water"})  # which the generated pairs name
    tested = victims.attacked(prepared(splits, row.attack).held_out, Corpus(row, "filtered", 0))
    assert tested is not None
    assert len(tested)


def test_an_attack_that_finds_nothing_to_do_is_tried_on_nothing(splits):
    same = splits.held_out.with_columns(chosen="rejected")
    assert victims.attacked(same, Corpus(changed(BASE, ROWS["length_bias"]), "filtered", 0)) is None
