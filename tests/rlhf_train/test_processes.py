"""Runs as `python -m rlhf_train.run` starts them: killed and gone on with, on two processes, and refused in one line."""

import json
import math
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from rlhf_train import metrics, spec
from rlhf_train.run import run
from tests.rlhf_train.conftest import same, table, weights


def start(fields, folder, *launcher, program=("-m", "rlhf_train.run"), **surroundings):
    file = folder / "spec.json"
    file.write_text(json.dumps(fields))
    command = [sys.executable, *launcher, *program, str(file)]
    quiet = {**os.environ, "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1", **surroundings}
    return subprocess.Popen(
        command, start_new_session=True, env=quiet, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def ended(process, seconds=120):
    out, err = process.communicate(timeout=seconds)
    assert process.returncode == 0, out + err


def killed_at_random(made, tmp_path, moments, steps):
    fields = made(steps=steps, save_every=2, batch=4)
    ended(start({**fields, "out": str(tmp_path / "whole")}, tmp_path))
    chance = random.Random(0)
    log = tmp_path / "out" / metrics.FILE
    for turn in range(moments):
        process = start(fields, tmp_path)
        wanted = steps * (turn + 1) // (moments + 1)
        deadline = time.monotonic() + 120
        while process.poll() is None and time.monotonic() < deadline:
            if log.exists() and log.read_text().count("\n") >= wanted:
                break
            time.sleep(0.01)
        time.sleep(chance.uniform(0, 0.2))
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        assert process.returncode == -signal.SIGKILL  # it was in the middle
    ended(start(fields, tmp_path))
    assert same(weights(tmp_path / "whole"), weights(tmp_path / "out"))
    assert (tmp_path / "whole" / metrics.FILE).read_text() == log.read_text()


def test_a_run_killed_at_any_moment_ends_with_the_same_weights(made, tmp_path):
    killed_at_random(made, tmp_path, moments=2, steps=40)


@pytest.mark.slow
def test_a_run_killed_ten_times_ends_with_the_same_weights(made, tmp_path):
    """Ten random moments, among them the writing of checkpoints: about three minutes."""
    killed_at_random(made, tmp_path, moments=10, steps=120)


TWO = ("-m", "torch.distributed.run", "--nproc_per_node", "2", "--standalone")


def same_curve(one, two):
    """Losses of both runs to 1e-5, and the weights that they came to; the second was of two processes indeed."""
    assert [len(list(folder.glob("step-00000008/random-*"))) for folder in (one, two)] == [1, 2]
    first, second = ([json.loads(line) for line in (folder / metrics.FILE).read_text().splitlines()] for folder in (one, two))
    assert [row["loss"] for row in second] == pytest.approx([row["loss"] for row in first], rel=1e-5)
    told = "margin" if "margin" in first[0] else "nll"
    assert [row[told] for row in second] == pytest.approx([row[told] for row in first], rel=1e-3, abs=1e-5)
    for name, value in weights(one).items():
        assert torch.allclose(weights(two)[name], value, atol=1e-4)


PLAIN = [{"objective": "dpo"}, {"objective": "kto"}]
DISTURBED = {"objective": "ift", "numbers": {"disturbance": 0.5, "mix": 0.4}}
ANCHORED = {"objective": "joint_preference_head", "anchor": 100.0}


@pytest.mark.parametrize("changes", [*PLAIN, DISTURBED], ids=lambda changes: changes["objective"])
def test_two_processes_give_the_curve_of_one(made, tmp_path, changes):
    fields = made(**changes, batch=7)  # epochs end in a step of four rows
    table().with_columns(response="chosen").write_parquet(tmp_path / "pairs.parquet")
    run(spec.of(fields))
    ended(start({**fields, "out": str(tmp_path / "two")}, tmp_path, *TWO))
    same_curve(tmp_path / "out", tmp_path / "two")


SHARDED = """
import sys
from accelerate.state import AcceleratorState, DistributedType

begin = AcceleratorState.__init__
def sharded(self, *words, fsdp_plugin=None, **more):
    begin(self, *words, fsdp_plugin=fsdp_plugin, **more)
    if fsdp_plugin is not None:
        self.distributed_type, self.fsdp_plugin = DistributedType.FSDP, fsdp_plugin
        if self._mixed_precision != "no":
            fsdp_plugin.set_mixed_precision(self._mixed_precision)
AcceleratorState.__init__ = sharded

from rlhf_train.run import main
main()
"""


SHARDING = {
    "ACCELERATE_USE_FSDP": "true",
    "FSDP_VERSION": "2",
    "FSDP_AUTO_WRAP_POLICY": "TRANSFORMER_BASED_WRAP",
    "FSDP_CPU_RAM_EFFICIENT_LOADING": "true",  # as accelerate's launcher has it
    "PYTHONPATH": str(Path(__file__).parents[2]),
}


@pytest.mark.parametrize("changes", [*PLAIN, ANCHORED], ids=lambda changes: changes["objective"])
def test_weights_dealt_to_two_processes_give_the_curve_of_one(made, tmp_path, changes):
    """FSDP on processors: accelerate shards on GPUs alone, and the program above undoes that choice and no other."""
    fields, two, program = made(**changes, batch=7), tmp_path / "two", tmp_path / "sharded.py"
    table().with_columns(response="chosen").write_parquet(tmp_path / "pairs.parquet")
    run(spec.of(fields))
    program.write_text(SHARDED)
    for _ in range(2):  # the second time from the checkpoint in the middle
        ended(start({**fields, "out": str(two)}, tmp_path, *TWO, program=[str(program)], **SHARDING))
        same_curve(tmp_path / "out", two)
        shutil.rmtree(two / "step-00000008")
        shutil.rmtree(two / "model")


def test_dealt_weights_in_half_precision_leave_what_a_loss_is_given_exact(made, tmp_path):
    """The policy begins as its reference: numbers that were rounded on their way give another loss."""
    program = tmp_path / "sharded.py"
    program.write_text(SHARDED)
    fields = made(mixed_precision="bf16", numbers={"beta": 1.0})
    ended(start(fields, tmp_path, *TWO, program=[str(program)], **SHARDING))
    first = json.loads((tmp_path / "out" / metrics.FILE).read_text().splitlines()[0])
    assert first["loss"] == pytest.approx(math.log(2), abs=1e-4)


def test_the_command_says_what_is_wrong_in_one_line(made, tmp_path):
    process = start(made(lr=-2.0), tmp_path)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 1
    assert err.strip() == "rlhf_train: lr must be a finite number, above 0, got -2.0"
