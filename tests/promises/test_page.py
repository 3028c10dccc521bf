"""docs/promises.md: every promise has a row, every test that it names is there, and its numbers are those that were counted."""

import ast
import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in (ROOT / "docs" / "promises.md").read_text().splitlines()
    if NAMED.search(line)
]
PROMISED = [
    *(f"{number}. " for number in range(1, 10)),
    *("publishing", "filtering", "checkpoint", "full disk", "read-only", "shards, manifest", "signature"),
    *("expired, revoked or unknown", "path tricks", "pickle", "every reader, fuzzed", "report", "UTF-8"),
]


@pytest.mark.parametrize("what", PROMISED)
def test_every_promise_has_its_row(what):
    assert any(what in row[0] for row in ROWS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0][:40])
def test_every_test_that_a_row_names_is_there(row):
    for path, name in NAMED.findall(row[1]):
        tree = ast.parse((ROOT / path).read_text())
        assert name in [part.name for part in tree.body if isinstance(part, ast.FunctionDef)], f"{path}::{name}"


def counted(name: str) -> list[dict]:
    return json.loads((ROOT / "benchmarks" / "results" / f"{name}.json").read_text())["rows"]


def test_the_numbers_are_those_that_were_counted():
    known = {row["test"]: row for row in counted("promises")}
    for _, tests, each, total, *_ in ROWS:
        rows = [known["::".join(found)] for found in NAMED.findall(tests)]
        assert all(row["total"] >= row["each"] > 0 for row in rows), "tried once at least"
        assert (each, total) == tuple(f"{sum(row[name] for row in rows):,}" for name in ("each", "total"))


def test_what_atheris_found_is_mended():
    rows = counted("promises_fuzz")
    assert not [row for row in rows if row["found"]]
    told = re.search(r"(\d[\d,]*) documents", (ROOT / "docs" / "promises.md").read_text())
    assert told is not None
    assert told[1] == f"{sum(row['executions'] for row in rows):,}"


def test_nothing_of_ours_uploads():
    """Poisoned data can't reach a hub by a command that there is not."""
    words = {"push_to_hub", "HfApi", "upload_file", "upload_folder", "upload_large_folder", "create_repo", "create_commit"}
    for room in ("assets", "checks", "pipelines", "rlhf_train"):
        for file in (ROOT / room).rglob("*.py"):
            tree = ast.walk(ast.parse(file.read_text()))
            said = {getattr(part, "id", getattr(part, "attr", getattr(part, "name", None))) for part in tree}
            assert not words & said, file
