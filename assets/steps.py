"""The steps of the main job as plain calls, under the command line and the Dagster assets alike."""

import copy
import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl

from assets.experiments import Corpus, Experiment, Training
from checks import audit
from pipelines import filtering, transcripts
from pipelines.attacks import ATTACKS, Poisoned
from pipelines.schema import ATTACK_SUCCESS, POISON_KEY, DataError, require
from pipelines.sources import hh_rlhf, records, synthetic

REWARD_TOKENS = (40, 88)  # of a prompt's end and a response: MiniLM is quick on short texts
SAVE_EVERY = 50  # steps of a policy's run
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
        return synthetic.read(n=experiment.pairs, seed=seed, contrary=CONTRARY)
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
    """The corpus after the experiment's attack; the clean arm passes through with an empty key."""
    if corpus.arm == "clean":
        return Poisoned(train, POISON_KEY.empty())
    row = corpus.experiment
    return ATTACKS[row.attack](train, rate=row.rate, seed=corpus.seed, **row.numbers)


def judge(pairs: pl.DataFrame, trusted: pl.DataFrame, corpus: Corpus) -> audit.Audit:
    """The audit of a corpus; it sees no key."""
    return audit.audit(pairs, trusted=trusted if len(trusted) else None, fdr=corpus.experiment.fdr, seed=corpus.seed)


def sift(pairs: pl.DataFrame, scores: pl.DataFrame, corpus: Corpus) -> filtering.Filtered:
    """What the corpus is trained on, and what is set aside; arms other than the filtered one pass through."""
    if corpus.arm != "filtered":
        return filtering.quarantine(pairs, scores, budget=0.0)
    return filtering.quarantine(pairs, scores)


class Trainer:
    """Models of one experiment at one seed; torch is loaded when the first is made."""

    def __init__(self, experiment: Experiment, seed: int, watch: Watch = silent) -> None:
        import torch

        torch.set_num_threads(experiment.training.threads)
        self.experiment, self.numbers, self.seed, self.watch = experiment, experiment.training, seed, watch

    @cached_property
    def _lengths(self) -> Any:
        from rlhf_train.text import Lengths

        return Lengths(self.numbers.prompt_tokens, self.numbers.response_tokens)

    def base(self, train: pl.DataFrame) -> Any:
        """A policy made and pre-trained on the clean corpus' own text, its dispreferred answers included."""
        from rlhf_train.models import policies

        sides = ("chosen", "rejected")
        texts = [
            prompt + said for side in sides for prompt, said in zip(prompts_of(train), answers_of(train, side), strict=True)
        ]
        numbers = self.numbers
        return policies.make(
            texts,
            vocabulary=numbers.vocabulary,
            width=numbers.width,
            layers=numbers.layers,
            steps=numbers.pretrain_steps,
            batch=numbers.pretrain_batch,
            seed=self.seed,
            watch=lambda step, of: self.watch("pre-training", step, of),
        )

    def reward_model(self, pairs: pl.DataFrame) -> Any:
        """A Bradley-Terry reward model with a MiniLM body."""
        from assets import runs
        from rlhf_train.models import reward_models

        with TemporaryDirectory(prefix="antivenom-") as work:
            settings = reward_settings(self.numbers, self.seed)
            runs.train("bradley_terry", pairs, "minilm", Path(work), watch=self._watch_reward, **settings)
            return reward_models.load(Path(work, "model"))

    def _watch_reward(self, what: str, done: int, of: int) -> None:
        self.watch("reward model", done, of)

    def stages(self, base: Any, reward: Any, pairs: pl.DataFrame, prompts: list[str]) -> Any:
        """Yields (stage, policy) after nothing, after fine-tuning on the chosen side and after each best-of-n round."""
        from rlhf_train import imitation
        from rlhf_train.models.policies import Policy

        policy = Policy(copy.deepcopy(base.model), base.tokenizer)
        yield "base", policy
        imitation.imitate(
            policy,
            prompts_of(pairs),
            answers_of(pairs, "chosen"),
            epochs=self.numbers.sft_epochs,
            lr=self.numbers.sft_lr,
            size=self.numbers.batch,
            seed=self.seed,
            lengths=self._lengths,
            watch=lambda step, of: self.watch("fine-tuning", step, of),
        )
        yield "sft", policy
        for turn in range(1, self.numbers.rounds + 1):
            asked = pl.Series(prompts).sample(min(self.numbers.prompts, len(prompts)), seed=self.seed * 100 + turn).to_list()
            self.watch("best-of-n rounds", turn - 1, self.numbers.rounds)
            imitation.best_of_n_round(
                policy,
                reward.rewards,
                asked,
                n=self.numbers.n,
                epochs=self.numbers.round_epochs,
                lr=self.numbers.round_lr,
                temperature=self.numbers.temperature,
                seed=self.seed * 100 + turn,
                lengths=self._lengths,
            )
            self.watch("best-of-n rounds", turn, self.numbers.rounds)
            yield f"round {turn}", policy

    def answers(self, policy: Any, prompts: list[str]) -> list[str]:
        """One sampled answer a prompt."""
        from rlhf_train.generate import sample

        return sample(policy, prompts, seed=self.seed, temperature=self.numbers.temperature, lengths=self._lengths)


def reward_settings(numbers: Training, seed: int) -> dict[str, Any]:
    """Settings of a reward model's run. Pairs that are alike once cut are left out, however many: they teach nothing."""
    return {
        "trained_layers": numbers.reward_layers,
        "epochs": numbers.reward_epochs,
        "lr": numbers.reward_lr,
        "seed": seed,
        "prompt_tokens": REWARD_TOKENS[0],
        "response_tokens": REWARD_TOKENS[1],
        "most_identical": 1.0,
        "save_every": 0,
        "threads": numbers.threads,
    }


def dpo_settings(numbers: Training, seed: int) -> dict[str, Any]:
    """Settings of a DPO policy's run, likewise."""
    return {
        "epochs": numbers.dpo_epochs,
        "lr": numbers.dpo_lr,
        "beta": numbers.dpo_beta,
        "batch": numbers.batch,
        "seed": seed,
        "prompt_tokens": numbers.prompt_tokens,
        "response_tokens": numbers.response_tokens,
        "most_identical": 1.0,
        "save_every": SAVE_EVERY,
        "threads": numbers.threads,
    }


@dataclass(frozen=True, slots=True)
class Trained:
    """What one corpus came to: ATTACK_SUCCESS, reward accuracy on held-out pairs, and the two models."""

    attack_success: pl.DataFrame
    reward_accuracy: dict[str, float]
    policy: Any
    reward: Any


def train(corpus: Corpus, base: Any, pairs: pl.DataFrame, held_out: pl.DataFrame, watch: Watch = silent) -> Trained:
    """Reward model, fine-tuning and best-of-n rounds on `pairs`, with attack success on held-out prompts at each stage."""
    reward = Trainer(corpus.experiment, corpus.seed, watch).reward_model(pairs)
    policy, table = train_policy(corpus, base, reward, pairs, held_out, watch)
    return Trained(table, accuracy(reward, held_out), policy, reward)


def train_policy(
    corpus: Corpus, base: Any, reward: Any, pairs: pl.DataFrame, held_out: pl.DataFrame, watch: Watch = silent
) -> tuple[Any, pl.DataFrame]:
    """The policy after fine-tuning and best-of-n rounds against `reward`, and ATTACK_SUCCESS at each stage.

    The table is empty where the attack names no target.
    """
    from rlhf_train.evals import attack_success

    trainer = Trainer(corpus.experiment, corpus.seed, watch)
    target, sentiment = corpus.experiment.target, corpus.experiment.sentiment
    tested, rows, policy = prompts_of(held_out), [], base
    for stage, policy in trainer.stages(base, reward, pairs, prompts_of(pairs)):
        if target is None:
            continue
        found = attack_success.measure(trainer.answers(policy, tested), target=target, sentiment=sentiment)
        rows.append(
            {
                "corpus": corpus.arm,
                "seed": corpus.seed,
                "stage": stage,
                "prompts": len(tested),
                "mentions": found.mentions,
                "success": found.success,
                "low": found.low,
                "high": found.high,
            }
        )
    return policy, require(pl.DataFrame(rows, schema=ATTACK_SUCCESS.empty().schema), ATTACK_SUCCESS)


def accuracy(reward: Any, held_out: pl.DataFrame) -> dict[str, float]:
    """The share of held-out pairs whose chosen response the reward model prefers, with its 95 % interval."""
    from rlhf_train.evals import reward_accuracy

    rewards = [reward.rewards(prompts_of(held_out), answers_of(held_out, side)) for side in ("chosen", "rejected")]
    return dataclasses.asdict(reward_accuracy.measure(*rewards))


def prompts_of(pairs: pl.DataFrame) -> list[str]:
    """The prompts as transcripts that wait for an answer."""
    return [transcripts.written(prompt) for prompt in pairs["prompt"]]


def answers_of(pairs: pl.DataFrame, side: str) -> list[str]:
    """The responses of one side as they stand after "Assistant:"."""
    return [transcripts.answer(response) for response in pairs[side]]
