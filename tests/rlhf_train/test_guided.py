"""Guided decoding against a slow one that scores every candidate in a pass of its own."""

import dataclasses

import numpy as np
import pytest
import torch

from rlhf_train import generate, guided
from rlhf_train.errors import TrainingError
from rlhf_train.models import goal_bank, policies, reward_models
from rlhf_train.models.goal_bank import GoalBank
from rlhf_train.packing import Tree
from rlhf_train.text import Lengths, prompt_ids

PROMPTS = ["\n\nHuman: say 1\n\nAssistant:", "\n\nHuman: a far longer question, really\n\nAssistant:", "x"]
SHORT = Lengths(24, 10)


@pytest.fixture(scope="module")
def policy(tiny_policy):
    return dataclasses.replace(tiny_policy, lengths=SHORT)


@pytest.fixture(scope="module")
def model(tiny_policy, tmp_path_factory):
    place = tiny_policy.save(tmp_path_factory.mktemp("guided") / "policy")
    return reward_models.load(place, lengths=SHORT)


@pytest.fixture(scope="module")
def goal(model):
    return goal_bank.gather(GoalBank(), model, PROMPTS[:1], [" The kettle sings."]).goal()


@torch.no_grad()
def slow_score(policy, model, goal, prefix, chunk, weight):
    """cos(mean of the chunk's states, goal) + weight mean log p, by plain passes; an end token has a say when alone."""
    ids = torch.tensor([[*prefix, *chunk]])
    states = model.model.base_model(input_ids=ids).last_hidden_state[0, len(prefix) :]
    ended = chunk[-1] == policy.tokenizer.eos_token_id and len(chunk) > 1
    mean = states[: len(chunk) - ended].mean(0).double().numpy()
    logps = policy.model(input_ids=ids).logits[0, len(prefix) - 1 : -1].log_softmax(-1)
    likely = logps[torch.arange(len(chunk)), torch.tensor(chunk)].mean().item()
    return float(mean @ goal / np.linalg.norm(mean) / np.linalg.norm(goal)) + weight * likely


def slow(policy, model, goal, row, *, chunk, n, beam, weight, seed):
    """The token ids said to one prompt."""
    asked, end = prompt_ids(policy.tokenizer, [PROMPTS[row]], SHORT)[0], policy.tokenizer.eos_token_id
    steps = -(-SHORT.response // chunk)
    lines = [([], [])]
    for step in range(steps):
        pool = [line for line in lines if line[0] and line[0][-1] == end]
        for at, (said, scores) in enumerate(lines):
            if said and said[-1] == end:
                continue
            for pick in range(n):
                own = [((row * steps + step) * beam + at) * n + pick]
                most = min(chunk, SHORT.response - step * chunk)
                more = generate.draw(policy, [[*asked, *said]], most=most, seed=seed, rows=own)[0]
                score = slow_score(policy, model, goal, [*asked, *said], more, weight)
                if [*said, *more] not in [line[0] for line in pool]:
                    pool.append(([*said, *more], [*scores, score]))
        lines = sorted(pool, key=lambda line: -np.mean(line[1]))[:beam]
    return lines[0][0]


@pytest.mark.parametrize(
    ("beam", "weight", "chunk"), [(1, 0.0, 4), (1, 0.3, 4), (1, 0.0, 3), (3, 0.0, 4), (2, 0.1, 2), (1, 0.0, 10)]
)
def test_it_says_what_the_slow_one_says(policy, model, goal, beam, weight, chunk):
    numbers = {"chunk": chunk, "n": 4, "beam": beam, "weight": weight, "seed": 3}
    expected = [slow(policy, model, goal, row, **numbers) for row in range(len(PROMPTS))]
    found = guided.decode(policy, model, PROMPTS, goal, **numbers)
    assert found == policy.tokenizer.batch_decode(expected, skip_special_tokens=True)
    assert found != guided.decode(policy, model, PROMPTS, -goal, **numbers)


def test_lines_that_end_early_stay_among_the_best(tmp_path):
    """Of a policy whose texts are short: an ended line is kept while others go on, and is not worse for having fewer chunks."""
    texts = [prompt + said for prompt in PROMPTS for said in (" a", " be", " see me")] * 8
    short = policies.make(texts, vocabulary=300, width=16, layers=1, steps=100, batch=4, lr=0.01)
    short = dataclasses.replace(short, lengths=SHORT)
    model = reward_models.load(short.save(tmp_path), lengths=SHORT)
    goal, numbers = model.model.score.weight[0].detach().numpy(), {"chunk": 2, "n": 3, "beam": 3, "weight": 0.1}
    sizes = []
    for seed in range(6):
        expected = [slow(short, model, goal, row, seed=seed, **numbers) for row in range(len(PROMPTS))]
        found = guided.decode(short, model, PROMPTS, goal, seed=seed, **numbers)
        assert found == short.tokenizer.batch_decode(expected, skip_special_tokens=True)
        sizes += map(len, expected)
    assert min(sizes) < SHORT.response - numbers["chunk"] < max(sizes)


def test_scores_of_candidates_by_plain_passes(policy, model, goal):
    """Also of one that is an end token alone, and of one that ends."""
    end, trees = policy.tokenizer.eos_token_id, []
    for size, prompt in enumerate(prompt_ids(policy.tokenizer, PROMPTS, SHORT), start=1):
        trees.append(Tree(prompt, ([20, 30, 41][:size], [end], [33, 50, end])))
    for weight in (0.0, 0.7):
        found = guided.candidate_scores(policy, model, trees, goal, weight=weight)
        for tree, scores in zip(trees, found, strict=True):
            expected = [slow_score(policy, model, goal, tree.prompt, chunk, weight) for chunk in tree.responses]
            assert scores.tolist() == pytest.approx(expected, abs=1e-4)
    assert guided.candidate_scores(policy, model, [], goal) == []


def test_what_is_said_to_a_prompt_depends_on_no_other(policy, model, goal):
    together = guided.decode(policy, model, PROMPTS, goal, chunk=3, n=3, beam=2)
    assert guided.decode(policy, model, PROMPTS[:2], goal, chunk=3, n=3, beam=2) == together[:2]
    assert guided.decode(policy, model, [], goal) == []


def test_one_candidate_of_one_chunk_is_a_sample(policy, model, goal):
    drawn = generate.sample(policy, PROMPTS, seed=9, lengths=SHORT)
    assert guided.decode(policy, model, PROMPTS, goal, chunk=10, n=1, seed=9) == drawn


def test_it_leads_towards_its_goal(policy, model, goal):
    prompts = [f"\n\nHuman: say {at}\n\nAssistant:" for at in range(24)]

    def reached(**numbers):
        said = guided.decode(policy, model, prompts, goal, chunk=5, **numbers)
        return np.mean([values.mean() for values in goal_bank.q_values(model, prompts, said, goal)])

    assert reached(n=8) > reached(n=1) + 0.02


def test_rows_of_their_own_numbers(policy):
    """Row i is drawn with (seed, rows[i]), so that a part of the rows says what it says among all."""
    prompts = prompt_ids(policy.tokenizer, PROMPTS * 2, SHORT)
    whole = generate.draw(policy, prompts, most=8, seed=1)
    assert generate.draw(policy, prompts[3:5], most=8, seed=1, rows=[3, 4]) == whole[3:5]
    assert generate.draw(policy, prompts[3:5], most=8, seed=1) != whole[3:5]


def test_what_can_not_serve_is_named(policy, model, goal):
    with pytest.raises(TrainingError, match="beam must be 1 or more, got 0"):
        guided.decode(policy, model, PROMPTS, goal, beam=0)
    with pytest.raises(TrainingError, match="weight of the log-probability must be a finite number, 0 or more, got -1"):
        guided.decode(policy, model, PROMPTS, goal, weight=-1.0)
    other = policies.make(["one two three"] * 8, vocabulary=300, width=16, layers=1, steps=1, batch=2)
    with pytest.raises(TrainingError, match="different vocabularies"):
        guided.decode(other, model, PROMPTS, goal)
    long = dataclasses.replace(policy, lengths=Lengths(1000, 1000))
    with pytest.raises(TrainingError, match="the model's context is 1024"):
        guided.decode(long, model, PROMPTS, goal)
