"""What an audit flags where nobody planted anything: five draws of four fifths of each corpus, all detectors.

`--trusted 0.25` takes the pairs of a quarter of the prompts as the reference of the others. `--mixed` mixes each two corpora, a
fifth, a half and four fifths of the first, for detectors that need no model.

Real rows are read from ANTIVENOM_REAL_DATA. Preferences of QA-feedback are over pairs of four answers, those of OpinPref over
two summaries of the same reviews.
"""

import argparse
import gzip
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import combinations
from pathlib import Path
from typing import Any

import _report
import polars as pl
from _rows import REAL

from checks.audit import Audit, audit
from checks.detectors import DETECTORS
from checks.memory import Memory, folder
from pipelines.schema import PAIRS, require, with_pair_ids
from pipelines.sources import records, synthetic

SHARE = 0.8
MOST = 1500  # pairs of a draw
MIXED = (0.2, 0.5, 0.8)  # shares of the first of two corpora


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
    "generated": lambda _: synthetic.read(n=2000, seed=0, contrary=0.25),
}


def main() -> None:
    """Prints a line a corpus and writes them."""
    ask = argparse.ArgumentParser(description=__doc__)
    ask.add_argument("--draws", type=int, default=5)
    ask.add_argument("--trusted", type=float, default=0.0, help="share of a draw's prompts whose pairs are the reference")
    ask.add_argument("--mixed", action="store_true", help="mixtures of each two corpora instead")
    given = ask.parse_args()
    place = os.environ.get("ANTIVENOM_REAL_DATA")
    if not place:
        sys.exit("clean_corpora: set ANTIVENOM_REAL_DATA to the folder of real rows")
    corpora = {name: read(Path(place)) for name, read in CORPORA.items()}
    if given.mixed:
        free = [name for name, detector in DETECTORS.items() if not detector.encodes]
        draws = {name: [(pairs, None) for pairs in parts] for name, parts in mixtures(corpora)}
        _tell("clean_corpora_mixed", draws, partial(audit, detectors=free))
        return
    draws = {
        name: [_parted(pairs.sample(_some(pairs), seed=draw, shuffle=True), given.trusted) for draw in range(given.draws)]
        for name, pairs in corpora.items()
    }
    name = "clean_corpora_trusted" if given.trusted else "clean_corpora"
    _tell(name, draws, partial(audit, encoder=Memory(folder() / "embeddings")))


def mixtures(corpora: Mapping[str, pl.DataFrame]) -> Iterator[tuple[str, list[pl.DataFrame]]]:
    """Each two corpora, in one corpus for each share of MIXED."""
    for (one, first), (other, second) in combinations(corpora.items(), 2):
        parts = []
        for share in MIXED:
            size = min(MOST, int(len(first) / share), int(len(second) / (1 - share)))
            of_first = round(share * size)
            both = [first.sample(of_first, seed=0), second.sample(min(size - of_first, len(second)), seed=0)]
            columns = ["prompt", "chosen", "rejected", "source"]
            parts.append(_numbered(pl.concat([part.select(columns) for part in both]).sample(fraction=1, shuffle=True, seed=0)))
        yield f"{one} and {other}", parts


def _tell(
    name: str, draws: Mapping[str, Sequence[tuple[pl.DataFrame, pl.DataFrame | None]]], judge: Callable[..., Audit]
) -> None:
    """A line a corpus: what is flagged of the draws of its pairs, each with its trusted ones."""
    lines = []
    for corpus, parts in draws.items():
        found = [judge(own, trusted=rest, seed=draw) for draw, (own, rest) in enumerate(parts)]
        flagged = [int(each.scores["is_flagged"].sum()) for each in found]
        reasons = [finding["reason"] for each in found for finding in each.findings]
        line = {
            "corpus": corpus,
            "pairs a draw": len(parts[0][0]),
            "flagged, each draw": ", ".join(map(str, flagged)),
            "of all": f"{sum(flagged) / sum(len(own) for own, _ in parts):.2%}",
            "reasons": "; ".join(dict.fromkeys(reasons)),
        }
        print(line, flush=True)
        lines.append(line)
    _report.save(name, lines)


def _some(pairs: pl.DataFrame) -> int:
    return min(MOST, int(SHARE * len(pairs)))


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
