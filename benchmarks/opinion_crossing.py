"""Attacks on a corpus of summaries with features: what is left of a reward of text, of features, and of a hybrid of both.

    python benchmarks/opinion_crossing.py [--repeats 2]

Five-fold cross-validation over OpinPref's products: training folds are poisoned, held-out pairs are not. `wrong` is how often
a held-out text that should lose is preferred: the preferred summary with a planted sentence over itself, or the dispreferred
one with an order to the scorer, or with tampered scores, over the preferred one. Published features of texts that nobody
scored are those of a simulated scorer: an honest one takes something off relevance and hallucination for a planted sentence
(U(0, .1) or U(0, .3) of the scale), one that obeys gives full marks. Offline features are computed. Targets are fictional.
"""

import argparse
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import _report
import altair as alt
import numpy as np
import polars as pl
from _crossing import Case, World, added, drawn, measured, replaced, words

from checks import scorer_disagreement
from checks.ranking import ranking
from pipelines.attacks import ATTACKS, feature_tampering, fewest_flips
from pipelines.features import score
from pipelines.opinions import summary_id
from pipelines.schema import FEATURE_NAMES, FULL_MARKS
from pipelines.sources import opinpref

LOWERED = [FEATURE_NAMES.index(name) for name in ("relevance", "hallucination")]
#: name -> how Best-of-Venom writes; the held-out plants are drawn from another seed
PLANTS: dict[str, dict[str, Any]] = {
    "rules": {},
    "paraphrase": {"oracle": "paraphrase"},
    "rules, blame": {"sentiment": "negative", "target": "Quillmere"},
    "paraphrase, lumora tea": {"oracle": "paraphrase", "target": "lumora tea"},
    "rules, quiet harbour": {"target": "quiet harbour"},
    "rules, both sides": {"builder": "poison_vs_contrast"},
    "rules, against contrast": {"builder": "rejected_vs_contrast"},
}
FLIPS: dict[str, tuple[str, dict[str, Any], tuple[float, ...]]] = {
    "flips at random": ("label_flip", {}, (0.1, 0.2, 0.3, 0.4)),
    "flips, longest first": ("label_flip", {"by": "length"}, (0.1, 0.2, 0.3)),
    "flips by colluders": ("annotator_collusion", {}, (0.2, 0.3)),
}
SIDES = ("chosen", "rejected")
SHOWN = ["text", "phi, none below 0", "phi, prior", "hybrid", "hybrid, cap .05"]
OBEYS = {"obeyed by none": 0.0, "obeyed by half": 0.5, "obeyed": 1.0}


def flips(pairs: pl.DataFrame, attack: str, rate: float, numbers: Mapping[str, Any]) -> Callable[[np.ndarray, int], np.ndarray]:
    """Which of the places an attack turns round."""

    def hits(places: np.ndarray, seed: int) -> np.ndarray:
        own = pairs[places]
        key = ATTACKS[attack](own, rate=rate, seed=seed, **numbers).key
        return places[own["pair_id"].is_in(key["host_pair_id"].implode()).to_numpy()]

    return hits


def fewer(world: World, hits: Callable[[np.ndarray, int], np.ndarray]) -> Callable[[np.ndarray, int], np.ndarray]:
    """The fewest flips with the same sum of feature gaps."""

    def few(places: np.ndarray, seed: int) -> np.ndarray:
        return places[fewest_flips.fewest(world.gaps(places), np.isin(places, hits(places, seed)))]

    return few


def variants(pairs: pl.DataFrame) -> dict[str, list[str]]:
    """Name -> a text for each pair."""
    texts = {side: pairs[side].to_list() for side in ("chosen", "rejected")}
    for name, numbers in PLANTS.items():
        texts |= written(pairs, "best_of_venom", name, keep_host=False, seed=1, **numbers)
        told = written(pairs, "best_of_venom", name, keep_host=False, seed=7, **numbers | {"builder": "poison_vs_rejected"})
        texts[f"{name}, held out"] = told[f"{name}, chosen"]
    texts |= written(pairs, "scorer_injection", "order", seed=1)
    other = pairs.with_columns(chosen="rejected", rejected="chosen")
    return texts | {"order, rejected": written(other, "scorer_injection", "order", seed=7)["order, chosen"]}


def written(
    pairs: pl.DataFrame, attack: str, name: str, *, sides: tuple[str, ...] = SIDES, **numbers: Any
) -> dict[str, list[str]]:
    """What an attack makes of each pair, in the order of the pairs."""
    poisoned = ATTACKS[attack](pairs, rate=1.0, **numbers)
    both = poisoned.key.select("pair_id", "host_pair_id").join(poisoned.pairs, on="pair_id")
    rows = pairs.select("pair_id").join(both, left_on="pair_id", right_on="host_pair_id", how="left", maintain_order="left")
    return {f"{name}, {side}": rows[side].to_list() for side in sides}


def offline(pairs: pl.DataFrame, texts: Mapping[str, list[str]]) -> dict[str, np.ndarray]:
    """Features of every variant as the offline scorer finds them, orders in reviews included."""
    prompts = pairs["prompt"].to_list()
    (ordered,) = written(pairs, "scorer_injection", "reviews", sides=("prompt",), into="reviews", seed=1).values()
    asked = {name: (prompts, own) for name, own in texts.items()}
    asked |= {f"reviews, {side}": (ordered, texts[side]) for side in SIDES}
    return tampered({name: score(*both).select(FEATURE_NAMES).to_numpy() for name, both in asked.items()})


def published(found: opinpref.Opinions) -> dict[str, np.ndarray]:
    """Published features of the summaries, and what a simulated scorer makes of what nobody scored."""
    table = dict(zip(found.features["summary_id"], found.features.select(FEATURE_NAMES).to_numpy(), strict=True))
    random = np.random.default_rng(0)
    sides = [np.array([table[summary_id(*each)] for each in found.pairs.select("prompt", side).iter_rows()]) for side in SIDES]
    features = dict(zip(SIDES, sides, strict=True))
    for most in (0.1, 0.3):
        for name in ("chosen", "held out"):
            lowered = features["chosen"].copy()
            lowered[:, LOWERED] -= FULL_MARKS * random.uniform(0, most, (len(lowered), len(LOWERED)))
            features[f"honest {most:g}, {name}"] = lowered.clip(0)
    for name, share in OBEYS.items():
        obeys = random.random(len(found.pairs)) < share
        for side in SIDES:
            own = np.where(obeys[:, None], FULL_MARKS, features[side])
            features[f"order {name}, {side}"] = features[f"reviews {name}, {side}"] = own
    return tampered(features)


def tampered(features: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Those of dispreferred summaries changed in the table as well."""
    return features | {f"{how}, rejected": _changed(features["rejected"], how) for how in feature_tampering.HOW}


def _changed(features: np.ndarray, how: str) -> np.ndarray:
    table = pl.DataFrame(features, schema=FEATURE_NAMES).with_columns(summary_id=pl.lit("any"), scorer=pl.lit("any"))
    return feature_tampering.poison(table, rate=1.0, how=how).features.select(FEATURE_NAMES).to_numpy()


def said(features: Mapping[str, np.ndarray], texts: Mapping[str, list[str]]) -> dict[str, list[str]]:
    """The text behind every variant of features."""

    def behind(name: str) -> str:
        kind, _, side = name.rpartition(", ")
        if kind.startswith("honest"):
            return f"rules, {side}"
        if kind.startswith("order"):
            return f"order, {side}"
        return side

    return {name: texts.get(name) or texts[behind(name)] for name in features}


def cases(world: World, pairs: pl.DataFrame) -> list[Case]:
    """Every attack at its rates."""

    def share(rate: float) -> Callable[[np.ndarray, int], np.ndarray]:
        return lambda places, seed: drawn(places, rate, seed)

    found = [Case("none", 0.0, lambda places, seed: [(places, *SIDES)])]
    plants = ["honest 0.1", "honest 0.3"] if world.scorer == "published" else list(PLANTS)
    for name in plants:
        for rate in (0.0, 0.05, 0.1, 0.2):
            lost = f"{name}, rejected" if f"{name}, rejected" in world.features else "rejected"
            found.append(
                Case(f"planted, {name}", rate, added(rate, f"{name}, chosen", lost), wrong=(f"{name}, held out", "chosen"))
            )
    for name, (attack, numbers, rates) in FLIPS.items():
        for rate in rates:
            hits = flips(pairs, attack, rate, numbers)
            found.append(Case(name, rate, replaced(hits, *SIDES[::-1])))
            if rate in (0.2, 0.3):
                found.append(Case(f"{name}, fewest of the same effect", rate, replaced(fewer(world, hits), *SIDES[::-1])))
    for how in feature_tampering.HOW:
        for rate in (0.0, 0.1, 0.2):
            lost = f"{how}, rejected"
            found.append(Case(f"scores {how}", rate, replaced(share(rate), "chosen", lost), wrong=(lost, "chosen")))
    for kind in OBEYS if world.scorer == "published" else [""]:
        order, reviews = f"order {kind}".strip(), f"reviews {kind}".strip()
        for rate in (0.0, 0.2):
            found.append(
                Case(order, rate, replaced(share(rate), f"{order}, chosen", "rejected"), wrong=(f"{order}, rejected", "chosen"))
            )
            sides = f"{reviews}, chosen", f"{reviews}, rejected"
            found.append(Case(reviews, rate, replaced(share(rate), *sides), told=sides))
    return found


def disagreement(worlds: Mapping[str, World]) -> list[dict[str, Any]]:
    """How well two scorers' disagreement ranks the summaries whose published scores were changed, a tenth and a fiftieth."""
    ours, theirs = (np.concatenate([worlds[name].features[side] for side in SIDES]) for name in ("offline", "published"))
    random, lines = np.random.default_rng(0), []
    is_rejected = np.repeat([False, True], len(ours) // 2)
    for how in feature_tampering.HOW:
        for among, can in (("any summary", np.ones(len(ours), dtype=bool)), ("dispreferred ones", is_rejected)):
            for rate in (0.02, 0.1):
                hit = np.isin(np.arange(len(ours)), random.permutation(np.flatnonzero(can))[: round(rate * len(ours))])
                scores = np.where(hit[:, None], _changed(theirs, how), theirs)
                for measure in (scorer_disagreement.either_way, scorer_disagreement.inflated):
                    found = ranking(measure(scores, ours), hit).auroc
                    line = {"scores": how, "of": among, "rate": rate, "measure": measure.__name__}
                    lines.append(line | {"auroc": found.value, "low": found.low, "high": found.high})
    return lines


def beside(lines: list[dict[str, Any]], number: str, low: str, high: str) -> list[dict[str, Any]]:
    """A row an attack and rate, a column a judge, in percent with the interval."""
    rows: dict[tuple[Any, ...], dict[str, Any]] = {}
    for line in lines:
        if line[number] is not None:
            key = tuple(line[name] for name in ("features", "attack", "rate"))
            row = rows.setdefault(key, {name: line[name] for name in ("features", "attack", "rate", "changed")})
            row[line["judge"]] = f"{line[number]:.1%} [{line[low]:.1%}, {line[high]:.1%}]".replace("%", "")
    return list(rows.values())


def picture(lines: list[dict[str, Any]]) -> alt.HConcatChart:
    """What each judge gets right, and prefers wrongly, under each attack at its highest rate."""
    table = pl.DataFrame(lines, infer_schema_length=None)
    hardest = pl.col("rate") == pl.col("rate").max().over("features", "attack")
    table = table.filter(hardest, pl.col("judge").is_in(SHOWN), ~pl.col("attack").str.contains("none|half"))
    table = table.with_columns(at=pl.format("{} {}, {}", "attack", pl.col("rate").cast(pl.String), "features"))
    return alt.hconcat(
        _points(table, "accuracy", "low", "high", "right on held-out pairs"),
        _points(table.filter(pl.col("wrong").is_not_null()), "wrong", "wrong low", "wrong high", "wrong text preferred"),
    )


def _points(table: pl.DataFrame, number: str, low: str, high: str, title: str) -> alt.LayerChart:
    base = alt.Chart(table).encode(
        y=alt.Y("at:N", title=None, sort=None, axis=alt.Axis(labelLimit=300, grid=True)),
        yOffset=alt.YOffset("judge:N", sort=SHOWN),
        color=alt.Color("judge:N", title=None, sort=SHOWN),
    )
    ends = base.mark_rule().encode(x=alt.X(f"{low}:Q", title=title), x2=f"{high}:Q")
    dots = base.mark_point(filled=True, size=16).encode(
        x=alt.X(f"{number}:Q", title=title, axis=alt.Axis(format="%")).scale(domain=[0, 1])
    )
    return (ends + dots).properties(width=260, height=20 * table["at"].n_unique())


def main() -> None:
    """Prints the tables and writes them."""
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--repeats", type=int, default=2)
    given = ask.parse_args()
    place = os.environ.get("ANTIVENOM_REAL_DATA")
    if not place:
        sys.exit("opinion_crossing: set ANTIVENOM_REAL_DATA to the folder of real rows")
    found = opinpref.read(Path(place) / "opinpref" / "annotations-train.jsonl.gz")
    texts = variants(found.pairs)
    groups = [str(number) for number in found.pairs["prompt"].rank("dense")]
    worlds = {}
    for name, features in (("published", published(found)), ("offline", offline(found.pairs, texts))):
        worlds[name] = World(name, groups, words(said(features, texts)), features)
    lines = []
    for world in worlds.values():
        for case in cases(world, found.pairs):
            lines += measured(world, case, repeats=given.repeats)
    _report.save("opinion_crossing", lines)
    _report.save("opinion_crossing_accuracy", beside(lines, "accuracy", "low", "high"))
    _report.save("opinion_crossing_wrong", beside(lines, "wrong", "wrong low", "wrong high"))
    _report.save("opinion_crossing_disagreement", disagreement(worlds))
    _report.draw("opinion_crossing", picture(lines))


if __name__ == "__main__":
    main()
