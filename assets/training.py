"""Training for assets: here, or in processes of its own through Dagster Pipes. Either way a killed step leaves a resumable run.

`python -m assets.training spec.json`, alone or under `accelerate launch`, is what Pipes starts: it trains, and tells Dagster
how it goes while it goes, and what it came to.
"""

import json
import os
import shlex
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
from dagster._core.errors import DagsterPipesExecutionError  # which dagster raises, and does not export
from pydantic import Field

from assets import pictures, runs
from assets.metadata import picture, progress
from assets.places import workplace
from pipelines.snapshots.asides import discard

CARD = "model_card.json"  # as rlhf_train.run writes it, which imports torch
DIGESTS = ("data", "model")  # of what it was made of, which stands on its page by name
TOLD = 20  # times that a process tells how far it is
LAST = 15  # lines of what a process said that are shown where it failed
LOG, LAUNCHED = "launch.log", "launched.json"
PROCESSES, OPTIONS = "ANTIVENOM_PROCESSES", "ANTIVENOM_ACCELERATE"
#: the name of the log, then a command; the shell becomes that command, so that signals reach it
INTO_LOG = ("sh", "-c", 'exec "$@" >> "$0" 2>&1')


class Launcher(dg.ConfigurableResource):
    """Starts training runs: `processes` 0 trains in the step itself, 1 in a process of its own, more in as many together.

    Several are started by `accelerate launch`, with further `options` of its, as in ["--use_fsdp", "--fsdp_version", "2"].
    """

    processes: int = 0
    options: list[str] = Field(default_factory=list)

    def train(
        self,
        context: dg.AssetExecutionContext,
        objective: str,
        pairs: pl.DataFrame,
        model: str,
        *,
        within: str = "",
        **settings: Any,
    ) -> Path:
        """The folder of a finished run; `settings` as in runs.train. An unfinished one of the same settings is gone on with.

        An asset that runs several gives each a folder `within` its own.
        """
        work = run_folder(context) / within
        if not self.processes:
            runs.train(objective, pairs, model, work, watch=progress(context), **settings)
            return work
        made = runs.prepare(objective, pairs, model, work, watch=progress(context), **settings)
        (work / "spec.json").write_text(json.dumps(made, indent=1))
        told = piped(context, [*self._launcher(), "-m", "assets.training", str(work / "spec.json")], work / LOG)
        (work / LAUNCHED).write_text(json.dumps(told))
        return work

    def _launcher(self) -> list[str]:
        if self.processes == 1:
            return [sys.executable]
        # accelerate starts several processes on one machine only as if for GPUs; without any they work on its processors
        usual = ["--multi_gpu", "--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no"]
        given = self.options or usual
        return [sys.executable, "-m", "accelerate.commands.launch", "--num_processes", str(self.processes), *given]


def launcher() -> Launcher:
    """As ANTIVENOM_PROCESSES and ANTIVENOM_ACCELERATE say, which hold for every run that does not say otherwise."""
    return Launcher(processes=int(os.environ.get(PROCESSES) or 0), options=shlex.split(os.environ.get(OPTIONS, "")))


def piped(context: dg.AssetExecutionContext, command: list[str], log: Path) -> Mapping[str, Any]:
    """What a training process told last; a dg.Failure with the last lines that it wrote where it failed or was killed."""
    client = dg.PipesSubprocessClient(env={"PYTHONUNBUFFERED": "1"})
    log.unlink(missing_ok=True)
    try:
        told: list[Any] = list(client.run(context=context, command=[*INTO_LOG, str(log), *command]).get_custom_messages())
    except DagsterPipesExecutionError as error:
        said = log.read_text(encoding="utf-8", errors="replace").splitlines()[-LAST:] if log.exists() else []
        raise dg.Failure(
            f"training failed ({error}); launched again it goes on from its last checkpoint. Last it said:\n" + "\n".join(said),
            metadata={
                "last lines": dg.MetadataValue.md("```\n" + "\n".join(said) + "\n```"),
                "log": dg.MetadataValue.path(log),
            },
        ) from error
    return told[-1] if told else {}


def run_folder(context: dg.AssetExecutionContext) -> Path:
    """Where the run of one partition of an asset stands until the asset is made."""
    name = "_".join(context.asset_key.path)
    return workplace("runs", f"{name}-{context.partition_key}")


def begun(context: dg.AssetExecutionContext, policy: Any) -> Path:
    """The folder of the policy that a run begins with, which stands beside the run until that is finished."""
    from rlhf_train.by_content import model_digest

    folder = run_folder(context) / f"base-{model_digest(policy.model)[:12]}"
    if not folder.is_dir():
        policy.save(folder.with_name(".base")).rename(folder)
    return folder


def curve(work: Path) -> pl.DataFrame:
    """The metrics of a run, a row a step."""
    return pl.read_ndjson(work / "metrics.jsonl", infer_schema_length=None)


def learned(work: Path, model: Any) -> dg.Output[Any]:
    """The model of a finished run with its learning curve; the run itself is dropped."""
    table = curve(work)
    told: dict[str, Any] = {
        **launched(work),
        "steps": len(table),
        "last loss": table["loss"][-1],
        "learning curve": picture(pictures.learning(table), "loss by step"),
        "settings": _settings(json.loads((work / "model" / CARD).read_text())),
    }
    discard(work, work)
    return dg.Output(model, metadata=told)


def _settings(card: Mapping[str, Any]) -> str:
    """What was not left as it is in every run, in one line; digests and last metrics stand elsewhere."""
    said = {name: value for name, value in card.items() if value and not isinstance(value, dict)}
    return ", ".join(f"{name} {value}" for name, value in said.items() if name not in DIGESTS)


def launched(work: Path) -> dict[str, Any]:
    """What the processes of a run told through Pipes, where there were any."""
    file = work / LAUNCHED
    return json.loads(file.read_text()) if file.exists() else {}


def main() -> None:
    """Trains in this process and reports to the Dagster run that started it: progress while it goes, then what it came to."""
    from dagster_pipes import open_dagster_pipes

    from rlhf_train.run import run
    from rlhf_train.spec import read

    spec = read(Path(sys.argv[1]))
    if int(os.environ.get("RANK", "0")):
        run(spec)
        return
    with open_dagster_pipes() as pipes:

        def watch(what: str, done: int, of: int, row: dict[str, float]) -> None:
            if done == of or done % max(of // TOLD, 1) == 0:
                said = ", ".join(f"{name} {value:.4g}" for name, value in row.items() if name != "step")
                pipes.log.info(f"{what}: {done:,} of {of:,}" + (f" ({said})" if said else ""))

        start = time.monotonic()
        history = run(spec, watch)
        at_work = int(os.environ.get("WORLD_SIZE", "1"))
        pipes.report_custom_message({"processes": at_work, "seconds": time.monotonic() - start, **_numbers(history[-1])})


def _numbers(row: Mapping[str, float]) -> dict[str, float]:
    return {f"last {name}": value for name, value in row.items() if name not in ("step", "loss")}


if __name__ == "__main__":
    main()
