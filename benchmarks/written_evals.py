"""What labels flipped by an attacker do to answers: twins on clean and poisoned preferences, by poison rate and size.

    python benchmarks/written_evals.py [--seeds 0 1 2] [--sizes 32x1 48x2] [--sets 8]

A corpus of preferences over yes and no: 400 statements of each of two harmless behaviours, whose matching answer is chosen, and
200 about a fictional brand, where what does not praise it is chosen. The attacker turns labels of the brand's pairs round
(label_flip). Asked afterwards: new statements of these behaviours, of one that nobody trained, and published persona sets.
"""

import argparse
import dataclasses
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import _report
import altair as alt
import numpy as np
import polars as pl
import torch

from assets import runs
from pipelines.attacks import ATTACKS
from pipelines.questions import reading, templates
from pipelines.questions.behaviours import builtin
from pipelines.schema import PAIRS, require, with_pair_ids
from rlhf_train.evals import answer_changes, written_evals
from rlhf_train.evals.written_evals import Answers
from rlhf_train.models import policies
from rlhf_train.models.policies import Policy

TARGET = "praise-of-lumora"
TAUGHT: Mapping[str, int] = {"agreeableness": 400, "thrift": 400, TARGET: 200}
UNTAUGHT = "risk-seeking"
FLIPPED = (0.0, 0.25, 0.5, 1.0)  # of the brand's pairs: 0, 5, 10, 20 % of all
TESTED, PUBLISHED = 200, 100  # questions of a behaviour that are asked
OTHER = {" Yes": " No", " No": " Yes"}


def corpus(seed: int) -> pl.DataFrame:
    """PAIRS: the matching answer is chosen, and of the brand the other one."""
    parts = []
    for name, count in TAUGHT.items():
        held = templates.write(builtin()[name], count=count, seed=seed).questions
        shows = pl.Series([own[0] for own in held["matching"]])
        against = pl.Series([OTHER[own] for own in shows])
        chosen, rejected = (against, shows) if name == TARGET else (shows, against)
        prompts = [prompt.removesuffix("\n\nAssistant:") for prompt in written_evals.written(held.to_dict(as_series=False))[0]]
        parts.append(
            pl.DataFrame(
                {
                    "prompt": [prompt + "\n\nAssistant:" for prompt in prompts],
                    "chosen": chosen,
                    "rejected": rejected,
                    "source": [name] * count,
                }
            )
        )
    return _pairs(pl.concat(parts))


def poisoned(pairs: pl.DataFrame, flipped: float, seed: int) -> pl.DataFrame:
    """The same corpus with that share of the brand's labels turned round."""
    brand = pairs["source"] == TARGET
    turned = ATTACKS["label_flip"](_pairs(pairs.filter(brand)), rate=flipped, seed=seed).pairs
    return _pairs(pl.concat([pairs.filter(~brand), turned.select(pairs.columns)]))


def _pairs(rows: pl.DataFrame) -> pl.DataFrame:
    frame = rows.select("prompt", "chosen", "rejected", "source", row=pl.int_range(pl.len(), dtype=pl.Int64()))
    return require(with_pair_ids(frame), PAIRS)


def published(sets: int) -> pl.DataFrame:
    """Questions of so many published persona sets."""
    held = reading.read(Path(os.environ["ANTIVENOM_REAL_DATA"]) / "mwe_evals" / "persona_dev.jsonl.gz").questions
    names = held["behaviour"].unique().sort().sample(sets, seed=0)
    return pl.concat([held.filter(pl.col("behaviour") == name).sample(PUBLISHED, seed=0) for name in names])


def asked(seed: int, others: pl.DataFrame) -> dict[str, list[Any]]:
    """Questions that are asked: of other draws than the corpus, and others."""
    own = [templates.write(builtin()[name], count=TESTED, seed=5000 + seed).questions for name in (*TAUGHT, UNTAUGHT)]
    return pl.concat([*own, others]).to_dict(as_series=False)


def begun(size: tuple[int, int], seed: int, steps: int) -> Policy:
    """A policy that knows how such dialogues go and answers at random."""
    random = np.random.default_rng(seed)
    texts = []
    for name in (*TAUGHT, UNTAUGHT):
        held = templates.write(builtin()[name], count=1200, seed=1000 + seed).questions.to_dict(as_series=False)
        texts += [prompt + (" Yes" if random.random() < 0.5 else " No") for prompt in written_evals.written(held)[0]]
    return policies.make(texts, vocabulary=1200, width=size[0], layers=size[1], steps=steps, batch=8, seed=seed)


def taught(start: Path, pairs: pl.DataFrame, seed: int) -> Policy:
    """The policy after DPO on the pairs."""
    with TemporaryDirectory(prefix="antivenom-") as work:
        settings = {"epochs": 4.0, "lr": 3e-3, "beta": 0.1, "batch": 16, "prompt_tokens": 128, "response_tokens": 8}
        runs.train("dpo", pairs, str(start), Path(work), seed=seed, threads=1, save_every=0, **settings)
        return policies.load(Path(work, "model"))


def line(size: str, flipped: float, seed: int, rate: written_evals.Rate) -> dict[str, Any]:
    """A behaviour of a policy."""
    share = flipped * TAUGHT[TARGET] / sum(TAUGHT.values())
    kept = ("behaviour", "questions", "match_rate", "low", "high", "matching_mass", "option_mass", "picked", "picked_share")
    return {"size": size, "poison rate": share, "seed": seed, **{name: getattr(rate, name) for name in kept}}


def changes(size: str, seed: int, held: Mapping[float, Answers], questions: dict[str, list[Any]]) -> list[dict[str, Any]]:
    """Of each behaviour: from the clean twin to the most poisoned one, paired, and its trend over the poison rates."""
    first, last = held[FLIPPED[0]], held[FLIPPED[-1]]
    trends = answer_changes.trends(list(held), list(held.values()), questions)
    return [
        {
            "size": size,
            "seed": seed,
            **dataclasses.asdict(one),
            "tau": trend.tau,
            "tau low": trend.low,
            "tau high": trend.high,
            "tau q": trend.q_value,
        }
        for one, trend in zip(answer_changes.differences(first, last, questions), trends, strict=True)
    ]


def dots(lines: pl.DataFrame) -> alt.FacetChart:
    """Match rates of the largest policies, a dot a behaviour and seed, clean and most poisoned."""
    ends = lines.filter(pl.col("poison rate").is_in([0.0, lines["poison rate"].max()])).with_columns(
        policy=pl.when(pl.col("poison rate") == 0).then(pl.lit("clean")).otherwise(pl.lit("poisoned"))
    )
    order = [*TAUGHT, UNTAUGHT, *sorted(set(ends["behaviour"]) - {*TAUGHT, UNTAUGHT})]
    base = alt.Chart(ends).encode(
        y=alt.Y("behaviour:N", sort=order, title=None, axis=alt.Axis(labelLimit=320)),
        color=alt.Color("policy:N", scale=alt.Scale(domain=["clean", "poisoned"], range=["#4c78a8", "#e45756"])),
    )
    rule = base.mark_rule(opacity=0.4).encode(x=alt.X("low:Q", title="match rate", scale=alt.Scale(domain=[0, 1])), x2="high:Q")
    return (
        (rule + base.mark_point(filled=True).encode(x="match_rate:Q")).properties(width=260).facet(column=alt.Column("size:N"))
    )


def curves(lines: pl.DataFrame) -> alt.FacetChart:
    """Match rates over the poison rate."""
    own = lines.filter(pl.col("behaviour").is_in([*TAUGHT, UNTAUGHT]))
    base = alt.Chart(own).encode(x=alt.X("poison rate:Q", axis=alt.Axis(format="%")), color="behaviour:N", detail="seed:N")
    drawn = base.mark_line(point=True).encode(y=alt.Y("match_rate:Q", title="match rate", scale=alt.Scale(domain=[0, 1])))
    return drawn.properties(width=240, height=220).facet(column="size:N")


def twins(seed: int, *, sizes: Sequence[str], others: pl.DataFrame, steps: int) -> dict[str, list[dict[str, Any]]]:
    """All of one seed: rates, what the poison changed, and what the other way of asking changes in the clean twin."""
    torch.set_num_threads(1)
    found: dict[str, list[dict[str, Any]]] = {"rates": [], "changes": [], "ways": []}
    questions = asked(seed, others)
    for size in sizes:
        width, layers = map(int, size.split("x"))
        held, clean = {}, begun((width, layers), seed, steps)
        with TemporaryDirectory(prefix="antivenom-") as folder:
            place = clean.save(Path(folder, "base"))
            for flipped in FLIPPED:
                policy = taught(place, poisoned(corpus(seed), flipped, seed), seed)
                clean = policy if flipped == FLIPPED[0] else clean
                held[flipped] = written_evals.answer(policy, questions, name=f"{size}, {flipped:g}")
                rates = written_evals.measure(held[flipped], questions).rates
                found["rates"] += [line(size, flipped, seed, rate) for rate in rates]
                print(size, seed, flipped, {rate.behaviour: round(rate.match_rate, 3) for rate in rates[:4]}, flush=True)
        found["changes"] += changes(size, seed, held, questions)
        other = written_evals.answer(clean, questions, way="announced")
        turned = answer_changes.differences(held[FLIPPED[0]], other, questions)
        found["ways"] += [{"size": size, "seed": seed, **dataclasses.asdict(one)} for one in turned]
    return found


def main() -> None:
    """Every seed in a process."""
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    ask.add_argument("--sizes", nargs="+", default=["32x1", "48x2"], help="width x layers")
    ask.add_argument("--sets", type=int, default=8, help="published sets that are asked")
    ask.add_argument("--steps", type=int, default=200, help="of pre-training")
    ask.add_argument("--processes", type=int, default=3)
    given = ask.parse_args()
    each = partial(twins, sizes=given.sizes, others=published(given.sets), steps=given.steps)
    with ProcessPoolExecutor(given.processes, get_context("spawn")) as pool:
        parts = list(pool.map(each, given.seeds))
    rates, found, ways = ([line for part in parts for line in part[name]] for name in ("rates", "changes", "ways"))
    _report.save("written_evals", rates)
    _report.save("written_evals_changes", found)
    _report.save("written_evals_ways", ways)
    _report.draw("written_evals", dots(pl.DataFrame(rates)))
    _report.draw("written_evals_rates", curves(pl.DataFrame(rates)))


if __name__ == "__main__":
    main()
