"""Direct preference heads on the phrase language: what the head learns, and what learning it does to what the policy says.

    python benchmarks/direct_preference_head.py [--seeds 0 1 2] [--pairs 1500]

Each mode begins with the same imitating policy and learns from pairs that are labelled by chance, as Bradley and Terry have it.
Told: how often the head, and DPO's implicit reward, find the better of two held-out answers (by the hidden reward); the KL of
the policy as it began from what it became, in nats a token of held-out answers; and the hidden reward of the best of 8 answers,
which the policy as it began draws and the head picks.
"""

import argparse
import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import _phrases as phrases
import _report
import numpy as np
import torch
from _preferring import NARROW, Setting, measured, setting

from rlhf_train import batches
from rlhf_train.models.preference_heads import WithPreferenceHead
from rlhf_train.numbers import given_to
from rlhf_train.objectives import OBJECTIVES
from rlhf_train.train import fit

STEPS, SIZE, LR = 250, 16, 3e-3
FLIPPED, LATE = 0.2, 2 * STEPS


@dataclass(frozen=True)
class Mode:
    """An objective with its numbers, how strongly weights are drawn to where they began, and how it is trained."""

    objective: str
    numbers: Mapping[str, Any] = field(default_factory=dict)
    anchor: float = 0.0
    lr: float = LR
    steps: int = STEPS


def frozen(**numbers: Any) -> Mode:
    """A head alone: what is read does not change, and a step costs half, so that it is given more of both."""
    return Mode("direct_preference_head", numbers, lr=1e-2, steps=2 * STEPS)


MODES: Mapping[str, Mode] = {
    "frozen, separable": frozen(),
    "frozen, contrastive": frozen(kind="contrastive"),
    "full, separable": Mode("direct_preference_head", {"backbone": "full"}),
    "drawn by 0.5, separable": Mode("direct_preference_head", {"backbone": "drawn"}, 0.5),
    "drawn by 10, separable": Mode("direct_preference_head", {"backbone": "drawn"}, 10.0),
    "joint, separable": Mode("joint_preference_head", {"backbone": "full"}),
    "joint, drawn by 10": Mode("joint_preference_head", {"backbone": "drawn"}, 10.0),
    "cDPO alone": Mode("joint_preference_head", {"backbone": "full", "head_weight": 0.0}),
}
OF_NARROW = "frozen, states half as wide"


def trained(
    held: Setting, mode: Mode, seed: int, *, learned: Mapping[str, Any] | None = None
) -> tuple[WithPreferenceHead, list[dict[str, float]]]:
    """The policy with its head after a run, and the run's metrics."""
    objective, columns = OBJECTIVES[mode.objective], learned or held.learned
    assert objective.module is not None
    torch.manual_seed(seed)
    model = objective.module(copy.deepcopy(held.policy.model), **given_to(objective.module, mode.numbers))
    given = {name: columns[name] for name in (*objective.columns, *objective.given)}
    source = batches.shuffled(objective.rows(given, held.policy.tokenizer, phrases.LENGTHS), size=SIZE, seed=seed)
    options = {"lr": mode.lr, "anchor": mode.anchor, "numbers": mode.numbers, "mixed_precision": "no", "seed": seed}
    return model, fit(model, objective, source, steps=mode.steps, **options)


def flipped(held: Setting, seed: int) -> dict[str, float]:
    """Mean sizes of rewards late in training, a share of the labels turned: with the noise of the loss, and without."""
    hit = np.random.default_rng([seed, 7]).random(len(held.learned["prompt"])) < FLIPPED
    sides = list(zip(held.learned["chosen"], held.learned["rejected"], strict=True))
    turned = [pair[::-1] if wrong else pair for pair, wrong in zip(sides, hit, strict=True)]
    learned = {"prompt": held.learned["prompt"], "chosen": [won for won, _ in turned], "rejected": [lost for _, lost in turned]}
    found = {}
    for noise in (0.1, 0.0):
        mode = Mode("direct_preference_head", {"backbone": "full", "noise": noise}, steps=LATE)
        told = trained(held, mode, seed, learned=learned)[1]
        found[f"noise {noise:g}"] = float(np.mean([row["reward_size"] for row in told[-LATE // 10 :]]))
    return found


def criteria(lines: Sequence[Mapping[str, Any]], sizes: Sequence[Mapping[str, float]]) -> list[dict[str, Any]]:
    """What had to hold, of means over seeds, the first of every seed; and whether it did."""

    def mean(mode: str, what: str) -> float:
        return float(np.mean([line[what] for line in lines if line["mode"] == mode]))

    alone = [line for line in lines if MODES.get(line["mode"]) in (MODES["frozen, separable"], MODES["frozen, contrastive"])]
    still, known = max(line["logits moved"] for line in alone), min(line["head"] for line in alone)
    head, policy = mean("full, separable", "head"), mean("cDPO alone", "implicit")
    cut = mean("full, separable", "KL") / mean("drawn by 10, separable", "KL")
    lost = head - mean("drawn by 10, separable", "head")
    gains = {mode: mean(mode, "best of 8") - mean(mode, "random") for mode in MODES if mode != "cDPO alone"}
    least = min(gains, key=lambda mode: gains[mode])
    with_noise, without = (float(np.mean([size[f"noise {noise:g}"] for size in sizes])) for noise in (0.1, 0.0))
    return [
        _criterion(
            "(i) frozen: logits move by 0, head >= 0.70, every seed", f"{still:g}, {known:.3f}", still == 0 and known >= 0.7
        ),
        _criterion("(ii) full: head >= cDPO's implicit - 0.02", f"{head:.3f}, {policy:.3f}", head >= policy - 0.02),
        _criterion(
            "(iii) drawn by 10: KL cut >= 5 times, head loses <= 0.10", f"{cut:.1f}, {lost:.3f}", cut >= 5 and lost <= 0.1
        ),
        _criterion("(iv) best of 8 over random >= 0.5, every mode", f"{gains[least]:.3f} ({least})", gains[least] >= 0.5),
        _criterion(
            f"(v) {FLIPPED:.0%} turned, late: mean |r| <= 2.5 with noise 0.1, beyond without",
            f"{with_noise:.2f}, {without:.2f}",
            with_noise <= 2.5 < without,
        ),
    ]


def _criterion(said: str, measured: str, holds: bool) -> dict[str, Any]:
    return {"criterion": said, "measured": measured, "holds": bool(holds)}


def summed(lines: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """A line a mode: means over seeds and their standard errors."""
    found = []
    for mode in (*MODES, OF_NARROW):
        own = [line for line in lines if line["mode"] == mode]
        line: dict[str, Any] = {"mode": mode, "seeds": len(own)}
        for what in ("head", "implicit", "KL", "best of 8", "random"):
            values = np.array([each[what] for each in own])
            line |= {what: float(values.mean()), f"{what} se": float(values.std(ddof=1) / len(values) ** 0.5)}
        found.append({**line, "logits moved": max(each["logits moved"] for each in own)})
    return found


def main() -> None:
    """Prints a line a mode and what holds, and writes them."""
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    ask.add_argument("--pairs", type=int, default=1500)
    given = ask.parse_args()
    torch.set_num_threads(1)
    lines: list[dict[str, Any]] = []
    sizes = []
    for seed in given.seeds:
        held = setting(seed, given.pairs)
        for name, mode in MODES.items():
            lines.append({"seed": seed, "mode": name, **measured(held, trained(held, mode, seed)[0])})
            print(lines[-1], flush=True)
        narrow = setting(seed, given.pairs, NARROW)
        lines.append({"seed": seed, "mode": OF_NARROW, **measured(narrow, trained(narrow, frozen(), seed)[0])})
        sizes.append(flipped(held, seed))
        print(sizes[-1], flush=True)
    _report.save("direct_preference_head", summed(lines))
    _report.save("direct_preference_head_criteria", criteria(lines, sizes))


if __name__ == "__main__":
    main()
