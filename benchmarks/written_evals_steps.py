"""Does a reward that prefers agreement by seven to three make a policy agree with its users, and what else changes?

    python benchmarks/written_evals_steps.py [--seeds 0 1 2] [--steps 200]

A policy of two layers learns to talk from made-up dialogues in which users are told what they believe as often as not; then PPO
on questions with a biography, where the answer that its author would give earns log(0.7 / 0.3) more than the other. Answers are
words: a letter of a list would have to be looked up first, which so small a policy does not learn in time. Measured on held-out
biographies, beside a control: statements that no reward is given for.

The weight of KL is high on purpose: where it is low, the policy first settles on an answer to each question whatever the
biography says, and there is nothing left to learn from.
"""

import argparse
import copy
import dataclasses
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from math import log
from multiprocessing import get_context
from typing import Any

import _report
import altair as alt
import numpy as np
import polars as pl
import torch

from pipelines.questions import templates
from pipelines.questions.behaviours import builtin
from rlhf_train.evals import answer_changes, written_evals
from rlhf_train.models import policies
from rlhf_train.models.heads import WithValues
from rlhf_train.models.policies import Policy
from rlhf_train.objectives import OBJECTIVES
from rlhf_train.rollouts import Round, ppo
from rlhf_train.text import Lengths
from rlhf_train.train import fit

SYCOPHANCY, CONTROL = "agreeing-with-the-user", "risk-seeking"
PREFERRED = 0.7
AT = (0, 25, 50, 100, 150, 200)
ROUND = Round(prompts=96, epochs=1, batch=96, kl_weight=0.3, lam=1.0)
TESTED = 400

Columns = dict[str, list[Any]]


def questions(name: str, *, count: int, seed: int) -> Columns:
    """Written by templates; those with a biography have words for answers, and no list of choices."""
    held = templates.write(builtin()[name], count=count, seed=seed).questions.to_dict(as_series=False)
    if name != SYCOPHANCY:
        return held
    for place, (question, matching) in enumerate(zip(held["question"], held["matching"], strict=True)):
        asked, _, choices = question.partition("\n\nChoices:\n")
        labels, words = zip(*(line.strip().split(" ", 1) for line in choices.splitlines()), strict=True)
        held["question"][place] = asked
        held["options"][place] = sorted(f" {word}" for word in words)
        held["matching"][place] = [f" {words[labels.index(matching[0].strip())]}"]
    return held


def begun(seed: int, *, texts: int, steps: int) -> Policy:
    """A policy that knows how dialogues go, and is hardly more likely to agree than not."""
    random = np.random.default_rng(seed)
    said = []
    for name in (SYCOPHANCY, CONTROL):
        held = questions(name, count=texts // 2, seed=1000 + seed)
        for prompt, options in zip(written_evals.written(held)[0], held["options"], strict=True):
            said.append(prompt + options[int(random.integers(2))])
    made = policies.make(said, vocabulary=900, width=64, layers=2, steps=steps, batch=8, seed=seed)
    return dataclasses.replace(made, lengths=Lengths(256, 8))


def trained(seed: int, steps: int, start: Policy) -> dict[int, dict[str, written_evals.Answers]]:
    """What the policy answers to the held-out questions at each of the steps AT."""
    asked, tested = questions(SYCOPHANCY, count=4000, seed=seed), held_out(seed)
    prompts = written_evals.written(asked)[0]
    wanted = dict(zip(prompts, (own[0] for own in asked["matching"]), strict=True))
    options = {option for own in asked["options"] for option in own}
    model = WithValues(copy.deepcopy(start.model))
    policy, found, turn = dataclasses.replace(start, model=model.policy), {}, 0

    def scorer(picked: Sequence[str], said: Sequence[str]) -> np.ndarray:
        nonlocal turn
        if turn in AT:
            found[turn] = answers(policy, tested)
            told_ = {name: written_evals.measure(own, tested[name]).match_rate for name, own in found[turn].items()}
            print(f"seed {seed}, step {turn}: {told_}", flush=True)
        turn += ROUND.steps
        gap = log(PREFERRED / (1 - PREFERRED))
        return np.array(
            [gap * (text == wanted[prompt]) - gap * (text not in options) for prompt, text in zip(picked, said, strict=True)]
        )

    source = ppo(model, policy, start, prompts, scorer, ROUND, seed=seed)
    fit(model, OBJECTIVES["ppo"], source, steps=steps, lr=5e-4, decay="constant", seed=seed)
    return {**found, steps: answers(policy, tested)}


def held_out(seed: int) -> dict[str, Columns]:
    """Questions of other draws than those that are learned from."""
    return {name: questions(name, count=TESTED, seed=2000 + seed) for name in (SYCOPHANCY, CONTROL)}


def answers(policy: Policy, tested: Mapping[str, Columns]) -> dict[str, written_evals.Answers]:
    """By behaviour."""
    return {name: written_evals.answer(policy, own) for name, own in tested.items()}


def told(
    seed: int, found: Mapping[int, Mapping[str, written_evals.Answers]]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """A line a behaviour and step; and a line a behaviour: its trend, and how far it went from where it was."""
    tested, lines, trends = held_out(seed), [], []
    for name in (SYCOPHANCY, CONTROL):
        rates = [written_evals.measure(own[name], tested[name]).rates[0] for own in found.values()]
        lines += [
            {
                "behaviour": name, "seed": seed, "steps": step, "match rate": rate.match_rate, "low": rate.low,
                "high": rate.high, "matching mass": rate.matching_mass, "option mass": rate.option_mass,
            }
            for step, rate in zip(found, rates, strict=True)
        ]  # fmt: skip
        (trend,) = answer_changes.trends(list(found), [own[name] for own in found.values()], tested[name])
        masses = [rate.matching_mass for rate in rates]
        trends.append(
            {
                "behaviour": name, "seed": seed, "tau": trend.tau, "low": trend.low, "high": trend.high, "p": trend.p_value,
                "first": rates[0].match_rate, "last": rates[-1].match_rate,
                "farthest": max(abs(rate.match_rate - rates[0].match_rate) for rate in rates),
                "farthest in mass": max(abs(mass - masses[0]) for mass in masses),
            }
        )  # fmt: skip
    return lines, trends


def picture(lines: Sequence[Mapping[str, Any]]) -> alt.FacetChart:
    """Match rate over steps, a line a seed."""
    base = alt.Chart(pl.DataFrame(lines)).encode(x=alt.X("steps:Q", title="PPO steps"), color=alt.Color("seed:N", title="seed"))
    band = base.mark_area(opacity=0.15).encode(y="low:Q", y2="high:Q")
    line = base.mark_line(point=True).encode(y=alt.Y("match rate:Q", scale=alt.Scale(domain=[0, 1]), title="match rate"))
    return (band + line).properties(width=260, height=220).facet(column=alt.Column("behaviour:N", title=None))


def run(seed: int, *, steps: int, texts: int, pretrain: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """A seed."""
    torch.set_num_threads(1)
    return told(seed, trained(seed, steps, begun(seed, texts=texts, steps=pretrain)))


def main() -> None:
    """Every seed in a process."""
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    ask.add_argument("--steps", type=int, default=200)
    ask.add_argument("--texts", type=int, default=4000)
    ask.add_argument("--pretrain", type=int, default=300)
    ask.add_argument("--processes", type=int, default=3)
    given = ask.parse_args()
    with ProcessPoolExecutor(given.processes, get_context("spawn")) as pool:
        parts = list(pool.map(partial(run, steps=given.steps, texts=given.texts, pretrain=given.pretrain), given.seeds))
    lines, trends = ([line for part in parts for line in part[at]] for at in range(2))
    _report.save("written_evals_steps", lines)
    _report.save("written_evals_steps_trends", trends)
    _report.draw("written_evals_steps", picture(lines))


if __name__ == "__main__":
    main()
