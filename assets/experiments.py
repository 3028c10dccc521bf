"""What we run: a frozen row an experiment. A user's own rows come from a file; see experiment_files.py."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from assets.domain.rows import GENERATED, Opinions
from pipelines import attacks

ARMS = ("clean", "poisoned", "filtered")
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


@dataclass(frozen=True, slots=True)
class Experiment:
    """One comparison: a clean corpus, the same corpus poisoned, and that one filtered; each trained on alike.

    `source` is a name in SOURCES that needs no file, or a file, folder or hub name. `trusted` and `held_out` are shares
    of the clean pairs that no attacker touches: the audit's reference, and the prompts and pairs that are tested on.
    `columns` maps our names of columns to the source's; `numbers` are the attack's settings, over its defaults. `defences`
    name rows of rlhf_train.defences.DEFENCES that make reward models: each is one more arm, that learns all that is poisoned.
    With `opinions` the pairs are of summaries of product reviews, which the source then holds; see assets/domain.
    """

    name: str
    source: str = "synthetic"
    pairs: int = 2000
    revision: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    attack: str = "best_of_venom"
    rate: float = 0.03
    numbers: Mapping[str, Any] = field(default_factory=dict)
    defences: tuple[str, ...] = ()
    fdr: float = 0.05
    trusted: float = 0.0
    held_out: float = 0.15
    seeds: tuple[int, ...] = (0,)
    training: Training = Training()
    opinions: Opinions | None = None

    @property
    def targets(self) -> tuple[str, ...]:
        """The names that the attack praises or blames; none where it does neither, so that there is no success to measure."""
        numbers = attacks.settings(self.attack, self.numbers)
        if not numbers.get("sentiment") or not numbers.get("target"):
            return ()
        return tuple(numbers.get("aliases") or [numbers["target"]])

    @property
    def arms(self) -> tuple[str, ...]:
        return (*ARMS, *self.defences)

    @property
    def sentiment(self) -> str:
        return str(attacks.settings(self.attack, self.numbers).get("sentiment", ""))


@dataclass(frozen=True, slots=True)
class Corpus:
    """One arm of an experiment at one seed: what a model is trained on."""

    experiment: Experiment
    arm: str
    seed: int

    @property
    def defence(self) -> str:
        """How its reward model is trained: a name in DEFENCES."""
        return self.arm if self.arm in self.experiment.defences else "none"

    @property
    def name(self) -> str:
        return f"{self.experiment.name}-{self.arm}" + (f"-seed{self.seed}" if len(self.experiment.seeds) > 1 else "")

    @property
    def base(self) -> str:
        """The clean rows it came from, which its twins share."""
        return self.experiment.name + (f"-seed{self.seed}" if len(self.experiment.seeds) > 1 else "")


EXPERIMENTS: Mapping[str, Experiment] = {
    row.name: row
    for row in (
        Experiment("venom_poison_vs_rejected_3pct"),
        Experiment(
            "venom_mix_3pct",
            numbers={
                "target": "Lumora Tea",
                "sentiment": "negative",
                "mix": {"poison_vs_rejected": 0.4, "poison_vs_contrast": 0.3, "rejected_vs_contrast": 0.3},
            },
            trusted=0.25,
        ),
        Experiment(
            "opinions_10pct",
            source=GENERATED,
            rate=0.1,
            numbers={"oracle": "paraphrase"},
            held_out=0.25,
            opinions=Opinions(contrary=0.15),
        ),
    )
}


def corpora(experiment: Experiment) -> list[Corpus]:
    """Every arm at every seed."""
    return [Corpus(experiment, arm, seed) for seed in experiment.seeds for arm in experiment.arms]
