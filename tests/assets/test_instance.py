"""The settings that are shipped: accepted by Dagster, alike for both storages, and what they try again."""

import shutil
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.instance.ref import InstanceRef

from assets.automation import STARTED_BY, end_leftovers
from assets.definitions import defs
from pipelines.schema import DataError

ROOT = Path(__file__).parents[2]
FILES = ("dagster.template.yaml", "dagster.postgres.yaml")
SHARED = ("telemetry", "nux", "concurrency", "run_retries", "run_monitoring", "freshness")


def accepted(name: str, folder: Path) -> InstanceRef:
    """What Dagster makes of a shipped file, before it opens any storage."""
    folder.mkdir()
    shutil.copy(ROOT / name, folder / "dagster.yaml")
    return InstanceRef.from_dir(str(folder))


@pytest.fixture
def instance(tmp_path: Path):
    shutil.copy(ROOT / "dagster.template.yaml", tmp_path / "dagster.yaml")
    with dg.DagsterInstance.from_config(str(tmp_path)) as found:
        yield found


def test_both_files_are_accepted_and_differ_in_their_storage_alone(tmp_path: Path):
    template, postgres = (accepted(name, tmp_path / str(at)) for at, name in enumerate(FILES))
    assert {key: template.settings[key] for key in SHARED} == {key: postgres.settings[key] for key in SHARED}
    assert [ref.storage_data.class_name for ref in (template, postgres)] == ["DagsterSqliteStorage", "DagsterPostgresStorage"]


def test_pools_queue_and_monitoring_are_what_runs_need(instance: dg.DagsterInstance):
    assert instance.global_op_concurrency_default_limit == 1
    assert instance.get_concurrency_config().run_queue_config.max_concurrent_runs == 3
    assert instance.run_retries_enabled
    assert instance.run_monitoring_enabled
    assert instance.run_monitoring_max_resume_run_attempts == 0
    assert {"MONITORING", "EVENT_LOG_CONSUMER", "SENSOR", "FRESHNESS_DAEMON"} <= set(instance.get_required_daemon_types())


@dg.op
def reads() -> None:
    raise DataError("row 7 holds no response; mend or drop the row")


@dg.job
def reading_job() -> None:
    reads()


def test_wrong_data_is_not_tried_again(instance: dg.DagsterInstance):
    done = reading_job.execute_in_process(instance=instance, raise_on_error=False)
    assert instance.get_run_by_id(done.run_id).tags["dagster/will_retry"] == "false"


def test_a_killed_process_is_tried_again_as_often_as_the_file_says(instance: dg.DagsterInstance):
    root = run = instance.create_run_for_job(reading_job)
    verdicts = []
    for _ in range(3):
        instance.report_run_failed(run)  # as the code location does when a run's process is gone
        verdicts.append(instance.get_run_by_id(run.run_id).tags["dagster/will_retry"])
        tags = {"dagster/root_run_id": root.run_id, "dagster/parent_run_id": run.run_id}
        run = instance.create_run_for_job(reading_job, root_run_id=root.run_id, parent_run_id=run.run_id, tags=tags)
    assert verdicts == ["true", "true", "false"]


def test_jobs_that_keep_names_in_memory_begin_again_as_a_whole():
    jobs = {job.name: defs.resolve_job_def(job.name) for job in defs.jobs}
    in_memory = {name for name, job in jobs.items() if job.resource_defs["io_manager"] is dg.mem_io_manager}
    assert in_memory == {
        "venom_job",
        "source_audit_job",
        "domain_job",
        "methods_job",
        "hacking_job",
        "written_job",
        "sophistry_job",
    }
    assert {name for name, job in jobs.items() if job.tags.get("dagster/retry_strategy") == "ALL_STEPS"} == in_memory


def test_runs_whose_chain_was_killed_are_ended_and_give_their_pool_back(instance: dg.DagsterInstance):
    dead, alive = (instance.create_run_for_job(reading_job, status=dg.DagsterRunStatus.STARTED) for _ in range(2))
    left, busy, own = (
        instance.create_run_for_job(reading_job, status=dg.DagsterRunStatus.STARTED, tags=tags)
        for tags in ({STARTED_BY: dead.run_id}, {STARTED_BY: alive.run_id}, {})
    )
    instance.report_run_failed(dead)
    storage = instance.event_log_storage
    storage.initialize_concurrency_limit_to_default("gpu")
    assert storage.claim_concurrency_slot("gpu", left.run_id, "training").is_claimed
    assert not storage.claim_concurrency_slot("gpu", busy.run_id, "training").is_claimed
    end_leftovers(instance)
    statuses = [instance.get_run_by_id(run.run_id).status.value for run in (left, busy, own, alive)]
    assert statuses == ["FAILURE", "STARTED", "STARTED", "STARTED"]
    assert storage.claim_concurrency_slot("gpu", busy.run_id, "training").is_claimed
