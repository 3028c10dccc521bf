import copy
import itertools

import numpy as np
import pytest
import torch

from rlhf_train import generate, imitation
from rlhf_train.errors import TrainingError
from rlhf_train.evals.amplification import law, measure
from rlhf_train.generate import best_of_n, rerank, sample
from rlhf_train.models import policies
from rlhf_train.models.policies import Policy
from rlhf_train.text import Lengths

PROMPTS = [f"\n\nHuman: say {at}\n\nAssistant:" for at in range(6)]
SHORT = Lengths(prompt=16, response=12)


def test_best_of_n_keeps_the_best_of_each_prompt():
    drawn = {"a": ["a1", "a3", "a2"], "b": ["b2", "b0", "b1"]}

    def sampler(prompts, seed):
        turns = {prompt: iter(answers) for prompt, answers in drawn.items()}
        return [next(turns[prompt]) for prompt in prompts]

    assert best_of_n(["a", "b"], sampler, lambda _, said: np.array([float(word[1]) for word in said]), n=3) == [
        "a3",
        "b2",
    ]


def test_reranked_are_as_many_candidates_as_each_prompt_has():
    def scorer(prompts, said):
        return np.array([float(word[1]) * (1 if prompt == "a" else -1) for prompt, word in zip(prompts, said, strict=True)])

    assert rerank(["a", "b", "a"], [["a1", "a3", "a3"], ["b2"], ["c9", "c1"]], scorer) == ["a3", "b2", "c9"]
    assert rerank(["b"], [["b2", "b0", "b1"]], scorer) == ["b0"]
    with pytest.raises(TrainingError, match="no candidate for prompt 1; give each prompt one at least"):
        rerank(["a", "b"], [["a1"], []], scorer)


def test_the_seed_decides_a_sample(tiny_policy):
    first = sample(tiny_policy, PROMPTS, seed=5, lengths=SHORT)
    assert first == sample(tiny_policy, PROMPTS, seed=5, lengths=SHORT)
    assert first != sample(tiny_policy, PROMPTS, seed=6, lengths=SHORT)
    assert len(first) == len(PROMPTS)


def test_answers_come_back_in_the_order_of_the_prompts(tiny_policy):
    """A policy taught to answer each prompt in its own way is asked in an order that sorting by length would change."""
    prompts = ["\n\nHuman: x\n\nAssistant:", "\n\nHuman: a far longer question, really\n\nAssistant:"] * 8
    wanted = [" The kettle sings.", " Nobody reads the manual."] * 8
    policy = Policy(copy.deepcopy(tiny_policy.model), tiny_policy.tokenizer, Lengths(24, 24))
    imitation.imitate(policy, prompts, wanted, epochs=60, size=16, lr=5e-3)
    assert sample(policy, prompts[:4], temperature=0.05, lengths=Lengths(24, 24)) == wanted[:4]


def test_a_saved_policy_answers_alike(tiny_policy, tmp_path):
    again = policies.load(tiny_policy.save(tmp_path / "policy"))
    assert sample(again, PROMPTS, lengths=SHORT) == sample(tiny_policy, PROMPTS, lengths=SHORT)
    assert not list((tmp_path / "policy").glob("*.bin"))


@pytest.mark.parametrize("width", [2, 50, 128, 160])
def test_a_policy_of_any_even_width_can_be_made_and_asked(width, one_thread):
    made = policies.make(["one two three", "four five"] * 8, vocabulary=300, width=width, layers=1, steps=1, batch=2)
    assert made.model.config.hidden_size == width
    assert len(sample(made, ["one"], seed=0)) == 1


def test_the_law_by_hand():
    assert law(0.1, 3) == pytest.approx(1 - 0.9 * 0.9 * 0.9)


@pytest.mark.parametrize(("rate", "n"), [(0.01, 8), (0.05, 4)])
def test_best_of_n_imitation_amplifies_by_the_law(rate, n):
    rates = measure(rate, n=n, rounds=3, prompts=6000, steps=200)
    for before, after in itertools.pairwise(rates):
        assert after == pytest.approx(law(before, n), rel=0.2)
    assert rates[3] > 5 * rates[0]


def test_a_policy_in_the_middle_of_learning_answers_alike(tiny_policy):
    """Layers that save activations drop the cache of keys and values while they learn."""
    model = copy.deepcopy(tiny_policy.model)
    model.activation_checkpointing_enable({"use_reentrant": False})
    model.train()
    assert sample(Policy(model, tiny_policy.tokenizer), PROMPTS, lengths=SHORT) == sample(tiny_policy, PROMPTS, lengths=SHORT)
    assert model.training


def test_what_a_row_says_depends_on_no_other_row(tiny_policy):
    prompts = PROMPTS + [f"\n\nHuman: {'longer ' * at}{at}\n\nAssistant:" for at in range(9)]
    together = sample(tiny_policy, prompts, seed=2, lengths=SHORT)
    assert sample(tiny_policy, prompts[:4], seed=2, lengths=SHORT) == together[:4]
    assert sample(tiny_policy, prompts, seed=2, lengths=SHORT, size=2) == together
    assert len(set(sample(tiny_policy, PROMPTS[:1] * 6, seed=2, lengths=SHORT))) > 1


@pytest.mark.parametrize("temperature", [1.0, 0.5])
def test_first_tokens_are_drawn_with_the_model_s_probabilities(tiny_policy, temperature):
    tokenizer, count = tiny_policy.tokenizer, 4000
    prompt = tokenizer(PROMPTS[0])["input_ids"]
    drawn = generate.draw(tiny_policy, [prompt] * count, most=1, seed=0, temperature=temperature)
    with torch.no_grad():
        logits = tiny_policy.model(input_ids=torch.tensor([prompt])).logits[0, -1]
    expected = (logits / temperature).softmax(-1).numpy()
    found = np.bincount([row[0] for row in drawn], minlength=len(expected)) / count
    often = expected * count > 5
    squares = (
        count * ((found - expected)[often] ** 2 / expected[often]).sum()
    )  # chi-squared, of mean and half the variance sum(often)
    assert abs(squares - often.sum()) < 4 * np.sqrt(2 * often.sum())


def test_greedy_is_what_transformers_generates(tiny_policy):
    tokenizer = tiny_policy.tokenizer
    ids = tokenizer(PROMPTS[1], return_tensors="pt")["input_ids"]
    theirs = tiny_policy.model.generate(
        ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=12, eos_token_id=tokenizer.eos_token_id
    )
    ours = generate.draw(tiny_policy, [ids[0].tolist()], most=12, temperature=0.0)
    assert ours[0] == theirs[0, ids.shape[1] :].tolist()


def test_responses_end_with_the_end_token_or_at_the_limit(tiny_policy):
    end = tiny_policy.tokenizer.eos_token_id
    prompts = [tiny_policy.tokenizer(prompt)["input_ids"] for prompt in PROMPTS * 8]
    for ids in generate.draw(tiny_policy, prompts, most=9, seed=1):
        assert 1 <= len(ids) <= 9
        assert end not in ids[:-1]
        assert ids[-1] == end or len(ids) == 9
