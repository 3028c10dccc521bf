"""Programming problems with tests, in the form of APPS (Hendrycks et al., 2021); a program is right that passes them all.

Rows: question, input_output (JSON: inputs, outputs, and fn_name where a function is called), and perhaps starter_code.
"""

import json
import re
import reprlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import polars as pl

from pipelines.schema import DataError, digest, is_encodable
from pipelines.sources.files import rows
from pipelines.sources.row import Row
from pipelines.sources.shapes import BadRow
from pipelines.tasks.grading import Runs, UnitTests, Verdict, verdicts
from pipelines.tasks.task import Item, Items, collected, per_item, table

TASK = "programs"
NEEDS = "each row needs a 'question' and 'input_output' with as many inputs as outputs"
FENCED = re.compile(r"^```[^\n]*\n(.*?)^```", re.DOTALL | re.MULTILINE)


def read(path: str | Path, *, limit: int | None = None) -> Items:
    """Items of a file or folder of problems with tests; `limit` counts rows."""
    found: Iterator[tuple[Row, Callable[[], list[Item]]]] = (
        (row, partial(_items, row)) for row in islice(rows(Path(path)), limit)
    )
    made, rejects = collected(found, str(path), NEEDS)
    return Items(table(made), rejects)


def one(question: str, tests: UnitTests, source: str, line: int) -> Item:
    """The item of a problem; its evidence is its tests, as JSON."""
    evidence = json.dumps({"inputs": tests.inputs, "outputs": tests.outputs, "function": tests.function})
    told = {"item_id": digest(TASK, question, evidence), "task": TASK, "source": source, "line": line}
    return {**told, "prompt": question, "evidence": evidence}


def grade(items: pl.DataFrame, outputs: Sequence[str]) -> pl.Series:
    """[N] whether each output is a program that passes all tests of its item."""
    return pl.Series([all(each is Verdict.PASS for each in row) for row in judged(items, outputs)], dtype=pl.Boolean())


def judged(
    items: pl.DataFrame, outputs: Sequence[str], *, mode: str = "strict", runs: Runs | None = None
) -> list[list[Verdict]]:
    """What each test says of the program in each output."""
    both = list(per_item(items, outputs))
    tests = [tests_of(row["evidence"]) for row, _ in both]
    return verdicts([program(said) for _, said in both], tests, runs or Runs(), mode=mode)


def program(output: str) -> str:
    """The first block of code that an output fences, or all of it."""
    fenced = FENCED.search(output)
    return fenced.group(1) if fenced else output


def tests_of(evidence: str) -> UnitTests:
    """The tests that an item's evidence holds."""
    values = json.loads(evidence)
    return UnitTests(tuple(values["inputs"]), tuple(values["outputs"]), values["function"])


def _items(row: Row) -> list[Item]:
    values: Mapping[str, Any] = row.values or {}
    question, code = (_text(values, name) for name in ("question", "starter_code"))
    if not question.strip():
        raise BadRow("'question' must be text, got nothing")
    try:
        tests = _tests(values.get("input_output"))
    except DataError as error:
        raise BadRow(str(error)) from error
    return [one(f"{question}\n\n{code}" if code.strip() else question, tests, row.source, row.line)]


def _tests(given: Any) -> UnitTests:
    """UnitTests of APPS's JSON: texts, lists of lines, or arguments and values of a call."""
    try:
        values = json.loads(given) if isinstance(given, str) else given
    except (ValueError, RecursionError) as error:
        raise BadRow(f"'input_output' must be JSON, got {reprlib.repr(given)}") from error
    lists = [values[name] for name in ("inputs", "outputs") if isinstance(values, dict) and isinstance(values.get(name), list)]
    if len(lists) < 2:
        raise BadRow(f"'input_output' must hold lists of inputs and outputs, got {reprlib.repr(given)}")
    function = values.get("fn_name")
    if function is not None and not (isinstance(function, str) and function.isidentifier()):
        raise BadRow(f"'fn_name' must be the name of a function, got {reprlib.repr(function)}")
    if function is not None and not all(isinstance(each, list) for each in lists[0]):
        raise BadRow("inputs of a function must be lists of arguments")
    write = _printed if function is None else json.dumps
    inputs, outputs = (tuple(write(each) for each in each_list) for each_list in lists)
    if not all(map(is_encodable, (*inputs, *outputs))):
        raise BadRow("tests must be text, got half a surrogate pair")
    return UnitTests(inputs, outputs, function)


def _printed(value: Any) -> str:
    if isinstance(value, list) and all(isinstance(line, str) for line in value):
        return "\n".join(value)
    if not isinstance(value, str):
        raise BadRow(f"a test must be text or a list of lines, got {reprlib.repr(value)}")
    return value


def _text(values: Mapping[str, Any], name: str) -> str:
    value = values.get(name)
    if value is not None and not (isinstance(value, str) and is_encodable(value)):
        raise BadRow(f"{name!r} must be text, got {reprlib.repr(value)}")
    return value or ""
