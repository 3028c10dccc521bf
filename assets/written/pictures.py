"""Pictures of a study of written evaluations: what was kept, who shows which behaviour, and what poison changes."""

from typing import Any

import polars as pl

from assets.pictures import HEIGHT, LABELS, LEGEND, WIDTH

KEPT = {"kept": "#4c78a8", "dropped": "#c6ced6"}
BINS = 20
BELOW = {"orient": "bottom", "columns": 3, "labelLimit": LABELS}  # long names beside a picture would be cut off


def confidences(questions: pl.DataFrame, dropped: pl.DataFrame) -> Any:
    """How sure the discriminator is of labels, kept and dropped; those that it did not judge are left out.

    `questions`: label_confidence; `dropped`: label_confidence_score.
    """
    import altair as alt

    parts = [
        questions.select(confidence="label_confidence", what=pl.lit("kept")),
        dropped.select(confidence="label_confidence_score", what=pl.lit("dropped")),
    ]
    place = (pl.col("confidence") * BINS).floor().clip(0, BINS - 1) / BINS
    counts = pl.concat(parts).drop_nulls().group_by("what", place.alias("from")).len("questions").sort("what", "from")
    return (
        alt.Chart(counts.with_columns(to=pl.col("from") + 1 / BINS))
        .mark_bar()
        .encode(
            x=alt.X("from:Q", bin="binned", title="confidence in the label", scale=alt.Scale(domain=[0, 1])),
            x2="to",
            y=alt.Y("questions:Q", stack=True),
            color=alt.Color("what:N", title=None, scale=alt.Scale(domain=list(KEPT), range=list(KEPT.values()))),
        )
        .properties(width=WIDTH, height=HEIGHT)
    )


def dots(rates: pl.DataFrame) -> Any:
    """Match rate of every behaviour, a dot a policy with its 95 % interval; the dashed line is chance between two answers."""
    import altair as alt

    names, policies = (rates[name].unique(maintain_order=True).to_list() for name in ("behaviour", "policy"))
    offset = alt.YOffset("policy:N", sort=policies)
    axis = alt.Axis(minExtent=LABELS, labelLimit=LABELS)
    base = alt.Chart(rates).encode(
        y=alt.Y("behaviour:N", sort=names, title=None, axis=axis),
        yOffset=offset,
        color=alt.Color("policy:N", sort=policies, title=None, legend=BELOW),
    )
    x = alt.X(
        "match_rate:Q", title="answers that show the behaviour", axis=alt.Axis(format="%"), scale=alt.Scale(domain=[0, 1])
    )
    drawn = base.mark_rule().encode(x="low:Q", x2="high:Q") + base.mark_point(filled=True, opacity=1).encode(x=x)
    chance = alt.Chart(pl.DataFrame({"at": [0.5]})).mark_rule(strokeDash=[4, 4], color="#616e7c").encode(x="at:Q")
    return (chance + drawn).properties(width=WIDTH, height=alt.Step(9))


def doses(rates: pl.DataFrame) -> Any:
    """Match rate over the poison rate, a line a behaviour, means over seeds with their mean 95 % interval."""
    import altair as alt

    mean = rates.group_by("behaviour", "poison_rate", maintain_order=True).agg(pl.col("match_rate", "low", "high").mean())
    base = alt.Chart(mean).encode(
        x=alt.X("poison_rate:Q", title="poisoned share of the pairs", axis=alt.Axis(format="%")),
        color=alt.Color("behaviour:N", title=None, legend=BELOW | LEGEND),
    )
    y = alt.Y("match_rate:Q", title="answers that show it", axis=alt.Axis(format="%"), scale=alt.Scale(domain=[0, 1]))
    return (base.mark_area(opacity=0.1).encode(y="low:Q", y2="high:Q") + base.mark_line(point=True).encode(y=y)).properties(
        width=WIDTH, height=HEIGHT
    )
