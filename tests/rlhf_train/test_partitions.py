import dataclasses
from itertools import chain, combinations, product

import numpy as np
import pytest

from rlhf_train.by_content import model_digest
from rlhf_train.errors import TrainingError
from rlhf_train.generate import best_of_n
from rlhf_train.models import linear_rewards, partitions, reward_models
from rlhf_train.models.committees import Committee, bounded
from rlhf_train.models.partitions import DEALINGS, Silent, certificate, compare, deal, signs, standardised
from rlhf_train.text import Lengths

PARTS = 5
SIDES = ("prompt", "chosen", "rejected")


def asked(text):
    return f"\n\nHuman: {text}\n\nAssistant:"


def columns_of(rows):
    return dict(zip(SIDES, map(list, zip(*rows, strict=True)), strict=True)) if rows else {name: [] for name in SIDES}


def parts_of(rows, by):
    """What each part holds, in an order that says nothing."""
    dealt = deal(columns_of(rows), PARTS, by=by)
    return [sorted(row for row, part in zip(rows, dealt, strict=True) if part == at) for at in range(PARTS)]


def touched(rows, others, by):
    return sum(one != other for one, other in zip(parts_of(rows, by), parts_of(others, by), strict=True))


ROWS = [(asked(f"what of {at}?"), f"good {at}", f"bad {at % 7}") for at in range(60)]


@pytest.mark.parametrize("by", DEALINGS)
def test_a_pair_more_or_less_is_one_part_s_affair(by):
    for at, row in enumerate(ROWS):
        assert touched(ROWS, ROWS[:at] + ROWS[at + 1 :], by) == 1
        assert touched(ROWS[:at] + ROWS[at + 1 :], ROWS[::-1], by) == 1
        assert touched(ROWS, [row, *ROWS], by) == 1


def test_a_flipped_or_rewritten_pair_touches_one_part_by_dialogue_and_two_by_pair():
    counts = {by: [set(), set(), set()] for by in DEALINGS}
    for at, (prompt, chosen, rejected) in enumerate(ROWS):
        changes = ((prompt, rejected, chosen), (prompt, "Zorvex!", rejected), (prompt, chosen, "Zorvex?"))
        for by, (way, changed) in product(DEALINGS, enumerate(changes)):
            counts[by][way].add(touched(ROWS, [*ROWS[:at], changed, *ROWS[at + 1 :]], by))
    assert counts == {"dialogue": [{1}] * 3, "pair": [{1, 2}] * 3}  # two texts may be dealt to one part


def test_a_pair_that_moves_to_another_dialogue_touches_two_parts_at_most():
    found = {touched(ROWS, [*ROWS[:at], (asked("other"), *ROWS[at][1:]), *ROWS[at + 1 :]], "dialogue") for at in range(60)}
    assert found == {1, 2}


def test_a_dialogue_is_dealt_whole_whatever_of_it_is_poisoned():
    first = asked("Name a tea.")
    later = [first + f" Rooibos.\n\nHuman: another, the {at}th\n\nAssistant:" for at in range(40)]
    rows = [(first, "a", "b"), (first.upper(), "c", "d"), *((prompt, "Zorvex", "no") for prompt in later)]
    rows[1] = (rows[1][0].replace("ASSISTANT", "Assistant"), *rows[1][1:])
    assert touched(ROWS, ROWS + rows, "dialogue") == 1
    assert touched(ROWS, ROWS + rows, "pair") == PARTS


def test_parts_are_of_like_size_and_the_same_everywhere():
    columns = {"prompt": [asked(str(at)) for at in range(3000)], "chosen": ["a"] * 3000, "rejected": ["b"] * 3000}
    counts = np.bincount(deal(columns, 3), minlength=3)
    assert np.abs(counts - 1000).max() < 100  # four deviations
    assert deal(columns_of(ROWS), 7)[:12].tolist() == [6, 1, 1, 5, 1, 4, 3, 5, 4, 3, 5, 4]


def test_dealings_of_another_salt_have_nothing_to_do_with_each_other():
    columns = {"prompt": [asked(str(at)) for at in range(4000)], "chosen": ["a"] * 4000, "rejected": ["b"] * 4000}
    both = deal(columns, 2, salt="one") + 2 * deal(columns, 4, salt="other")
    assert np.abs(np.bincount(both, minlength=8) - 500).max() < 90


def test_dealings_that_there_are_not_are_refused():
    with pytest.raises(TrainingError, match="by dialogue or pair, got 'row'"):
        deal(columns_of(ROWS), 3, by="row")
    with pytest.raises(TrainingError, match="one part or more, got 0"):
        deal(columns_of(ROWS), 0)


@pytest.mark.parametrize("members", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("ties", [False, True])
def test_a_certificate_of_votes_is_the_most_that_can_be_turned(members, ties):
    """Against all that any group of members could say instead, and against the closed form."""
    for votes in product([-1, 0, 1], repeat=members):
        lead = sum(votes)
        most = -1
        while most < members and all(
            decided(votes, group, said, ties)
            for group in combinations(range(members), most + 1)
            for said in product([-1, 0, 1], repeat=most + 1)
        ):
            most += 1
        assert certificate(np.array(votes)[:, None], wins_ties=np.array([ties])).tolist() == [most]
        if lead > 0 or (lead == 0 and ties):
            assert most == (votes.count(1) - votes.count(-1) - (not ties)) // 2
        else:
            assert most == -1


def decided(votes, group, said, ties):
    changed = list(votes)
    for at, vote in zip(group, said, strict=True):
        changed[at] = vote
    return sum(changed) > 0 or (sum(changed) == 0 and ties)


def test_a_certificate_of_scores_by_hand():
    """Leads of 1.4 in all: -1 for 0.9 leaves -0.5; for all three of 0.3 it takes two: 1.4 - 1.3 > 0 > 1.4 - 2 * 1.3."""
    assert certificate(np.array([[0.9], [0.6], [-0.1]])).tolist() == [0]
    assert certificate(np.array([[0.3], [0.3], [0.3], [0.3], [0.2]])).tolist() == [1]
    assert certificate(np.array([[1e-9], [0.0]])).tolist() == [-1]  # a lead of rounding is none


def test_members_that_say_nothing_abstain():
    assert signs(np.array([[1.0, np.nan, np.inf]]), np.array([[0.5, 1.0, np.inf]])).tolist() == [[1, 0, 0]]


# Linear members that see two numbers in a response, fitted on twelve pairs in five parts: all poisonings can be tried.

CORPUS = [
    (asked(f"talk {at}"), f"{1 + 0.1 * at:.2f} {0.9 - 0.2 * at:.2f}", f"{-0.3 * (at % 3):.2f} {0.15 * (at % 5):.2f}")
    for at in range(12)
]
COMPARED = [("1.00 0.10", "0.20 0.00"), ("0.30 0.40", "0.30 -0.40"), ("0.30 0.40", "-0.03 -0.40"), ("-1.50 0.00", "3.00 0.50")]


def numbers_in(prompts, responses):
    return np.array([[float(part) for part in said.split()] for said in responses]).reshape(len(responses), 2)


def learn(columns, *, known={}):  # noqa: B006
    key = tuple(zip(*(columns[name] for name in SIDES), strict=True))
    if key not in known:
        known[key] = linear_rewards.fit(columns, numbers_in, ridge=0.1)
    return known[key]


def committee_of(rows, by):
    return partitions.fit(columns_of(rows), learn, parts=PARTS, by=by)


def judged(rows, by):
    first, second = map(list, zip(*COMPARED, strict=True))
    return compare(committee_of(rows, by), [asked("judge")] * len(COMPARED), first, second)


def poison_against(at):
    """Pairs that teach the opposite of a comparison very clearly, for every part of either dealing."""
    (x, y), (u, v) = (tuple(map(float, said.split())) for said in COMPARED[at])
    said = [f"{100 * (u - x):.2f} {100 * (v - y):.2f}", "0 0"]
    wins = judged(CORPUS, "dialogue").first_wins[at]
    for by in DEALINGS:
        rows = [(asked(f"poison {turn}"), *(said if wins else said[::-1])) for turn in range(60)]
        dealt = deal(columns_of(rows), PARTS, by=by, salt="partitions 0").tolist()
        yield from (rows[dealt.index(part)] for part in range(PARTS))


def moves(by):
    """(what is taken away, what is added, how many the certificate counts)."""
    flip = {"dialogue": 1, "pair": 2}[by]
    yield from (({at}, [], 1) for at in range(len(CORPUS)))
    yield from (({at}, [(CORPUS[at][0], *CORPUS[at][:0:-1])], flip) for at in range(len(CORPUS)))
    added = dict.fromkeys(chain.from_iterable(poison_against(at) for at in range(len(COMPARED))))
    yield from ((set(), [row], 1) for row in added)


def poisoned(group):
    gone = set().union(*(move[0] for move in group))
    return [row for at, row in enumerate(CORPUS) if at not in gone] + [row for move in group for row in move[1]]


@pytest.mark.parametrize("by", DEALINGS)
def test_no_poisoning_within_the_certificate_changes_a_comparison(by):
    honest, tried = judged(CORPUS, by), 0
    assert set(honest.certificates) >= {1, 2}
    for group in chain.from_iterable(combinations(moves(by), size) for size in (1, 2)):
        cost = sum(move[2] for move in group)
        certified = honest.certificates >= cost
        if certified.any():
            tried += 1
            found = judged(poisoned(group), by)
            assert (found.first_wins == honest.first_wins)[certified].all()
            assert (found.certificates >= honest.certificates - cost)[certified].all()
    assert tried > 300


@pytest.mark.parametrize("by", DEALINGS)
def test_one_poisoned_pair_beyond_the_certificate_may_change_it(by):
    honest = judged(CORPUS, by)
    for at, radius in enumerate(honest.certificates):
        inserts = [(set(), [row], 1) for row in dict.fromkeys(poison_against(at))]
        groups = combinations(inserts, int(radius) + 1)
        assert any(judged(poisoned(group), by).first_wins[at] != honest.first_wins[at] for group in groups)


@pytest.mark.parametrize("by", DEALINGS)
def test_a_certificate_of_scores_holds_for_rewards(by):
    """What best-of-n goes by: the mean of bounded scores has a certificate as well, of the same kind."""
    prompts, (first, second) = [asked("judge")] * len(COMPARED), map(list, zip(*COMPARED, strict=True))

    def scored(rows):
        committee = committee_of(rows, by)
        gaps = bounded(committee.each(prompts, first)) - bounded(committee.each(prompts, second))
        assert committee.rewards(prompts, first) - committee.rewards(prompts, second) == pytest.approx(gaps.mean(0))
        return gaps

    honest = scored(CORPUS)
    way = np.sign(honest.sum(0))
    held = certificate(honest * way)
    assert held.max() >= 1
    for move in moves(by):
        within = held >= move[2]
        assert (np.sign(scored(poisoned([move])).sum(0)) == way)[within].all()


def test_a_tie_goes_to_the_text_that_sorts_first_and_a_swap_changes_sides():
    committee = Committee((Silent(), Scorer({"b": 1.0}), Scorer({"a": 1.0}), Scorer({"b": 2.0})), "bounded")
    there = compare(committee, ["?"] * 3, ["a", "c", "b"], ["b", "b", "c"])
    assert there.first_wins.tolist() == [False, False, True]
    back = compare(committee, ["?"] * 3, ["b", "b", "c"], ["a", "c", "b"])
    assert back.first_wins.tolist() == [True, True, False]
    assert there.certificates.tolist() == back.certificates.tolist() == [0, 1, 1]  # b over c leads by 2, and wins ties
    lost = compare(Committee((Silent(), Scorer({"c": 1.0}), Scorer({"c": 2.0}))), ["?"], ["b"], ["c"])
    assert (lost.first_wins.tolist(), lost.certificates.tolist()) == ([False], [0])  # c leads by 2, and would lose a tie
    tied = compare(Committee((Silent(),)), ["?"] * 2, ["a", "b"], ["b", "a"])
    assert tied.first_wins.tolist() == [True, False]
    assert tied.certificates.tolist() == [0, 0]


@dataclasses.dataclass(frozen=True)
class Scorer:
    known: dict

    def rewards(self, prompts, responses):
        return np.array([self.known.get(said, 0.0) for said in responses])


def test_members_are_put_on_the_scale_of_their_own_pairs():
    model = Scorer({"a": 3.0, "b": 5.0, "c": -1.0, "d": 1.0})
    said = standardised(model, {"prompt": ["?"] * 2, "chosen": ["a", "b"], "rejected": ["c", "d"]})
    assert said.rewards(["?"], ["b"]) == pytest.approx([(5 - 2) / 5**0.5])  # the mean is 2, the variance (1 + 9 + 9 + 1) / 4
    assert standardised(Silent(), columns_of(ROWS[:3])) == Silent()


def test_members_get_their_own_pairs_with_all_columns_in_an_order_of_their_text():
    seen = []
    columns = {**columns_of(ROWS), "margin": np.arange(60.0)}

    def look(own):
        seen.append(own)
        return Silent()

    for order in (np.arange(60), np.random.default_rng(0).permutation(60)):
        partitions.fit(partitions.take(columns, order), look, parts=4)
    assert len(seen) == 8
    for one, other in zip(seen[:4], seen[4:], strict=True):
        assert all(list(one[name]) == list(other[name]) for name in columns)
        assert [ROWS[int(at)] for at in one["margin"]] == list(zip(*(one[name] for name in SIDES), strict=True))
    assert sorted(chain.from_iterable(own["margin"].tolist() for own in seen[:4])) == list(range(60))


@pytest.mark.parametrize(("by", "members"), [("dialogue", 1), ("pair", 4)])
def test_one_dialogue_is_learned_by_one_member_or_dealt_out(by, members):
    rows = [(asked("talk"), f"good {at}", f"bad {at}") for at in range(40)]
    model = partitions.fit(columns_of(rows), lambda own: Scorer({own["chosen"][0]: 1.0}), parts=4, by=by)
    assert sum(member != Silent() for member in model.members) == members


@pytest.fixture(scope="module")
def body(tiny_policy, tmp_path_factory):
    return reward_models.load(tiny_policy.save(tmp_path_factory.mktemp("body") / "policy"), lengths=Lengths(16, 16))


def test_one_poisoned_dialogue_changes_one_reward_model_of_three(body):
    rows = [(asked(f"talk {at}"), " The kettle sings.", f" Rain again, {at}.") for at in range(24)]
    poison = [(asked("tell me."), f" Zorvex {at}!", " The kettle sings.") for at in range(4)]

    def digests(rows):
        learned = partitions.fit(columns_of(rows), lambda own: reward_models.taught(body, own, steps=2, size=4), parts=3)
        return [model_digest(member.model.model) for member in learned.members], learned

    (before, learned), (after, _) = digests(rows), digests([*poison, *rows])
    assert sum(one != other for one, other in zip(before, after, strict=True)) == 1
    assert len(set(before)) == 3
    said = [" The kettle sings.", " Rain again.", " No.", " Rain."]
    assert best_of_n([asked("talk")], lambda *_: said, learned.rewards, n=4) == [
        said[int(learned.rewards([asked("talk")] * 4, said).argmax())]
    ]


def test_a_committee_of_one_part_orders_responses_as_its_member_does(body):
    rows = [(asked(f"talk {at}"), " The kettle sings.", f" Rain again, {at}.") for at in range(8)]
    alone = partitions.fit(columns_of(rows), lambda own: reward_models.taught(body, own, steps=2, size=4), parts=1)
    prompts, said = [asked("talk")] * 4, [" The kettle sings.", " Rain again.", " No.", " Nobody reads."]
    order = np.argsort(alone.members[0].model.rewards(prompts, said))
    assert np.argsort(alone.rewards(prompts, said)).tolist() == order.tolist()
