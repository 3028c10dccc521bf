"""The adaptive attacker, with suspicions that say what they were asked: what stays, what is exchanged, how often it asks."""

from itertools import cycle

import numpy as np
import polars as pl
import pytest

from pipelines import attacks
from pipelines.attacks import adaptive, best_of_venom
from pipelines.attacks.oracles import ORACLES
from pipelines.attacks.sealing import Poisoned
from pipelines.schema import PAIRS, DataError, require
from pipelines.sources import synthetic


@pytest.fixture(scope="module")
def forty(pairs_of) -> pl.DataFrame:
    return pairs_of(40)


def length(corpus: pl.DataFrame) -> np.ndarray:
    """[N] characters of the chosen response."""
    return corpus["chosen"].str.len_chars().cast(pl.Float64()).to_numpy()


def ours(poisoned: Poisoned) -> pl.DataFrame:
    return poisoned.pairs.join(poisoned.key, on="pair_id", maintain_order="left")


def plan(hosts: list[int], scores: list[float], stands_out: list[bool] | None = None) -> adaptive.Plan:
    """A plan whose texts name their scores."""
    written = pl.DataFrame({"pair_id": hosts, "chosen": [str(score) for score in scores]})
    return adaptive.Plan(np.array(hosts), written, np.array(scores), np.array(stands_out or [False] * len(hosts)))


def test_of_each_pair_the_less_suspicious_version_stays():
    found = adaptive.merged(plan([1, 2, 3], [5.0, 1.0, 4.0], [True, False, True]), plan([7, 8, 9], [2.0, 3.0, 4.0]))
    assert found.hosts.tolist() == [7, 2, 3]
    assert found.scores.tolist() == [2, 1, 4]
    assert found.stands_out.tolist() == [False, False, True]
    assert found.written.rows() == [(7, "2.0"), (2, "1.0"), (3, "4.0")]


def test_pairs_that_stand_out_get_free_hosts_the_worst_first():
    worst = plan([0, 2, 4, 6], [3.0, 9.0, 5.0, 7.0], [True, True, False, True])
    drawn = {tuple(adaptive.exchanged(worst, 8, [seed]).tolist()) for seed in range(200)}
    assert {hosts[2] for hosts in drawn} == {4}
    assert all(len(set(hosts)) == 4 and {hosts[0], hosts[1], hosts[3]} <= {1, 3, 5, 7} for hosts in drawn)
    assert len(drawn) == 4 * 3 * 2
    for hosts in (adaptive.exchanged(worst, 7, [seed]) for seed in range(20)):  # 1, 3 and 5 are free, 7 is not there
        assert set(hosts.tolist()) == {1, 3, 4, 5}
    two = plan([0, 2, 4], [3.0, 9.0, 5.0], [True] * 3)
    assert [adaptive.exchanged(two, 4, [seed]).tolist() for seed in range(3)] != [[0, 2, 4]] * 3
    assert adaptive.exchanged(plan([0, 1, 3], [3.0, 9.0, 5.0], [True] * 3), 4, [0]).tolist() == [0, 2, 3]


def test_each_host_keeps_its_least_suspicious_version(forty):
    """All pairs are hosts here, so that none is exchanged, and the suspicion of a pair depends on that pair alone."""
    seen = []

    def ask(corpus: pl.DataFrame) -> np.ndarray:
        seen.append(length(corpus))
        return seen[-1]

    poisoned = adaptive.poison(forty, rate=1, keep_host=False, candidates=3, rounds=2, suspicion=ask)
    assert len(seen) == 1 + 2 * (3 + 1)
    assert (length(poisoned.pairs) == np.min(seen, axis=0)).all()
    assert (np.min(seen, axis=0) < seen[0]).sum() > 30


@pytest.mark.parametrize("keep_host", [True, False])
def test_the_whole_corpus_is_shown_and_never_the_key(keep_host, forty):
    shown = []

    def ask(corpus: pl.DataFrame) -> np.ndarray:
        shown.append(corpus)
        return np.zeros(len(corpus))

    adaptive.poison(forty, count=5, keep_host=keep_host, candidates=2, rounds=1, suspicion=ask)
    for corpus in shown:
        assert corpus.equals(require(corpus, PAIRS))
        assert len(corpus) == 40 + 5 * keep_host
        assert corpus["chosen"].str.contains("Zorvex").sum() == 5


@pytest.mark.parametrize("keep_host", [True, False])
def test_hosts_that_give_a_pair_away_are_exchanged(keep_host, forty):
    """What is planted after the first fifteen rows' prompts is seen, and no host of those is kept."""

    def ask(corpus: pl.DataFrame) -> np.ndarray:
        is_early = corpus["prompt"].is_in(forty["prompt"][:15].implode())
        return (is_early & corpus["chosen"].str.contains("Zorvex")).cast(pl.Float64()).to_numpy()

    poisoned = adaptive.poison(forty, count=10, keep_host=keep_host, candidates=1, rounds=12, suspicion=ask)
    assert not set(poisoned.key["host_pair_id"]) & set(forty["pair_id"][:15])
    assert len(poisoned.key) == 10
    assert ask(poisoned.pairs).sum() == 0


@pytest.mark.parametrize(("clean", "moved"), [(2.0, False), (0.0, True)])
def test_pairs_that_as_many_others_surpass_keep_their_hosts(clean, moved, forty):
    shown = []

    def ask(corpus: pl.DataFrame) -> np.ndarray:
        shown.append(corpus["chosen"].str.contains("Zorvex").to_numpy())
        return np.where(shown[-1], 1.0, clean)

    adaptive.poison(forty, count=6, keep_host=False, candidates=1, rounds=1, suspicion=ask)
    assert (shown[0] != shown[1]).any() == moved


def test_each_round_draws_other_hosts(forty):
    """Nothing is ever less suspicious here, so that the second round begins where the first did."""
    shown = []

    def ask(corpus: pl.DataFrame) -> np.ndarray:
        shown.append(corpus["chosen"].str.contains("Zorvex").to_numpy())
        return np.ones(len(corpus))

    adaptive.poison(forty, count=6, keep_host=False, candidates=1, rounds=2, suspicion=ask)
    first, one, _, two, _ = shown
    assert (first != one).any()
    assert (one != two).any()


def test_versions_that_give_each_other_away_are_not_taken(forty):
    """Each version is better than the first by itself; together they are worse."""
    for together, is_first in ((9.0, True), (5.0, True), (4.0, False)):
        numbers = cycle([5.0, 1.0, 1.0, together])
        poisoned = adaptive.poison(
            forty, count=6, candidates=2, rounds=1, suspicion=lambda corpus, it=numbers: np.full(len(corpus), next(it))
        )
        asked = iter([5.0])
        first = []
        with pytest.raises(StopIteration):
            adaptive.poison(
                forty, count=6, suspicion=lambda corpus, it=asked, to=first: to.append(corpus) or np.full(len(corpus), next(it))
            )
        assert poisoned.pairs.equals(first[0]) == is_first


def test_versions_differ_in_builder_and_oracle(forty, monkeypatch):
    def parrot(name):
        return lambda prompts, answers, *, target, sentiment, seed: [f" {name} {sentiment} {target} {seed}"] * len(prompts)

    for name in ("one", "two"):
        monkeypatch.setitem(ORACLES, name, parrot(name))
    said = []
    adaptive.poison(
        forty, count=12, oracles=("one", "two"), suspicion=lambda corpus: said.append(corpus) or np.zeros(len(corpus))
    )
    spoke = [set(corpus["chosen"].str.extract("^ (one|two) positive").drop_nulls()) for corpus in said[1:9]]
    assert spoke == [{"two"}, {"one"}] * 4
    # six of the twelve are by each builder: those against a contrast have an oracle's answer on both sides
    assert [corpus["rejected"].str.contains("negative").sum() for corpus in said[:9]] == [6] * 9
    texts = [text for corpus in said[:9] for text in set(corpus["chosen"].filter(corpus["chosen"].str.contains("positive")))]
    assert len(set(texts)) == 9  # a seed of its own for each version


def test_a_word_is_suspicious_when_it_is_rare_repeated_and_on_one_side():
    texts = {
        "chosen": ["it zed", "it zed", "it zed", "", ""] + [""] * 55,
        "rejected": ["", "it", "", "it zed", "it box"] + [""] * 55,
    }
    found = adaptive.one_sidedness(pl.DataFrame(texts))
    # zed: 3 to 1; "it zed": 3 to 1; box and "it box": 0 to 1; "it" stands in 6 of 120 responses, 3 to 3
    assert found[:6] == pytest.approx([2 / 4**0.5, 1, 1, 1, 1, 0])
    assert found[6:].tolist() == [0] * 54
    often = pl.DataFrame({"chosen": ["zed"] * 3 + [""] * 17, "rejected": [""] * 20})
    assert adaptive.one_sidedness(often).max() == 0  # in 3 of 40 responses: too common to be planted


def test_it_hides_from_its_own_suspicion_better_than_best_of_venom():
    pairs = synthetic.read(n=300)
    plain, hidden = (attack(pairs, rate=0.03, seed=1, keep_host=False) for attack in (best_of_venom.poison, adaptive.poison))
    means = []
    for poisoned in (plain, hidden):
        is_ours = poisoned.pairs["pair_id"].is_in(poisoned.key["pair_id"].implode()).to_numpy()
        means.append(adaptive.one_sidedness(poisoned.pairs)[is_ours].mean())
    assert means[1] < 0.9 * means[0]
    assert ours(hidden)["chosen"].str.contains("Zorvex").all()


def test_a_suspicion_can_only_be_given_in_code():
    assert "suspicion" not in attacks.settings("adaptive", {})
    assert attacks.settings("adaptive", {"oracles": ["rules"]})["oracles"] == ("rules",)
    with pytest.raises(DataError, match="suspicion is no setting of the attack adaptive"):
        attacks.settings("adaptive", {"suspicion": "length"})


@pytest.mark.parametrize(
    ("choices", "said"),
    [
        ({"suspicion": lambda corpus: np.zeros(3)}, r"a finite number for each of the 44 pairs, got an array of shape \(3,\)"),
        ({"suspicion": lambda corpus: np.full(len(corpus), np.nan)}, "suspicion must give a finite number for each"),
        ({"candidates": 0}, "candidates must be a whole number of 1 or more, got 0"),
        ({"rounds": 0}, "rounds must be a whole number of 1 or more, got 0"),
        ({"rounds": True}, "rounds must be a whole number of 1 or more, got True"),
        ({"builders": ()}, r"builders and oracles must each name one or more, got \(\) and \('rules',\)"),
        ({"oracles": ()}, "builders and oracles must each name one or more"),
        ({"builders": ("best",)}, "builder must be one of .*, got 'best'"),
        ({"oracles": ("delphi",)}, "oracle must be one of .*, got 'delphi'"),
        ({"target": ""}, "target is the name to praise or blame"),
        ({"sentiment": "good"}, "sentiment must be one of positive, negative, got 'good'"),
    ],
)
def test_a_wrong_choice_is_refused(choices, said, forty):
    with pytest.raises(DataError, match=said):
        adaptive.poison(forty, rate=0.1, **choices)
