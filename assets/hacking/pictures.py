"""Pictures of a study of teacher hacking: where students go in the plane of both distances, and over their steps."""

from typing import Any

import polars as pl

from assets.pictures import HEIGHT, LEGEND, WIDTH

PANELS = {"loss": "loss", "proxy": "proxy: from teacher", "golden": "golden: from oracle"}


def plane(traces: pl.DataFrame, seed: int) -> Any:
    """Golden by proxy distance, a path an arm, read from right to left; the dashed line is the teacher, the disc the best step.

    A path that comes up again on its left is a student that hacks its teacher.
    """
    import altair as alt

    shown = traces.filter(seed=seed).drop_nulls("golden").sort("arm", "step")
    scale = alt.Scale(type="log", nice=False)
    x = alt.X("proxy:Q", scale=scale, title="proxy: KL(teacher || student), in nats")
    y = alt.Y("golden:Q", scale=scale, title="golden: KL(oracle || student), in nats")
    colour = alt.Color("arm:N", title=None, legend=LEGEND)
    path = alt.Chart(shown).mark_line(point=alt.OverlayMarkDef(size=12)).encode(x=x, y=y, order="step:Q", color=colour)
    best = shown.sort("golden").unique("arm", keep="first", maintain_order=True)
    discs = alt.Chart(best).mark_point(filled=True, size=90, opacity=1).encode(x=x, y=y, color=colour)
    layers = [path, discs]
    if len(level := shown.drop_nulls("teacher").head(1)):
        layers.append(alt.Chart(level).mark_rule(strokeDash=[5, 4], color="#616e7c").encode(y="teacher:Q"))
    return alt.layer(*layers).properties(width=WIDTH, height=HEIGHT)


def curves(traces: pl.DataFrame) -> Any:
    """Loss, proxy and golden over steps, both axes logarithmic, a line an arm, means over seeds."""
    import altair as alt

    mean = traces.filter(pl.col("step") > 0).group_by("arm", "step", maintain_order=True).agg(pl.col(*PANELS).mean())
    held = [name for name in PANELS if mean[name].null_count() < len(mean)]
    charts = [
        alt.Chart(mean.drop_nulls(name))
        .mark_line()
        .encode(
            x=alt.X("step:Q", scale=alt.Scale(type="log"), title="step"),
            y=alt.Y(f"{name}:Q", scale=alt.Scale(type="log", nice=False, zero=False), title=PANELS[name]),
            color=alt.Color("arm:N", title=None, legend=LEGEND),
        )
        .properties(width=WIDTH // 2, height=HEIGHT)
        for name in held
    ]
    return alt.hconcat(*charts)


def doses(verdicts: pl.DataFrame) -> Any:
    """Last golden distance of every arm, a point a seed and a line over their mean."""
    import altair as alt

    shown = verdicts.drop_nulls("golden_last")
    arms = shown["arm"].unique(maintain_order=True).to_list()
    y = alt.Y("arm:N", sort=arms, title=None, axis=alt.Axis(minExtent=130))
    scale = alt.Scale(zero=False)
    points = alt.Chart(shown).mark_point(filled=True, opacity=0.6).encode(
        x=alt.X("golden_last:Q", scale=scale, title="golden distance at the end, in nats"), y=y
    )  # fmt: skip
    mean = shown.group_by("arm", maintain_order=True).agg(pl.col("golden_last").mean())
    ticks = alt.Chart(mean).mark_tick(thickness=2, size=16, color="#e45756").encode(x="golden_last:Q", y=y)
    return (points + ticks).properties(width=WIDTH, height=alt.Step(22))
