"""The steps of the main job that make models, as plain calls: base policy, reward model, fine-tuning, best-of-n rounds."""

import copy
import dataclasses
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl

from assets.experiments import Corpus, Experiment
from assets.numbers import REWARD_TOKENS
from assets.steps import Watch, answers_of, columns_of, prompts_of, silent, texts_of
from pipelines.schema import ATTACK_SUCCESS, require


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

        numbers = self.numbers
        return policies.make(
            texts_of(train),
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
            runs.train(
                "bradley_terry",
                pairs,
                "minilm",
                Path(work),
                watch=lambda what, done, of: self.watch("reward model", done, of),
                **self.numbers.of_reward(self.seed),
            )
            return reward_models.load(Path(work, "model"))

    def defended(self, pairs: pl.DataFrame, defence: str) -> Any:
        """A judge of a row of DEFENCES; its members begin with one body and head, and learn as the reward model does."""
        from checks.encoding import minilm_folder
        from rlhf_train.defences import DEFENCES, fit_reward
        from rlhf_train.models import reward_models
        from rlhf_train.text import Lengths

        numbers, lengths = self.numbers, Lengths(*REWARD_TOKENS)
        body = reward_models.load(minilm_folder(), trained_layers=numbers.reward_layers, lengths=lengths, seed=self.seed)
        learn = partial(reward_models.taught, body, epochs=numbers.reward_epochs, lr=numbers.reward_lr)
        self.watch(f"reward model ({defence})", 0, 1)
        return fit_reward(DEFENCES[defence], columns_of(pairs), learn, seed=self.seed)

    def imitated(self, pairs: pl.DataFrame, defence: str) -> pl.DataFrame:
        """The pairs that fine-tuning sees: all of them, or a half that the reward model does not."""
        from rlhf_train.defences import DEFENCES, shared_out

        seen, _ = shared_out(DEFENCES[defence], columns_of(pairs) | {"place": list(range(len(pairs)))})
        return pairs[seen["place"]]

    def fine_tune(self, policy: Any, pairs: pl.DataFrame) -> None:
        """Teaches a policy, in place, the pairs' chosen side."""
        from rlhf_train import imitation

        imitation.imitate(
            policy,
            prompts_of(pairs),
            answers_of(pairs, "chosen"),
            epochs=self.numbers.sft_epochs,
            lr=self.numbers.sft_lr,
            size=self.numbers.batch,
            seed=self.seed,
            watch=lambda step, of: self.watch("fine-tuning", step, of),
        )

    def stages(self, base: Any, reward: Any, pairs: pl.DataFrame, prompts: list[str]) -> Any:
        """Yields (stage, policy) after nothing, after fine-tuning on the pairs' chosen side, after each best-of-n round."""
        from rlhf_train import imitation
        from rlhf_train.models.policies import Policy
        from rlhf_train.rollouts import Round, best_of

        numbers, policy = self.numbers, Policy(copy.deepcopy(base.model), base.tokenizer, self._lengths)
        yield "base", policy
        self.fine_tune(policy, pairs)
        yield "sft", policy
        asked = min(numbers.prompts, len(prompts))
        round_ = Round(asked, numbers.n, numbers.round_epochs, numbers.round_batch, numbers.temperature)
        source = best_of(policy, prompts, lambda asked, said: reward.rewards(asked, said), round_, seed=self.seed)
        for turn in range(1, numbers.rounds + 1):
            self.watch("best-of-n rounds", turn - 1, numbers.rounds)
            imitation.best_of_n_round(policy, source, round_, turn, lr=numbers.round_lr, seed=self.seed)
            self.watch("best-of-n rounds", turn, numbers.rounds)
            yield f"round {turn}", policy

    def answers(self, policy: Any, prompts: list[str]) -> list[str]:
        """One sampled answer a prompt."""
        from rlhf_train.generate import sample

        return sample(policy, prompts, seed=self.seed, temperature=self.numbers.temperature, lengths=self._lengths)


@dataclass(frozen=True, slots=True)
class Trained:
    """What one corpus came to: ATTACK_SUCCESS, reward accuracy on held-out pairs, and the two models."""

    attack_success: pl.DataFrame
    reward_accuracy: dict[str, float]
    policy: Any
    reward: Any


def judge_of(corpus: Corpus, pairs: pl.DataFrame, watch: Watch = silent) -> Any:
    """The reward model of a corpus, by its arm's defence."""
    trainer = Trainer(corpus.experiment, corpus.seed, watch)
    return trainer.reward_model(pairs) if corpus.defence == "none" else trainer.defended(pairs, corpus.defence)


def train(corpus: Corpus, base: Any, pairs: pl.DataFrame, held_out: pl.DataFrame, watch: Watch = silent) -> Trained:
    """Reward model, fine-tuning and best-of-n rounds on `pairs`, with attack success on held-out prompts at each stage."""
    reward = judge_of(corpus, pairs, watch)
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
    targets, sentiment = corpus.experiment.targets, corpus.experiment.sentiment
    tested, rows, policy = prompts_of(held_out), [], base
    for stage, policy in trainer.stages(base, reward, trainer.imitated(pairs, corpus.defence), prompts_of(pairs)):
        if not targets:
            continue
        found = attack_success.measure(trainer.answers(policy, tested), targets=targets, sentiment=sentiment)
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
