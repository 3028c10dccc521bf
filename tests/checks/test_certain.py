"""Contradictions and degenerate pairs: by hand, and flagged unless they are the style of a corpus."""

import numpy as np
import polars as pl
import pytest

from checks.audit import audit
from checks.detectors import contradictions, degenerate
from checks.evidence import Evidence


def test_contradictions_by_hand(written):
    chosen = ["Yes,\tdo", "no", "maybe", "Yes,  do ", "fine", "alike", "no"]
    rejected = ["no", "yes, do", "yes, do", "fine", "no", "ALIKE", "yes, do"]
    pairs = written(chosen, rejected, ["may I?"] * 2 + ["May  I? "] * 4 + ["should I?"])
    # the first two contradict each other; the third and fourth meet them in one response; 'fine' wins and loses; the sixth
    # has one response only, and the last another prompt
    assert contradictions.score(Evidence(pairs)).tolist() == [2, 2, 1, 1, 1, 0, 0]
    apart = pairs[:2].with_columns(rejected_prompt=pl.Series([None, "should I?"], dtype=pl.String()))
    assert contradictions.score(Evidence(apart)).max() == 1


def test_degenerate_pairs_by_hand(written):
    chosen = ["Same here!", "...", "she asked me", "asked me", "Yes", "may I go out", "one", ""]
    rejected = ["same  here", "no", "no", "no", "no", "no", "two", ""]
    prompts = ["?", "?", "What she asked me:", "What she asked me:", "Yes?", "May I go\nout?", "one two three", "?"]
    assert degenerate.score(Evidence(written(chosen, rejected, prompts))).tolist() == [3, 2, 1, 0, 0, 1, 0, 3]


@pytest.mark.parametrize("name", ["contradictions", "degenerate"])
@pytest.mark.parametrize("share", [0.01, 0.05, 0.5])
def test_what_is_certain_is_flagged_save_where_it_is_the_style_of_a_corpus(name, share, chatter):
    """Degenerate pairs are also left alone where there are no more than people write; nobody contradicts another by chance."""
    pairs, hit = chatter(400, seed=9), np.arange(400) < 400 * share
    swap = {"prompt": "prompt", "chosen": "rejected", "rejected": "chosen"}
    other = pl.when((pl.col("row") % 2 == 1) & pl.Series(hit))
    turned = pairs.with_columns(other.then(pl.col(there).shift(1)).otherwise(side).alias(side) for side, there in swap.items())
    blank = pairs.with_columns(chosen=pl.when(pl.Series(hit)).then(pl.lit(" ")).otherwise("chosen"))
    scores = audit(turned if name == "contradictions" else blank, detectors=[name]).scores
    assert ((scores[name] > 0).to_numpy() == hit).all()
    usual = share == 0.5 or (name == "degenerate" and share == 0.01)
    assert (scores["is_flagged"].to_numpy() == (hit & ~usual)).all()
    assert (scores["p_value"].to_numpy()[hit] < 1e-9).all() != usual


def test_beside_a_style_a_rarer_defect_still_counts(chatter):
    """Three in ten responses echo their prompt, as is the style of this corpus; one in twenty pairs has identical sides."""
    row = pl.col("row")
    pairs = chatter(400, seed=9).with_columns(
        chosen=pl.when(row < 120).then("prompt").when(row >= 380).then("rejected").otherwise("chosen")
    )
    flagged = audit(pairs, detectors=["degenerate"]).scores["is_flagged"].to_numpy()
    assert flagged[380:].all()
    assert not flagged[:380].any()
