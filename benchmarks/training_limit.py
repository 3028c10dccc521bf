"""How near a step comes to the least: ours over a bare forward and backward pass of the same tokens, each prompt once.

The second of two epochs is timed: starting a run is no part of a step. Medians of alternated epochs.
"""

import argparse

import _report
import _training
import torch


def main() -> None:
    """A table over objectives and precisions."""
    words = argparse.ArgumentParser()
    words.add_argument("--times", type=int, default=5)
    words.add_argument("--pairs", type=int, default=96)
    said = words.parse_args()
    torch.set_num_threads(2)
    given = _training.setting(pairs=said.pairs)
    rows = []
    for kind in ("dpo", "bradley_terry"):
        for precision in ("no", "bf16"):
            calls = {
                "ours": _training.ours(given, kind, precision, warm=True),
                "compiled": _training.ours(given, kind, precision, warm=True, compile=True),
                "bare": _training.bare(given, kind, precision),
            }
            taken: dict[str, list[float]] = {name: [] for name in calls}
            for _ in range(said.times):
                for name, call in calls.items():
                    taken[name].append(call())
            least = _report.median(taken["bare"])
            row = {"objective": kind, "precision": precision, "bare, pairs/s": said.pairs / least}
            rows.append(row | {f"{name} over bare": _report.median(taken[name]) / least for name in ("ours", "compiled")})
            print(rows[-1], flush=True)
    _report.save("training_limit", rows)


if __name__ == "__main__":
    main()
