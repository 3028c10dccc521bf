"""What the filters of written questions are worth: where the truth was planted in templates, and in published questions.

    python benchmarks/written_questions.py [--behaviours 16] [--seeds 3]

Templates: 5,000 questions a label, 15 % mislabelled and 10 % off topic, a calibrated judge of AUROC .85; and the discriminator
that is learned of the very questions. Published: the same faults in sets of ANTIVENOM_REAL_DATA, with questions of other files
as the strange ones. Intervals are bootstraps over behaviours.
"""

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import _report
import altair as alt
import numpy as np
import polars as pl
from _corrupted import LABEL_NOISE, OFF_TOPIC, Corrupted, corrupted
from scipy.special import expit, logit
from scipy.stats import binomtest, norm
from sklearn.metrics import roc_auc_score

from checks import memory
from checks.questions import confidence, diversity, filtering, scoring
from checks.questions.claims import texts
from pipelines.questions import behaviours, reading, templates

AUROC = 0.85
GOLD = 5  # clean examples of each label, in the place of hand-written ones
KEPT = {"best 10 %": 0.1, "best 50 %": 0.5, "argmax rule alone": 1.0}
MAPPED = 200  # questions whose vectors are compared
ROWS = {"persona": 600, "risk": 200}  # of a behaviour
ENCODER = memory.Memory(memory.folder())


def judged(truth: np.ndarray, prior: float, draw: np.random.Generator) -> np.ndarray:
    """[N] calibrated confidence that `truth` [N] holds, of a judge whose Gaussian score has the AUROC."""
    apart = np.sqrt(2) * norm.ppf(AUROC)
    scores = draw.normal(size=len(truth)) + apart * (truth - 0.5)
    return expit(apart * scores + logit(prior))


def filtered(found: Corrupted, scores: pl.DataFrame, share: float, requirements: Sequence[str]) -> dict[str, Any]:
    """What is kept of one behaviour's questions: shares that are sound, and variety beside as many drawn at random."""
    questions = found.questions
    top = max(round(share * len(questions) / 2), 1)
    kept = filtering.select(questions, scores, top=top, requirements=requirements).kept
    places = kept["row"].to_numpy()
    spread = np.random.default_rng(1).permutation(places)[:MAPPED]
    drawn = np.random.default_rng(0).choice(len(questions), size=len(places), replace=False)
    words = texts(questions)
    return {
        "kept": len(places),
        "sound before": float(found.is_sound.mean()),
        "sound": float(found.is_sound[places].mean()),
        "mislabelled": float(found.is_wrong[places].mean()),
        "off topic": float(found.is_off[places].mean()),
        "ceiling": float(scores["label_confidence"].to_numpy()[places].mean()),
        "distinct-2 of as many": diversity.distinct(words[drawn]),
        "distinct-2": diversity.distinct(words[places]),
        "vendi of as many": diversity.vendi(ENCODER(words[drawn[:MAPPED]].to_list())),
        "vendi": diversity.vendi(ENCODER(words[spread].to_list())),
    }


def of_templates(seeds: int) -> Iterator[dict[str, Any]]:
    """A line a behaviour, discriminator and seed."""
    for name in ("risk-seeking", "unwillingness-to-be-paused"):
        for seed in range(seeds):
            for judge, count in (("calibrated judge", 10_000), ("out of fold", 1_000)):
                made = templates.write(
                    behaviours.behaviour(name), count=count, label_noise=LABEL_NOISE, off_topic=OFF_TOPIC, seed=seed
                )
                wrong, off = (made.key[column].to_numpy() for column in ("is_mislabelled", "is_off_topic"))
                found, draw = Corrupted(made.questions, wrong, off), np.random.default_rng([seed, 7])
                if judge == "out of fold":
                    others = [
                        other for other in behaviours.builtin().values() if other.format == "yes_no" and other.name != name
                    ]
                    beside = [
                        text
                        for other in others
                        for text in texts(templates.write(other, count=count // 6, seed=seed).questions)
                    ]
                    scores = scoring.score(made.questions, background=beside, encoder=ENCODER)
                else:
                    sure = {
                        "label_confidence": judged(~wrong, 1 - LABEL_NOISE, draw),
                        "relevance": judged(~off, 1 - OFF_TOPIC, draw),
                    }
                    scores = made.questions.select("question_id").with_columns(**sure, cluster=scoring.copies(made.questions))
                line = {"behaviour": name, "seed": seed, "discriminator": judge, "questions": count}
                line |= filtered(found, scores, 0.1, filtering.REQUIREMENTS)
                print(line, flush=True)
                yield line


def published(kind: str, count: int, seed: int) -> tuple[Corrupted, pl.DataFrame]:
    """Corrupted questions of `count` behaviours of a kind, and clean examples of each that are not among them."""
    place = Path(os.environ["ANTIVENOM_REAL_DATA"]) / "mwe_evals"
    if kind == "persona":
        whole = reading.read(place / "persona_dev.jsonl.gz").questions
    else:
        whole = reading.read(place / "advanced_ai_risk.jsonl.gz").questions
        whole = whole.filter(pl.col("source").str.contains("lm_generated") & (pl.col("options").list.len() == 2))
    names = np.random.default_rng(0).permutation(whole["behaviour"].unique(maintain_order=True).to_numpy())
    chosen = whole.filter(pl.col("behaviour").is_in(names[:count].tolist()))
    strange = whole.filter(pl.col("behaviour").is_in(names[count:].tolist()))
    chosen = (
        chosen.with_columns(order=pl.Series(np.random.default_rng([seed, 2]).permutation(len(chosen))))
        .sort("order")
        .drop("order")
    )
    chosen = chosen.group_by("behaviour", maintain_order=True).head(ROWS[kind] + (2 * GOLD if kind == "persona" else 0))
    if kind == "persona":
        nth = pl.int_range(pl.len()).over("behaviour", "matching")
        gold, rest = chosen.filter(nth < GOLD), chosen.filter(nth >= GOLD)
    else:
        gold, rest = reading.read(place / "few_shot_prompts.jsonl.gz").questions, chosen
    return corrupted(rest, strange, seed=seed), gold


def of_published(kind: str, count: int, seeds: int) -> Iterator[dict[str, Any]]:
    """A line a behaviour, discriminator, share kept and seed."""
    for seed in range(seeds):
        found, gold = published(kind, count, seed)
        both = {"out of fold": scoring.score(found.questions, encoder=ENCODER, seed=seed)}
        by_gold = confidence.by_examples(found.questions, gold, encoder=ENCODER)
        both["examples"] = both["out of fold"].with_columns(label_confidence=pl.Series(by_gold).fill_nan(None))
        for name in found.questions["behaviour"].unique(maintain_order=True):
            here = np.flatnonzero((found.questions["behaviour"] == name).to_numpy())
            part = Corrupted(
                found.questions[here].with_columns(row=pl.int_range(len(here)).cast(pl.Int64)),
                found.is_wrong[here],
                found.is_off[here],
            )
            for discriminator, scores in both.items():
                own = scores[here]
                if own["label_confidence"].null_count() == len(own):
                    continue
                ranks = {
                    "auroc of labels": auroc(part.is_wrong[~part.is_off], -own["label_confidence"].to_numpy()[~part.is_off]),
                    "auroc of topic": auroc(part.is_off, -own["relevance"].to_numpy()),
                }
                for rule, share in KEPT.items():
                    line = {"kind": kind, "behaviour": name, "seed": seed, "discriminator": discriminator, "rule": rule}
                    yield line | filtered(part, own, share, filtering.REQUIREMENTS) | ranks
        print(kind, "seed", seed, "done", flush=True)


def auroc(truth: np.ndarray, scores: np.ndarray) -> float:
    return float(roc_auc_score(truth, scores))


def summed(lines: Sequence[dict[str, Any]], by: Sequence[str]) -> list[dict[str, Any]]:
    """Means over behaviours and seeds with 95 % bootstrap intervals over behaviours, a line each of `by`."""
    numbers = [name for name, value in lines[0].items() if isinstance(value, float)]
    each = pl.DataFrame(lines).group_by(*by, "behaviour", maintain_order=True).agg(pl.col("kept", *numbers).mean())
    draw, found = np.random.default_rng(0), []
    for (*names,), part in each.group_by(by, maintain_order=True):
        values = part.select("kept", *numbers).to_numpy()
        again = values[draw.integers(len(values), size=(2000, len(values)))].mean(axis=1)
        low, high = np.quantile(again, (0.025, 0.975), axis=0)
        told: dict[str, Any] = dict(zip(by, names, strict=True)) | {"behaviours": len(part)}
        for at, number in enumerate(["kept", *numbers]):
            told[number] = float(values[:, at].mean())
            if number in ("sound", "mislabelled", "off topic"):
                told |= {f"{number} low": float(low[at]), f"{number} high": float(high[at])}
        found.append(told)
    return found


def each_behaviour(lines: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Sound shares of each behaviour over all seeds, with 95 % Wilson intervals over what was kept."""
    by = ("kind", "behaviour", "discriminator", "rule")
    table = (
        pl.DataFrame(lines)
        .group_by(by, maintain_order=True)
        .agg(pl.col("kept").sum(), (pl.col("sound") * pl.col("kept")).sum())
    )
    found = []
    for row in table.rename({"sound": "hits"}).iter_rows(named=True):
        interval = binomtest(round(row["hits"]), row["kept"]).proportion_ci(method="wilson")
        share = {"sound": row["hits"] / row["kept"], "low": float(interval.low), "high": float(interval.high)}
        found.append({name: row[name] for name in (*by, "kept")} | share)
    return found


def trade_off() -> list[dict[str, Any]]:
    """Over published persona files of 1,000 rows: correlation of mean published confidence with distinct-2."""
    whole = reading.read(Path(os.environ["ANTIVENOM_REAL_DATA"]) / "mwe_evals" / "persona_dev.jsonl.gz").questions
    points = np.array([
        (part["label_confidence"].mean(), diversity.distinct(part["statement"]))
        for _, part in whole.group_by("behaviour", maintain_order=True) if len(part) == 1000
    ])  # fmt: skip
    r, n = float(np.corrcoef(points.T)[0, 1]), len(points)
    low, high = np.tanh(np.arctanh(r) + np.array([-1.96, 1.96]) / np.sqrt(n - 3))
    return [{"files": n, "r of confidence and distinct-2": r, "low": float(low), "high": float(high)}]


def picture(lines: list[dict[str, Any]]) -> alt.Chart:
    """Sound shares before and after, a point a behaviour, in panels of kind and discriminator."""
    table = (
        pl.DataFrame(lines)
        .group_by("kind", "behaviour", "discriminator", "rule", maintain_order=True)
        .agg(pl.col("sound").mean())
    )
    before = table.with_columns(rule=pl.lit("before"), sound=pl.lit(1 - LABEL_NOISE - OFF_TOPIC)).unique()
    x = alt.X("rule:N", sort=["before", *reversed(KEPT)], title=None, axis=alt.Axis(labelAngle=-30))
    y = alt.Y("sound:Q", scale=alt.Scale(zero=False), axis=alt.Axis(format="%"), title="rightly labelled and on topic")
    base = alt.Chart(pl.concat([before, table])).mark_line(point=True, opacity=0.35).encode(x=x, y=y, detail="behaviour:N")
    return base.properties(width=200, height=200).facet(
        column=alt.Column("discriminator:N", title=None), row=alt.Row("kind:N", title=None)
    )


def main() -> None:
    """Prints the lines and writes them."""
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--behaviours", type=int, default=16)
    ask.add_argument("--risks", type=int, default=6)
    ask.add_argument("--seeds", type=int, default=3)
    given = ask.parse_args()
    _report.save("written_questions_templates", list(of_templates(given.seeds)))
    if not os.environ.get("ANTIVENOM_REAL_DATA"):
        sys.exit("written_questions: set ANTIVENOM_REAL_DATA to the folder of real rows for the rest")
    _report.save("written_questions_trade_off", trade_off())
    lines = [*of_published("persona", given.behaviours, given.seeds), *of_published("risk", given.risks, given.seeds)]
    _report.save("written_questions", summed(lines, ["kind", "discriminator", "rule"]))
    _report.save("written_questions_behaviours", each_behaviour(lines))
    _report.draw("written_questions", picture(lines))


if __name__ == "__main__":
    main()
