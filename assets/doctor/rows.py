"""What Dagster loads: the code location, and the experiments that people wrote themselves."""

import os
import subprocess
import sys
import time
from pathlib import Path

from assets.doctor import findings
from assets.doctor.findings import Finding, first, hushed, ill, warning, well
from pipelines.schema import DataError

LOCATION = "assets.definitions"
PATIENCE = 120.0  # seconds; on two busy cores it loads in a quarter of that


def code_location() -> Finding:
    """Whether the code location can be loaded, as Dagster does it: in a process of its own."""
    workspace = findings.ROOT / "workspace.yaml"
    if workspace.is_file() and LOCATION not in workspace.read_text(encoding="utf-8", errors="replace"):
        return ill(
            "code_location", f"{workspace} names no {LOCATION}", f"name it there: python_module, module_name: {LOCATION}"
        )
    start = time.monotonic()
    try:
        done = _imported()
    except subprocess.TimeoutExpired:
        said = f"{LOCATION} was not loaded after {PATIENCE:g} s"
        return ill("code_location", said, f"see where it waits: {sys.executable} -X importtime -c 'import {LOCATION}'")
    if done.returncode:
        why = hushed((done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1])
        mend = f"see all it says: cd {findings.ROOT} && {sys.executable} -c 'import {LOCATION}'"
        return ill("code_location", f"{LOCATION} can't be loaded: {why}", mend)
    return well("code_location", f"{LOCATION} loads in {time.monotonic() - start:.1f} s")


def experiments() -> Finding:
    """Whether the file of ANTIVENOM_EXPERIMENTS can be read, and which of its rows are refused."""
    from assets.experiment_files import load

    path = os.environ.get("ANTIVENOM_EXPERIMENTS")
    if not path:
        return well("experiments", "ANTIVENOM_EXPERIMENTS is not set: the rows are those that come with the code")
    try:
        load(Path(path))
    except DataError as error:
        mend = "let ANTIVENOM_EXPERIMENTS name a TOML file with a table a row, or unset it"
        return ill("experiments", hushed(str(error)), mend)
    if refused := _refused():
        said = f"{len(refused)} refused, the rest are loaded: {hushed(first(refused))}"
        return warning("experiments", said, f"change in {path} what is said of each")
    return well("experiments", f"every row of {path} is taken")


def _imported() -> subprocess.CompletedProcess[str]:
    """-P and the path in front: this copy of the code, whatever stands in the working directory."""
    path = os.pathsep.join(filter(None, [str(findings.ROOT), os.environ.get("PYTHONPATH")]))
    return subprocess.run(
        [sys.executable, "-B", "-P", "-c", f"import {LOCATION}"],
        env={**os.environ, "PYTHONPATH": path},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        timeout=PATIENCE,
    )


def _refused() -> list[str]:
    """Read anew, for what the partitions hold was read when they were imported."""
    from assets import partitions, study_partitions
    from assets.experiment_files import all_experiments
    from assets.studies import all_studies

    rows, wrong = all_experiments()
    _, misnamed = partitions.accepted(rows)
    studies, also_wrong = all_studies()
    named, also_misnamed = study_partitions.accepted(studies)
    _, shared = study_partitions.apart(named)
    return [*wrong, *misnamed, *also_wrong, *also_misnamed, *shared]
