"""Pairs a second of DPO and reward-model training: our loop, TRL's trainers, and the least that the same tokens cost.

Same model, same pairs, same batch, same precision, references precomputed for both; an epoch each in turns, medians. TRL runs
in the way that is quicker here: a step at once, or in four accumulated batches that waste less on padding.
"""

import argparse

import _report
import _training
import torch


def main() -> None:
    """A table over objectives and precisions."""
    words = argparse.ArgumentParser()
    words.add_argument("--times", type=int, default=3)
    words.add_argument("--pairs", type=int, default=96)
    words.add_argument("--precisions", nargs="+", default=["no", "bf16"])
    said = words.parse_args()
    torch.set_num_threads(2)
    given = _training.setting(pairs=said.pairs)
    told = _training.shape(given)
    rows = []
    for kind in ("dpo", "bradley_terry"):
        for precision in said.precisions:
            calls = {
                "ours": _training.ours(given, kind, precision),
                "bare": _training.bare(given, kind, precision),
                "TRL at once": _training.theirs(given, kind, precision),
                "TRL in four": _training.theirs(given, kind, precision, parts=4),
            }
            seconds: dict[str, list[float]] = {name: [] for name in calls}
            for _ in range(said.times):
                for name, call in calls.items():
                    seconds[name].append(call())
            middle = {name: _report.median(taken) for name, taken in seconds.items()}
            best = min(middle["TRL at once"], middle["TRL in four"])
            rows.append(
                {
                    "objective": kind,
                    "precision": precision,
                    "pairs a second": told["pairs"] / middle["ours"],
                    "TRL's": told["pairs"] / best,
                    "times faster": best / middle["ours"],
                    "least": min(seconds["TRL at once"] + seconds["TRL in four"]) / max(seconds["ours"]),
                    "over bare": middle["ours"] / middle["bare"],
                    **{f"{name}, s": value for name, value in middle.items()},
                }
            )
            print(rows[-1], flush=True)
    print(", ".join(f"{name} {value:.4g}" for name, value in told.items()))
    _report.save("training_speed", rows)


if __name__ == "__main__":
    main()
