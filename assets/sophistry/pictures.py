"""Pictures of a study: how often judges approve, err and are sure, before and after, with intervals."""

from collections.abc import Sequence
from typing import Any

import polars as pl

from assets.pictures import HEIGHT, WIDTH

COLOURS = ("#4c78a8", "#e45756")  # before, after
RATES = ("error", "fpr", "fpr_both_wrong", "fnr", "unsure")


def levels(table: pl.DataFrame, measures: Sequence[str], policies: Sequence[str]) -> Any:
    """Bars of shares by measure, a colour a policy, with 95 % intervals. `table`: policy, measure, value, low, high."""
    import altair as alt

    shown = (
        table.filter(pl.col("measure").is_in(measures))
        .drop_nulls("value")
        .with_columns(pl.col("measure").str.replace_all("_", " "))
    )
    order = [name.replace("_", " ") for name in measures]
    base = alt.Chart(shown).encode(
        x=alt.X("measure:N", sort=order, title=None, axis=alt.Axis(labelAngle=0)),
        xOffset=alt.XOffset("policy:N", sort=list(policies)),
    )
    y = alt.Y("value:Q", title="share", scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(format="%"))
    bars = base.mark_bar().encode(y=y, color=_policy(policies))
    return (bars + base.mark_rule().encode(y="low:Q", y2="high:Q")).properties(width=WIDTH, height=HEIGHT)


def confidences(table: pl.DataFrame, policies: Sequence[str]) -> Any:
    """How sure judges are of wrong outputs. `table`: policy, confidence, share."""
    import altair as alt

    return (
        alt.Chart(table)
        .mark_bar()
        .encode(
            x=alt.X("confidence:O", title="how sure, in percent, that a wrong output is correct", axis=alt.Axis(labelAngle=0)),
            xOffset=alt.XOffset("policy:N", sort=list(policies)),
            y=alt.Y("share:Q", title="verdicts on wrong outputs", axis=alt.Axis(format="%")),
            color=_policy(policies),
        )
        .properties(width=WIDTH, height=HEIGHT)
    )


def slopes(table: pl.DataFrame, policies: Sequence[str]) -> Any:
    """Error of each judge before and after, a line a judge; who got worse is red. `table`: judge, before, after, change."""
    import altair as alt

    named = table.select("judge", "change", pl.col("before").alias("0"), pl.col("after").alias("1"))
    names = pl.col("when").replace_strict({"0": policies[0], "1": policies[1]}, return_dtype=pl.String)
    long = named.unpivot(["0", "1"], index=["judge", "change"], variable_name="when", value_name="error").with_columns(
        policy=names
    )
    colour = alt.condition("datum.change > 0", alt.value(COLOURS[1]), alt.value("#9aa5b1"))
    return (
        alt.Chart(long)
        .mark_line(point=True)
        .encode(
            x=alt.X("policy:N", sort=list(policies), title=None, axis=alt.Axis(labelAngle=0)),
            y=alt.Y("error:Q", title="a judge's verdicts in error", axis=alt.Axis(format="%")),
            detail="judge:N",
            color=colour,
        )
        .properties(width=WIDTH // 2, height=HEIGHT)
    )


def changes(table: pl.DataFrame, measures: Sequence[str]) -> Any:
    """What training changed, a panel a measure, a row an arm and a point a seed, with 95 % intervals; red lines are at 0.

    `table`: arm, seed, measure, change, low, high.
    """
    import altair as alt

    shown = table.filter(pl.col("measure").is_in(measures)).drop_nulls("change")
    arms, seeds = (shown[name].unique(maintain_order=True).to_list() for name in ("arm", "seed"))
    y = alt.Y("arm:N", sort=arms, title=None, axis=alt.Axis(minExtent=90))
    panels = []
    for name in (name for name in measures if name in shown["measure"].to_list()):
        base = alt.Chart(shown.filter(measure=name)).encode(y=y, yOffset=alt.YOffset("seed:N", sort=seeds))
        x = alt.X("change:Q", title=name.replace("_", " "), axis=alt.Axis(format="%", tickCount=4))
        none = alt.Chart().mark_rule(color=COLOURS[1], strokeDash=[4, 3]).encode(x=alt.datum(0))
        lines = base.mark_rule().encode(x="low:Q", x2="high:Q")
        panels.append((none + lines + base.mark_point(filled=True).encode(x=x)).properties(width=140, height=alt.Step(14)))
    return alt.vconcat(*(alt.hconcat(*panels[at : at + 3]) for at in range(0, len(panels), 3)))


def _policy(policies: Sequence[str]) -> Any:
    import altair as alt

    return alt.Color("policy:N", title=None, scale=alt.Scale(domain=list(policies), range=list(COLOURS)))
