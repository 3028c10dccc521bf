"""What written evaluations cost beside the bare forward passes over the same questions, and what sharing saves.

    python benchmarks/written_evals_speed.py [--rows N] [--width 64] [--layers 2] [--parts 5]

Every published question of ANTIVENOM_REAL_DATA/mwe_evals, tokens at hand, each way on the same part of the rows in turns.
"bare" computes each question once, in rows of like length padded on their right (which a causal model needs no mask for), and
its last token's logits: no options, no shared beginnings. "bare, with the tokens of options" adds those that options of several
tokens must be read at. Seconds are the processor's, on one thread: other work on the machine does not count.
"""

import argparse
import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import _report
import numpy as np
import torch

from pipelines.questions import reading
from rlhf_train import batches, options
from rlhf_train.evals import written_evals
from rlhf_train.models import policies
from rlhf_train.models.policies import Policy
from rlhf_train.text import prompt_ids

TOKENS = 4096
ASIDE = ("each option a row", "tokenization")  # measured on the first part alone


def asked(rows: int) -> tuple[list[str], list[list[str]]]:
    """Prompts and options of all published questions, or of some of them."""
    questions = reading.read(Path(os.environ["ANTIVENOM_REAL_DATA"]) / "mwe_evals").questions
    if rows:
        questions = questions.sample(rows, seed=0)
    return written_evals.written(questions.to_dict(as_series=False))


def padded(policy: Policy, rows: Sequence[list[int]], reads: Sequence[int] | None = None) -> None:
    """A plain transformers pass over the rows, sorted by length, and the logits of each row's last `reads` tokens (1)."""
    order = np.argsort([len(row) for row in rows], kind="stable")[::-1]
    at = 0
    with torch.inference_mode():
        while at < len(order):
            width = len(rows[order[at]])
            own = [rows[place] for place in order[at : at + max(TOKENS // width, 1)]]
            ids = torch.tensor([row + [0] * (width - len(row)) for row in own])
            hidden = policy.model.model(input_ids=ids, use_cache=False).last_hidden_state
            counts = [1] * len(own) if reads is None else [reads[place] for place in order[at : at + len(own)]]
            owners = np.repeat(np.arange(len(own)), counts)
            places = np.concatenate([np.arange(len(row) - count, len(row)) for row, count in zip(own, counts, strict=True)])
            policy.model.lm_head(hidden[owners, places]).float().log_softmax(-1)
            at += len(own)


def calls(policy: Policy, prompts: list[str], own: list[list[str]]) -> dict[str, Callable[[], Any]]:
    """What is compared."""
    firsts = np.cumsum([0, *map(len, own)])
    read = prompt_ids(policy.tokenizer, prompts, options.WHOLE)
    ids = options._option_ids(policy.tokenizer, own)
    tokens, _, _ = options._tokenized(policy, prompts, own, firsts)
    least = [[*one.read, *(token for rest in one.rests for token in rest[:-1])] for one in tokens]
    each = [([*ids_, *ids[option][:-2]], len(ids[option]) - 1) for ids_, said in zip(read, own, strict=True) for option in said]

    def ours() -> None:
        pieces = options._pieces(tokens, TOKENS)
        with torch.inference_mode():
            for batch in batches.in_order(options._rows(pieces), tokens=TOKENS):
                options._read(policy.model, batch.tensors)

    def tokenization() -> None:
        options._tokenized(policy, prompts, own, firsts)

    return {
        "bare": lambda: padded(policy, read),
        "bare, with the tokens of options": lambda: padded(policy, least),
        "each option a row": lambda: padded(policy, [row for row, _ in each], [count for _, count in each]),
        "ours, tokens at hand": ours,
        "tokenization": tokenization,
    }


def main() -> None:
    """A line a way, told and kept anew after each part of the rows."""
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--rows", type=int, default=0, help="0: all")
    ask.add_argument("--width", type=int, default=64)
    ask.add_argument("--layers", type=int, default=2)
    ask.add_argument("--parts", type=int, default=5)
    given = ask.parse_args()
    torch.set_num_threads(1)
    prompts, own = asked(given.rows)
    every = max(len(prompts) // 2000, 1)
    texts = [prompt + said[0] for prompt, said in zip(prompts[::every], own[::every], strict=True)]
    policy = policies.make(texts, width=given.width, layers=given.layers, steps=1)
    sizes = [len(ids) for ids in prompt_ids(policy.tokenizer, prompts, options.WHOLE)]
    fits = np.array([at for at, size in enumerate(sizes) if size < 1000])
    order = np.random.default_rng(0).permutation(fits)
    taken: dict[str, list[float]] = {}
    parts = np.array_split(order, given.parts)
    for turn, places in enumerate([order[:300], *parts]):  # the first warms up
        for name, call in calls(policy, [prompts[at] for at in places], [own[at] for at in places]).items():
            if name in ASIDE and turn > 1:
                continue
            start = time.process_time()
            call()
            if turn:
                taken.setdefault(name, []).append(time.process_time() - start)
        print(f"part {turn} of {given.parts}", {name: round(seconds[-1], 2) for name, seconds in taken.items()}, flush=True)
        if turn:
            done = [len(part) for part in parts[:turn]]
            model = f"{given.layers} layers, {given.width} wide"
            _report.save(
                "written_evals_speed", [{"model": model, **line} for line in table(taken, done, float(np.mean(sizes)))]
            )


def table(taken: Mapping[str, Sequence[float]], counts: Sequence[int], tokens: float) -> list[dict[str, Any]]:
    """A line a way; ratios are medians over the parts, of `counts` questions, that it was measured on."""
    bare, more = (np.array(taken[name]) for name in ("bare", "bare, with the tokens of options"))
    return [
        {
            "way": name,
            "questions": sum(counts[: len(seconds)]),
            "tokens": tokens,
            "us a question": sum(seconds) / sum(counts[: len(seconds)]) * 1e6,
            "bare / it": float(np.median(bare[: len(seconds)] / seconds)),
            "least": float((bare[: len(seconds)] / seconds).min()),
            "most": float((bare[: len(seconds)] / seconds).max()),
            "bare with options / it": float(np.median(more[: len(seconds)] / seconds)),
        }
        for name, seconds in taken.items()
    ]


if __name__ == "__main__":
    main()
