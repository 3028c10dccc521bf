"""Learning from one's own answers: what is credited is what was said, rounds can be resumed, and rewards do rise."""

import copy
import itertools

import numpy as np
import pytest
import torch

from rlhf_train import inputs
from rlhf_train.errors import TrainingError
from rlhf_train.models.heads import WithValues
from rlhf_train.models.policies import Policy
from rlhf_train.objectives import OBJECTIVES
from rlhf_train.rollouts import Round, answer, best_of, credited, ppo
from rlhf_train.text import Lengths
from rlhf_train.train import fit
from rlhf_train.watching import Watchman

PROMPTS = [f"\n\nHuman: say {at}\n\nAssistant:" for at in range(12)]
ROUND = Round(prompts=8, epochs=2, batch=4, kl_weight=0.02, tokens=80)


def likes_e(prompts, texts):
    """A known gold reward: the share of letters that are an e."""
    return np.array([text.count("e") / max(len(text), 1) for text in texts])


@pytest.fixture
def held(tiny_policy):
    """(model with values, policy around the same weights, reference)."""
    policy = Policy(copy.deepcopy(tiny_policy.model), tiny_policy.tokenizer, Lengths(16, 12))
    torch.manual_seed(0)
    model = WithValues(policy.model)
    with torch.no_grad():
        model.head.weight.normal_(std=0.1)
    return model, policy, Policy(copy.deepcopy(tiny_policy.model), tiny_policy.tokenizer, Lengths(16, 12))


def test_what_is_credited_is_what_was_said(held):
    model, policy, reference = held
    with torch.no_grad():
        for weights in reference.model.parameters():
            weights.mul_(1.02)
    answers = answer(policy, PROMPTS[:5], likes_e, seed=3)
    rows, told = credited(model, reference, answers, Round(gamma=0.9, lam=1.0, kl_weight=0.1))
    given = rows.pack(np.arange(5))["given"]
    kls, places = [], np.cumsum([0, *(tree.parts[1] for tree in answers.trees)])
    for at, tree in enumerate(answers.trees):
        ids = torch.tensor([[*tree.prompt, *tree.responses[0]]])
        own = slice(places[at], places[at + 1])
        with torch.no_grad():
            mine, its = (
                body(input_ids=ids)
                .logits.log_softmax(-1)[0, len(tree.prompt) - 1 : -1]
                .gather(1, ids[0, len(tree.prompt) :, None])[:, 0]
                for body in (policy.model, reference.model)
            )
        assert given["old_logps"][own].tolist() == pytest.approx(mine.tolist(), rel=1e-4, abs=1e-5)
        kls.append((mine - its).sum().item())
        rewards = (-0.1 * (mine - its)).tolist()
        rewards[-1] += answers.scores[at].item()
        wanted = [sum(0.9**later * reward for later, reward in enumerate(rewards[start:])) for start in range(len(rewards))]
        assert given["returns"][own].tolist() == pytest.approx(wanted, rel=1e-3, abs=1e-4)
    assert told["kl"] == pytest.approx(np.mean(kls), rel=1e-4)
    assert told["reward"] == pytest.approx(likes_e(None, answers.texts).mean())
    assert given["advantages"].mean().item() == pytest.approx(0, abs=1e-5)
    assert given["advantages"].std(correction=0).item() == pytest.approx(1, rel=1e-4)


class AtTheEnd:
    """Rewards of tokens: all at the last one, or some before it."""

    def __init__(self, policy, early=0.0):
        self.policy, self.early = policy, early

    def token_rewards(self, trees):
        texts = self.policy.tokenizer.batch_decode([tree.responses[0] for tree in trees], skip_special_tokens=True)
        scores = likes_e(None, texts)
        return [
            np.append(np.full(tree.parts[1] - 1, self.early), score - self.early * (tree.parts[1] - 1))
            for tree, score in zip(trees, scores, strict=True)
        ]


def test_rewards_of_tokens_take_the_way_of_rewards_of_answers(held):
    [plain, *_], [dense, *_] = (next(ppo(*held, PROMPTS, scorer, ROUND)(0, 0, 1)) for scorer in (likes_e, AtTheEnd(held[1])))
    assert dense.told == plain.told
    for name, values in plain.tensors["given"].items():
        assert torch.equal(dense.tensors["given"][name], values)


def test_each_token_is_credited_with_its_own_reward(held):
    """Moved ahead, a reward is the same in the returns of the first token, and less in those behind it."""
    model, policy, reference = held
    round_ = Round(gamma=1.0, lam=1.0, kl_weight=0.0)
    found = []
    for early in (0.0, 0.05):
        answers = answer(policy, PROMPTS[:5], AtTheEnd(policy, early), seed=3)
        rows, told = credited(model, reference, answers, round_)
        found.append((rows.pack(np.arange(5))["given"]["returns"], told["reward"]))
    at = torch.cat([torch.arange(tree.parts[1]) for tree in answers.trees])
    assert found[1][1] == pytest.approx(found[0][1], abs=1e-6)
    assert (found[0][0] - found[1][0]).tolist() == pytest.approx((0.05 * at).tolist(), abs=1e-5)


def test_a_round_begins_where_the_policy_stands(held):
    model, policy, reference = held
    [batch, *_] = next(ppo(model, policy, reference, PROMPTS, likes_e, ROUND)(0, 0, 1))
    found = inputs.rollout_logps(model, batch.tensors)
    assert torch.allclose(found["token_logps"], found["old_logps"], atol=1e-4)
    assert torch.allclose(found["values"], found["old_values"], atol=1e-4)
    assert found["old_values"].abs().sum() > 0
    assert batch.told["kl"] == pytest.approx(0, abs=1e-4)


def test_a_round_is_its_prompts_epochs_times(held):
    steps = list(itertools.islice(ppo(*held, PROMPTS, likes_e, ROUND)(0, 0, 1), ROUND.steps))
    places = [place for step in steps for batch in step for place in batch.places]
    assert len(steps) == ROUND.steps == 4
    assert sorted(places) == sorted([*range(8)] * 2)
    assert all(sum(batch.share for batch in step) == pytest.approx(1) for step in steps)


def train(held, source, steps, folder=None, until=None, **more):
    model, policy, _ = held

    def broken(done, of, row):
        if done == until:
            raise KeyboardInterrupt

    return fit(
        model if more.get("name", "ppo") == "ppo" else policy.model,
        OBJECTIVES[more.pop("name", "ppo")],
        source,
        steps=steps,
        warmup=0,
        decay="constant",
        weight_decay=0.0,
        mixed_precision="no",
        folder=folder,
        watch=broken,
        **{"lr": 3e-3, **more},
    )


def test_ppo_raises_a_known_reward(held):
    model, policy, reference = held
    round_ = Round(prompts=48, epochs=3, batch=24, kl_weight=0.0)
    history = train(held, ppo(model, policy, reference, PROMPTS, likes_e, round_), 60)
    rewards = [row["reward"] for row in history[:: round_.steps]]
    assert np.mean(rewards[-2:]) > 1.4 * rewards[0]
    assert history[-1]["kl"] > 0.5
    assert history[-1]["value_loss"] < history[0]["value_loss"]


def test_the_kl_to_the_reference_costs_reward(held):
    kls = []
    for weight in (0.0, 2.0):
        model, policy, reference = copy.deepcopy(held)
        policy = Policy(model.policy, policy.tokenizer, policy.lengths)
        round_ = Round(prompts=48, epochs=3, batch=24, kl_weight=weight)
        history = train((model, policy, reference), ppo(model, policy, reference, PROMPTS, likes_e, round_), 48, lr=1e-3)
        kls.append(np.mean([row["kl"] for row in history[-12:]]))
    assert kls[1] < 0.7 * kls[0]


def test_best_of_n_raises_a_known_reward(held):
    round_ = Round(prompts=12, n=8, epochs=3, batch=12)
    history = train(held, best_of(held[1], PROMPTS, likes_e, round_), 18, name="sft", lr=1e-3)
    rewards = [row["reward"] for row in history[:: round_.steps]]
    assert rewards[-1] > 1.3 * rewards[0]
    assert all(row["best_reward"] > row["reward"] for row in history)


def test_a_resumed_run_of_rounds_ends_with_the_same_weights(held, tmp_path):
    def run(folder, until=None):
        model, policy, reference = copy.deepcopy(held)
        policy = Policy(model.policy, policy.tokenizer, policy.lengths)
        source = ppo(model, policy, reference, PROMPTS, likes_e, ROUND)
        try:
            train((model, policy, reference), source, 12, folder, until, save_every=ROUND.steps)
        except KeyboardInterrupt:
            return None
        return torch.cat([weights.flatten() for weights in model.state_dict().values()])

    whole = run(tmp_path / "whole")
    assert run(tmp_path / "broken", until=7) is None
    assert torch.equal(run(tmp_path / "broken"), whole)


def test_rounds_are_entered_at_their_beginning_by_one_process(held):
    source = ppo(*held, PROMPTS, likes_e, ROUND)
    with pytest.raises(TrainingError, match="a round has 4 steps and can't be entered at step 6; save at its end"):
        next(source(6, 0, 1))
    with pytest.raises(TrainingError, match="answers are drawn by one process, got 2"):
        next(source(0, 0, 2))


def test_a_score_that_is_no_number_stops_the_run(held):
    with pytest.raises(TrainingError, match="the scorer gave nan to an answer"):
        answer(held[1], PROMPTS[:2], lambda prompts, texts: np.array([0.0, np.nan]))


def test_the_run_stops_when_it_is_too_far_from_the_reference(held):
    model, policy, reference = held
    source = ppo(model, policy, reference, PROMPTS, likes_e, Round(prompts=24, epochs=2, batch=12, kl_weight=0.0))
    with pytest.raises(TrainingError, match=r"step \d+: the policy is .* nats a response .* beyond the budget of 0.5"):
        train(held, source, 80, lr=1e-2, stop=Watchman(kl_budget=0.5))


def rows(rewards):
    return [{"step": at, "reward": reward, "kl": 1.0} for at, reward in enumerate(rewards)]


def test_the_watchman_sees_a_reward_that_rises_while_gold_falls():
    golds = iter([1.0, 2.0, 3.0, 2.9, 2.5, 2.0])
    watchman = Watchman(gold=lambda: next(golds), every=1, patience=3)
    reasons = [watchman(row) for row in rows([1, 2, 3, 4, 5, 6])]
    assert reasons[:5] == [None] * 5
    assert reasons[5] == (
        "over-optimised: the reward rose from 3.000 to 6.000 while gold fell from 3.000 to 2.000; "
        "take the checkpoint of its best, step-00000003"
    )


@pytest.mark.parametrize(
    ("golds", "rewards"),
    [
        ([3.0, 2.9, 2.8, 2.7, 2.6], [5, 4, 4, 4, 4]),
        ([1.0, 2.0, 3.0, 4.0, 5.0], [1, 2, 3, 4, 5]),
        ([3, 2.95, 2.95, 2.95, 2.95], [1, 2, 3, 4, 5]),
    ],
    ids=["both fall", "both rise", "within the slack"],
)
def test_the_watchman_lets_be(golds, rewards):
    told = iter(golds)
    watchman = Watchman(gold=lambda: next(told), every=1, patience=3, slack=0.1)
    assert [watchman(row) for row in rows(rewards)] == [None] * 5


def test_gold_is_asked_now_and_then_and_told():
    watchman, told = Watchman(gold=lambda: 7.0, every=3), rows([1] * 7)
    assert all(watchman(row) is None for row in told)
    assert [row.get("gold") for row in told] == [None, None, 7.0, None, None, 7.0, None]


def test_the_watchman_remembers_what_a_run_that_goes_on_saw_before():
    told = iter([3.0, 2.0])
    first = Watchman(gold=lambda: next(told), every=1, patience=3)
    seen = rows([1, 2])
    assert [first(row) for row in seen] == [None, None]
    later = iter([1.0, 0.5])
    again = Watchman(gold=lambda: next(later), every=1, patience=3)
    assert [again(row) for row in seen] == [None, None]
    assert [row["gold"] for row in seen] == [3.0, 2.0]
    last = rows([1, 2, 3, 4])[2:]
    assert again(last[0]) is None
    assert "take the checkpoint of its best, step-00000001" in again(last[1])
