"""How often intervals of a study hold the truth, and how wide they are: over items, judges, both at once, or both in turn.

Made-up studies: each item's two outputs have a judge each, judges differ in how easily they approve and in what training does
to that, items in how easily they are approved. The truth is the mean change of approval over all there might be of both.
"""

from dataclasses import dataclass

import numpy as np
from _report import draw, save

from rlhf_train.evals import two_way

STUDIES, DRAWS, LIFT = 200, 400, 0.8
WAYS = ("items", "judges", "both at once", "both in turn")


@dataclass(frozen=True, slots=True)
class World:
    """How many items and judges, and how far they differ, in logits; judges differ half as far in what training does."""

    items: int
    judges: int
    of_items: float
    of_judges: float


WORLDS = (World(100, 10, 1, 0), World(100, 10, 1, 0.7), World(250, 10, 1, 0.7), World(250, 10, 1, 1.2), World(250, 35, 1, 0.7))


def main() -> None:
    rows = []
    for world in WORLDS:
        held, wide = np.zeros(len(WAYS)), np.zeros(len(WAYS))
        for seed in range(STUDIES):
            ends = np.array(intervals(study(world, seed), seed))
            held += (ends[:, 0] <= truth(world)) & (truth(world) <= ends[:, 1])
            wide += (ends[:, 1] - ends[:, 0]) / STUDIES
        print(world, dict(zip(WAYS, held / STUDIES, strict=True)), flush=True)
        for way, count, width in zip(WAYS, held, wide, strict=True):
            facts = {"items": world.items, "judges": world.judges, "sd of judges": world.of_judges, "over": way}
            rows.append({**facts, "studies": STUDIES, "holds the truth": float(count / STUDIES), "width": float(width)})
    save("study_intervals", rows)
    draw("study_intervals", _picture(rows))


def study(world: World, seed: int) -> two_way.Sums:
    random = np.random.default_rng(seed)
    ease, lenience = random.normal(-0.3, world.of_items, world.items), random.normal(0, world.of_judges, world.judges)
    lift = random.normal(LIFT, world.of_judges / 2, world.judges)
    items = np.repeat(range(world.items), 2)
    judges = np.array([random.choice(world.judges, 2, replace=False) for _ in range(world.items)]).ravel()
    after = np.tile([False, True], world.items)
    approved = random.random(2 * world.items) < _share(ease[items] + lenience[judges] + after * lift[judges])
    among = np.stack([~after, after], axis=1).astype(float)
    nowhere = np.zeros(2 * world.items, dtype=int)
    return two_way.Sums(approved[:, None] * among, among, np.ones(2 * world.items), items, judges, nowhere)


def truth(world: World) -> float:
    random = np.random.default_rng(12345)
    before = random.normal(-0.3, world.of_items, 200_000) + random.normal(0, world.of_judges, 200_000)
    return float((_share(before + random.normal(LIFT, world.of_judges / 2, 200_000)) - _share(before)).mean())


def intervals(sums: two_way.Sums, seed: int) -> list[tuple[float, float]]:
    """One for each of WAYS."""
    random = np.random.default_rng(seed)
    drawn = {name: _counts(getattr(sums, name), random) for name in ("items", "judges")}
    times = (drawn["items"], drawn["judges"], drawn["items"] * drawn["judges"])
    gaps = [np.diff(sums.ratios(one))[:, 0] for one in times]
    ours = two_way.estimates(sums, [{1: 1.0, 0: -1.0}], shares=[True, True], draws=DRAWS, seed=seed)[2]
    return [*(tuple(np.quantile(gap, [0.025, 0.975])) for gap in gaps), (ours.low or 0.0, ours.high or 0.0)]


def _counts(of: np.ndarray, random: np.random.Generator) -> np.ndarray:
    number = of.max() + 1
    return random.multinomial(number, np.full(number, 1 / number), DRAWS)[:, of].astype(float)


def _share(logits: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-logits))


def _picture(rows: list) -> object:
    import altair as alt
    import polars as pl

    shown = pl.DataFrame(rows).with_columns(world=pl.format("{} items, {} judges, sd {}", "items", "judges", "sd of judges"))
    x = alt.X("holds the truth:Q", title="intervals that hold the truth (95 % wanted)", scale=alt.Scale(zero=False))
    base = alt.Chart(shown).encode(x=x, y=alt.Y("width:Q", title="mean width"), color="over:N")
    line = alt.Chart(pl.DataFrame({"x": [0.95]})).mark_rule(strokeDash=[4, 4]).encode(x="x:Q")
    return (line + base.mark_point(filled=True, size=60)).properties(width=420, height=260)


if __name__ == "__main__":
    main()
