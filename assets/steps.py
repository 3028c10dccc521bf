"""The steps of the main job on tables as plain calls, under the command line and the Dagster assets alike."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import polars as pl

from assets.experiments import Corpus, Experiment
from checks import audit, memory
from pipelines import filtering, transcripts
from pipelines.attacks import ATTACKS, Poisoned
from pipelines.schema import POISON_KEY, DataError
from pipelines.sources import hh_rlhf, records, synthetic

CONTRARY = 0.25  # share of generated labels against gold: people agree on some three pairs in four as well

Watch = Callable[[str, int, int], None]


def silent(what: str, done: int, of: int) -> None:
    """Reports progress to nobody."""


@dataclass(frozen=True, slots=True)
class Splits:
    """PAIRS apart: what is trained on (and attacked), the audit's reference, and what is tested on. No prompt in two."""

    train: pl.DataFrame
    trusted: pl.DataFrame
    held_out: pl.DataFrame


def read(experiment: Experiment, seed: int) -> pl.DataFrame:
    """The clean pairs of an experiment; generated pairs differ by seed, a file's rows are drawn from it by seed."""
    if experiment.source == "synthetic":
        return synthetic.read(n=experiment.pairs, seed=seed, contrary=CONTRARY, topics=experiment.topics)
    pairs = records.read(experiment.source, columns=experiment.columns, revision=experiment.revision).strict()
    drawn = pairs.sample(min(experiment.pairs, len(pairs)), seed=seed, shuffle=True).sort("row")
    return drawn.with_columns(row=pl.int_range(pl.len(), dtype=pl.Int64()))


def split(pairs: pl.DataFrame, experiment: Experiment, seed: int) -> Splits:
    """Shares of the dialogues: pairs whose dialogues begin alike stay together."""
    first = hh_rlhf.first_turns(pairs)
    place = first.unique(maintain_order=True).sample(fraction=1, shuffle=True, seed=seed)
    at = pl.DataFrame({"first_turn": place}).with_columns(share=pl.int_range(pl.len()) / pl.len())
    share = pl.DataFrame({"first_turn": first}).join(at, on="first_turn", how="left", maintain_order="left")["share"]
    tested, trusted = share < experiment.held_out, share >= 1 - experiment.trusted
    parts = [pairs.filter(part) for part in (~tested & ~trusted, trusted, tested)]
    if not len(parts[0]) or not len(parts[2]):
        raise DataError(f"{len(pairs)} pairs are too few to hold out {experiment.held_out:g} of them; give more pairs")
    return Splits(*(part.with_columns(row=pl.int_range(pl.len(), dtype=pl.Int64())) for part in parts))


def attack(train: pl.DataFrame, corpus: Corpus) -> Poisoned:
    """The corpus after the experiment's attack; with none, and in the clean arm, it passes through with an empty key."""
    row = corpus.experiment
    if corpus.arm == "clean" or not row.is_attacked:
        return Poisoned(train, POISON_KEY.empty())
    return ATTACKS[row.attack](train, rate=row.rate, seed=corpus.seed, **row.numbers)


def judge(pairs: pl.DataFrame, trusted: pl.DataFrame, corpus: Corpus) -> audit.Audit:
    """The audit of a corpus; it sees no key."""
    remembered = memory.Memory(memory.folder() / "embeddings")
    reference = trusted if len(trusted) else None
    return audit.audit(pairs, trusted=reference, fdr=corpus.experiment.fdr, seed=corpus.seed, encoder=remembered)


def sift(pairs: pl.DataFrame, scores: pl.DataFrame, corpus: Corpus) -> filtering.Filtered:
    """What the corpus is trained on, and what is set aside; arms other than the filtered one pass through."""
    if corpus.arm != "filtered":
        return filtering.quarantine(pairs, scores, budget=0.0)
    return filtering.quarantine(pairs, scores)


def texts_of(pairs: pl.DataFrame) -> list[str]:
    """Every prompt with its chosen response, then every one with its rejected response: what a policy is pre-trained on."""
    prompts = prompts_of(pairs)
    return [
        prompt + said for side in ("chosen", "rejected") for prompt, said in zip(prompts, answers_of(pairs, side), strict=True)
    ]


def prompts_of(pairs: pl.DataFrame) -> list[str]:
    """The prompts as transcripts that wait for an answer."""
    return [transcripts.written(prompt) for prompt in pairs["prompt"]]


def answers_of(pairs: pl.DataFrame, side: str) -> list[str]:
    """The responses of one side as they stand after "Assistant:"."""
    return [transcripts.answer(response) for response in pairs[side]]


def columns_of(pairs: pl.DataFrame) -> dict[str, list[Any]]:
    """Pairs as what a reward model learns from."""
    return {"prompt": prompts_of(pairs), "chosen": answers_of(pairs, "chosen"), "rejected": answers_of(pairs, "rejected")}
