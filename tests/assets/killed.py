"""venom_job in a process of its own, which is killed as it is about to publish one partition of an asset."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg

ROOT = Path(__file__).parents[2]
CHAIN = """
import json, os, signal, sys
from pathlib import Path
import dagster as dg
from assets.definitions import defs

def hook(event, given):
    if event == "os.rename" and "/snapshots/" in str(given[1]):
        told = json.loads((Path(given[0]) / "manifest.json").read_text())
        if [told["kind"], told["partition"]] == sys.argv[2:]:
            os.kill(os.getpid(), signal.SIGKILL)

sys.addaudithook(hook)
with dg.DagsterInstance.get() as instance:
    defs.resolve_job_def("venom_job").execute_in_process(partition_key=sys.argv[1], instance=instance)
"""


@contextmanager
def killed(home: Path, folder: Path, experiment: str, asset: str, partition: str) -> Iterator[dg.DagsterInstance]:
    """The instance in which that happened, with our settings; the store is at `home`, and the run's end is known."""
    folder.mkdir()
    shutil.copy(ROOT / "dagster.template.yaml", folder / "dagster.yaml")
    places = {"ANTIVENOM_HOME": str(home), "DAGSTER_HOME": str(folder), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", CHAIN, experiment, asset, partition]
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, **places}, capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr[-2000:]
    with dg.DagsterInstance.from_config(str(folder)) as instance:
        (chain,) = instance.get_runs(dg.RunsFilter(job_name="venom_job"))
        instance.report_run_failed(chain)  # as the daemon does that finds its process gone
        yield instance


def made(instance: dg.DagsterInstance) -> list[str]:
    """Every partition of an asset that was made there, as often as it was."""
    keys = instance.get_asset_keys()
    events = [each for key in keys for each in instance.fetch_materializations(key, limit=1000).records]
    return sorted(f"{each.asset_key.to_user_string()}/{each.asset_materialization.partition}" for each in events)
