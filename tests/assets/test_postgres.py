"""Runs and events in PostgreSQL, as the shipped file says: against a real server."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from assets.resources import Snapshots
from tests.postgres import PASSWORD, Server, running

ROOT = Path(__file__).parents[2]
ROWS = pl.DataFrame({"pair_id": ["a", "b", "c"], "margin": [0.5, -1.0, 2.0]})


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running() as found:
        yield found


@pytest.fixture
def home(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A DAGSTER_HOME with the shipped file, and the environment that it asks for."""
    shutil.copy(ROOT / "dagster.postgres.yaml", tmp_path / "dagster.yaml")
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("ANTIVENOM_HOME", str(tmp_path / "store"))
    return tmp_path


@dg.asset
def margins() -> pl.DataFrame:
    """Three rows."""
    return ROWS


def test_what_one_process_runs_another_reads(server: Server, home: Path):
    with dg.DagsterInstance.from_config(str(home)) as instance:
        job = dg.Definitions(
            [margins], jobs=[dg.define_asset_job("margins_job")], resources={"io_manager": Snapshots()}
        ).resolve_job_def("margins_job")
        done = job.execute_in_process(instance=instance)

    with dg.DagsterInstance.from_config(str(home)) as another:
        run = another.get_run_by_id(done.run_id)
        assert (run.job_name, run.status) == ("margins_job", dg.DagsterRunStatus.SUCCESS)
        (record,) = another.fetch_materializations(dg.AssetKey("margins"), limit=5).records
    assert record.run_id == done.run_id
    assert record.asset_materialization.metadata["dagster/row_count"].value == 3
    place = Path(record.asset_materialization.metadata["place"].value)
    assert place.is_relative_to(home / "store")
    assert pl.read_parquet(place).equals(ROWS)

    assert server.ask(f"select status from runs where run_id = '{done.run_id}'") == [("SUCCESS",)]
    assert not list(home.rglob("*.db"))


def test_the_password_is_asked_for_and_stays_in_the_environment(server: Server, home: Path):
    import psycopg2

    with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
        server.ask("select 1", password="another")
    with dg.DagsterInstance.from_config(str(home)) as instance:
        told = str(instance.get_ref().to_dict())  # what is handed to the process of every run
    assert "DAGSTER_PG_PASSWORD" in told
    assert PASSWORD not in told


def test_without_its_variables_the_file_is_refused_by_their_name(home: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("DAGSTER_PG_PASSWORD")
    with pytest.raises(Exception, match="DAGSTER_PG_PASSWORD"):
        dg.DagsterInstance.from_config(str(home))
