"""Seconds of a whole audit with the encoder, and of auditing again with 1 % new pairs and with none: what was seen is kept.

Real rows are read from ANTIVENOM_REAL_DATA. Each time the memory is opened anew, as another process would.
"""

import os
import sys
import tempfile
import time
from pathlib import Path

import _report
import polars as pl

from checks.audit import audit
from checks.memory import Memory
from pipelines.sources import records

CORPORA = {
    "harmless": "hh_harmless_train_flat/first4000.jsonl.gz",
    "helpful": "hh_helpful_mixed/helpful_test_sample_dev.jsonl.gz",
}
NEW = 0.01


def measured(name: str, pairs: pl.DataFrame) -> dict[str, object]:
    """A line a corpus: seconds, and shares of those of the first audit."""
    first = pairs[: round(len(pairs) / (1 + NEW))]
    with tempfile.TemporaryDirectory() as place:
        seconds = [_seconds(each, Path(place)) for each in (first, pairs, pairs)]
    again = {"with 1 % new": seconds[1], "with none new": seconds[2]}
    shares = {f"share {what}": taken / seconds[0] for what, taken in again.items()}
    return {"pairs of": name, "pairs": len(first), "first": seconds[0], **again, **shares}


def _seconds(pairs: pl.DataFrame, place: Path) -> float:
    start = time.perf_counter()
    audit(pairs, encoder=Memory(place))
    return time.perf_counter() - start


def main() -> None:
    """A row a corpus."""
    place = os.environ.get("ANTIVENOM_REAL_DATA")
    if not place:
        sys.exit("ANTIVENOM_REAL_DATA must name the folder of real rows; without them there is nothing to audit")
    _report.save("audit_again", [measured(name, records.read(Path(place, file)).pairs) for name, file in CORPORA.items()])


if __name__ == "__main__":
    main()
