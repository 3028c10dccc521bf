"""What we run: a frozen row an experiment. A user's own rows come from a file; see experiment_files.py."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from assets.domain.rows import GENERATED, Opinions
from assets.methods.rows import METHODS
from assets.numbers import METHODS_TRAINING, Training
from pipelines import attacks
from pipelines.settings import checked
from pipelines.snapshots import digests_of

ARMS = ("clean", "poisoned", "filtered")
OWN_ARMS = ("delivered", "filtered")
NO_ATTACK = "none"  # pairs as they come, with no hand of ours on them


@dataclass(frozen=True, slots=True)
class Experiment:
    """One comparison: a clean corpus, the same corpus poisoned, and that one filtered; each trained on alike.

    With `attack` none there are two: the pairs as they were delivered, which may be anything, and these filtered.

    `source` is a name in SOURCES that needs no file, or a file, folder or hub name. `trusted` and `held_out` are shares
    of the clean pairs that no attacker touches: the audit's reference, and the prompts and pairs that are tested on.
    `topics` limits what generated pairs are about (0: nothing), to a language that tiny policies can learn. `objectives` name
    rows of assets.methods.METHODS, which are compared on every corpus.
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
    training: Training = field(default_factory=Training)
    opinions: Opinions | None = None
    topics: int = 0
    objectives: tuple[str, ...] = ()

    @property
    def targets(self) -> tuple[str, ...]:
        """The names that the attack praises or blames; none where it does neither, so that there is no success to measure."""
        numbers = self.attack_settings()
        if not numbers.get("sentiment") or not numbers.get("target"):
            return ()
        return tuple(numbers.get("aliases") or [numbers["target"]])

    @property
    def is_attacked(self) -> bool:
        """Whether there is a poisoned twin, made by us."""
        return self.attack != NO_ATTACK

    def attack_settings(self) -> dict[str, Any]:
        """All settings of the attack; DataError on an unknown attack or setting."""
        if not self.is_attacked:
            return checked(self.numbers, about=f"attack = {NO_ATTACK!r}")
        return attacks.settings(self.attack, self.numbers)

    @property
    def arms(self) -> tuple[str, ...]:
        """The first is of the pairs as they come."""
        return (*(ARMS if self.is_attacked else OWN_ARMS), *self.defences)

    @property
    def sentiment(self) -> str:
        return str(self.attack_settings().get("sentiment", ""))


def settings(experiment: Experiment) -> dict[str, Any]:
    """What decides what one arm at one seed comes to; one more arm or seed leaves the others as they are."""
    alone = dataclasses.replace(experiment, seeds=(0,), objectives=(), defences=())
    return {**dataclasses.asdict(alone), "files": digests_of(experiment.source)}


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
        Experiment(
            "methods_3pct",
            pairs=600,
            topics=1,
            held_out=0.25,
            seeds=(0, 1, 2),
            training=METHODS_TRAINING,
            objectives=tuple(METHODS),
        ),
    )
}


def corpora(experiment: Experiment) -> list[Corpus]:
    """Every arm at every seed."""
    return [Corpus(experiment, arm, seed) for seed in experiment.seeds for arm in experiment.arms]
