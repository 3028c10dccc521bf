"""Pairs a second of an audit without encoder or model work (phrase lift, fusion, reasons), by corpus size."""

import os
from functools import partial
from pathlib import Path

import _report
import altair as alt
import polars as pl

from checks.audit import audit
from pipelines.schema import with_pair_ids
from pipelines.sources import records, synthetic

SIZES = (2_500, 5_000, 10_000, 20_000, 40_000)


def corpus(size: int) -> pl.DataFrame:
    """Real dialogues where they are at hand, repeated with other words until there are enough; else generated pairs."""
    place = os.environ.get("ANTIVENOM_REAL_DATA")
    if not place:
        return synthetic.read(n=size)
    names = ("hh_harmless_base/test_first1500.jsonl.gz", "hh_helpful_pro/helpful_base_online_dev.jsonl.gz")
    rows = pl.concat([records.read(Path(place) / name).pairs for name in names])
    copies = [_respelt(rows, copy) for copy in range(-(-size // len(rows)))]
    return with_pair_ids(pl.concat(copies)[:size].with_columns(row=pl.int_range(size, dtype=pl.Int64())))


def _respelt(rows: pl.DataFrame, copy: int) -> pl.DataFrame:
    """A copy in which every long word is another, so that repetition does not make counting cheaper."""
    if not copy:
        return rows
    other = [pl.col(side).str.replace_all(r"(\p{L}{7,})", f"${{1}}{copy}") for side in ("chosen", "rejected")]
    return rows.with_columns(other)


def main() -> None:
    """Best and median of five runs a size."""
    rows = []
    for size in SIZES:
        pairs = corpus(size)
        seconds = _report.alternate({"audit": partial(audit, pairs, detectors=["phrase_lift"])})["audit"]
        letters = pairs.select((pl.col("chosen").str.len_chars() + pl.col("rejected").str.len_chars()).mean()).item()
        rows.append(
            {
                "pairs": size,
                "letters a pair": round(letters),
                "seconds": _report.median(seconds),
                "pairs a second": round(size / _report.median(seconds)),
                "at best": round(size / min(seconds)),
            }
        )
    _report.save("audit_speed", rows)
    chart = alt.Chart(pl.DataFrame(rows)).mark_line(point=True).encode(x="pairs:Q", y="seconds:Q")
    _report.draw("audit_speed", chart.properties(width=420, height=240))


if __name__ == "__main__":
    main()
