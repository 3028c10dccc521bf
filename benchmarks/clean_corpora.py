"""What an audit flags where nobody planted anything: five draws of four fifths of each real corpus, all detectors.

`--trusted 0.25` takes the pairs of a quarter of the prompts as the reference of the others.

Real rows are read from ANTIVENOM_REAL_DATA. Preferences of QA-feedback are over pairs of four answers, those of OpinPref over
two summaries of the same reviews.
"""

import argparse
import gzip
import json
import os
import sys
from collections.abc import Callable, Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import _report
import polars as pl
from _rows import REAL

from checks.audit import audit
from checks.memory import Memory, folder
from pipelines.schema import PAIRS, require, with_pair_ids
from pipelines.sources import records

SHARE = 0.8
MOST = 1500  # pairs of a draw


def hh(*files: str) -> Callable[[Path], pl.DataFrame]:
    """Dialogues as they are."""
    return lambda place: pl.concat([records.read(place / file).pairs for file in files])


def qa_feedback(place: Path) -> pl.DataFrame:
    """A pair for each of the six comparisons of four answers that is not a tie."""
    rows = []
    for row in _lines(place / "qa_feedback" / "dev_feedback_first400.jsonl.gz"):
        answers = [row[name] for name in row if name.startswith("prediction")]
        for (one, other), said in zip(combinations(answers, 2), row["preference"], strict=True):
            rows += [(row["question"], *((one, other) if said == 1 else (other, one)))] if said else []
    return _pairs(rows)


def opinpref(place: Path) -> pl.DataFrame:
    """A pair for each two summaries of the same reviews."""
    rows = []
    for row in _lines(place / "opinpref" / "annotations-train.jsonl.gz"):
        sides = [row["summary-pairs"][name]["summary-text"] for name in ("summary-one", "summary-two")]
        rows.append(("\n".join(row["reviews"]), *(sides if row["preference-data"] == 1 else sides[::-1])))
    return _pairs(rows)


CORPORA: dict[str, Callable[[Path], pl.DataFrame]] = {
    **{name: hh(*files) for name, files in REAL.items()},
    "harmless, plain": hh("hh_harmless_train_flat/first4000.jsonl.gz"),
    "QA-feedback": qa_feedback,
    "OpinPref": opinpref,
}


def main() -> None:
    """Prints a line a corpus and writes them."""
    ask = argparse.ArgumentParser(description=__doc__)
    ask.add_argument("--draws", type=int, default=5)
    ask.add_argument("--trusted", type=float, default=0.0, help="share of a draw's prompts whose pairs are the reference")
    given = ask.parse_args()
    place = os.environ.get("ANTIVENOM_REAL_DATA")
    if not place:
        sys.exit("clean_corpora: set ANTIVENOM_REAL_DATA to the folder of real rows")
    memory, lines = Memory(folder() / "embeddings"), []
    for name, read in CORPORA.items():
        pairs = read(Path(place))
        drawn = [pairs.sample(min(MOST, int(SHARE * len(pairs))), seed=draw, shuffle=True) for draw in range(given.draws)]
        parted = [_parted(each, given.trusted) for each in drawn]
        found = [audit(own, trusted=rest, encoder=memory, seed=draw) for draw, (own, rest) in enumerate(parted)]
        flagged = [int(each.scores["is_flagged"].sum()) for each in found]
        reasons = [finding["reason"] for each in found for finding in each.findings]
        line: dict[str, Any] = {
            "corpus": name,
            "pairs a draw": len(parted[0][0]),
            "flagged, each draw": ", ".join(map(str, flagged)),
        }
        line |= {
            "of all": f"{sum(flagged) / sum(len(own) for own, _ in parted):.2%}",
            "reasons": "; ".join(dict.fromkeys(reasons)),
        }
        print(line, flush=True)
        lines.append(line)
    _report.save("clean_corpora_trusted" if given.trusted else "clean_corpora", lines)


def _parted(pairs: pl.DataFrame, trusted: float) -> tuple[pl.DataFrame, pl.DataFrame | None]:
    """The pairs to audit and, of other prompts, the trusted ones; no answer to one question stands in both."""
    prompts = pairs["prompt"].unique(maintain_order=True)
    held = pairs["prompt"].is_in(prompts[: round(trusted * len(prompts))].implode())
    return _numbered(pairs.filter(~held)), _numbered(pairs.filter(held)) if trusted else None


def _lines(file: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def _pairs(rows: list[tuple[str, ...]]) -> pl.DataFrame:
    frame = pl.DataFrame(rows, schema=["prompt", "chosen", "rejected"], orient="row")
    return _numbered(frame.with_columns(source=pl.lit("file")))


def _numbered(pairs: pl.DataFrame) -> pl.DataFrame:
    return require(with_pair_ids(pairs.with_columns(row=pl.int_range(pl.len(), dtype=pl.Int64()))), PAIRS)


if __name__ == "__main__":
    main()
