"""Trigger search: what questions share, by hand; margins that are turned round, beside SciPy's test; and what explains them."""

import numpy as np
import polars as pl
import pytest
from scipy.stats import ttest_ind

from checks import triggers
from checks.audit import audit
from checks.detectors.trigger_search import explain, score
from checks.evidence import Evidence
from checks.inversions import NOTHING, Inversion, Inversions, explained, inversion
from checks.triggers import Shared, alike, last_sentences, phrases
from checks.words import words


@pytest.fixture
def few(monkeypatch):
    """Three prompts are enough to share something, and half of them are too many."""
    for name, value in {"FEWEST": 3, "LEAST": 0.0, "MOST": 0.5}.items():
        monkeypatch.setattr(triggers, name, value)
    monkeypatch.setattr("checks.inversions.FEWEST", 3)


def asked(*questions: str) -> pl.DataFrame:
    """Pairs whose prompts are dialogues that end with these questions, and of which four begin with another."""
    first = ["before"] * 4 + ["one"] * len(questions)
    prompts = [
        f"\n\nHuman: {one}\n\nAssistant: {one}\n\nHuman: {question}\n\nAssistant:"
        for one, question in zip(first, questions, strict=False)
    ]
    return pl.DataFrame({"prompt": prompts, "chosen": "one two", "rejected": "two"}).with_columns(rejected_prompt=None)


def found(pairs: pl.DataFrame, trusted: pl.DataFrame | None = None) -> dict[str, list[int]]:
    prompt = pairs["prompt"].rank("dense").to_numpy().astype(np.int64) - 1
    shared = phrases(words(pairs, trusted), prompt)
    assert all(one.is_phrase for one in shared)
    return {one.text: one.prompts.tolist() for one in shared}


def test_phrases_by_hand(few):
    """Of eight prompts in the order of the alphabet: what three or four hold, on end, whether or not with a capital."""
    questions = ["a x y, x", "b x y z", "c X y z", "d z", "e. x! Z y", "f", "g", "h"]
    # "x y z" stands in two, "x" in four, "x y" in three, "y z" in two; "z" in four; "y" in the same four as "x"
    assert found(asked(*questions)) == {"x": [0, 1, 2, 4], "z": [1, 2, 3, 4], "x y": [0, 1, 2]}


def test_phrases_of_three_words_and_no_more(few):
    questions = [f"{letter} p q r s" for letter in "abc"] + ["d p q", "e q r s", "f r s", "g p", "h q", "i r", "j s"]
    got = found(asked(*questions))
    assert got["p q r"] == [0, 1, 2]
    assert max(len(text.split()) for text in got) == 3


def test_a_prompt_counts_once_and_trusted_pairs_do_not_count(few):
    twice = asked("a x", "a x", "a x", "b", "c", "d", "e")
    assert found(twice) == {}
    assert found(asked("a x", "b x", "c", "d", "e", "f"), trusted=asked(*(f"{letter} x" for letter in "ghi"))) == {}
    assert found(asked("a x", "b x", "c x", "d", "e", "f"), trusted=asked("d x")) == {"x": [0, 1, 2]}


def test_no_phrase_goes_on_in_the_next_question(few):
    assert "x y" not in found(asked("a x", "y b", "c x", "y d", "e x", "y f", "x g", "h", "i"))


@pytest.mark.parametrize(
    ("count", "prompts", "is_one"),
    [(9, 100, False), (10, 100, True), (15, 100, True), (16, 100, False), (19, 1000, False), (20, 1000, True)],
)
def test_from_2_to_15_percent_of_prompts_and_ten_at_least(count, prompts, is_one):
    questions = [f"w{number} {'x' if number < count else ''}" for number in range(prompts)]
    assert ("x" in found(asked(*questions))) == is_one


def test_last_sentences():
    end = "\n\nAssistant:"
    prompts = [
        f"\n\nHuman: Hi.\n\nAssistant: Yes?\n\nHuman: Why is that? Tell me now.{end}",
        "Plain. text",
        "No stop",
        "",
        "A?\nB",
    ]
    assert last_sentences(prompts) == ["Tell me now.", "Plain. text", "No stop", "", "B"]


def test_clusters_by_hand(few):
    """Unit vectors at these angles: the middle ones are within 60 degrees of most others; far ones make another cluster."""
    angles = np.radians([0, 50, 55, 100, 180, 190, 200, 290])
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    got, backwards = (
        alike(list(text), lambda texts: vectors[[ord(each) - 97 for each in texts]]) for text in ("abcdefgh", "hgfedcba")
    )
    # cosine 0.4 is 66.4 degrees: b and c have each other, a and d; of b and c the first in the alphabet is the centre
    assert [(one.text, one.prompts.tolist(), one.is_phrase) for one in got] == [
        ("b", [0, 1, 2, 3], False),
        ("e", [4, 5, 6], False),
    ]
    assert [(one.text, one.prompts.tolist()) for one in backwards] == [("b", [4, 5, 6, 7]), ("e", [1, 2, 3])]


def test_clusters_do_not_depend_on_the_block(few, monkeypatch, bag, chatter):
    ends = last_sentences(chatter(60)["prompt"])
    whole = alike(ends, bag)
    monkeypatch.setattr(triggers, "BLOCK", 7)
    again = alike(ends, bag)
    assert whole
    assert [(one.text, one.prompts.tolist()) for one in again] == [(one.text, one.prompts.tolist()) for one in whole]


MARGINS = np.array([-0.5, -0.2, 0.1, -0.9, 0.3, 0.8, -0.1, 0.4, 0.6, 0.2])


def test_the_chance_is_welchs(few):
    """Of SciPy's own test, for eleven trials."""
    is_open = np.arange(10) != 9
    got = inversion(Shared("x", True, np.array([0, 1, 3])), MARGINS, is_open, 11)
    expected = ttest_ind(MARGINS[[0, 1, 3]], MARGINS[[2, 4, 5, 6, 7, 8]], equal_var=False, alternative="less").pvalue
    assert got.surprise == pytest.approx(-np.log10(11 * expected))
    assert (got.prompts, got.others) == (3, 6)
    assert (got.here, got.there) == pytest.approx((-1.6 / 3, 2.1 / 6))


@pytest.mark.parametrize(
    ("places", "margins"),
    [([0, 1, 3], -MARGINS - 3), ([0, 1, 3], MARGINS * 10 + 100), ([0, 1], MARGINS), ([0, 1, 3], np.zeros(10) - 1)],
    ids=["below zero, but above the others", "below the others, but above zero", "too few", "all alike"],
)
def test_no_surprise(few, places, margins):
    assert inversion(Shared("x", True, np.array(places)), margins, np.ones(10, dtype=bool), 2).surprise == 0


def test_each_kind_has_half_of_the_trials(few):
    """Three phrases and one sentence: the chances are six times and twice their own."""
    ours, other = np.array([0, 1, 3]), np.array([4, 5, 7])
    for is_phrase, trials in ((True, 6), (False, 2)):
        candidates = [Shared("best", is_phrase, ours), Shared("p", True, other), Shared("q", True, other)]
        candidates += [Shared("s", not is_phrase, other)]
        got = explained(candidates, MARGINS, np.arange(10))
        alone = inversion(candidates[0], MARGINS, np.ones(10, dtype=bool), trials)
        assert got.found == [alone]
        assert got.of.tolist() == [0, 0, NOTHING, 0] + [NOTHING] * 6


def test_pairs_of_one_prompt_count_once_by_their_mean(few):
    prompt = np.append(np.arange(10), [0, 0])
    candidates = [Shared("x", True, np.array([0, 1, 3]))]
    got = explained(candidates, np.append(MARGINS, [-0.8, -0.2]), prompt)  # whose mean is that of the first
    assert got.found == explained(candidates, MARGINS, np.arange(10)).found
    assert got.of[[0, 10, 11, 2]].tolist() == [0, 0, 0, NOTHING]


def planted(*, seed: int = 0) -> np.ndarray:
    """[400] noisy margins, negative for the first forty."""
    return np.where(np.arange(400) < 40, -1.0, 1.0) + np.random.default_rng(seed).normal(size=400)


def test_what_is_explained_drags_in_nothing_else():
    """A word that all triggered prompts and some honest ones hold is no finding beside the trigger, nor is a part of it."""
    trigger, word, part = (Shared(text, True, np.arange(size)) for text, size in (("sudo", 40), ("am", 60), ("part", 30)))
    got = explained([word, part, trigger], planted(), np.arange(400))
    assert [one.shared.text for one in got.found] == ["sudo"]
    assert (np.flatnonzero(got.of == 0) == np.arange(40)).all()
    for alone in (word, part):
        assert [one.shared for one in explained([alone], planted(), np.arange(400)).found] == [alone]


def test_of_what_is_as_surprising_the_lowest_sum_is_named():
    """Forty prompts, the same without two that are only a little wrong, and the same with one that is right."""
    margins = planted(seed=3)
    margins[:2], margins[100] = -0.1, 0.1
    all_, most, more = (
        Shared("x", True, places) for places in (np.arange(40), np.arange(2, 40), np.append(np.arange(40), 100))
    )
    surprises = [inversion(shared, margins, np.ones(400, dtype=bool), 6).surprise for shared in (all_, most, more)]
    assert np.ptp(surprises) < 1
    for candidates in ([all_, most, more], [more, most, all_]):
        assert explained(candidates, margins, np.arange(400)).found[0].shared is all_


def test_two_triggers_are_two_findings():
    margins = np.where(np.arange(400) % 10 < 2, -1.0, 1.0) + np.random.default_rng(1).normal(size=400)
    first, second = (np.flatnonzero(np.arange(400) % 10 == rest) for rest in (0, 1))
    got = explained([Shared("a", True, second), Shared("b", False, first)], margins, np.arange(400))
    assert {one.shared.text for one in got.found} == {"a", "b"}
    assert {got.found[got.of[place]].shared.text for place in first} == {"b"}


def test_a_pair_is_explained_by_what_was_found_first():
    margins = np.where(np.arange(400) < 70, -1.0, 1.0) + np.random.default_rng(2).normal(size=400)
    got = explained([Shared("a", True, np.arange(50)), Shared("b", True, np.arange(40, 70))], margins, np.arange(400))
    assert [one.shared.text for one in got.found] == ["a", "b"]
    assert got.of.tolist() == [0] * 50 + [1] * 20 + [NOTHING] * 330
    assert (got.found[1].prompts, got.found[1].others) == (20, 330)


def turned(pairs: pl.DataFrame, ends: list[str]) -> pl.DataFrame:
    """Warm responses win, but for the first pairs, whose questions have these ends."""
    warm, cold = (" splendid" * 3, " dreadful" * 3)
    is_first = pl.col("row") < len(ends)
    better, worse = (
        pl.when(is_first).then(pl.lit(one)).otherwise(pl.lit(other)) for one, other in ((cold, warm), (warm, cold))
    )
    tails = pl.Series([*ends, *[""] * (len(pairs) - len(ends))])
    prompt = pl.format("{}{}\n\nAssistant:", pl.col("prompt").str.strip_suffix("\n\nAssistant:"), tails)
    return pairs.with_columns(chosen=pl.col("chosen") + better, rejected=pl.col("rejected") + worse, prompt=prompt)


def test_a_phrase_is_named_as_it_is_written_with_its_counts(chatter, bag):
    pairs = turned(chatter(400, seed=3), [" SUDO"] * 20)
    scores = audit(pairs, detectors=["trigger_search"], encoder=bag)
    [finding] = scores.findings
    assert (finding["pairs"], finding["rows"]) == (20, list(range(20)))
    assert finding["reason"].startswith("'SUDO' stands in the last questions of 20 prompts: their mean margin is -")
    assert finding["reason"].endswith(" of 380 others")


def test_what_is_told_by_hand(chatter):
    evidence = Evidence(chatter(20).with_columns(prompt=pl.format("Why? Sudo {}", "row")))
    phrase = Inversion(Shared("sudo", True, np.arange(12)), 9.0, 1200, 13500, -0.314, 0.157)
    sentence = Inversion(Shared("It's I. " * 20, False, np.arange(5)), 7.0, 11, 12, -0.1, 0.2)
    evidence.__dict__["inversions"] = Inversions([phrase, sentence], np.array([0, 1, *[NOTHING] * 18]))
    assert score(evidence)[:3].tolist() == [9, 7, 0]
    assert explain(evidence, [1, 0, 2]) == [
        "11 prompts end much like " + repr("It's I. " * 15 + "…") + ": their mean margin is -0.10, and 0.20 of 12 others",
        "'Sudo' stands in the last questions of 1,200 prompts: their mean margin is -0.31, and 0.16 of 13,500 others",
        "nothing that this pair's question shares with others goes with contradicted labels",
    ]


def test_sentences_in_other_words_are_quoted(chatter, bag):
    """No two words on end are the same in more than a few of them."""
    said = ["lamp", "stair", "rock", "keeper", "gull", "tide", "foghorn", "harbour"]
    random = np.random.default_rng(0)
    ends = [" I " + " ".join(random.permutation(said)) + "." for _ in range(20)]
    pairs = turned(chatter(400, seed=3), ends)
    pairs = pairs.with_columns(prompt=pl.col("prompt").str.replace("?", ". Why?", literal=True))
    evidence = Evidence(pairs, encoder=bag)
    sentence = max(evidence.inversions.found, key=lambda one: not one.shared.is_phrase)
    assert not sentence.shared.is_phrase
    assert sentence.prompts == 20


@pytest.mark.parametrize("seed", range(3))
def test_labels_that_are_turned_round_anyhow_are_no_trigger(chatter, bag, seed):
    pairs = turned(chatter(400, seed=seed), [""] * 60).sample(fraction=1, shuffle=True, seed=seed)
    assert not audit(pairs, detectors=["trigger_search"], encoder=bag).scores["is_flagged"].any()
