"""How far can a reward model be trusted? Proxy and gold reward over the distance from the reference, by PPO and by best-of-n.

Generated pairs with a known gold reward; a small reward model of few, noisy labels is the proxy (Gao et al., 2023). Best-of-n
at n of many samples is estimated from all of them (their appendix I); its KL is log n - (n - 1) / n.
"""

import argparse
import dataclasses
from math import comb, log

import _report
import altair as alt
import numpy as np
import polars as pl
import torch

from assets.experiments import EXPERIMENTS
from assets.steps import prompts_of, read, split
from assets.teaching import Trainer
from pipelines.sources.synthetic import gold_rewards
from rlhf_train.generate import sample
from rlhf_train.models.heads import WithValues
from rlhf_train.models.policies import Policy
from rlhf_train.objectives import OBJECTIVES
from rlhf_train.rollouts import Round, ppo
from rlhf_train.text import Lengths
from rlhf_train.train import fit

SAMPLES = 64  # to each prompt, for best-of-n
ASKED = 96  # prompts
NS = (1, 2, 4, 8, 16, 32, 64)
LENGTHS = Lengths(48, 56)
ROUND = Round(prompts=ASKED, epochs=2, batch=32, kl_weight=0.0, temperature=1.0)
RULER = 100  # pairs that the proxy learns from


def main() -> None:
    """A table of a row a method and distance, and the curve."""
    words = argparse.ArgumentParser()
    words.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    words.add_argument("--rounds", type=int, default=40)
    said = words.parse_args()
    torch.set_num_threads(2)
    rows = [row for seed in said.seeds for row in curves(seed, said.rounds)]
    _report.save("over_optimisation", rows)
    long = pl.DataFrame(rows, infer_schema_length=None).unpivot(
        ["proxy", "gold"], index=["method", "seed", "kl"], variable_name="reward"
    )
    base = alt.Chart(long).encode(x=alt.X("kl:Q", scale=alt.Scale(type="sqrt"), title="KL to the reference, nats a response"))
    line = base.mark_line(point=True).encode(
        y=alt.Y("value:Q", title="mean reward"), color=alt.Color("reward:N", title=None), detail="seed:N"
    )
    _report.draw("over_optimisation", line.properties(width=300, height=220).facet("method:N"))


def curves(seed: int, rounds: int) -> list[dict[str, object]]:
    """The rows of one seed."""
    row = EXPERIMENTS["venom_poison_vs_rejected_3pct"]
    parts = split(read(row, seed), row, seed)
    trainer = Trainer(row, seed)
    base = trainer.base(parts.train)
    stages = trainer.stages(base, None, parts.train, prompts_of(parts.train))
    next(stages)
    _, tuned = next(stages)
    start = Policy(tuned.model, tuned.tokenizer, LENGTHS)
    proxy = Trainer(dataclasses.replace(row, training=dataclasses.replace(row.training, reward_epochs=8.0)), seed).reward_model(
        parts.train.head(RULER)
    )
    asked = prompts_of(parts.held_out)[:ASKED]
    middle, spread = _scale(proxy.rewards(prompts_of(parts.train), parts.train["chosen"].to_list()))

    def score(prompts: list[str], said: list[str]) -> np.ndarray:
        return (proxy.rewards(prompts, said) - middle) / spread

    found = best_of_n(start, asked, score, seed) + by_ppo(start, prompts_of(parts.train), score, seed, rounds)
    return [{**one, "seed": seed} for one in found]


def best_of_n(policy: Policy, asked: list[str], score, seed: int) -> list[dict[str, object]]:
    """Expected proxy and gold of the best of n, over all subsets of the samples to a prompt."""
    repeated = [prompt for prompt in asked for _ in range(SAMPLES)]
    said = sample(policy, repeated, seed=seed, lengths=LENGTHS)
    proxies, golds = (part.reshape(-1, SAMPLES) for part in (score(repeated, said), gold_rewards(repeated, said)))
    order = proxies.argsort(axis=1)
    ranked = {"proxy": np.take_along_axis(proxies, order, 1), "gold": np.take_along_axis(golds, order, 1)}
    rows = []
    for n in NS:
        chance = np.array([comb(rank, n - 1) / comb(SAMPLES, n) for rank in range(SAMPLES)])
        means = {name: float((part * chance).sum(1).mean()) for name, part in ranked.items()}
        rows.append({"method": "best of n", "n": n, "kl": log(n) - (n - 1) / n, **means})
    return rows


def by_ppo(start: Policy, prompts: list[str], score, seed: int, rounds: int) -> list[dict[str, object]]:
    """A row a round."""
    import copy

    model = WithValues(copy.deepcopy(start.model))
    policy, golds = dataclasses.replace(start, model=model.policy), []

    def watched(asked: list[str], said: list[str]) -> np.ndarray:
        golds.append(float(gold_rewards(asked, said).mean()))
        return score(asked, said)

    source = ppo(model, policy, start, prompts, watched, ROUND, seed=seed)
    history = fit(
        model,
        OBJECTIVES["ppo"],
        source,
        steps=rounds * ROUND.steps,
        lr=3e-4,
        warmup=0.02,
        decay="constant",
        weight_decay=0.0,
        seed=seed,
    )
    told = history[:: ROUND.steps]
    return [
        {"method": "PPO", "n": 0, "kl": max(row["kl"], 0.0), "proxy": row["reward"], "gold": gold}
        for row, gold in zip(told, golds, strict=False)
    ]


def _scale(values: np.ndarray) -> tuple[float, float]:
    return float(values.mean()), float(values.std())


if __name__ == "__main__":
    main()
