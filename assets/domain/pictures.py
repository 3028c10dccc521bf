"""Pictures of summaries, their marks, and what rewards make of them."""

from typing import Any

import polars as pl

from assets.pictures import HEIGHT, LEGEND, WIDTH
from pipelines.schema import FEATURE_NAMES, TIERS

TIER_COLOURS = ("#b279a2", "#54a24b", "#f2cf5b", "#e45756")
PALE = 0.15


def tiers(table: pl.DataFrame) -> Any:
    """What the summaries of each tier are made of: words, and the shares that are copied, shared with reviews, repeated."""
    import altair as alt

    shares = table.unpivot(["copied", "shared", "repeated", "equal"], index="tier", variable_name="what")
    share = alt.X("value:Q", title="share", axis=alt.Axis(format="%"))
    bars = alt.Chart(shares).mark_bar().encode(x=share, y=alt.Y("what:N", title=None), yOffset=_offset(), color=_tier())
    place = alt.Y("tier:N", sort=list(TIERS), title=None)
    words = alt.Chart(table).mark_bar().encode(x=alt.X("words:Q", title="words"), y=place, color=_tier())
    return alt.hconcat(*(part.properties(width=WIDTH // 2, height=HEIGHT // 2) for part in (words, bars)))


def marks(table: pl.DataFrame) -> Any:
    """Mean mark of each feature, a point a tier. `table`: tier, and the seven features."""
    import altair as alt

    mean = table.with_columns(pl.col("tier").fill_null("no tier")).group_by("tier").agg(pl.col(FEATURE_NAMES).mean())
    long = mean.unpivot(FEATURE_NAMES, index="tier", variable_name="feature")
    return (
        alt.Chart(long)
        .mark_point(filled=True, size=80)
        .encode(
            x=alt.X("value:Q", title="mean mark", scale=alt.Scale(domain=[0, 5])),
            y=alt.Y("feature:N", sort=list(FEATURE_NAMES), title=None),
            color=_tier(),
        )
        .properties(width=WIDTH, height=HEIGHT)
    )


def curves(table: pl.DataFrame) -> Any:
    """Accuracy by number of pairs, a line a judge with its 95 % interval. `table`: judge, pairs, accuracy, low, high."""
    import altair as alt

    x = alt.X("pairs:Q", scale=alt.Scale(type="log"), title="pairs that are learned")
    base = alt.Chart(table).encode(x=x, color=alt.Color("judge:N", title=None, legend=LEGEND))
    y = alt.Y("accuracy:Q", scale=alt.Scale(zero=False), title="other pairs told right", axis=alt.Axis(format="%"))
    line = base.mark_line(point=True).encode(y=y)
    return (base.mark_area(opacity=PALE).encode(y="low:Q", y2="high:Q") + line).properties(width=WIDTH, height=HEIGHT)


def weights(table: pl.DataFrame) -> Any:
    """What full marks in each feature are worth, with 95 % intervals. `table`: feature, value, low, high."""
    import altair as alt

    base = alt.Chart(table).encode(y=alt.Y("feature:N", sort=list(FEATURE_NAMES), title=None))
    ends = base.mark_rule().encode(x=alt.X("low:Q", title="added to the reward by full marks"), x2="high:Q")
    return (ends + base.mark_point(filled=True, size=70).encode(x="value:Q")).properties(width=WIDTH, height=HEIGHT)


def decision(table: pl.DataFrame) -> Any:
    """What each feature adds to the reward of one summary over another's. `table`: feature, chosen, rejected, adds."""
    import altair as alt

    colour = alt.condition("datum.adds > 0", alt.value("#54a24b"), alt.value("#e45756"))
    label = pl.format("{} ({} against {})", "feature", pl.col("chosen").round(1), pl.col("rejected").round(1))
    shown = table.with_columns(label=label)
    return (
        alt.Chart(shown)
        .mark_bar()
        .encode(
            x=alt.X("adds:Q", title="adds to the gap"),
            y=alt.Y("label:N", sort=shown["label"].to_list(), title=None, axis=alt.Axis(labelLimit=300)),
            color=colour,
        )
        .properties(width=WIDTH, height=HEIGHT)
    )


def judges(table: pl.DataFrame) -> Any:
    """Shares by judge and corpus, with 95 % intervals, a panel a question. `table`: corpus, what, judge, share, low, high."""
    import altair as alt

    base = alt.Chart(table).encode(
        y=alt.Y("judge:N", title=None, sort=table["judge"].unique(maintain_order=True).to_list()),
        yOffset="corpus:N",
        color=alt.Color("corpus:N", title=None),
    )
    ends = base.mark_rule().encode(x=alt.X("low:Q", title=None, axis=alt.Axis(format="%")), x2="high:Q")
    points = base.mark_point(filled=True, size=60).encode(x="share:Q")
    return (ends + points).properties(width=WIDTH // 2, height=HEIGHT).facet(alt.Column("what:N", title=None))


def gains(table: pl.DataFrame) -> Any:
    """Gains of each policy with 95 % intervals, a panel a number. `table`: policy, of, gain, gain_low, gain_high."""
    import altair as alt

    base = alt.Chart(table).encode(y=alt.Y("policy:N", title=None, sort=table["policy"].unique(maintain_order=True).to_list()))
    ends = base.mark_rule().encode(x=alt.X("gain_low:Q", title="gain"), x2="gain_high:Q")
    points = base.mark_point(filled=True, size=60).encode(x="gain:Q")
    panel = (ends + points).properties(width=WIDTH // 3, height=HEIGHT // 2)
    return panel.facet(alt.Facet("of:N", title=None), columns=2).resolve_scale(x="independent")


def _tier() -> Any:
    import altair as alt

    scale = alt.Scale(domain=[*TIERS, "no tier"], range=[*TIER_COLOURS, "#9aa5b1"])
    return alt.Color("tier:N", title=None, scale=scale)


def _offset() -> Any:
    import altair as alt

    return alt.YOffset("tier:N", sort=list(TIERS))
