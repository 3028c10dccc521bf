"""The page of a study of teacher hacking: which students hack, by how much, and what to do about it."""

from collections.abc import Mapping

import polars as pl

from assets import html
from assets import pictures as common
from assets.hacking import pictures, verdicts
from assets.hacking.rows import CONTROL, Hacking

Tables = Mapping[str, pl.DataFrame]
MEANS = {
    "arm": "arm",
    "verdicts": "verdicts",
    "golden_least": "golden, least",
    "best": "at step",
    "golden_last": "golden, last",
    "rebound": "rebound",
    "of_data": "beyond the teacher",
    "proxy_best": "proxy at the best step",
    "proxy_last": "proxy, last",
    "residual": "above its power law",
    "to_control": "to the control's",
}


def page(name: str, row: Hacking, tables: Tables) -> str:
    """One self-contained page, all that it says computed from the tables."""
    found, traces = tables["verdicts"], tables["traces"]
    seeds = ", ".join(map(str, row.seeds))
    subtitle = f"{row.divergence.replace('_', ' ')}, {row.steps:,} steps of {row.batch} answers, seeds {seeds}; " + (
        "the world of letters, distances exact" if row.is_of_letters else f"prompts of {row.source}"
    )
    parts = (_verdict(found), _means(found), _runs(found), *_pictures(traces, found), _notes(row))
    return html.page(f"Teacher hacking: {name}", subtitle, parts)


def told(tables: Tables) -> list[str]:
    """A line a run, for a command line."""
    return [
        f"  {each['arm']}, seed {each['seed']}: {each['verdict']}"
        + ("" if each["rebound"] is None else f", golden {each['golden_least']:.3f} at step {each['best']:,.0f}")
        + ("" if each["rebound"] is None else f", {each['golden_last']:.3f} at the end")
        for each in tables["verdicts"].iter_rows(named=True)
    ]


def facts(tables: Tables) -> Mapping[str, object]:
    """What came of every run, for programs."""
    return {"verdicts": tables["verdicts"].to_dicts()}


def _verdict(found: pl.DataFrame) -> str:
    bad = found.filter(~pl.col("verdict").is_in(["healthy"]))
    if not len(bad):
        return html.verdict("No student moved away from the oracle while it learned, beyond chance", bad=False)
    counts = bad["verdict"].value_counts(sort=True).iter_rows()
    said = ", ".join(f"{count} {verdict}" for verdict, count in counts)
    return html.verdict(f"Of {len(found)} students {said}", bad=True)


def _means(found: pl.DataFrame) -> str:
    rows = [
        [_shown(each[name]) for name in MEANS]
        for each in verdicts.means(found).iter_rows(named=True)
    ]  # fmt: skip
    return html.section("Whose answers were learned", html.table(list(MEANS.values()), rows))


def _runs(found: pl.DataFrame) -> str:
    heads = ["arm", "seed", "verdict", "rebound", "95 % of it", "hacking intervals", "proxy departs at step", "advice"]
    rows = [
        [
            each["arm"],
            each["seed"],
            each["verdict"],
            _shown(each["rebound"]),
            "" if each["rebound"] is None else f"{each['rebound_low']:.3f}, {each['rebound_high']:.3f}",
            _shown(each["hacks"]),
            _shown(each["departs"]),
            each["advice"],
        ]
        for each in found.iter_rows(named=True)
    ]
    return html.section("Every run", html.table(heads, rows))


def _pictures(traces: pl.DataFrame, found: pl.DataFrame) -> list[str]:
    drawn = [html.figure(common.svg(pictures.curves(traces)), "Over their steps, means over seeds")]
    if traces["golden"].null_count() < len(traces):
        seed = int(traces["seed"][0])
        caption = f"Seed {seed}, read from right to left: a path that comes up again on its left hacks its teacher (dashed)"
        drawn.insert(0, html.figure(common.svg(pictures.plane(traces, seed)), caption))
        drawn.append(html.figure(common.svg(pictures.doses(found)), "Where they end, a point a seed"))
    return [html.section("In pictures", *drawn)]


def _notes(row: Hacking) -> str:
    golden = (
        "The golden distance is KL(oracle || student)"
        if row.oracle or row.is_of_letters
        else "The golden distance is how unlikely people's answers are to the student: it has another level, and the same turns"
    )
    return html.section(
        "How to read it",
        html.paragraph(
            f"{golden}, the proxy KL(teacher || student), both on prompts that are not learned, in nats of a whole answer "
            "(Tiapkin et al., 2025). A rebound is what gold lost from its least to the end; its interval is over prompts with "
            "the best step held, so that it is a little too sure. What a perfect imitation would lose too, because the teacher "
            "itself is further off, is limited by the teacher. Hacking: the proxy fell meanwhile; overfitted: it rose as well. "
            f"The power law is fitted to early steps of the proxy; where it ends far above it, and twice as far as {CONTROL}, "
            "something is wrong even where nobody knows gold."
        ),
    )


def _shown(value: object) -> object:
    if value is None:
        return ""
    return f"{value:,.3g}" if isinstance(value, float) else value
