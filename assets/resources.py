"""Where tables, pages and models are kept: a published folder an asset and partition, held to its digests when read."""

import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl

from assets.metadata import rows_of
from assets.partitions import CORPORA, RUNS
from assets.study_partitions import EVALUATED
from pipelines.schema import DataError
from pipelines.snapshots import MANIFEST, staged, verify


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
    shutil.copytree(folder.place, place, dirs_exist_ok=True, ignore=shutil.ignore_patterns(MANIFEST))
    if folder.spent is not None:
        shutil.rmtree(folder.spent)


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


WHOLE = "all"  # stands for the partition of an asset that has none

FORMATS: Mapping[str, Format] = {
    "DataFrame": Format("table.parquet", lambda table, file: table.write_parquet(file), pl.read_parquet),
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


class Snapshots(dg.IOManager):
    """asset/partition under ANTIVENOM_HOME, else under .antivenom in DAGSTER_HOME, else in this folder.

    What comes of a poisoned corpus says so in its manifest; a table that failed a blocking check is refused to all.
    """

    def place(self, asset: str, partition: str) -> Path:
        """The folder of one partition of an asset."""
        home = os.environ.get("ANTIVENOM_HOME")
        root = Path(home) if home else Path(os.environ.get("DAGSTER_HOME") or ".") / ".antivenom"
        return root / asset / partition

    def read(self, asset: str, partition: str) -> Any:
        """What was published for one partition; DataError if nothing was, or if a file has changed since."""
        folder = self.place(asset, partition)
        if not folder.is_dir():
            raise DataError(f"{asset} of {partition} is not there yet ({folder}); materialize it first")
        form = FORMATS[verify(folder)["format"]]
        return form.read(folder / form.file)

    def judge(self, asset: str, partition: str, *, held: str = "") -> None:
        """Holds a partition back from whoever would build on it, for the reason given, or sets it free."""
        note = self._note(asset, partition)
        note.write_text(held, encoding="utf-8") if held else note.unlink(missing_ok=True)

    def _note(self, asset: str, partition: str) -> Path:
        return self.place(asset, f".{partition}.held")

    def handle_output(self, context: dg.OutputContext, obj: Any) -> None:
        """Publishes a value in one rename, free until a check holds it, and tells people what was published."""
        asset, kind = context.asset_key.to_user_string(), type(obj).__name__
        partition = context.partition_key if context.has_partition_key else WHOLE
        facts = {"partition": partition, "format": kind, "poisoned": is_poisoned(partition)}
        place, form = self.place(asset, partition), FORMATS[kind]
        with staged(place, asset, facts) as folder:
            form.write(obj, folder / form.file)
        self.judge(asset, partition)
        told = dg.MetadataValue.path(str(place / form.file))
        context.add_output_metadata({"place": told, "poisoned": is_poisoned(partition)})
        if isinstance(obj, pl.DataFrame):
            context.add_output_metadata({"dagster/row_count": len(obj), "first rows": rows_of(obj, count=5)})

    def load_input(self, context: dg.InputContext) -> Any:
        """The one upstream partition, or name -> value where an asset reads several."""
        asset = context.asset_key.to_user_string()
        values = {}
        for partition in context.asset_partition_keys:
            if (note := self._note(asset, partition)).is_file():
                raise DataError(f"{asset} of {partition} is held back: {note.read_text(encoding='utf-8')}; mend and remake it")
            values[partition] = self.read(asset, partition)
        return values if len(values) != 1 else next(iter(values.values()))


def is_poisoned(partition: str) -> bool:
    """Whether an attacker's hand was on it: every arm but the clean one, the filtered one too."""
    if partition in EVALUATED:
        return EVALUATED[partition][1].is_poisoned
    corpus = RUNS[partition][1] if partition in RUNS else CORPORA.get(partition)
    return corpus is not None and corpus.arm != "clean"
