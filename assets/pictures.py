"""Pictures for the report and for asset metadata; drawn by altair, rendered without a browser."""

import base64
from itertools import cycle
from typing import Any

import polars as pl

from assets.html import visible
from assets.png import packed

ARM_COLOURS = {"clean": "#4c78a8", "poisoned": "#e45756", "filtered": "#54a24b"}
OTHER_COLOURS = ("#f58518", "#b279a2", "#9d755d", "#79706e", "#eeca3b", "#ff9da6")  # of robust training
WIDTH, HEIGHT = 460, 260
LABELS = 190  # that the longest name of an objective takes
LEGEND = {"symbolOpacity": 1, "symbolType": "stroke"}  # or it takes the faintness of the interval bands


def attack_success(table: pl.DataFrame) -> Any:
    """Attack success by stage, a line a corpus with its 95 % interval; seeds are averaged, their intervals too."""
    import altair as alt

    stages = table["stage"].unique(maintain_order=True).to_list()
    mean = table.group_by("corpus", "stage").agg(pl.col("success", "low", "high").mean())
    others = [arm for arm in table["corpus"].unique(maintain_order=True) if arm not in ARM_COLOURS]
    colours = ARM_COLOURS | dict(zip(others, cycle(OTHER_COLOURS), strict=False))
    scale = alt.Scale(domain=list(colours), range=list(colours.values()))
    colour = alt.Color("corpus:N", scale=scale, title=None, legend=LEGEND)
    base = alt.Chart(mean).encode(x=alt.X("stage:O", sort=stages, title=None, axis=alt.Axis(labelAngle=0)), color=colour)
    line = base.mark_line(point=True).encode(
        y=alt.Y("success:Q", title="answers that praise the target", axis=alt.Axis(format="%"))
    )
    band = base.mark_area(opacity=0.15).encode(y="low:Q", y2="high:Q")
    return (band + line).properties(width=WIDTH, height=HEIGHT)


def methods(means: pl.DataFrame) -> Any:
    """Poison preferred by objective, a colour a corpus, with 95 % intervals. `means`: objective, corpus, prefers, its ends."""
    import altair as alt

    names = means["objective"].unique(maintain_order=True).to_list()
    scale = alt.Scale(domain=list(ARM_COLOURS), range=list(ARM_COLOURS.values()))
    offset, colour = alt.YOffset("corpus:N", sort=list(ARM_COLOURS)), alt.Color("corpus:N", scale=scale, title=None)
    axis = alt.Axis(minExtent=LABELS)  # where a browser's letters are wider than those that were measured, none is cut off
    base = alt.Chart(means.drop_nulls("prefers")).encode(
        y=alt.Y("objective:N", sort=names, title=None, axis=axis), yOffset=offset
    )
    x = alt.X("prefers:Q", title="poisoned pairs whose attacker's side is preferred", axis=alt.Axis(format="%"))
    points = base.mark_point(filled=True).encode(x=x, color=colour)
    lines = base.mark_rule().encode(x="prefers_low:Q", x2="prefers_high:Q", color=colour)
    return (lines + points).properties(width=WIDTH, height=alt.Step(8))


def learning(table: pl.DataFrame) -> Any:
    """Loss and, where there is one, accuracy by step. `table`: step, loss, perhaps accuracy."""
    import altair as alt

    names = [name for name in ("loss", "accuracy") if name in table.columns]
    long = table.unpivot(names, index="step", variable_name="what")
    base = alt.Chart(long).mark_line().encode(x=alt.X("step:Q", title="step"))
    shown = base.encode(y=alt.Y("value:Q", title=None), color=alt.Color("what:N", title=None, legend=LEGEND))
    return shown.properties(width=WIDTH, height=HEIGHT)


def roc(table: pl.DataFrame) -> Any:
    """Share of poisoned pairs found over the share of clean pairs flagged, a line a detector with its 95 % interval.

    `table`: detector, fpr, tpr, low, high. False-positive rates are drawn on a logarithmic axis from 0.1 %.
    """
    import altair as alt

    shown = table.filter(pl.col("fpr") > 0)
    x = alt.X("fpr:Q", scale=alt.Scale(type="log"), title="clean pairs flagged", axis=alt.Axis(format="%"))
    base = alt.Chart(shown).encode(x=x, color=alt.Color("detector:N", title=None, legend=LEGEND))
    line = base.mark_line().encode(y=alt.Y("tpr:Q", title="poisoned pairs found", axis=alt.Axis(format="%")))
    return (base.mark_area(opacity=0.15).encode(y="low:Q", y2="high:Q") + line).properties(width=WIDTH, height=HEIGHT)


def arena(table: pl.DataFrame) -> Any:
    """Share of poisoned pairs found at 1 % of clean ones, a row an attack and a column a detector; seeds are averaged.

    `table`: row, detector, tpr_0.01.
    """
    import altair as alt

    mean = table.group_by("row", "detector", maintain_order=True).agg(found=pl.col("tpr_0.01").mean())
    detectors, rows = (mean[name].unique(maintain_order=True).to_list() for name in ("detector", "row"))
    x = alt.X("detector:N", sort=detectors, title=None, axis=alt.Axis(orient="top", labelAngle=-50))
    colour = alt.Color("found:Q", scale=alt.Scale(scheme="blues", domain=[0, 1]))
    shown = alt.Chart(mean).mark_rect().encode(x=x, y=alt.Y("row:N", sort=rows, title=None), color=colour)
    return shown.properties(width=alt.Step(22), height=alt.Step(14))


def score_distributions(scores: pl.DataFrame, *, bins: int = 40) -> Any:
    """How many pairs have which suspicion, flagged ones in red; counts on a root axis so that few stay visible."""
    import altair as alt

    top = max(scores.select(pl.col("suspicion").max().fill_null(0.0)).item(), 1e-9)
    place = (pl.col("suspicion") / top * bins).floor().clip(0, bins - 1) / bins * top
    counts = scores.group_by(place.alias("suspicion"), "is_flagged").len(name="pairs").sort("suspicion", "is_flagged")
    return (
        alt.Chart(counts.with_columns(end=pl.col("suspicion") + top / bins))
        .mark_bar()
        .encode(
            x=alt.X("suspicion:Q", bin="binned", title="suspicion (-log10 p)"),
            x2="end",
            y=alt.Y("pairs:Q", scale=alt.Scale(type="sqrt"), stack=True),
            color=alt.Color(
                "is_flagged:N", title="flagged", scale=alt.Scale(domain=[False, True], range=["#9aa5b1", "#e45756"])
            ),
        )
        .properties(width=WIDTH, height=HEIGHT)
    )


def lengths(pairs: pl.DataFrame, *, bins: int = 12) -> Any:
    """How many chosen and how many rejected responses have how many letters; `bins` a power of ten."""
    import altair as alt

    sides = ("chosen", "rejected")
    place = [(pl.col(side).str.len_chars().clip(1).log10() * bins).floor().alias(side) for side in sides]
    counts = pairs.select(place).unpivot(variable_name="side", value_name="bin").group_by("side", "bin").len(name="responses")
    letters = {"letters": 10 ** (pl.col("bin") / bins), "end": 10 ** ((pl.col("bin") + 1) / bins), "none": pl.lit(0)}
    scale = alt.Scale(domain=list(sides), range=["#4c78a8", "#f58518"])
    return (
        alt.Chart(counts.with_columns(**letters).sort("side", "bin"))
        .mark_bar(opacity=0.5)
        .encode(
            x=alt.X("letters:Q", scale=alt.Scale(type="log"), title="letters", axis=alt.Axis(grid=False)),
            x2="end",
            y=alt.Y("responses:Q", stack=None, title="responses"),
            y2="none",
            color=alt.Color("side:N", title=None, scale=scale),
        )
        .properties(width=WIDTH, height=HEIGHT)
    )


def question_map(places: pl.DataFrame) -> Any:
    """Questions in the plane, coloured by what matches, with the name of each cluster where most of it lies.

    `places`: label, x, y, cluster, name.
    """
    import altair as alt

    plain = alt.Axis(labels=False, ticks=False, grid=False)
    x, y = (alt.X("x:Q", title=None, axis=plain), alt.Y("y:Q", title=None, axis=plain))
    points = alt.Chart(places.select("x", "y", "label")).mark_circle(size=18, opacity=0.5)
    middles = places.group_by("cluster", "name", maintain_order=True).agg(pl.col("x", "y").median())
    names = alt.Chart(middles).mark_text(fontSize=11, fontWeight="bold").encode(x=x, y=y, text="name:N")
    shown = points.encode(x=x, y=y, color=alt.Color("label:N", title="matching"))
    return (shown + names).properties(width=WIDTH, height=WIDTH)


def svg(chart: Any) -> str:
    """The chart as an <svg> element."""
    import vl_convert

    return vl_convert.vegalite_to_svg(_visible(chart.to_dict()))


def markdown(chart: Any, alt_text: str = "chart") -> str:
    """The chart as a markdown image that carries its own PNG."""
    import vl_convert

    drawn = packed(vl_convert.vegalite_to_png(_visible(chart.to_dict()), scale=1.5))
    return f"![{alt_text}](data:image/png;base64,{base64.b64encode(drawn).decode()})"


def _visible(part: Any) -> Any:
    """A part of a chart without control characters, at which the renderer aborts the whole process."""
    if isinstance(part, dict):
        return {name: _visible(value) for name, value in part.items()}
    if isinstance(part, list):
        return [_visible(value) for value in part]
    return visible(part) if isinstance(part, str) else part
