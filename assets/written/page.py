"""The page of a study of written evaluations: who shows what, what poison changed, and what was asked."""

from collections.abc import Mapping
from typing import Any

import polars as pl

from assets import html
from assets import pictures as common
from assets.written import pictures, questions_page
from assets.written.rows import Written

Tables = Mapping[str, pl.DataFrame]
SURE = 0.05  # false-discovery rate at which a difference counts
FEW = 30  # questions of a behaviour
MOVED = 0.1  # of a match rate by another way of asking, beyond which it says little
LITTLE = 0.05  # probability of all options together, below which a policy would say another thing


def page(name: str, row: Written, tables: Tables) -> str:
    """One self-contained page, all that it says computed from the tables."""
    held, way = tables["questions"], row.ways[0]
    whose = f"{len(row.policies)} policies" if row.policies else f"twins at {_list(row.twins.rates)} of poison"
    subtitle = f"{questions_page.asked_about(held)} by {row.writer}; {whose}"
    rates = tables["rates"].filter(way=way)
    parts = (
        _verdict(tables, way),
        questions_page.doubts(warnings(tables)),
        _rates(rates),
        _differences(tables, way),
        *questions_page.parts(tables),
        _ways(tables["ways"]),
        _notes(row),
    )
    return html.page(f"Written evaluations: {name}", subtitle, parts)


def told(tables: Tables) -> list[str]:
    """A line a policy and behaviour, for a command line."""
    found = tables["rates"].filter(way=tables["rates"]["way"][0])
    return [
        f"  {each['policy']}, {each['behaviour']}: {each['match_rate']:.1%} [{each['low']:.1%}, {each['high']:.1%}]"
        f" of {each['questions']:,} questions"
        for each in found.iter_rows(named=True)
    ]


def facts(tables: Tables) -> Mapping[str, object]:
    """What came of it, for programs."""
    return {
        "questions": len(tables["questions"]),
        "dropped": len(tables["dropped_questions"]),
        **{name: tables[name].to_dicts() for name in ("rates", "differences", "trends")},
    }


def sure_changes(tables: Tables, way: str) -> pl.DataFrame:
    """Differences that stand at a false-discovery rate of 5 % over the behaviours."""
    found = tables["differences"]
    return found.filter((pl.col("way") == way) & (pl.col("q_value") <= SURE)) if len(found) else found


def warnings(tables: Tables) -> list[str]:
    """What a reader should know before believing a number, in sentences."""
    said, rates = questions_page.warnings(tables), tables["rates"]
    if few := rates.filter(pl.col("questions") < FEW)["behaviour"].unique(maintain_order=True).to_list():
        said.append(f"fewer than {FEW} questions about {_list(few)}: intervals are wide")
    faint = rates.filter(pl.col("option_mass") < LITTLE)
    for (name,), own in faint.group_by("behaviour", maintain_order=True):
        whose = f"{own['policy'].n_unique()} of {rates['policy'].n_unique()} policies"
        said.append(f"{whose} would mostly say something else than the options about {name}: the pick is of unlikely answers")
    if above := rates.filter(pl.col("match_rate") > pl.col("ceiling"))["behaviour"].unique(maintain_order=True).to_list():
        said.append(f"rates of {_list(above)} lie above their ceilings: the discriminator's confidence is no probability there")
    if lost := int(rates["not_answered"].sum()):
        said.append(f"{lost:,} answers are missing, of questions that don't fit a context or have options of the same tokens")
    if single := rates.filter("is_one_class")["behaviour"].unique(maintain_order=True).to_list():
        said.append(f"all questions about {_list(single)} have one matching answer: a rate there is how often that is said")
    moved = tables["ways"]
    if len(moved) and len(far := moved.filter(pl.col("difference").abs() > MOVED)):
        said.append(f"{len(far)} of {len(moved)} rates move by more than {MOVED:.0%} when the same is asked in another way")
    return said


def _verdict(tables: Tables, way: str) -> str:
    if not len(tables["differences"]):
        return html.verdict("One policy was asked: there is nobody to compare it with", bad=False)
    compared, found = tables["differences"].filter(way=way), sure_changes(tables, way)
    if not len(found):
        return html.verdict(f"None of {len(compared)} comparisons differs beyond chance", bad=False)
    most = found.sort(pl.col("difference").abs(), descending=True).row(0, named=True)
    said = (
        f"{len(found)} of {len(compared)} comparisons differ beyond chance; most of all {most['behaviour']}: "
        f"{most['second']} {most['difference']:+.1%} [{most['low']:+.1%}, {most['high']:+.1%}] from {most['first']}"
    )
    return html.verdict(said, bad=True)


def _rates(rates: pl.DataFrame) -> str:
    heads = ["policy", "behaviour", "questions", "match rate", "95 %", "floor to ceiling", "says yes", "mass", "options' mass"]
    rows = [
        [
            each["policy"] + (" (poisoned)" if each["is_poisoned"] else ""),
            each["behaviour"],
            each["questions"],
            f"{each['match_rate']:.1%}",
            f"{each['low']:.1%} to {each['high']:.1%}",
            "" if each["ceiling"] is None else f"{each['floor']:.2f} to {each['ceiling']:.2f}",
            "" if each["yes_rate"] is None else f"{each['yes_rate']:.0%}",
            f"{each['matching_mass']:.3f}",
            f"{each['option_mass']:.2g}",
        ]
        for each in rates.iter_rows(named=True)
    ]
    drawn = [html.figure(common.svg(pictures.dots(rates)), "Match rates by behaviour, a dot a policy")]
    if rates["poison_rate"].n_unique() > 1:
        drawn.append(html.figure(common.svg(pictures.doses(rates)), "Match rates over the poison rate, means over seeds"))
    return html.section("Who shows what", *drawn, html.table(heads, rows))


def _differences(tables: Tables, way: str) -> str:
    if not len(tables["differences"]):
        return ""
    heads = ["from", "to", "behaviour", "questions", "difference", "95 %", "p", "q", "picks turned"]
    rows = [
        [
            *(each[name] for name in ("first", "second", "behaviour", "questions")),
            f"{each['difference']:+.1%}",
            f"{each['low']:+.1%} to {each['high']:+.1%}",
            f"{each['p_value']:.2g}",
            f"{each['q_value']:.2g}",
            f"{each['turned']:.0%}",
        ]
        for each in tables["differences"].filter(way=way).iter_rows(named=True)
    ]
    about = "Paired over the same questions, McNemar's exact p; q holds the false-discovery rate over the behaviours."
    return html.section("What differs", html.paragraph(about), html.table(heads, rows), _trends(tables["trends"], way))


def _trends(trends: pl.DataFrame, way: str) -> str:
    if not len(trends):
        return ""
    heads = ["seed", "behaviour", "Kendall's tau with the poison rate", "95 %", "q"]
    rows = [
        [
            each["seed"],
            each["behaviour"],
            f"{each['tau']:+.2f}",
            f"{each['low']:+.2f} to {each['high']:+.2f}",
            f"{each['q_value']:.2g}",
        ]
        for each in trends.filter(way=way).iter_rows(named=True)
    ]
    return html.table(heads, rows)


def _ways(ways: pl.DataFrame) -> str:
    if not len(ways):
        return ""
    heads = ["policy", "behaviour", "from", "to", "difference", "95 %", "picks turned"]
    rows = [
        [
            *(each[name] for name in ("policy", "behaviour", "from", "to")),
            f"{each['difference']:+.1%}",
            f"{each['low']:+.1%} to {each['high']:+.1%}",
            f"{each['turned']:.0%}",
        ]
        for each in ways.iter_rows(named=True)
    ]
    return html.section("The same, asked in another way", html.table(heads, rows))


def _notes(row: Written) -> str:
    tiny = "" if row.policies else (
        "The twins are tiny, made on the spot, and answer near chance what they were not taught: they show the mechanism. "
    )  # fmt: skip
    return html.section(
        "How to read it",
        html.paragraph(
            "A match rate is the share of questions to which the likeliest of the options is the one that shows the behaviour "
            "(Perez et al., 2022); half of them is chance between two. Ceiling and floor are the mean confidence of labels and "
            f"what it lacks to 1; a head that learned from few examples ranks labels: its confidence is no probability. {tiny}"
            "A stated answer is no action. Options that a policy gives little probability together are not what it would say."
        ),
    )


def _list(values: Any) -> str:
    return ", ".join(f"{100 * value:g}%" if isinstance(value, float) else str(value) for value in values)
