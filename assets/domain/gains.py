"""What policies of summaries gain on held-out products, and at which price; the best of what is stored among them."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from assets.domain.policies import ASK, Rewarded, asked, of_products, sized
from assets.experiments import Corpus

NUMBERS = ("reward", "kl", "rouge_l", "words")
BEFORE, LEARNED, ANY, BEST = "supervised", "off policy", "any of what is stored", "best of what is stored"


def told(
    policies: Mapping[str, Any], start: Any, held_out: pl.DataFrame, stored: pl.DataFrame, reward: Rewarded, corpus: Corpus
) -> pl.DataFrame:
    """policy, of, mean, low, high, gain, gain_low, gain_high: what each says to held-out prompts, beside the supervised one.

    The best of what is `stored` of those prompts stands beside any of it, and costs no learning. `of` is one of NUMBERS:
    KL is in nats a summary, and ROUGE-L is against people's summaries, or else those that are preferred.
    """
    from rlhf_train.evals import summary_policy

    references, own = references_of(held_out, of_products(stored, held_out))
    training = corpus.experiment.training
    ready = {name: sized(each, training) for name, each in {BEFORE: start, **policies}.items()}
    said = {
        name: summary_policy.draw(each, ready[BEFORE], asked(references), temperature=training.temperature, seed=corpus.seed)
        for name, each in ready.items()
    }
    rows = _rows(said, references, reward)
    return pl.DataFrame([*rows, *(_rows(_picked(own, reward, corpus.seed), references, reward) if len(own) else ())])


def references_of(held_out: pl.DataFrame, stored: pl.DataFrame) -> tuple[dict[str, list[str]], pl.DataFrame]:
    """(by prompt what ROUGE-L is against, SUMMARIES that may be picked): none is both, unless all that is good was stored."""
    preferred = dict(held_out.group_by("prompt", maintain_order=True).agg(pl.col("chosen").unique()).iter_rows())
    gold = dict(stored.filter(pl.col("tier") == "gold").group_by("prompt").agg("summary").iter_rows())
    references: dict[str, list[str]] = {prompt: gold.get(prompt) or texts for prompt, texts in preferred.items()}
    both = [text in references[prompt] for prompt, text in stored.select("prompt", "summary").iter_rows()]
    others = stored.filter(~pl.Series(both, dtype=pl.Boolean))
    return references, others if others["tier"].is_in(["good"]).any() else stored


def _rows(said: Mapping[str, Any], references: Mapping[str, list[str]], reward: Rewarded) -> list[dict[str, Any]]:
    """A row a policy and number, with the gain over the first policy."""
    from rlhf_train.evals import summary_policy

    rows, first = [], None
    for name, samples in said.items():
        prompts = [text.removesuffix(ASK) for text in samples.prompts]
        scores = reward(prompts, samples.texts)
        first = first or (samples, scores)
        found = summary_policy.measure(samples, scores, [references[prompt] for prompt in prompts], other=first)
        for of in NUMBERS:
            mean, gain = found.means[of], found.gains[of]
            told = {"policy": name, "of": of, "mean": mean.mean, "low": mean.low, "high": mean.high}
            rows.append(told | {"gain": gain.mean, "gain_low": gain.low, "gain_high": gain.high})
    return rows


def _picked(stored: pl.DataFrame, reward: Rewarded, seed: int) -> dict[str, Any]:
    """Of each prompt's stored summaries any, and the best by reward, which of n is ln n nats from any."""
    from rlhf_train import candidates
    from rlhf_train.evals.summary_policy import Samples

    prompts, texts = stored["prompt"].to_list(), stored["summary"].to_list()
    counts = dict(stored.group_by("prompt").len().iter_rows())
    found = {}
    for name, scores in {ANY: np.random.default_rng(seed).random(len(stored)), BEST: reward(prompts, texts)}.items():
        picks = candidates.best(prompts, scores)
        nats = np.array([0.0 if name == ANY else np.log(counts[prompts[at]]) for at in picks])
        found[name] = Samples(asked([prompts[at] for at in picks]), [texts[at] for at in picks], nats)
    return found
