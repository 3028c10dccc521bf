"""Pairs a second of DPO and reward-model training: our loop and TRL's trainers.

Same model, same pairs, same batch, same precision, references precomputed for both; an epoch each in turns, medians. TRL runs
in three ways: a step at once; in four accumulated batches of like length; and a pair at a time, where nothing is padded.
"""

import argparse

import _report
import _training
import torch

WAYS = {
    "TRL at once": {},
    "TRL in four by length": {"parts": 4, "sampling": "group_by_length"},
    "TRL by single pairs": {"parts": 0},
}


def main() -> None:
    """A table over objectives and precisions."""
    words = argparse.ArgumentParser()
    words.add_argument("--times", type=int, default=3)
    words.add_argument("--pairs", type=int, default=96)
    words.add_argument("--vocabulary", type=int, default=16_384)
    words.add_argument("--objectives", nargs="+", default=["dpo", "bradley_terry"])
    words.add_argument("--precisions", nargs="+", default=["no", "bf16"])
    said = words.parse_args()
    torch.set_num_threads(2)
    given = _training.setting(pairs=said.pairs, vocabulary=said.vocabulary)
    told = _training.shape(given)
    rows = [measured(given, kind, precision, said.times) for kind in said.objectives for precision in said.precisions]
    print(", ".join(f"{name} {value:.4g}" for name, value in told.items()))
    _report.save("training_speed" if said.vocabulary == 16_384 else f"training_speed_{said.vocabulary}", rows)


def measured(given: _training.Setting, kind: str, precision: str, times: int) -> dict[str, object]:
    """A row: pairs a second by each way, and the ratios."""
    calls = {
        "ours": _training.ours(given, kind, precision),
        "ours compiled": _training.ours(given, kind, precision, compile=True),
        **{name: _training.theirs(given, kind, precision, **way) for name, way in WAYS.items()},
    }
    calls["ours compiled"]()  # compiles
    taken: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(times):
        for name, call in calls.items():
            taken[name].append(call())
    middle = {name: _report.median(seconds) for name, seconds in taken.items()}
    row = {
        "objective": kind,
        "precision": precision,
        **{f"{name}, pairs/s": len(given.columns["prompt"]) / middle[name] for name in calls},
        "times TRL at once": middle["TRL at once"] / middle["ours"],
        "times TRL's quickest": min(middle[name] for name in WAYS) / middle["ours"],
    }
    print(row, flush=True)
    return row


if __name__ == "__main__":
    main()
