"""Texts a second of our encoder against the bare model on the same batches (target: 90 % of it or better)."""

import os
from pathlib import Path
from typing import Any

import _report
import numpy as np
import torch

from checks import encoding
from pipelines.sources import records, synthetic


def texts() -> list[str]:
    """1,024 distinct responses, real ones where they are at hand."""
    place = os.environ.get("ANTIVENOM_REAL_DATA")
    name = "hh_harmless_base/test_first1500.jsonl.gz"
    pairs = records.read(Path(place) / name).pairs if place else synthetic.read(n=1500)
    return list(dict.fromkeys(text.strip() for text in pairs["chosen"]))[:1024]


def bare(model: Any, batches: list[dict[str, torch.Tensor]]) -> None:
    """Nothing but the transformer's own forward passes."""
    with torch.inference_mode():
        for batch in batches:
            model[0].auto_model(**batch)


def main() -> None:
    """Both in turns, in one process."""
    torch.set_num_threads(1)
    rows, model = texts(), encoding._load(None)
    order = np.argsort([-len(text) for text in rows])
    cut = [[rows[at] for at in order[start : start + encoding.BATCH]] for start in range(0, len(rows), encoding.BATCH)]
    keep = {"padding": True, "truncation": True, "max_length": model.max_seq_length, "return_tensors": "pt"}
    batches = [dict(model.tokenizer(batch, **keep)) for batch in cut]
    seconds = _report.alternate({"ours": lambda: encoding.encode(rows), "bare": lambda: bare(model, batches)})
    speed = {name: len(rows) / _report.median(taken) for name, taken in seconds.items()}
    _report.save(
        "encoding_speed",
        [
            {
                "texts": len(rows),
                **{f"{name}, texts a second": value for name, value in speed.items()},
                "share of bare": speed["ours"] / speed["bare"],
            }
        ],
    )


if __name__ == "__main__":
    main()
