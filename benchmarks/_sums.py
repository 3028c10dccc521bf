"""Sums of two numbers of two digits, a token a character, digits from behind: 37 + 86 = 123 is "73+68=" and "321".

A small Llama comes to know them all of a sudden; it is taken as soon as it knows half of them.
"""

import contextlib
import copy
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from rlhf_train import batches
from rlhf_train.generate import sample
from rlhf_train.inputs import response_logps
from rlhf_train.models import policies
from rlhf_train.models.policies import Policy
from rlhf_train.numbers import given_to
from rlhf_train.objectives import OBJECTIVES
from rlhf_train.text import Lengths, Tokenizer
from rlhf_train.train import fit

LENGTHS = Lengths(prompt=6, response=3)
SIZE = 32  # sums a step
LR = 5e-3
HELD_OUT = 500
KNOWN, MOST = 0.5, 2000  # what share is known when teaching stops, and after how many steps at the latest
EVERY = 25
PLAIN: dict[str, Any] = {"weight_decay": 0.0, "mixed_precision": "no"}
Columns = Mapping[str, list[str]]


def tables(seed: int) -> tuple[Columns, Columns]:
    """(what is learned, what is held out): all sums of 0 to 99, dealt by seed."""
    order = np.random.default_rng(seed).permutation(100 * 100)
    said = [(f"{at // 100:02}"[::-1] + "+" + f"{at % 100:02}"[::-1] + "=", f"{at // 100 + at % 100:03}"[::-1]) for at in order]
    columns = {"prompt": [asked for asked, _ in said], "response": [answer for _, answer in said]}
    return (
        {name: texts[HELD_OUT:] for name, texts in columns.items()},
        {name: texts[:HELD_OUT] for name, texts in columns.items()},
    )


def tokenizer() -> Tokenizer:
    """A token a character."""
    from tokenizers import Regex, models, pre_tokenizers
    from tokenizers import Tokenizer as Bare
    from transformers import PreTrainedTokenizerFast

    words = ["<pad>", "<end>", *"0123456789+="]
    bare = Bare(models.WordLevel({word: at for at, word in enumerate(words)}, unk_token="<pad>"))
    bare.pre_tokenizer = pre_tokenizers.Split(Regex("."), "isolated")
    return PreTrainedTokenizerFast(tokenizer_object=bare, pad_token="<pad>", eos_token="<end>", padding_side="left")


def untaught(seed: int, *, width: int = 64, layers: int = 2) -> Policy:
    """A Llama of random weights, its head not tied to its embeddings."""
    from transformers import LlamaConfig, LlamaForCausalLM

    marks = tokenizer()
    sizes = {"hidden_size": width, "intermediate_size": 4 * width, "num_hidden_layers": layers}
    heads = {"num_attention_heads": 4, "num_key_value_heads": 4, "max_position_embeddings": 32}
    ends = {"pad_token_id": 0, "eos_token_id": 1, "bos_token_id": None}
    torch.manual_seed(seed)
    model = LlamaForCausalLM(LlamaConfig(vocab_size=len(marks), tie_word_embeddings=False, **sizes, **heads, **ends))
    policies.prepare(model)
    return Policy(model, marks, LENGTHS)


class Known(Exception):
    """Enough is known."""


def base(columns: Columns, held_out: Columns, seed: int) -> tuple[Policy, int]:
    """A policy that was taught until it knows KNOWN of the held-out sums, and after how many steps that was."""
    policy, steps = untaught(seed), [0]

    def watch(done: int, of: int, row: Mapping[str, float]) -> None:
        steps[0] = done
        if done % EVERY == 0 and row["loss"] < 0.9 and measured(policy, held_out)[0] >= KNOWN:
            raise Known

    source = batches.shuffled(batches.responses(columns, policy.tokenizer, LENGTHS), size=SIZE, seed=seed)
    with contextlib.suppress(Known):
        fit(policy.model, OBJECTIVES["sft"], source, steps=MOST, lr=LR, decay="constant", seed=seed, watch=watch, **PLAIN)
    policy.model.eval()
    return policy, steps[0]


def taught(
    policy: Policy, columns: Columns, numbers: Mapping[str, Any], *, steps: int, lr: float, seed: int
) -> tuple[Policy, float]:
    """A copy of the policy after `steps` steps of the objective ift with these numbers; and the share of tokens pushed away."""
    objective = OBJECTIVES["ift"]
    model = copy.deepcopy(policy.model)
    if objective.module is not None:
        objective.module(model, **given_to(objective.module, numbers))
    source = batches.shuffled(objective.rows(columns, policy.tokenizer, LENGTHS), size=SIZE, seed=seed + 100)
    told = fit(model, objective, source, steps=steps, lr=lr, seed=seed, numbers=numbers, **PLAIN)
    return Policy(model, policy.tokenizer, LENGTHS), float(np.mean([row["pushed_away"] for row in told]))


def measured(policy: Policy, columns: Columns) -> tuple[float, float]:
    """(the share of sums that are answered rightly, the negative log-likelihood of a token of the right answer)."""
    said = sample(policy, columns["prompt"], temperature=0.0, lengths=Lengths(prompt=6, response=4))
    right = [answer.replace(" ", "") == wanted for answer, wanted in zip(said, columns["response"], strict=True)]
    rows = batches.responses(columns, policy.tokenizer, LENGTHS)
    with torch.no_grad():
        logps = response_logps(policy.model, rows.pack(np.arange(len(rows))))["token_logps"]
    return float(np.mean(right)), -float(logps.mean())
