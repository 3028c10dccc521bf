"""How each kind of value that assets make is written to a folder and read from it; nothing that is read can run code."""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from pipelines.snapshots import tables
from pipelines.snapshots.asides import discard
from pipelines.snapshots.manifests import BESIDE

SHARD = 500_000  # rows of a file


@dataclass(frozen=True, slots=True)
class Format:
    """How one kind of value is written to a place and read from it; nothing that is read can run code.

    The place is `file` in the published folder, or the folder itself.
    """

    file: str
    write: Callable[[Any, Path], object]
    read: Callable[[Path], Any]


@dataclass(frozen=True, slots=True)
class Folder:
    """A model as it was saved, whatever kind it is; `spent`, a folder that is dropped once it is published."""

    place: Path
    spent: Path | None = None


def _publish(folder: Folder, place: Path) -> None:
    # a model that was published elsewhere has a manifest, which is not this one
    shutil.copytree(folder.place, place, dirs_exist_ok=True, ignore=shutil.ignore_patterns(*BESIDE))
    if folder.spent is not None:
        discard(folder.spent, folder.spent)


def _policy(folder: Path) -> Any:
    from rlhf_train.models import policies

    return policies.load(folder)


def _save_judge(judge: Any, folder: Path) -> None:
    from rlhf_train.models import judges

    judges.save(judge, folder)


def _judge(folder: Path) -> Any:
    from rlhf_train.models import judges

    return judges.load(folder)


def _feature_reward(folder: Path) -> Any:
    from rlhf_train.models import feature_rewards

    return feature_rewards.load(folder)


def _write_table(table: pl.DataFrame, file: Path) -> None:
    """One file, or several of a table that is long."""
    if len(table) <= SHARD:
        table.write_parquet(file)
        return
    for at, part in enumerate(table.iter_slices(SHARD)):
        part.write_parquet(file.with_name(f"{file.stem}-{at:05}{file.suffix}"))


FORMATS: Mapping[str, Format] = {
    "DataFrame": Format(
        "table.parquet", _write_table, lambda file: tables.read(file.with_name("table*.parquet"), several=True)
    ),
    "str": Format(
        "report.html",
        lambda page, file: file.write_text(page, encoding="utf-8"),
        lambda file: file.read_text(encoding="utf-8"),
    ),
    "FeatureReward": Format("", lambda reward, folder: reward.save(folder), _feature_reward),
    "Folder": Format("", _publish, Folder),
    "Policy": Format("", lambda policy, folder: policy.save(folder), _policy),
    **dict.fromkeys(("RewardModel", "Committee"), Format("", _save_judge, _judge)),
}
