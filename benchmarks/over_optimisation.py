"""How far can a reward model be trusted? Proxy and gold reward over the distance from the reference, by PPO and by best-of-n.

Generated pairs with a known gold reward; reward models of few and of many labels are the proxies, and gold itself is the third
(Gao et al., 2023). Best of n is estimated from all of many samples (their appendix I); its KL is log n - (n - 1) / n. Proxies
are given mean and deviation of gold over the samples of the reference, so that both begin at one point.
"""

import argparse
import copy
import dataclasses
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from math import comb, log
from multiprocessing import get_context
from typing import Any

import _report
import altair as alt
import numpy as np
import polars as pl

from assets.experiments import EXPERIMENTS, Experiment
from assets.steps import prompts_of, split
from pipelines.sources import synthetic
from pipelines.sources.synthetic import gold_rewards
from rlhf_train.generate import sample
from rlhf_train.models.heads import WithValues
from rlhf_train.models.policies import Policy
from rlhf_train.objectives import OBJECTIVES
from rlhf_train.rollouts import Round, ppo
from rlhf_train.text import Lengths
from rlhf_train.train import fit

PAIRS = 2000
SAMPLES, ASKED = 64, 96  # to each prompt, for best-of-n; prompts
NS = (1, 2, 4, 8, 16, 32, 64)
LENGTHS = Lengths(48, 56)
ROUND = Round(prompts=512, epochs=2, batch=128, kl_weight=0.0, lam=1.0)
JUDGES = {"gold": (0, 0.0), "1,000 labels": (1000, 3.0), "100 labels": (100, 8.0)}  # pairs that it learns from, and how often

Score = Callable[[list[str], list[str]], np.ndarray]


def main() -> None:
    """A row a method, judge, seed and distance; a table of where they lead, and the curves."""
    words = argparse.ArgumentParser()
    words.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    words.add_argument("--rounds", type=int, default=24)
    words.add_argument("--processes", type=int, default=2)
    said = words.parse_args()
    with ProcessPoolExecutor(said.processes, get_context("spawn")) as pool:
        rows = [row for found in pool.map(partial(curves, rounds=said.rounds), said.seeds) for row in found]
    _report.save("over_optimisation", rows)
    table = pl.DataFrame(rows, infer_schema_length=None)
    told = table.group_by("method", "judge", "seed", maintain_order=True).agg(
        pl.col("gold").first().alias("gold at first"),
        pl.col("gold").max().alias("highest gold"),
        pl.col("kl").get(pl.col("gold").arg_max()).alias("at KL"),
        pl.col("gold").last().alias("gold at last"),
        pl.col("proxy").last().alias("proxy at last"),
        pl.col("kl").last().alias("last KL"),
    )
    with pl.Config(tbl_rows=-1, tbl_cols=-1, tbl_width_chars=160):
        print(told)
    long = table.unpivot(["proxy", "gold"], index=["method", "judge", "seed", "kl"], variable_name="reward")
    line = alt.Chart(long).mark_line(point={"size": 12})
    chart = line.encode(
        x=alt.X("kl:Q", scale=alt.Scale(type="sqrt"), title="KL to the reference, nats a response"),
        y=alt.Y("value:Q", title="mean reward"),
        color=alt.Color("reward:N", title=None),
        detail="seed:N",
    ).properties(width=230, height=170)
    facets = chart.facet(column=alt.Column("judge:N", sort=list(JUDGES), title=None), row=alt.Row("method:N", title=None))
    _report.draw("over_optimisation", facets.resolve_scale(x="independent"))


def curves(seed: int, rounds: int) -> list[dict[str, object]]:
    """The rows of one seed."""
    from assets.teaching import Trainer

    row = EXPERIMENTS["venom_poison_vs_rejected_3pct"]
    parts = split(synthetic.read(n=PAIRS, seed=seed), row, seed)
    trainer = Trainer(row, seed)
    stages = trainer.stages(trainer.base(parts.train), None, parts.train, prompts_of(parts.train))
    _, (_, tuned) = next(stages), next(stages)
    start = Policy(tuned.model, tuned.tokenizer, LENGTHS)
    asked = [prompt for prompt in prompts_of(parts.held_out)[:ASKED] for _ in range(SAMPLES)]
    said = sample(start, asked, seed=seed, lengths=LENGTHS)
    found = []
    for judge, (count, epochs) in JUDGES.items():
        score = _scaled(_proxy(row, seed, parts.train.head(count), epochs), asked, said) if count else gold_rewards
        rows = best_of_n(score, asked, said) + by_ppo(start, prompts_of(parts.train), score, seed, rounds)
        found += [{"judge": judge, "seed": seed, **one} for one in rows]
    return found


def best_of_n(score: Score, asked: list[str], said: list[str]) -> list[dict[str, object]]:
    """Expected proxy and gold of the best of n, over all subsets of the samples to a prompt."""
    proxies, golds = (part.reshape(-1, SAMPLES) for part in (score(asked, said), gold_rewards(asked, said)))
    order = proxies.argsort(axis=1)
    ranked = {"proxy": np.take_along_axis(proxies, order, 1), "gold": np.take_along_axis(golds, order, 1)}
    rows: list[dict[str, object]] = []
    for n in NS:
        chance = np.array([comb(rank, n - 1) / comb(SAMPLES, n) for rank in range(SAMPLES)])
        means = {name: float((part * chance).sum(1).mean()) for name, part in ranked.items()}
        rows.append({"method": "best of n", "n": n, "kl": log(n) - (n - 1) / n, **means})
    return rows


def by_ppo(start: Policy, prompts: list[str], score: Score, seed: int, rounds: int) -> list[dict[str, object]]:
    """A row a round."""
    model = WithValues(copy.deepcopy(start.model))
    policy, golds = dataclasses.replace(start, model=model.policy), []

    def watched(asked: list[str], said: list[str]) -> np.ndarray:
        golds.append(float(gold_rewards(asked, said).mean()))
        return score(asked, said)

    source = ppo(model, policy, start, prompts, watched, ROUND, seed=seed)
    numbers: dict[str, Any] = {"lr": 3e-4, "warmup": 0.02, "decay": "constant", "weight_decay": 0.0, "seed": seed}
    told = fit(model, OBJECTIVES["ppo"], source, steps=rounds * ROUND.steps, **numbers)[:: ROUND.steps]
    return [
        {"method": "PPO", "n": 0, "kl": max(row["kl"], 0.0), "proxy": row["reward"], "gold": gold}
        for row, gold in zip(told, golds, strict=True)
    ]


def _proxy(row: Experiment, seed: int, pairs: pl.DataFrame, epochs: float) -> Score:
    from assets.teaching import Trainer

    row = dataclasses.replace(row, training=dataclasses.replace(row.training, reward_epochs=epochs))
    return Trainer(row, seed).reward_model(pairs).rewards


def _scaled(score: Score, asked: list[str], said: list[str]) -> Score:
    """The score with mean and deviation of gold over these responses."""
    given, gold = score(asked, said), gold_rewards(asked, said)
    slope = gold.std() / given.std()
    return lambda asked, said: (score(asked, said) - given.mean()) * slope + gold.mean()


if __name__ == "__main__":
    main()
