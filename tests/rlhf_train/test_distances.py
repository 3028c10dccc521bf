"""Distances between policies: a worked tree of two tokens, exact walks against all responses, and samples."""

from itertools import product
from math import log

import numpy as np
import pytest
import torch

from rlhf_train.errors import TrainingError
from rlhf_train.evals import distances
from rlhf_train.models.policies import Policy, prepare
from rlhf_train.packing import Tree
from rlhf_train.text import Lengths, train_tokenizer

WORDS = ["<pad>", "<end>", "a", "b", "?"]
END, A, B, ASKED = 1, 2, 3, 4
NEVER = -60.0


def policy(*, layers=2, seed=0, longest=3):
    """An untrained policy of five words."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

    bare = Tokenizer(models.WordLevel({word: at for at, word in enumerate(WORDS)}, unk_token="<pad>"))
    bare.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=bare, pad_token="<pad>", eos_token="<end>", padding_side="left")
    torch.manual_seed(seed)
    sizes = {"n_embd": 8, "n_layer": layers, "n_head": 2, "n_positions": 16, "vocab_size": len(WORDS)}
    config = GPT2Config(**sizes, bos_token_id=None, eos_token_id=END, pad_token_id=0, tie_word_embeddings=False)
    model = GPT2LMHeadModel(config).double()
    with torch.no_grad():
        for weights in model.parameters():
            weights.mul_(8.0) if weights.ndim > 1 else None
    prepare(model)
    return Policy(model, tokenizer, Lengths(4, longest))


def bigrams(laws):
    """A policy without layers that says after each word what `laws` has: {word: {next: chance}}."""
    held = policy(layers=0, longest=2)
    logits = torch.full((len(WORDS), len(WORDS)), NEVER).double()
    for word, law in laws.items():
        for after, chance in law.items():
            logits[word, after] = log(chance)
    with torch.no_grad():
        held.model.transformer.wpe.weight.zero_()
        states = held.model.transformer.ln_f(held.model.transformer.wte.weight)
        held.model.lm_head.weight.copy_((torch.linalg.pinv(states) @ logits).T)
    return held


ORACLE = {ASKED: {A: 0.5, B: 0.5}, A: {A: 0.9, B: 0.1}, B: {A: 0.5, B: 0.5}}
STUDENT = {ASKED: {A: 0.8, B: 0.2}, A: {A: 0.6, B: 0.4}, B: {A: 0.5, B: 0.5}}


def test_the_worked_tree():
    oracle, student = bigrams(ORACLE), bigrams(STUDENT)
    first, after = 0.5 * log(0.5 / 0.8) + 0.5 * log(0.5 / 0.2), 0.9 * log(0.9 / 0.6) + 0.1 * log(0.1 / 0.4)
    assert first + 0.5 * after == pytest.approx(0.336288, abs=1e-6)
    [found] = distances.exact(oracle, student, ["?"])
    assert found == pytest.approx(first + 0.5 * after, abs=1e-6)  # not by the student's prefixes
    trees = [Tree([ASKED], ([A, B], [B, B], [A, A]))]
    [each] = distances.measure(oracle, student, trees)
    assert each == pytest.approx([first + after, first, first + after], abs=1e-6)


def test_exact_is_the_divergence_over_all_responses():
    one, other = policy(seed=1), policy(seed=2)
    going = [0, A, B, ASKED]
    ended = [(*said, END) for size in range(3) for said in product(going, repeat=size)]
    responses = ended + list(product(going, repeat=3))
    laws = []
    for held in (one, other):
        found = []
        for said in responses:
            with torch.no_grad():
                logps = held.model(input_ids=torch.tensor([[ASKED, B, *said]])).logits[0].log_softmax(-1)
            found.append(sum(float(logps[1 + at, word]) for at, word in enumerate(said)))
        laws.append(np.array(found))
    assert np.exp(laws[0]).sum() == pytest.approx(1)
    expected = (np.exp(laws[0]) * (laws[0] - laws[1])).sum()
    assert expected > 0.05
    assert distances.exact(one, other, ["? b"]) == pytest.approx([expected], rel=1e-5)
    assert distances.exact(one, one, ["? b", "?"]) == pytest.approx([0, 0], abs=1e-9)


def test_parts_of_a_tree_are_the_tree(monkeypatch):
    one, other = policy(seed=1, longest=4), policy(seed=2, longest=4)
    whole = distances.exact(one, other, ["? b", "a"])
    monkeypatch.setattr(distances.batches, "TOKENS", 30)
    assert distances.exact(one, other, ["? b", "a"]) == pytest.approx(whole)


def test_samples_estimate_it_with_less_noise_than_log_ratios():
    one, other = policy(seed=1), policy(seed=2)
    [exact] = distances.exact(one, other, ["? b"])
    trees = distances.drawn(one, ["? b"], n=3000, seed=5)
    [each] = distances.measure(one, other, trees)
    assert abs(each.mean() - exact) < 4 * each.std() / len(each) ** 0.5
    assert each.min() > 0
    ratios = []
    for said in trees[0].responses[:400]:
        logps = [
            held.model(input_ids=torch.tensor([[ASKED, B, *said]])).logits[0].log_softmax(-1).detach() for held in (one, other)
        ]
        ratios.append(sum(float(logps[0][1 + at, word] - logps[1][1 + at, word]) for at, word in enumerate(said)))
    assert each[:400].var() < 0.5 * np.var(ratios)
    assert min(ratios) < 0


def test_the_other_way_round_is_another_number():
    one, other = policy(seed=1), policy(seed=2)
    trees = distances.drawn(one, ["? b", "a"], n=5)
    forward, reverse = (distances.measure(one, other, trees, divergence=name) for name in ("forward_kl", "reverse_kl"))
    assert [len(part) for part in forward] == [5, 5]
    assert not np.allclose(np.concatenate(forward), np.concatenate(reverse), rtol=1e-2)
    small = distances.measure(one, other, trees, tokens=6)
    assert np.concatenate(small) == pytest.approx(np.concatenate(forward))


def test_other_words_and_too_many_prefixes_are_refused():
    one = policy()
    strange = Policy(one.model, train_tokenizer(["some other words"] * 9, vocabulary=300), one.lengths)
    with pytest.raises(TrainingError, match=r"other tokenizers; take models of one tokenizer"):
        distances.measure(one, strange, [Tree([A], ([B],))])
    long = Policy(one.model, one.tokenizer, Lengths(4, 12))
    with pytest.raises(TrainingError, match="4 words and 12 tokens have over 200,000 prefixes"):
        distances.exact(long, long, ["?"])
