"""What two saved policies say to a task's items: one as it was before training, one as it is after."""

import dataclasses
import json
from collections.abc import Sequence
from typing import Any

import polars as pl

from assets.runs import folder_of
from assets.sophistry.rows import Sophistry
from pipelines.schema import OUTPUTS, digest, require
from pipelines.snapshots import digests_of
from pipelines.tasks import TASKS, passages, stories

UNGRADED = pl.lit(False).alias("is_correct")  # stands until the task's oracle has spoken


def items_of(row: Sophistry) -> pl.DataFrame:
    """ITEMS with their problem, at most `row.items` by chance: the same at every seed."""
    if row.task == stories.TASK:
        found = stories.read(row.items).items
    else:
        found = TASKS[row.task].read(row.source).items
        found = found.sample(min(row.items, len(found)), shuffle=True, seed=0)
    return found.with_columns(problem="item_id")


def said(row: Sophistry, items: pl.DataFrame, seed: int) -> pl.DataFrame:
    """OUTPUTS that nobody has graded yet, of either policy to every item, with what the reward model gives them.

    Prompts are as the policy saw them. TrainingError for a folder that holds no whole policy, or too short a context.
    """
    from rlhf_train.generate import sample
    from rlhf_train.models import judges, opening

    prompts = whole(items)
    rewards = opening.opened(folder_of(row.reward), judges.load) if row.reward else None
    tables = []
    for name in (row.before, row.after):
        policy = _policy(row, name)
        outputs = sample(policy, prompts, seed=seed, temperature=row.temperature, lengths=policy.lengths)
        own = {"prompt": _seen(policy, prompts), "output": outputs}
        worth = None if rewards is None else rewards.rewards(prompts, outputs)
        columns = [pl.Series(each, values) for each, values in own.items()]
        proxy = pl.Series("proxy", [None] * len(outputs) if worth is None else worth, dtype=pl.Float64)
        tables.append(items.with_columns(*columns, proxy, UNGRADED, policy=pl.lit(name)))
    return require(pl.concat(tables), OUTPUTS).drop("is_correct")


def key(row: Sophistry, seed: int) -> str:
    """Of all that decides what policies say to items, and is rewarded: who judges it is no part of that."""
    own = (
        "task",
        "policies",
        "before",
        "after",
        "reward",
        "prompt_tokens",
        "response_tokens",
        "temperature",
        "source",
        "items",
    )
    files = digests_of(*row.policies.values(), row.reward, row.source)
    return digest(json.dumps([{name: getattr(row, name) for name in own}, files, seed], sort_keys=True))


def whole(items: pl.DataFrame) -> list[str]:
    """Every item in full: a passage before its question, where there is one."""
    return [passages.shown(item) if item["options"] else str(item["prompt"]) for item in items.iter_rows(named=True)]


def _policy(row: Sophistry, name: str) -> Any:
    from rlhf_train import guards
    from rlhf_train.models import opening, policies
    from rlhf_train.text import Lengths

    held = opening.opened(folder_of(row.policies[name]), policies.load)
    held = dataclasses.replace(held, lengths=Lengths(row.prompt_tokens, row.response_tokens))
    guards.check_model(held.model, held.tokenizer, held.lengths)
    return held


def _seen(policy: Any, prompts: Sequence[str]) -> list[str]:
    """Prompts as the policy saw them: verbatim where they were short enough, else the text of the tokens that were left."""
    most = policy.lengths.prompt
    ids = policy.tokenizer(list(prompts), add_special_tokens=False)["input_ids"]
    return [
        shown if len(own) <= most else policy.tokenizer.decode(own[-most:]) for shown, own in zip(prompts, ids, strict=True)
    ]
