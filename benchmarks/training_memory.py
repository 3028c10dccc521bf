"""Peak memory of training at a vocabulary of 128,000: our loop and TRL's trainers, each in a process of its own.

`peak` is the whole process; `training` is what came on top of libraries and data: weights, gradients, optimizer, activations,
logits. TRL's ways are those of training_speed.py.
"""

import json
import subprocess
import sys
from pathlib import Path

import _report
import _training
import torch
from training_speed import WAYS

WORDS = 128_000
PAIRS = 32


def main() -> None:
    """A table over objectives; with two arguments, one measurement as JSON."""
    if len(sys.argv) == 3:
        print(json.dumps(measured(*sys.argv[1:])))
        return
    rows = []
    for kind in ("dpo", "bradley_terry"):
        found = {who: _child(who, kind) for who in ("ours", *WAYS)}
        for who, numbers in found.items():
            shares = {f"{name} of TRL's": found["ours"][name] / numbers[name] for name in ("peak", "training")}
            rows.append({"objective": kind, "by": who, **{f"{name}, MiB": value for name, value in numbers.items()}, **shares})
    _report.save("training_memory", rows)


def measured(who: str, kind: str) -> dict[str, float]:
    """MiB at the peak of one epoch."""
    torch.set_num_threads(2)
    given = _training.setting(pairs=PAIRS, vocabulary=WORDS, width=256, layers=4)
    epoch = _training.ours(given, kind, "no") if who == "ours" else _training.theirs(given, kind, "no", **WAYS[who])
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    before = _kibibytes("VmRSS")
    epoch()
    return {"peak": _kibibytes("VmHWM") / 1024, "training": (_kibibytes("VmHWM") - before) / 1024}


def _kibibytes(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name))


def _child(who: str, kind: str) -> dict[str, float]:
    done = subprocess.run([sys.executable, __file__, who, kind], capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


if __name__ == "__main__":
    main()
