"""What came of a run: its answers to held-out prompts, each with gold reward, attack success and nats from where it began,
and which side it prefers of pairs that the attack makes of the same prompts.
"""

from math import log
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from assets.experiments import Corpus
from assets.methods.grounds import probe, sized
from assets.methods.rows import METHODS, N
from assets.steps import answers_of, prompts_of
from pipelines.schema import METHOD_ANSWERS, require
from pipelines.sources import synthetic

ASKED_FOR = 1.5  # deviations above a corpus' mean reward: what a policy is asked for that learned to be told


def answers(
    name: str,
    corpus: Corpus,
    model: Path,
    base: Any,
    imitated: Any,
    drafts: pl.DataFrame,
    held_out: pl.DataFrame,
    *,
    seconds: float,
) -> pl.DataFrame:
    """METHOD_ANSWERS: one a held-out prompt. The best of n drafts is at most log n - (n - 1) / n nats from a draft."""
    best = METHODS[name].answers == "best"
    said, nats = _best(model, drafts, held_out) if best else _own(name, corpus, model, imitated, held_out)
    found = pl.DataFrame({"place": range(len(held_out)), "answer": said, "nats": nats})
    golds = synthetic.gold_rewards(held_out["prompt"].to_list(), said) if corpus.experiment.source == "synthetic" else None
    table = found.with_columns(
        objective=pl.lit(name),
        corpus=pl.lit(corpus.arm),
        seed=pl.lit(corpus.seed),
        seconds=pl.lit(seconds),
        gold=pl.lit(None, dtype=pl.Float64) if golds is None else pl.Series(golds),
        success=pl.Series(_hits(corpus, said)),
    )
    prefers = _preferred(name, corpus, model, base, probe(corpus, held_out))
    return require(table.join(prefers, on="place", how="left", maintain_order="left"), METHOD_ANSWERS)


def _best(model: Path, drafts: pl.DataFrame, held_out: pl.DataFrame) -> tuple[list[str], list[float]]:
    from rlhf_train.generate import rerank
    from rlhf_train.models import judges

    own = drafts.group_by("place", maintain_order=True).agg("answer")["answer"].to_list()
    said = rerank(prompts_of(held_out), own, judges.load(model).rewards)
    return said, [log(N) - (N - 1) / N] * len(said)


def _own(name: str, corpus: Corpus, model: Path, imitated: Any, held_out: pl.DataFrame) -> tuple[list[str], np.ndarray]:
    from rlhf_train.conditioning import conditioned
    from rlhf_train.evals.summary_policy import draw
    from rlhf_train.models import policies

    policy, prompts = sized(corpus, policies.load(model)), prompts_of(held_out)
    asked = conditioned(prompts, ASKED_FOR) if METHODS[name].answers == "asked" else prompts
    temperature = corpus.experiment.training.temperature
    found = draw(policy, sized(corpus, imitated), prompts, asked=asked, temperature=temperature, seed=corpus.seed)
    return found.texts, found.log_ratios


def _preferred(name: str, corpus: Corpus, model: Path, base: Any, pairs: pl.DataFrame) -> pl.DataFrame:
    """place and prefers of each pair: by a scorer's rewards, or by what a policy has learned since the base policy."""
    prompts, sides = prompts_of(pairs), ("chosen", "rejected")
    if not len(pairs):
        margins = np.zeros(0)
    elif METHODS[name].answers == "best":
        from rlhf_train.models import judges

        scored = judges.load(model).rewards
        margins = np.subtract(*(np.asarray(scored(prompts, answers_of(pairs, side))) for side in sides))
    else:
        margins = _learned(name, corpus, model, base, {"prompt": prompts, **{side: answers_of(pairs, side) for side in sides}})
    return pl.DataFrame({"place": pairs["place"], "prefers": margins > 0})


def _learned(name: str, corpus: Corpus, model: Path, base: Any, texts: dict[str, list[str]]) -> np.ndarray:
    """[N] log-ratios of the chosen side to the base policy, less those of the rejected one."""
    from rlhf_train.conditioning import conditioned
    from rlhf_train.models import policies
    from rlhf_train.precompute import reference_logps

    policy, held = sized(corpus, policies.load(model)), sized(corpus, base)
    before = reference_logps(held, texts, held.lengths)
    asked = conditioned(texts["prompt"], ASKED_FOR) if METHODS[name].answers == "asked" else texts["prompt"]
    after = reference_logps(policy, {**texts, "prompt": asked}, policy.lengths)
    gains = {side: after[f"ref_{side}_logps"] - before[f"ref_{side}_logps"] for side in ("chosen", "rejected")}
    return gains["chosen"] - gains["rejected"]


def _hits(corpus: Corpus, said: list[str]) -> list[bool | None]:
    from rlhf_train.evals import attack_success

    row = corpus.experiment
    if not row.targets:
        return [None] * len(said)
    return attack_success.measure(said, targets=row.targets, sentiment=row.sentiment).hits.tolist()
