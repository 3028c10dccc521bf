"""What a step of distillation costs beside a teacher's forward pass and a student's forward and backward; what kept laws lose.

    python benchmarks/distillation_steps.py [--times 9] [--rows 32]

Laws are asked of the teacher at every step, or kept beforehand: all of them, or their likeliest tokens and the rest as one. Of
a kept law the divergence is told beside the whole one's, and how far the student's gradient turns.
"""

import argparse
from collections.abc import Mapping
from typing import Any

import _report
import torch
from objective_steps import WIDTH

from assets.steps import answers_of, prompts_of, texts_of
from pipelines.sources import synthetic
from rlhf_train import batches, distilling
from rlhf_train.batches import Batch
from rlhf_train.inputs import hidden_states
from rlhf_train.logps import token_logps
from rlhf_train.loop import Forward, Loop
from rlhf_train.models import policies
from rlhf_train.objectives import OBJECTIVES
from rlhf_train.text import Lengths

VOCABULARY = 4096
KEPT = (4, 16, 64, 256)


def main() -> None:
    """A line a way of having the laws."""
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--times", type=int, default=9)
    ask.add_argument("--rows", type=int, default=32)
    given = ask.parse_args()
    torch.set_num_threads(1)
    pairs = synthetic.read(n=800, seed=0)
    sizes = {"teacher": (2 * WIDTH, 4, 60), "student": (WIDTH, 4, 20)}  # width, layers, steps: the student knows less
    held = {
        name: policies.make(texts_of(pairs), vocabulary=VOCABULARY, width=width, layers=layers, steps=steps)
        for name, (width, layers, steps) in sizes.items()
    }
    columns = {"prompt": prompts_of(pairs)[: given.rows], "response": answers_of(pairs, "chosen")[: given.rows]}
    _report.save("distillation_steps", measured(held["teacher"], held["student"].model, columns, given.times))


def measured(teacher: Any, student: Any, columns: Mapping[str, Any], times: int) -> list[dict[str, Any]]:
    """Medians, taken in turns, of a step each way and of the bare passes; and of kept laws what they lose."""
    rows = distilling.rows(columns, teacher.tokenizer, Lengths(64, 96))
    (batch,) = batches.in_order(rows, tokens=10**9)
    optimizer = torch.optim.AdamW(student.parameters(), lr=0.0, fused=True)  # the weights stay, and so do the gradients
    ways = {"asked": (distilling.live, {"teacher": teacher.model}, batch)}
    for top_k in (*KEPT, VOCABULARY):
        ways[f"kept, {top_k}" if top_k < VOCABULARY else "kept whole"] = (distilling.kept, {}, with_laws(teacher, batch, top_k))
    loops = {name: loop(student, *way[:2]) for name, way in ways.items()}

    def step(name: str) -> float:
        row = loops[name].learn([ways[name][2]], 0)
        loops[name].clip(1.0, 0)
        optimizer.step()
        optimizer.zero_grad()
        return row["nats"]

    calls: dict[str, Any] = {name: lambda name=name: step(name) for name in ways}
    taken = _report.alternate({**calls, "bare": lambda: bare(teacher.model, student, batch)}, times=times)
    middle = {name: _report.median(seconds) for name, seconds in taken.items()}
    slopes = {name: gradient(loops[name], student, ways[name][2]) for name in ways}
    whole = step("asked")
    return [
        {
            "laws": name,
            "step, ms": 1000 * middle[name],
            "bare passes, ms": 1000 * middle["bare"],
            "ratio": middle[name] / middle["bare"],
            "nats": (nats := step(name)),
            "of the whole": nats / whole,
            "cosine of gradients": float(torch.cosine_similarity(slopes[name], slopes["asked"], dim=0)),
            "numbers a token": VOCABULARY if name in ("asked", "kept whole") else 2 * int(name.split()[-1]),
        }
        for name in ways
    ]


def with_laws(teacher: Any, batch: Batch, top_k: int) -> Batch:
    """The batch with what is kept of the teacher's laws."""
    logps, ids = distilling.laws(teacher.model, batch.tensors, top_k=top_k)
    return Batch({**batch.tensors, "given": {"teacher_logps": logps, "teacher_ids": ids}}, batch.share, batch.places)


def loop(student: Any, inputs: Any, more: Mapping[str, Any]) -> Loop:
    """The trainer's own."""
    from accelerate import Accelerator
    from accelerate.state import AcceleratorState

    AcceleratorState._reset_state()
    return Loop(Accelerator(cpu=True, mixed_precision="no"), Forward(student, inputs, **more), OBJECTIVES["distillation"], {})


def gradient(held: Loop, student: Any, batch: Batch) -> torch.Tensor:
    """Of all weights, in one line."""
    held.learn([batch], 0)
    found = torch.cat([weights.grad.double().flatten() for weights in student.parameters()])
    for weights in student.parameters():
        weights.grad = None
    return found


def bare(teacher: Any, student: Any, batch: Batch) -> None:
    """The teacher's laws, and forward and backward of a likelihood by the student: what any distillation must compute."""
    tensors = batch.tensors
    with torch.no_grad():
        teacher.get_output_embeddings()(hidden_states(teacher, tensors)[tensors["predictors"]]).log_softmax(-1)
    hidden, head = hidden_states(student, tensors)[tensors["predictors"]], student.get_output_embeddings()
    token_logps(hidden, head.weight, tensors["targets"], head.bias).sum().backward()
    for weights in student.parameters():
        weights.grad = None


if __name__ == "__main__":
    main()
