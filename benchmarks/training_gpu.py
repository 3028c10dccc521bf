"""Training on a GPU: pairs a second and peak memory beside TRL's trainers, and the share of the device's products in use.

A Llama of some billion random weights in bfloat16 with float32 masters, real pairs, references precomputed; the second of two
epochs for ours and for the bare pass, whole epochs for TRL. Model FLOPs count each prompt once, logits where they are needed,
forward and backward (6 a weight and token), and attention over what a token may see; nothing that is computed twice.
"""

import argparse

import _report
import _training
import torch
from training_speed import WAYS

PEAKS = {"H100": 989e12, "H200": 989e12, "A100": 312e12}  # dense bfloat16 products a second, of the makers' data sheets


def main() -> None:
    """A table over objectives and ways."""
    words = argparse.ArgumentParser()
    words.add_argument("--times", type=int, default=3)
    words.add_argument("--pairs", type=int, default=256)
    words.add_argument("--batch", type=int, default=64)
    words.add_argument("--tokens", type=int, default=16_384)
    words.add_argument("--width", type=int, default=2048)
    words.add_argument("--layers", type=int, default=16)
    words.add_argument("--vocabulary", type=int, default=128_000)
    said = words.parse_args()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    given = _training.setting(
        pairs=said.pairs, vocabulary=said.vocabulary, width=said.width, layers=said.layers, device=device, batch=said.batch
    )
    print(_training.shape(given), flush=True)
    rows = []
    for kind in ("dpo", "bradley_terry"):
        ours = {"warm": True, "tokens": said.tokens}
        calls = {
            "ours": _training.ours(given, kind, "bf16", **ours),
            "ours compiled": _training.ours(given, kind, "bf16", **ours, compile=True),
            "bare": _training.bare(given, kind, "bf16"),
            **{name: _training.theirs(given, kind, "bf16", **way) for name, way in WAYS.items()},
        }
        taken: dict[str, list[float]] = {name: [] for name in calls}
        peaks: dict[str, float] = {}
        for turn in range(said.times + 1):
            for name, call in calls.items():
                _clear()
                seconds = call()
                peaks[name] = _peak()
                if turn:
                    taken[name].append(seconds)
        for name in calls:
            middle = _report.median(taken[name])
            rows.append(
                {
                    "objective": kind,
                    "way": name,
                    "pairs a second": said.pairs / middle,
                    "times ours": middle / _report.median(taken["ours"]),
                    "FLOP utilisation": _training.flops(given, kind) / middle / _products(),
                    "peak, GiB": peaks[name],
                }
            )
            print(rows[-1], flush=True)
    _report.save(f"training_{_name()}", rows)


def _name() -> str:
    return torch.cuda.get_device_name().replace(" ", "_") if torch.cuda.is_available() else "without_gpu"


def _products() -> float:
    return next((peak for name, peak in PEAKS.items() if name in _name()), float("nan"))


def _clear() -> None:
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


def _peak() -> float:
    return torch.cuda.max_memory_allocated() / 2**30 if torch.cuda.is_available() else float("nan")


if __name__ == "__main__":
    main()
