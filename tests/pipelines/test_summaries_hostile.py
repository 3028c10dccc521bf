"""The offline writer makes something of whatever reviews hold, and nothing in them is taken for its grammar."""

import pytest

from pipelines import opinions
from pipelines.sources.opinpref import GENERATED
from pipelines.summaries import rules
from pipelines.summaries.tiers import Request

HOSTILE = {
    "slots": ["I love the {aspect} of {people} very much, {x} \0 {0}.", "The {aspect} is so bad {."],
    "no letters": ["!!!", "?? 5/5 …"],
    "other letters": ["这个产品很好。我喜欢它。", "Отличный чайник, рекомендую!"],
    "one word": ["Good."],
    "dots": ["." * 100_000 + "x"],
    "spaces": ["a." + " " * 100_000 + "b"],
    "one sentence": ["good but bad " * 30_000],
}


@pytest.mark.parametrize("what", HOSTILE)
def test_whatever_reviews_hold_a_summary_comes_of_it(what):
    for tier in GENERATED:
        text = rules.write(Request(opinions.prompt(HOSTILE[what]), tier, 0))
        assert len(text) >= 20
        assert text.isprintable() or what == "slots"


def test_slots_of_the_grammar_are_not_filled_in_what_reviewers_write():
    texts = [rules.write(Request(opinions.prompt(HOSTILE["slots"]), "slightly_bad", seed)) for seed in range(24)]
    assert any("the {aspect} of {people} very much" in text for text in texts)
