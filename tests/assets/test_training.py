"""Training launched from an asset through Pipes: two processes give what one gives, and a killed one is gone on with."""

import os
import re
import signal
import sys
import threading
import time
from pathlib import Path

import dagster as dg
import polars as pl
import pytest
import torch

from assets.training import OPTIONS, PROCESSES, Launcher, curve, launched, launcher, piped, run_folder
from pipelines.sources import synthetic
from tests.rlhf_train.conftest import weights

PART = "tiny"
STEPS, SAVED = 16, 4
SETTINGS = {"pretrain_steps": 2, "batch": 8, "steps": STEPS, "save_every": SAVED, "threads": 1, "lr": 1e-3}


@pytest.fixture(scope="module")
def pairs() -> pl.DataFrame:
    return synthetic.read(n=40, seed=1, topics=1)


def trained(place: Path, pairs: pl.DataFrame, processes: int) -> tuple[dg.ExecuteInProcessResult, Path]:
    """The run of an asset that trains a tiny policy, and the folder of its run."""
    folders = []

    @dg.asset(partitions_def=dg.StaticPartitionsDefinition([PART]))
    def model(context: dg.AssetExecutionContext, launcher: Launcher) -> dg.Output[int]:
        folders.append(run_folder(context))
        work = launcher.train(context, "dpo", pairs, "tiny", **SETTINGS)
        logged = [entry.user_message for entry in context.instance.all_logs(context.run.run_id)]
        return dg.Output(1, metadata={**launched(work), "said": "\n".join(logged)})

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ANTIVENOM_HOME", str(place))
        patch.setenv("CUDA_VISIBLE_DEVICES", "")
        with dg.DagsterInstance.ephemeral() as instance:
            found = dg.materialize(
                [model],
                partition_key=PART,
                instance=instance,
                resources={"launcher": Launcher(processes=processes), "io_manager": dg.mem_io_manager},
                raise_on_error=False,
            )
    return found, folders[0]


def killed_in_the_middle(work: Path) -> threading.Thread:
    """Kills one of the training processes of a run once it has taken some steps more than are in its first checkpoint."""

    def kill() -> None:
        log = work / "metrics.jsonl"
        while not log.exists() or log.read_text().count("\n") <= SAVED:
            time.sleep(0.005)
        os.kill(max(processes_of(work)), signal.SIGKILL)

    thread = threading.Thread(target=kill, daemon=True)
    thread.start()
    return thread


def processes_of(work: Path) -> list[int]:
    """Those that train, less the one that started them."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            words = (place / "cmdline").read_bytes().decode().split("\0")
        except OSError:
            continue
        if str(work / "spec.json") in words and "accelerate.commands.launch" not in words:
            found.append(int(place.name))
    return found


@pytest.mark.slow  # a minute: processes of accelerate start, are killed and start again
def test_a_killed_process_fails_the_step_and_two_end_with_what_one_gives(pairs, tmp_path):
    alone, folder = trained(tmp_path / "one", pairs, 0)
    assert alone.success
    work = tmp_path / "two" / folder.relative_to(tmp_path / "one")
    killer = killed_in_the_middle(work)
    failed, again = trained(tmp_path / "two", pairs, 2)
    killer.join(1)
    assert again == work
    assert not failed.success
    [event] = failed.get_step_failure_events()
    said = event.step_failure_data.user_failure_data.description
    assert "goes on from its last checkpoint" in said
    assert "SIGKILL" in said  # of the last lines
    assert not (work / "model").exists()

    done, _ = trained(tmp_path / "two", pairs, 2)
    assert done.success
    said = done.asset_materializations_for_node("model")[0].metadata["said"].value
    assert min(int(step) for step in re.findall(r"training: (\d+) of", said)) > SAVED  # nothing was begun anew
    told = done.asset_materializations_for_node("model")[0].metadata
    assert told["processes"].value == 2
    assert told["last accuracy"].value == pytest.approx(curve(work)["accuracy"][-1])
    assert len(list((work / f"step-{STEPS:08}").glob("random-*"))) == 2
    assert curve(work)["loss"].to_list() == pytest.approx(curve(folder)["loss"].to_list(), rel=1e-4)
    for name, value in weights(folder).items():
        assert torch.allclose(weights(work)[name], value, atol=1e-4)


def test_a_failure_says_the_code_and_the_last_lines(tmp_path):
    program = "import sys; print(*range(40), sep='\\n'); print('no room left', file=sys.stderr); sys.exit(7)"

    @dg.asset
    def model(context: dg.AssetExecutionContext) -> None:
        piped(context, [sys.executable, "-c", program], tmp_path / "launch.log")

    with dg.DagsterInstance.ephemeral() as instance:
        [event] = dg.materialize([model], instance=instance, raise_on_error=False).get_step_failure_events()
    said = event.step_failure_data.user_failure_data.description.splitlines()
    assert "code 7" in said[0]
    assert said[1:] == [*map(str, range(26, 40)), "no room left"]


def test_the_environment_says_how_many_processes(monkeypatch):
    monkeypatch.setenv(PROCESSES, "4")
    monkeypatch.setenv(OPTIONS, "--use_fsdp --fsdp_version 2")
    found = launcher()
    assert (found.processes, found.options) == (4, ["--use_fsdp", "--fsdp_version", "2"])
    assert found._launcher()[-5:] == ["--num_processes", "4", "--use_fsdp", "--fsdp_version", "2"]
    monkeypatch.delenv(PROCESSES)
    monkeypatch.delenv(OPTIONS)
    assert (launcher().processes, launcher().options) == (0, [])
