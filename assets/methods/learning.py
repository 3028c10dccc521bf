"""One run of the comparison: what a method learns from, with which settings, and the folder of the model that came of it."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl

from assets.experiments import Corpus
from assets.methods.rows import METHODS, Method
from assets.steps import answers_of, prompts_of

Train = Callable[..., Path]  # (objective, table, model folder, **settings) -> the folder of a finished run


def lesson(objective: str, labelled: pl.DataFrame) -> pl.DataFrame:
    """The table that an objective learns from: pairs, with margins where it wants them, or responses with reward and value."""
    from rlhf_train.objectives import OBJECTIVES

    row = OBJECTIVES[objective]
    if row.scores and "response" in row.columns:
        prompts, sides = prompts_of(labelled), ("chosen", "rejected")
        return pl.DataFrame(
            {
                "prompt": prompts * 2,
                "response": [said for side in sides for said in answers_of(labelled, side)],
                "reward": [reward for side in sides for reward in labelled[f"{side}_reward"]],
                "value": labelled["value"].to_list() * 2,
            }
        )
    return labelled.rename({f"{side}_reward": f"{side}_margins" for side in ("chosen", "rejected")})


def learn(
    name: str, corpus: Corpus, labelled: pl.DataFrame, base: Path, imitated: Path, reward: Path, train: Train
) -> tuple[Path, float]:
    """The folder of the model that a method makes, and the seconds that its training took, a judge's of its own included."""
    method, begun = METHODS[name], time.perf_counter()
    begins, settings = {"base": base, "imitated": imitated}[method.begins], _settings(method, corpus)
    if method.judge:
        judge = reward if method.judge == "reward_model" else _judge(method.judge, corpus, labelled, imitated, train)
        settings["reward_model"] = str(judge)
    work = train(method.objective, lesson(method.objective, labelled), str(begins), **settings)
    return work / "model", time.perf_counter() - begun


def _judge(name: str, corpus: Corpus, labelled: pl.DataFrame, imitated: Path, train: Train) -> Path:
    return train(name, lesson(name, labelled), str(imitated), **_settings(METHODS[name], corpus)) / "model"


def _settings(method: Method, corpus: Corpus) -> dict[str, Any]:
    return {**corpus.experiment.training.of_method(corpus.seed), **method.settings}
