"""Influence and learning order: what trusted pairs and pairs turned round on purpose tell of a label."""

import re

import numpy as np

from checks.detectors import influence, learning_order
from checks.evidence import Evidence
from checks.ranking import ranking
from tests.checks.plants import PLANTED, flipped


def test_trusted_pairs_betray_a_flip_that_fits_the_corpus(chatter, bag):
    """Most labels are wrong: alone, the honest pairs are the odd ones; with trusted pairs it is the others."""
    both = flipped(chatter(300, seed=2))
    wrong = np.arange(200) >= PLANTED  # all but the first
    turned = both[:200].with_columns(chosen="rejected", rejected="chosen")
    alone, held = (influence.score(Evidence(turned, trusted, bag)) for trusted in (None, both[200:]))
    assert ranking(alone, wrong, draws=2).auroc.value < 0.1
    assert ranking(held, wrong, draws=2).auroc.value > 0.9


def test_lateness_is_told_by_pairs_turned_round_on_purpose(chatter, bag):
    evidence = Evidence(flipped(chatter(300, seed=2)), encoder=bag)
    told = learning_order.explain(evidence, [0, 100])
    shares = [int(re.search(r"(\d+)%", reason).group(1)) for reason in told]
    assert shares[1] == 0
    assert shares[0] > 10
