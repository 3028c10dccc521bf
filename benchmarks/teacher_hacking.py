"""Teacher hacking: does a student that comes closer to its teacher move away from the oracle, and on whose answers?

    python benchmarks/teacher_hacking.py [--seeds 0 1 2] [--steps 3000]

Every arm of a seed begins with the same student and teacher; told are the golden distance KL(oracle || student), exact, its
least and its last, the proxy distance KL(teacher || student) at both, and where the proxy departs from its power law.
"""

import argparse
import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import _distilled as world
import _report
import torch

from rlhf_train.evals import teacher_hacking

ARMS: Mapping[str, Mapping[str, Any]] = {
    "stored, 1 a prompt": {"speaker": "table", "k": 1},
    "stored, 5 a prompt": {"speaker": "table", "k": 5},
    "stored, 5 a prompt, a fifth of the prompts": {"speaker": "table", "k": 5, "prompts": 60},
    "fresh of the teacher": {"speaker": "teacher"},
    "fresh of the student": {"speaker": "student"},
}


def told(arm: str, seed: int, lines: Sequence[Mapping[str, float]], teacher: float) -> dict[str, Any]:
    """What came of a run; `teacher` is the teacher's own golden distance."""
    steps, golden, proxy = ([line[name] for line in lines[1:]] for name in ("step", "golden", "proxy"))
    found = teacher_hacking.rebound(steps, golden, teacher)
    best = steps.index(found.step)
    return {
        "arm": arm,
        "seed": seed,
        "golden, least": golden[best],
        "at step": found.step,
        "golden, last": golden[-1],
        "rebound": found.total,
        "of it beyond the teacher": found.data,
        "proxy there": proxy[best],
        "proxy, last": proxy[-1],
        "hacking": teacher_hacking.regimes(proxy, golden).count("hack"),
        "departs at": teacher_hacking.departure(steps, proxy),
    }


def main() -> None:
    """A line an arm and seed, and every trace."""
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    ask.add_argument("--steps", type=int, default=world.Scale().steps)
    given = ask.parse_args()
    torch.set_num_threads(1)
    scale = dataclasses.replace(world.Scale(), steps=given.steps)
    lines: list[dict[str, Any]] = []
    traces: list[dict[str, Any]] = []
    for seed in given.seeds:
        held = world.world(scale, seed)
        teacher = world.golden(held, held.teacher)
        print({"seed": seed, "teacher": teacher, "student": world.golden(held, held.student)}, flush=True)
        for arm, how in ARMS.items():
            trace = world.distilled(held, how, seed)
            traces += [{"arm": arm, "seed": seed, **line} for line in trace]
            lines.append(told(arm, seed, trace, teacher))
            print(lines[-1], flush=True)
    _report.save("teacher_hacking", lines)
    _report.save("teacher_hacking_traces", traces)


if __name__ == "__main__":
    main()
