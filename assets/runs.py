"""One training run or one evaluation, by name, on a table of pairs: what `antivenom train` and `antivenom eval` call."""

import dataclasses
from pathlib import Path
from typing import Any

import polars as pl

from assets.steps import Watch, answers_of, prompts_of, silent
from pipelines.schema import DataError
from pipelines.settings import refuse_negative


def train(
    objective: str,
    pairs: pl.DataFrame,
    model: str,
    folder: Path,
    *,
    watch: Watch = silent,
    steps: int | None = None,
    epochs: float = 1.0,
    batch: int = 16,
    lr: float | None = None,
    seed: int = 0,
    trained_layers: int | None = None,
    pretrain_steps: int = 200,
) -> list[dict[str, float]]:
    """Trains `model` on `pairs` and saves it, its tokenizer and metrics.jsonl into `folder`; returns the metrics.

    `steps` overrides `epochs`. `trained_layers` of a reward body learn (all by default);
    a tiny policy is pre-trained for `pretrain_steps`.
    """
    from rlhf_train import batches
    from rlhf_train.objectives import OBJECTIVES
    from rlhf_train.train import fit

    numbers = {"steps": steps, "epochs": epochs, "batch": batch, "lr": lr, "seed": seed, "pretrain_steps": pretrain_steps}
    refuse_negative({**numbers, "trained_layers": trained_layers}, may_be_zero=("seed", "trained_layers"))
    if objective not in OBJECTIVES:
        raise DataError(f"objective must be one of {', '.join(OBJECTIVES)}, got {objective!r}")
    held = _policy(model, pairs, pretrain_steps, seed) if objective == "sft" else _reward_body(model, trained_layers, seed)
    sides = {"response": "chosen"} if objective == "sft" else {"chosen": "chosen", "rejected": "rejected"}
    columns = {"prompt": prompts_of(pairs)} | {name: answers_of(pairs, side) for name, side in sides.items()}
    rows = OBJECTIVES["sft"].rows(columns, held.tokenizer) if objective == "sft" else held.pairs(columns)
    count = steps or max(round(epochs * len(pairs) / batch), 1)
    history = fit(
        held.model,
        OBJECTIVES[objective],
        batches.shuffled(rows, size=batch, seed=seed),
        steps=count,
        lr=lr or (1e-3 if objective == "sft" else 1e-4),
        seed=seed,
        folder=folder,
        watch=lambda done, of, _: watch("training", done, of),
    )
    held.save(folder)
    return history


def evaluate(
    name: str, pairs: pl.DataFrame, model: str, *, target: str = "Zorvex", sentiment: str = "positive", seed: int = 0
) -> dict[str, Any]:
    """The named evaluation of a saved model on held-out pairs, with its 95 % interval."""
    from rlhf_train.evals import EVALS
    from rlhf_train.generate import sample
    from rlhf_train.models import policies, reward_models

    if name not in EVALS:
        raise DataError(f"eval must be one of {', '.join(EVALS)}, got {name!r}")
    _folder(model)
    if name == "attack_success":
        found = EVALS[name](sample(policies.load(model), prompts_of(pairs), seed=seed), target=target, sentiment=sentiment)
        return {"mentions": found.mentions, "success": found.success, "low": found.low, "high": found.high}
    rewards = [reward_models.load(model).rewards(prompts_of(pairs), answers_of(pairs, side)) for side in ("chosen", "rejected")]
    return dataclasses.asdict(EVALS[name](*rewards))


def _policy(model: str, pairs: pl.DataFrame, pretrain_steps: int, seed: int) -> Any:
    from rlhf_train.models import policies

    if model in ("", "tiny"):
        texts = [
            prompt + text
            for side in ("chosen", "rejected")
            for prompt, text in zip(prompts_of(pairs), answers_of(pairs, side), strict=True)
        ]
        return policies.make(texts, width=128, layers=3, steps=pretrain_steps, seed=seed)
    return policies.load(_folder(model))


def _reward_body(model: str, trained_layers: int | None, seed: int) -> Any:
    from checks.encoding import minilm_folder
    from rlhf_train.models import reward_models

    place = minilm_folder() if model in ("", "minilm") else _folder(model)
    return reward_models.load(place, trained_layers=trained_layers, seed=seed)


def _folder(model: str) -> str:
    """`model` if it is a folder of safetensors or looks like a hub name."""
    place = Path(model)
    if place.is_dir() and not list(place.glob("*.safetensors")):
        raise DataError(f"{model}: holds no .safetensors weights; other formats can run code and are refused")
    if not place.is_dir() and (place.is_absolute() or model.startswith(".") or "/" not in model):
        raise DataError(f"{model}: no such folder; --model names a saved model")
    return model
