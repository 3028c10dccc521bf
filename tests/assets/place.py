"""A code location that tests launch jobs in, and what these left there."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import dagster as dg
import polars as pl


@dataclass(frozen=True, slots=True)
class Place:
    """A code location, the instance its runs are kept in, and the folder of its store."""

    module: ModuleType
    instance: dg.DagsterInstance
    home: Path

    def run(self, job: str, partition: str, **options: object) -> dg.ExecuteInProcessResult:
        """Runs a job here, without raising on failure."""
        return self.module.defs.resolve_job_def(job).execute_in_process(
            partition_key=partition, instance=self.instance, raise_on_error=False, **options
        )

    def folder(self, asset: str, partition: str) -> Path:
        """What was published of it last, by whichever label."""
        return published(self.home, asset, partition)

    def manifest(self, asset: str, partition: str) -> dict:
        return json.loads((self.folder(asset, partition) / "manifest.json").read_text())

    def table(self, asset: str, partition: str) -> pl.DataFrame:
        return pl.read_parquet(self.folder(asset, partition) / "*.parquet")

    def made(self, asset: str) -> set[str]:
        """Partitions that were ever made."""
        return set(self.instance.get_materialized_partitions(dg.AssetKey(asset)))

    def check(self, asset: str, name: str) -> dg.AssetCheckEvaluation:
        key = dg.AssetCheckKey(dg.AssetKey(asset), name)
        return self.instance.get_latest_asset_check_evaluation_record(key).event.asset_check_evaluation

    def metadata(self, asset: str, partition: str) -> dict[str, dg.MetadataValue]:
        """What was told of a partition when it was last made."""
        records = dg.AssetRecordsFilter(dg.AssetKey(asset), asset_partitions=[partition])
        (record,) = self.instance.fetch_materializations(records, limit=1).records
        return dict(record.asset_materialization.metadata)


def published(home: Path, asset: str, partition: str) -> Path:
    """The one folder that a partition of an asset is named by."""
    (found,) = (home / "refs").glob(f"*/{asset}/{partition}")
    return found


@contextmanager
def settled(location: Callable, toml: str, folder: Path) -> Iterator[Place]:
    """A place with these rows, before anything has run."""
    with location(toml, folder / "home") as module, dg.DagsterInstance.ephemeral() as instance:
        yield Place(module, instance, folder / "home" / "tables")


@contextmanager
def launched(location: Callable, toml: str, folder: Path, job: str, partition: str) -> Iterator[Place]:
    """The same after a job has run for one partition."""
    with settled(location, toml, folder) as place:
        done = place.run(job, partition)
        assert done.success, [event.step_failure_data.error for event in done.all_events if event.is_step_failure]
        yield place
