"""The house rules: imports, style and types, held by the same tools as `make lint`; and a lock that is complete."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def run(*command: str) -> subprocess.CompletedProcess[str]:
    """Runs a tool of this environment in the repository's root."""
    tools = Path(sys.executable).parent
    return subprocess.run(
        [str(tools / command[0]), *command[1:]],
        cwd=ROOT,
        env={**os.environ, "NO_COLOR": "1", "COLUMNS": "140"},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def must_pass(*command: str) -> None:
    done = run(*command)
    if done.returncode:
        pytest.fail(f"{' '.join(command)}\n\n{done.stdout}", pytrace=False)


def test_the_import_contracts_are_kept():
    must_pass("lint-imports", "--no-logo")


def test_the_code_is_clean():
    must_pass("ruff", "check")


def test_the_code_is_formatted():
    must_pass("ruff", "format", "--check")


def test_the_types_hold():
    must_pass("mypy")


def test_the_lock_pins_all_that_is_installed():
    must_pass("python", "-m", "pip", "check")
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    pins = [line for line in lines if not line.startswith("#")]
    assert pins
    assert [pin for pin in pins if "==" not in pin or "+" in pin] == []


LIGHT = """
import importlib, pkgutil, sys
for name in sys.argv[2:]:
    package = importlib.import_module(name)
    for module in pkgutil.walk_packages(package.__path__, f"{name}."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
print(*sorted(set(sys.argv[1].split(",")) & set(sys.modules)))
"""
SLOW = "transformers,sentence_transformers,great_expectations"


@pytest.mark.parametrize(
    ("packages", "heavy"),
    [(("pipelines", "checks"), f"torch,{SLOW}"), (("rlhf_train", "assets"), SLOW)],
    ids=["tables and judgements", "tensors and dagster"],
)
def test_importing_everything_is_light(packages: tuple[str, ...], heavy: str):
    """Every Dagster step process pays for module-level imports, so the heavy ones live inside functions."""
    done = run("python", "-c", LIGHT, heavy, *packages)
    assert done.returncode == 0, done.stdout
    assert done.stdout.split() == [], "import these inside the functions that need them"
