"""One training run or one evaluation, by name, on a table of pairs: what `antivenom train` and `antivenom eval` call."""

import dataclasses
import hashlib
import json
import shutil
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl

from assets.steps import Watch, answers_of, prompts_of, silent, texts_of
from pipelines.schema import DataError
from pipelines.settings import refuse_negative

NOT_OF_PAIRS = {  # evaluations, and what they measure
    "sophistry": "verdicts on outputs of two policies",
    "summary_policy": "samples with their rewards beside a reference policy",
    "teacher_hacking": "distances over a run (antivenom experiment teacher_hacking)",
}


def train(
    objective: str,
    pairs: pl.DataFrame,
    model: str,
    work: Path,
    /,  # an objective's numbers may bear these names
    *,
    watch: Watch = silent,
    **settings: Any,
) -> list[dict[str, float]]:
    """Trains `model` on `pairs` in the folder `work`, where the same call goes on if it was interrupted: see work/model.

    `settings` are those of prepare().
    """
    from rlhf_train import spec
    from rlhf_train.run import run

    made = prepare(objective, pairs, model, work, watch=watch, **settings)
    return run(spec.of(made), lambda what, done, of, row: watch(what, done, of))


def prepare(
    objective: str,
    pairs: pl.DataFrame,
    model: str,
    work: Path,
    /,  # an objective's numbers may bear these names
    *,
    watch: Watch = silent,
    pretrain_steps: int = 200,
    **settings: Any,
) -> dict[str, Any]:
    """The spec of a run in `work`, as plain data, and in there the table and the tiny policy that it names.

    `settings` are fields of rlhf_train's Spec, and numbers of the objective. A tiny policy is pre-trained for `pretrain_steps`.
    """
    from rlhf_train import spec
    from rlhf_train.objectives import OBJECTIVES

    refuse_negative({"pretrain_steps": pretrain_steps})
    known = {part.name for part in dataclasses.fields(spec.Spec)}
    numbers = {name: value for name, value in settings.items() if name not in known}
    made = {name: value for name, value in settings.items() if name in known}
    made |= {"objective": objective, "data": str(work / "pairs.parquet"), "model": "", "out": str(work)}
    spec.of({**made, "numbers": numbers})  # what is wrong is said before anything is made
    scored, table = OBJECTIVES[objective].scored, _table(objective, pairs)
    place = _reward_body(model) if scored else _policy(model, pairs, work, pretrain_steps, settings.get("seed", 0), watch)
    work.mkdir(parents=True, exist_ok=True)
    table.write_parquet(work / "pairs.parquet")
    return {**made, "model": place, "numbers": {**made.get("numbers", {}), **numbers}}


def _table(objective: str, pairs: pl.DataFrame) -> pl.DataFrame:
    """What the objective learns of PAIRS, or of stored responses as they are, with whatever numbers it wants of them."""
    from rlhf_train.objectives import OBJECTIVES

    row = OBJECTIVES[objective]
    is_stored = bool(row.scores) and "response" in row.columns
    wanted = ["prompt", "response", *row.scores] if is_stored else list(row.scores)
    if lacking := [name for name in wanted if name not in pairs.columns]:
        raise DataError(
            f"{objective} learns from {'stored responses' if is_stored else 'pairs'} with numbers ({', '.join(wanted)}), and "
            f"these pairs have no {lacking[0]!r}; give such a table to python -m rlhf_train.run"
        )
    if is_stored:
        return pairs.select(wanted)
    sides = {"response": "chosen"} if "response" in row.columns else {"chosen": "chosen", "rejected": "rejected"}
    texts = {"prompt": prompts_of(pairs)} | {name: answers_of(pairs, side) for name, side in sides.items()}
    return pl.DataFrame(texts).with_columns(pairs[name] for name in row.scores)


def publish(work: Path, folder: Path) -> None:
    """Copies what a finished run came to: the model, its card and its metrics."""
    shutil.copytree(work / "model", folder, dirs_exist_ok=True)
    shutil.copy(work / "metrics.jsonl", folder)
    if (work / "adapter").is_dir():
        shutil.copytree(work / "adapter", folder / "adapter")


def evaluate(
    name: str,
    pairs: pl.DataFrame,
    model: str,
    *,
    target: str = "Zorvex",
    sentiment: str = "positive",
    body: str = "",
    seed: int = 0,
) -> dict[str, Any]:
    """The named evaluation of a saved model on held-out pairs, with its 95 % interval.

    reward_health trains copies of `body` (the model itself unless one is named) on half of the prompts.
    """
    from rlhf_train.evals import EVALS
    from rlhf_train.generate import sample
    from rlhf_train.models import judges, policies, reward_models
    from rlhf_train.models.opening import opened
    from rlhf_train.models.reward_models import RewardModel

    if name not in EVALS:
        raise DataError(f"eval must be one of {', '.join(EVALS)}, got {name!r}")
    if name in NOT_OF_PAIRS:
        raise DataError(
            f"{name} measures {NOT_OF_PAIRS[name]}, which pairs do not hold; call rlhf_train.evals.{name} from Python"
        )
    if name == "written_evals":
        raise DataError("written_evals asks questions, which pairs do not hold; call assets.answering.evaluate from Python")
    folder_of(model)
    if name == "attack_success":
        found = EVALS[name](
            sample(opened(model, policies.load), prompts_of(pairs), seed=seed), targets=[target], sentiment=sentiment
        )
        return {"mentions": found.mentions, "success": found.success, "low": found.low, "high": found.high}
    if name == "reward_health":
        from rlhf_train.tables import split

        columns = {"prompt": prompts_of(pairs)} | {side: answers_of(pairs, side) for side in ("chosen", "rejected")}
        trained = opened(model, judges.load)
        if not isinstance(trained, RewardModel):
            raise DataError(f"reward_health trains copies of a reward model, and {model} is a {type(trained).__name__}")
        begun = opened(_reward_body(body), partial(reward_models.load, lengths=trained.lengths, seed=seed)) if body else trained
        return dataclasses.asdict(EVALS[name](trained, begun, *split(columns, 0.5, seed), seed=seed))
    judge = opened(model, judges.load)
    rewards = [judge.rewards(prompts_of(pairs), answers_of(pairs, side)) for side in ("chosen", "rejected")]
    return dataclasses.asdict(EVALS[name](*rewards))


def _policy(model: str, pairs: pl.DataFrame, work: Path, pretrain_steps: int, seed: int, watch: Watch) -> str:
    """The folder of a policy; a tiny one is made of the pairs' own text, once."""
    from rlhf_train.models import policies

    if model not in ("", "tiny"):
        return folder_of(model)
    texts = texts_of(pairs)
    made_of = hashlib.sha256(json.dumps([texts, pretrain_steps, seed]).encode()).hexdigest()[:12]
    place, aside = work / f"base-{made_of}", work / ".base"
    if not place.is_dir():
        made = policies.make(
            texts, width=128, layers=3, steps=pretrain_steps, seed=seed, watch=lambda step, of: watch("pre-training", step, of)
        )
        shutil.rmtree(aside, ignore_errors=True)
        made.save(aside).rename(place)
    return str(place)


def _reward_body(model: str) -> str:
    from checks.encoding import minilm_folder

    return minilm_folder() if model in ("", "minilm") else folder_of(model)


def folder_of(model: str) -> str:
    """`model` if it is a folder of safetensors or looks like a hub name."""
    place = Path(model)
    if place.is_dir() and not list(place.rglob("*.safetensors")):
        raise DataError(f"{model}: holds no .safetensors weights; other formats can run code and are refused")
    if not place.is_dir() and (place.is_absolute() or model.startswith(".") or "/" not in model):
        raise DataError(f"{model}: no such folder; --model names a saved model")
    return model
