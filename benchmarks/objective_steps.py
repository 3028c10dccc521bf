"""What an objective's step costs beside the bare passes that it needs: forward and backward of the packed rows, nothing else.

The rows are those that the objective makes of one table, packed as in training; the step is learning, clipping and the
optimizer's, with references and margins given beforehand as in a run. The bare passes are as many as the objective needs:
a forward and a backward for each batch, and one forward more without gradient where a loss looks twice (ift), or where it is of
a step as a whole and the step has several batches.

    python benchmarks/objective_steps.py [--times 7] [--pairs 16] [--tokens 4096]
"""

import argparse
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import _report
import numpy as np
import polars as pl
import torch

from assets.steps import answers_of, prompts_of, texts_of
from pipelines.sources import synthetic
from rlhf_train import lessons, rollouts
from rlhf_train.batches import Batch
from rlhf_train.inputs import hidden_states, plain
from rlhf_train.logps import token_logps
from rlhf_train.loop import Forward, Loop
from rlhf_train.models import opening, policies
from rlhf_train.models.heads import WithValues
from rlhf_train.numbers import given_to
from rlhf_train.objectives import OBJECTIVES
from rlhf_train.spec import Spec

WIDTH, LAYERS, VOCABULARY = 192, 4, 2048
LENGTHS = {"prompt_tokens": 64, "response_tokens": 96}
TWICE = ("ift",)
APART = ("distillation",)  # distillation_steps.py: it needs a teacher


def main() -> None:
    """A line an objective."""
    words = argparse.ArgumentParser()
    words.add_argument("--times", type=int, default=7)
    words.add_argument("--pairs", type=int, default=16)
    words.add_argument("--tokens", type=int, default=4096)
    said = words.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        pairs = synthetic.read(n=4 * said.pairs, seed=0)
        policies.make(texts_of(pairs), vocabulary=VOCABULARY, width=WIDTH, layers=LAYERS, steps=5).save(work / "policy")
        table(pairs).write_parquet(work / "table.parquet")
        lines = [measured(name, work, said.pairs, said.tokens, said.times) for name in OBJECTIVES if name not in APART]
    _report.save("objective_steps", lines)


def table(pairs: pl.DataFrame) -> pl.DataFrame:
    """Every column that an objective may want, a row a pair; the response is the chosen one."""
    random, count = np.random.default_rng(0), len(pairs)
    chosen, rejected = (answers_of(pairs, side) for side in ("chosen", "rejected"))
    texts = {"prompt": prompts_of(pairs), "chosen": chosen, "rejected": rejected, "response": chosen}
    names = ("reward", "value", "chosen_margins", "rejected_margins")
    # two rows a prompt, so that stored responses have others beside them
    return pl.DataFrame(
        texts
        | {"prompt": [texts["prompt"][at // 2] for at in range(count)]}
        | {name: random.uniform(0.1, 0.9, count) for name in names}
    )


def measured(name: str, work: Path, size: int, tokens: int, times: int) -> dict[str, Any]:
    """Medians of a step and of its bare passes, taken in turns, and their ratio."""
    from accelerate import Accelerator
    from accelerate.state import AcceleratorState

    objective = OBJECTIVES[name]
    model, batches = prepared(name, work, size, tokens)
    AcceleratorState._reset_state()
    accelerator = Accelerator(cpu=True, mixed_precision="no")
    forward = Forward(model, objective.inputs, **given_to(objective.inputs, {}))
    learning = [weights for weights in model.parameters() if weights.requires_grad]
    optimizer = torch.optim.AdamW(learning, lr=1e-6, fused=True)
    loop = Loop(accelerator, forward, objective, {})

    def step() -> None:
        loop.learn(batches, 0)
        loop.clip(1.0, 0)
        optimizer.step()
        optimizer.zero_grad()

    looks = 1 + (name in TWICE or (objective.whole and len(batches) > 1))
    taken = _report.alternate({"step": step, "bare": lambda: bare(model, batches, looks)}, times=times)
    middle = {what: _report.median(seconds) for what, seconds in taken.items()}
    row = {
        "objective": name,
        "forwards": looks,
        "batches": len(batches),
        "tokens": sum(batch.tensors["input_ids"].shape[1] for batch in batches),
        "step, ms": 1000 * middle["step"],
        "bare passes, ms": 1000 * middle["bare"],
        "ratio": middle["step"] / middle["bare"],
    }
    print(row, flush=True)
    return row


def prepared(name: str, work: Path, size: int, tokens: int) -> tuple[Any, Sequence[Batch]]:
    """The module that learns by an objective, and the batches of its first step."""
    spec = Spec(
        name if name != "ppo" else "sft",
        str(work / "table.parquet"),
        str(work / "policy"),
        str(work / "out"),
        batch=size,
        tokens=tokens,
        mixed_precision="no",
        most_identical=1.0,
        **LENGTHS,
    )
    held = opening.begun(spec, scored=OBJECTIVES[name].scored)
    if name == "ppo":
        return of_answers(held, size)
    lesson = lessons.of_table(spec, held, lambda done, of: None)
    return lesson.model, next(iter(lesson.source(0, 0, 1)))


def of_answers(held: Any, size: int) -> tuple[Any, Sequence[Batch]]:
    """As a round of ppo makes them, of answers that are marked at random."""
    model = WithValues(held.model)
    prompts = prompts_of(synthetic.read(n=size, seed=1))
    scorer: Callable[..., np.ndarray] = lambda asked, said: np.random.default_rng(0).normal(size=len(said))  # noqa: E731
    round_ = rollouts.Round(prompts=size, batch=size, epochs=1)
    return model, next(iter(rollouts.ppo(model, held, held, prompts, scorer, round_)(0, 0, 1)))


def bare(model: Any, batches: Sequence[Batch], looks: int) -> None:
    """Forward and backward of the model's body and head over the rows, as often forward as the objective looks at them."""
    inner = getattr(model, "policy", model)
    for batch in batches:
        for _ in range(looks - 1):
            with torch.no_grad():
                _passed(inner, batch.tensors)
        found = _passed(inner, batch.tensors)
        if found.requires_grad:
            found.sum().backward()
    for weights in model.parameters():
        weights.grad = None


def _passed(model: Any, batch: dict[str, Any]) -> torch.Tensor:
    hidden = hidden_states(model, batch)
    if hasattr(plain(model), "score"):
        return plain(model).score(hidden[batch["ends"]])
    head = model.get_output_embeddings()
    return token_logps(hidden[batch["predictors"]], head.weight, batch["targets"], head.bias)


if __name__ == "__main__":
    main()
