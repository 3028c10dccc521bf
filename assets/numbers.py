"""The numbers of a training run of an experiment: sizes, lengths, rates; and what each kind of run is set to."""

from dataclasses import dataclass
from typing import Any

REWARD_TOKENS = (40, 88)  # of a prompt's end and a response: MiniLM is quick on short texts
SAVE_EVERY = 50  # steps of a policy's run


@dataclass(frozen=True, slots=True)
class Training:
    """Numbers of the policies and reward models; the defaults suit two cores and some minutes."""

    width: int = 128
    layers: int = 3
    vocabulary: int = 2048
    pretrain_steps: int = 300
    sft_epochs: float = 5.0
    sft_lr: float = 2e-3
    batch: int = 8
    pretrain_batch: int = 16
    reward_epochs: float = 1.0
    reward_layers: int = 2
    reward_lr: float = 2e-4
    dpo_epochs: float = 1.0
    dpo_lr: float = 2e-4
    dpo_beta: float = 0.1
    n: int = 16
    rounds: int = 3
    prompts: int = 128
    round_epochs: int = 3
    round_batch: int = 32
    round_lr: float = 1e-3
    temperature: float = 1.0
    prompt_tokens: int = 48
    response_tokens: int = 56
    threads: int = 1
    summary_tokens: tuple[int, ...] = (256, 160)
    summary_epochs: float = 2.0
    off_policy_epochs: float = 0.5
    off_policy_lr: float = 5e-4
    likelihood: float = 0.1
    kl_weight: float = 0.1
    method_epochs: float = 1.0

    def of_reward(self, seed: int) -> dict[str, Any]:
        """Settings of a reward model's run. Pairs that are alike once cut are left out, however many: they teach nothing."""
        return {
            "trained_layers": self.reward_layers,
            "epochs": self.reward_epochs,
            "lr": self.reward_lr,
            "seed": seed,
            "prompt_tokens": REWARD_TOKENS[0],
            "response_tokens": REWARD_TOKENS[1],
            "most_identical": 1.0,
            "save_every": 0,
            "threads": self.threads,
        }

    def of_summaries(self, seed: int) -> dict[str, Any]:
        """Settings of the run in which a policy of summaries learns off policy."""
        return {
            "epochs": self.off_policy_epochs,
            "lr": self.off_policy_lr,
            "likelihood": self.likelihood,
            "kl_weight": self.kl_weight,
            "batch": 2,  # prompts, each with all its stored summaries
            "seed": seed,
            "prompt_tokens": self.summary_tokens[0],
            "response_tokens": self.summary_tokens[1],
            "save_every": SAVE_EVERY,
            "threads": self.threads,
        }

    def of_method(self, seed: int) -> dict[str, Any]:
        """Settings of a run in a comparison of objectives; each objective has its own over them."""
        return {name: value for name, value in self.of_dpo(seed).items() if name != "beta"} | {"epochs": self.method_epochs}

    def of_dpo(self, seed: int) -> dict[str, Any]:
        """Settings of a DPO policy's run, likewise."""
        return {
            "epochs": self.dpo_epochs,
            "lr": self.dpo_lr,
            "beta": self.dpo_beta,
            "batch": self.batch,
            "seed": seed,
            "prompt_tokens": self.prompt_tokens,
            "response_tokens": self.response_tokens,
            "most_identical": 1.0,
            "save_every": SAVE_EVERY,
            "threads": self.threads,
        }


#: of tiny policies, on which some thirty objectives are compared on three corpora at three seeds within an hour of two cores
METHODS_TRAINING = Training(width=96, layers=2, vocabulary=1024, pretrain_steps=400, sft_epochs=3.0, method_epochs=1.0)
