"""Rows for any objective: numbered words, and every number that it asks for, drawn by seed."""

import numpy as np
import torch

from rlhf_train import batches, scales
from rlhf_train.numbers import given_to
from rlhf_train.text import Lengths
from tests.rlhf_train.conftest import WORDS

COUNT = 9
LONGEST = 11  # words of a text
KEPT = 5  # words of a teacher's law
NUMBERS = {"trimmed_bradley_terry": {"share": 0.3}, "winsorised_bradley_terry": {"share": 0.3}}  # 5 % of nine rows is one
SIDES = {"ref_token_logps": "response"}  # whose tokens an array is of, where its name does not begin with it


class Numbered:
    """A tokenizer of texts such as "5 17 3"; 1 ends a text."""

    eos_token_id, eos_token, bos_token_id = 1, "1", None

    def __call__(self, texts, **_):
        if isinstance(texts, str):
            return {"input_ids": [2]}
        return {"input_ids": [[number(word) for word in text.split()] for text in texts]}

    def convert_ids_to_tokens(self, ids):
        return [str(word) for word in ids]

    def decode(self, ids, **_):
        return " ".join(map(str, ids))


def number(word):
    """Its own, or one that its letters make."""
    return int(word) if word.isdigit() else 2 + sum(word.encode()) % (WORDS - 2)


def table(objective, seed=0):
    """Every column of an objective; two prompts of three stand there twice."""
    random = np.random.default_rng(seed)

    def text():
        return " ".join(map(str, random.integers(2, WORDS, random.integers(1, LONGEST + 1))))

    columns = {name: [text() for _ in range(COUNT)] for name in objective.columns}
    if "response" in columns:
        columns["prompt"] = [columns["prompt"][at % 6] for at in range(COUNT)]
    if "ref_mismatched_logps" in objective.given:
        columns["mismatched"] = batches.mismatched(columns)
    held = {name: random.uniform(0.1, 0.9, COUNT) for name in objective.scores}
    if "standard_reward" in objective.given:
        held["standard_reward"] = scales.standardised(held["reward"])
    if "teacher_logps" in objective.given:
        sizes = [len(said.split()) + 1 for said in columns["response"]]
        held["teacher_ids"] = [random.permuted(np.tile(np.arange(WORDS), (size, 1)), axis=1)[:, :KEPT] for size in sizes]
        held["teacher_logps"] = [np.log(random.dirichlet(np.ones(KEPT + 1), size)[:, :-1]).astype(np.float32) for size in sizes]
    for name in [name for name in objective.given if name not in held]:
        side = SIDES.get(name, name.removeprefix("ref_").partition("_")[0])
        sizes = [len(said.split()) + 1 for said in columns[side]]
        if name in SIDES or not name.endswith("_logps"):
            held[name] = [
                random.normal(-5.0 if name.endswith("logps") else 2.0, 1.0, size).astype(np.float32) for size in sizes
            ]
        else:
            held[name] = -6.0 * np.array(sizes) + random.normal(size=COUNT)
    return {**columns, **held}


def rows(objective, seed=0, **numbers):
    """The rows of that table."""
    given = given_to(objective.rows, numbers)
    return objective.rows(table(objective, seed), Numbered(), Lengths(2 * LONGEST, 2 * LONGEST), **given)


def model_of(objective, body, kind="llama", **numbers):
    """An untrained model as the objective has it learn."""
    model = body(kind, scored=objective.scored)
    torch.manual_seed(0)
    return objective.module(model, **given_to(objective.module, numbers)) if objective.module else model
