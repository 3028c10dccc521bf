"""Pairs a second of an audit without encoder or model work (phrase lift, fusion, reasons), by corpus size.

Real dialogues are repeated until there are enough, every long word of a copy spelled otherwise. Repetition makes what is
lopsided by chance certain, so that most pairs are flagged and must be explained: the worst case. Where copies have their
sides dealt anew next to nothing is flagged: the usual one.
"""

import os
from functools import partial
from pathlib import Path

import _report
import altair as alt
import numpy as np
import polars as pl

from checks.audit import audit
from pipelines.schema import with_pair_ids
from pipelines.sources import records, synthetic

SIZES = (2_500, 5_000, 10_000, 20_000, 40_000, 80_000)
SIDES = (("chosen", "rejected"), ("rejected", "chosen"))
FILES = ("hh_harmless_base/test_first1500.jsonl.gz", "hh_helpful_pro/helpful_base_online_dev.jsonl.gz")


def corpora(size: int) -> dict[str, pl.DataFrame]:
    """Real dialogues where they are at hand, else generated pairs; as they are, and with sides dealt anew."""
    place = os.environ.get("ANTIVENOM_REAL_DATA")
    if not place:
        return {"generated": synthetic.read(n=size)}
    rows = pl.concat([records.read(Path(place) / name).pairs for name in FILES])
    copies = pl.concat([_respelt(rows, copy) for copy in range(-(-size // len(rows)))])[:size]
    return {"repeated": _numbered(copies), "repeated, sides dealt anew": _numbered(_dealt(copies))}


def _respelt(rows: pl.DataFrame, copy: int) -> pl.DataFrame:
    """A copy in which every long word is another, so that repetition does not make counting cheaper."""
    if not copy:
        return rows
    other = [pl.col(side).str.replace_all(r"(\p{L}{7,})", f"${{1}}{copy}") for side in ("chosen", "rejected")]
    return rows.with_columns(other)


def _dealt(rows: pl.DataFrame) -> pl.DataFrame:
    heads = pl.Series(np.random.default_rng(0).random(len(rows)) < 0.5)
    chosen, rejected = (pl.when(heads).then(pl.col(one)).otherwise(pl.col(other)) for one, other in SIDES)
    return rows.with_columns(chosen=chosen, rejected=rejected)


def _numbered(rows: pl.DataFrame) -> pl.DataFrame:
    return with_pair_ids(rows.with_columns(row=pl.int_range(pl.len(), dtype=pl.Int64())))


def main() -> None:
    """Best and median of five runs a size and corpus."""
    rows = []
    for size in SIZES:
        found = corpora(size)
        taken = _report.alternate({name: partial(audit, pairs, detectors=["phrase_lift"]) for name, pairs in found.items()})
        for name, pairs in found.items():
            flagged = audit(pairs, detectors=["phrase_lift"]).scores["is_flagged"].mean()
            letters = pairs.select((pl.col("chosen").str.len_chars() + pl.col("rejected").str.len_chars()).mean()).item()
            rows.append(
                {
                    "pairs": size,
                    "of": name,
                    "flagged": f"{flagged:.1%}",
                    "letters a pair": round(letters),
                    "seconds": _report.median(taken[name]),
                    "pairs a second": round(size / _report.median(taken[name])),
                    "at best": round(size / min(taken[name])),
                }
            )
    _report.save("audit_speed", rows)
    chart = alt.Chart(pl.DataFrame(rows)).mark_line(point=True).encode(x="pairs:Q", y="seconds:Q", color="of:N")
    _report.draw("audit_speed", chart.properties(width=420, height=240))


if __name__ == "__main__":
    main()
