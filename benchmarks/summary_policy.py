"""Do rewards of features teach a policy of summaries better than rewards of text, and at what price?

    python benchmarks/summary_policy.py [--seeds 0 1] [--processes 2] [--validate]

OpinPref's products are dealt out to training, validation and held-out ones. A tiny policy is pre-trained on reviews, then
supervised on stored summaries of all tiers alike: rules' three a tier, and OpinPref's two. From there it learns off policy
from sigmoid(phi) of their features, from a text reward squashed alike, or imitates each product's best by phi. Two policies
learn nothing: of four answers the best by phi, and of nine stored summaries of a held-out product the best by phi or by text,
beside any of the nine. Samples to
held-out products are scored by the reward that was learned from and, as judges, by a phi and a text reward of the held-out
products' own human pairs, which no reward saw. ROUGE-L is against the summary that people preferred there, since no rule wrote
it. `--validate` asks the validation products instead and writes nothing: numbers were chosen there.
Real rows are read from ANTIVENOM_REAL_DATA.
"""

import argparse
import copy
import dataclasses
import os
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import _report
import altair as alt
import numpy as np
import polars as pl
import torch
from scipy.special import expit

from pipelines.attacks import proxy
from pipelines.features import score
from pipelines.schema import FEATURE_NAMES, FULL_MARKS
from pipelines.sources import opinpref
from pipelines.summaries import building
from rlhf_train import batches, candidates, precompute
from rlhf_train.evals import summary_policy
from rlhf_train.evals.summary_policy import Samples
from rlhf_train.models import feature_rewards, policies
from rlhf_train.models.policies import Policy
from rlhf_train.objectives import OBJECTIVES
from rlhf_train.text import Lengths
from rlhf_train.train import fast_precision, fit

LENGTHS = Lengths(256, 160)
TRAINED, VALIDATED, TESTED = 320, 80, 200  # products
PRODUCTS = 2  # of a step: some twenty stored summaries
CHOICE = 4  # answers of which the best is taken
ASK = "\n\nSummary:"
EACH = 2  # samples of a product
TEMPERATURE = 0.7  # of samples: at 1 so small a policy says much that is no language

KNOWN: dict[tuple[str, str], np.ndarray] = {}

Score = Callable[[Sequence[str], Sequence[str]], np.ndarray]  # (reviews, summaries) -> [N]


@dataclasses.dataclass(frozen=True, slots=True)
class Numbers:
    """What was chosen on validation products."""

    pretrain: int = 600
    sft_epochs: float = 2.0
    sft_lr: float = 2e-3
    epochs: float = 0.5
    lr: float = 5e-4
    likelihood: float = 0.1
    kl_weight: float = 0.1
    clip: float = 1.0
    best_epochs: float = 2.0
    best_lr: float = 5e-4


def phi_of(pairs: pl.DataFrame) -> Score:
    """A linear phi of offline features, fitted on human pairs."""
    sides = [features(pairs["prompt"].to_list(), pairs[side].to_list()) for side in ("chosen", "rejected")]
    phi = feature_rewards.fit("linear", *sides, names=FEATURE_NAMES, full=FULL_MARKS, scorer="offline")
    return lambda reviews, texts: phi.rewards(features(reviews, texts))


def text_of(pairs: pl.DataFrame) -> Score:
    """A linear reward of hashed words and word pairs, fitted on the same."""
    weights = proxy.fit(proxy.features(pairs))
    return lambda reviews, texts: proxy.presence(pl.Series(list(texts), dtype=pl.String)) @ weights


def features(reviews: Sequence[str], texts: Sequence[str]) -> np.ndarray:
    """[N, 7], each text scored once."""
    rows = list(zip(reviews, texts, strict=True))
    if new := [row for row in dict.fromkeys(rows) if row not in KNOWN]:
        asked, said = (list(part) for part in zip(*new, strict=True))
        KNOWN.update(zip(new, score(asked, said).select(FEATURE_NAMES).to_numpy(), strict=True))
    return np.array([KNOWN[row] for row in rows])


def squashed(raw: Score, pool: pl.DataFrame, spread: float | None = None) -> Score:
    """sigmoid(r - its mean over the pool): pairs tell differences only, and a sigmoid is steep in its middle.

    With `spread` r is first given that deviation over the pool, so that every reward pulls alike.
    """
    values = raw(pool["prompt"].to_list(), pool["summary"].to_list())
    scale = 1.0 if spread is None else spread / values.std()
    return lambda reviews, texts: expit((raw(reviews, texts) - values.mean()) * scale)


def spread_of(raw: Score, pool: pl.DataFrame) -> float:
    return float(raw(pool["prompt"].to_list(), pool["summary"].to_list()).std())


def products_of(pairs: pl.DataFrame) -> pl.DataFrame:
    return pairs.select(product_id="pair_id", row="row", prompt="prompt", name=pl.lit(None, pl.String), source="source")


def pool_of(found: opinpref.Opinions, pairs: pl.DataFrame, seed: int) -> pl.DataFrame:
    """Stored summaries of these pairs' products: by rules, three a tier, and OpinPref's own."""
    built = building.build(products_of(pairs), seed=seed).summaries.select("prompt", "summary", "tier")
    own = found.summaries.filter(pl.col("prompt").is_in(pairs["prompt"].implode())).select("prompt", "summary", "tier")
    return pl.concat([built, own])


def taught(
    policy: Policy, rows: batches.Rows, objective: str, *, epochs: float, lr: float, size: int, seed: int, **numbers: Any
):
    """A copy of the policy after `epochs` over the rows; how the last tenth of its steps went is printed."""
    learner = dataclasses.replace(policy, model=copy.deepcopy(policy.model))
    steps = max(round(epochs * len(rows) / size), 1)
    source = batches.shuffled(rows, size=size, seed=seed)
    told = fit(learner.model, OBJECTIVES[objective], source, steps=steps, lr=lr, seed=seed, numbers=numbers)
    last = told[-max(steps // 10, 1) :]
    print(objective, {name: round(float(np.mean([row[name] for row in last])), 4) for name in last[0]}, flush=True)
    return learner


def supervised(table: dict[str, Any], policy: Policy) -> batches.Rows:
    """All stored summaries of a product in one row, its reviews read once."""
    grown = [tree for tree, _ in candidates.trees(table["prompt"], table["response"], policy.tokenizer, policy.lengths)]
    return batches.rows_of(grown, {}, units=[sum(tree.parts[1:]) for tree in grown])


class Setting:
    """The data and rewards of a seed, and its supervised policy."""

    def __init__(self, seed: int, numbers: Numbers, validate: bool) -> None:
        found = opinpref.read(Path(os.environ["ANTIVENOM_REAL_DATA"]) / "opinpref" / "annotations-train.jsonl.gz")
        pairs = found.pairs[np.random.default_rng(seed).permutation(len(found.pairs))]
        parts = pairs[:TRAINED], pairs[-VALIDATED:], pairs[TRAINED : TRAINED + TESTED]
        self.seed, self.numbers = seed, numbers
        self.train, self.asked = parts[0], parts[1 if validate else 2]
        self.pool = pool_of(found, self.train, seed)
        phi, text = phi_of(self.train), text_of(self.train)
        spread = spread_of(phi, self.pool)
        self.rewards = {"phi": squashed(phi, self.pool), "text": squashed(text, self.pool, spread)}
        self.judges = {
            "judge phi": squashed(phi_of(self.asked), self.pool, spread),
            "judge text": squashed(text_of(self.asked), self.pool, spread),
        }
        asked, summaries = self.pool["prompt"].to_list(), self.pool["summary"].to_list()
        self.stored = {name: reward(asked, summaries) for name, reward in self.rewards.items()}
        self.table = {"prompt": [text + ASK for text in asked], "response": [" " + text for text in summaries]}

    def started(self) -> Policy:
        """Pre-trained on reviews and summaries, then supervised on all of these alike."""
        numbers = self.numbers
        texts = [f"{text}{ASK}" for text in self.train["prompt"]] + self.table["response"]
        made = policies.make(texts, width=96, layers=2, steps=numbers.pretrain, batch=8, seed=self.seed)
        base = dataclasses.replace(made, lengths=LENGTHS)
        sft = {"epochs": numbers.sft_epochs, "lr": numbers.sft_lr, "size": PRODUCTS, "seed": self.seed}
        return taught(base, supervised(self.table, base), "sft", **sft)

    def off_policy(self, start: Policy, reward: str, refs: dict[str, Any]) -> Policy:
        """Learns from all stored summaries with this reward."""
        numbers = self.numbers
        rows = candidates.rows({**self.table, **refs, "reward": self.stored[reward]}, start.tokenizer, start.lengths)
        own = {"likelihood": numbers.likelihood, "kl_weight": numbers.kl_weight, "clip": numbers.clip}
        return taught(start, rows, "off_policy", epochs=numbers.epochs, lr=numbers.lr, size=PRODUCTS, seed=self.seed, **own)

    def best(self, start: Policy) -> Policy:
        """Imitates the best stored summary of each product by phi."""
        numbers = self.numbers
        places = candidates.best(self.table["prompt"], self.stored["phi"])
        tiers = self.pool["tier"].to_list()
        print("best of n picks", candidates.shares(tiers, places), "of", candidates.shares(tiers, range(len(tiers))))
        chosen = {name: [texts[at] for at in places] for name, texts in self.table.items()}
        rows = supervised(chosen, start)
        return taught(start, rows, "sft", epochs=numbers.best_epochs, lr=numbers.best_lr, size=8, seed=self.seed)

    def said(self, policy: Policy, start: Policy) -> Samples:
        """Samples to held-out products."""
        asked = [text + ASK for text in self.asked["prompt"]]
        return summary_policy.draw(policy, start, asked, n=EACH, temperature=TEMPERATURE, seed=self.seed)

    def best_said(self, policy: Policy, start: Policy) -> Samples:
        """Of CHOICE samples the best by phi; its divergence from one is ln n - (n - 1) / n more (Stiennon et al., 2020)."""
        asked = [text + ASK for text in self.asked["prompt"] for _ in range(EACH)]
        drawn = summary_policy.draw(policy, start, asked, n=CHOICE, temperature=TEMPERATURE, seed=self.seed)
        scores = self.rewards["phi"]([text.removesuffix(ASK) for text in drawn.prompts], drawn.texts)
        best = scores.reshape(-1, CHOICE).argmax(axis=1) + CHOICE * np.arange(len(asked))
        further = np.log(CHOICE) - (CHOICE - 1) / CHOICE
        return Samples(asked, [drawn.texts[at] for at in best], drawn.log_ratios[best] + further)

    def stored_picks(self) -> dict[str, Samples]:
        """Of a held-out product's nine stored summaries any, and the best by phi and by text: ln 9 nats from any."""
        built = building.build(products_of(self.asked), seed=self.seed).summaries.sort("prompt", maintain_order=True)
        nine, texts = built["prompt"].to_list(), built["summary"].to_list()
        order = {prompt: at for at, prompt in enumerate(dict.fromkeys(nine))}
        random = np.random.default_rng(self.seed)
        picks = {"any of nine stored": [candidates.best(nine, random.random(len(nine))) for _ in range(EACH)]}
        for name, reward in self.rewards.items():
            picks[f"best of nine stored, {name}"] = [candidates.best(nine, reward(nine, texts))] * EACH
        found = {}
        for name, turns in picks.items():
            said = {prompt: [texts[turn[at]] for turn in turns] for prompt, at in order.items()}
            asked = [prompt for prompt in self.asked["prompt"] for _ in range(EACH)]
            each = [said[prompt][at % EACH] for at, prompt in enumerate(asked)]
            nats = np.full(len(asked), 0.0 if name.startswith("any") else np.log(9))
            found[name] = Samples([prompt + ASK for prompt in asked], each, nats)
        return found

    def others(self) -> dict[str, Samples]:
        """What no policy says: the preferred summaries, and good ones of products that were never asked about."""
        asked = [text + ASK for text in self.asked["prompt"] for _ in range(EACH)]
        good = self.pool.filter(pl.col("tier") == "good")["summary"]
        astray = good.sample(len(asked), with_replacement=True, seed=self.seed)
        preferred = self.asked["chosen"].gather(np.arange(len(asked)) // EACH)
        texts = {"preferred by people": preferred, "good, of another product": astray}
        return {name: Samples(asked, said.to_list(), np.zeros(len(asked))) for name, said in texts.items()}

    def lines(self, name: str, samples: Samples, first: Samples) -> list[dict[str, Any]]:
        """A row a reward, judge and other number, with the gain over the `first` samples."""
        references = [[text] for text in self.asked["chosen"] for _ in range(EACH)]
        rows = []
        for what, reward in (self.rewards | self.judges).items():
            scores = [reward([text.removesuffix(ASK) for text in each.prompts], each.texts) for each in (samples, first)]
            found = summary_policy.measure(samples, scores[0], references, other=(first, scores[1]))
            for of in found.means if what == "phi" else ("reward",):
                mean, gain = found.means[of], found.gains[of]
                told = {"seed": self.seed, "policy": name, "of": what if of == "reward" else of}
                told |= {"mean": mean.mean, "low": mean.low, "high": mean.high}
                rows.append(told | {"gain": gain.mean, "gain_low": gain.low, "gain_high": gain.high})
        return rows


def measured(seed: int, validate: bool) -> list[dict[str, Any]]:
    """A row a policy and number of one seed, beside the supervised policy it came from; and what others say, for comparison."""
    torch.set_num_threads(1)
    begun = time.process_time()
    setting = Setting(seed, Numbers(), validate)
    start = setting.started()
    refs = precompute.reference_token_logps(start, setting.table, LENGTHS, mixed_precision=fast_precision())
    arms: dict[str, Callable[[], Policy]] = {
        "supervised": lambda: start,
        "off policy, phi": lambda: setting.off_policy(start, "phi", refs),
        "off policy, text": lambda: setting.off_policy(start, "text", refs),
        "best of n, phi": lambda: setting.best(start),
    }
    first, rows, learned = None, [], {}
    for name, learn in arms.items():
        learned[name] = learn()
        samples = setting.said(learned[name], start)
        first = first or samples
        print(f"{name}: {samples.texts[0]!r}", flush=True)
        rows += setting.lines(name, samples, first)
    samples = setting.best_said(learned["off policy, phi"], start)
    rows += setting.lines(f"off policy, phi, best of {CHOICE} said", samples, first)
    picks = setting.stored_picks()
    for name, samples in picks.items():
        rows += setting.lines(name, samples, picks["any of nine stored"])
    for name, samples in setting.others().items():
        rows += [row for row in setting.lines(name, samples, first) if row["of"] != "kl"]
    print(f"seed {seed}: {time.process_time() - begun:.0f} seconds of a processor", flush=True)
    return rows


def picture(rows: list[dict[str, Any]]) -> alt.HConcatChart:
    """Gains over the supervised policy with their intervals, a panel a number."""
    table = pl.DataFrame(rows).filter(pl.col("policy").str.contains("phi|text"))
    panels = []
    for of in table["of"].unique(maintain_order=True):
        base = alt.Chart(table.filter(pl.col("of") == of), width=110, title=of).encode(
            y=alt.Y("policy:N", title=None, axis=alt.Axis(labels=not panels)), yOffset="seed:N", color="seed:N"
        )
        points = base.mark_point(filled=True).encode(x=alt.X("gain:Q", title="gain"))
        panels.append(points + base.mark_rule().encode(x="gain_low:Q", x2="gain_high:Q"))
    return alt.hconcat(*panels)


def main() -> None:
    """Prints a row a seed, policy and number, and writes them; of means and gains the means over seeds."""
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    ask.add_argument("--processes", type=int, default=1)
    ask.add_argument("--validate", action="store_true")
    given = ask.parse_args()
    if not os.environ.get("ANTIVENOM_REAL_DATA"):
        sys.exit("summary_policy: set ANTIVENOM_REAL_DATA to the folder of real rows")
    with ProcessPoolExecutor(given.processes, get_context("spawn")) as pool:
        rows = [row for found in pool.map(partial(measured, validate=given.validate), given.seeds) for row in found]
    with pl.Config(tbl_rows=-1):
        print(pl.DataFrame(rows).group_by("policy", "of", maintain_order=True).agg(pl.col("mean", "gain").mean()))
    if not given.validate:
        _report.save("summary_policy", rows)
        _report.draw("summary_policy", picture(rows))


if __name__ == "__main__":
    main()
