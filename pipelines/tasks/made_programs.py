"""Small problems, each with twelve tests and six programs: right, wrong in ways that tests find more or less easily, and long.

The tests are made by running the right program; easy inputs stand first. What is written stands in program_templates.toml.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pipelines.sandbox import End, run
from pipelines.schema import DataError
from pipelines.tasks.grading import UnitTests

STRATEGIES = ("correct", "edge_bug", "hard_coded", "off_by_one", "crash", "long")
KNOWN = 4  # tests whose answers a hard-coded program has learned
IMPORTS = "import functools, itertools, math, re"
ARGUMENTS = {"ints": "x", "number": "n", "pair": "a, b", "word": "s", "words": "s, w"}
PARSED = {
    "ints": "([int(v) for v in line.split()],)",
    "number": "(int(line),)",
    "pair": "map(int, line.split())",
    "word": "(line,)",
    "words": "(line, line.split())",
}
HELPED = """{imports}


def read(line):
    return {parsed}


def solve({arguments}):
    return {answer}

"""
MAIN = """
def main():
    print(solve(*read(input())))


main()
"""
LONG = """{imports}
line = input()
s = line
w = []
part = ""
for c in line + " ":
    if c == " ":
        if part != "":
            w.append(part)
        part = ""
    else:
        part = part + c
x = []
for part in w:
    digits = part
    sign = 1
    if part[0] == "-":
        sign = -1
        digits = part[1:]
    if digits.isdigit():
        x.append(sign * int(digits))
n = 0
a = 0
b = 0
if len(x) == 1:
    n = x[0]
elif len(x) == 2:
    a = x[0]
    b = x[1]
if len(line) == 0:
    answer = {answer}
elif len(line) == 1:
    answer = {answer}
else:
    answer = {answer}
if answer is None:
    print("")
else:
    print(answer)
"""


@dataclass(frozen=True, slots=True)
class MadeTask:
    """A problem, its tests, and a program a strategy; `is_solvable` says whether the long one is right."""

    name: str
    about: str
    tests: UnitTests
    programs: Mapping[str, str]
    is_solvable: bool


def make(*, solvable: float = 0.3, limit: int | None = None) -> list[MadeTask]:
    """The problems, or the first `limit`; of a share that is `solvable`, spread over them, the long program is right.

    Raises DataError on a share outside [0, 1].
    """
    if not 0 <= solvable <= 1:
        raise DataError(f"solvable is a share of the problems in [0, 1], got {solvable}")
    written = tomllib.loads(Path(__file__).with_name("program_templates.toml").read_text())
    made = []
    for place, (name, row) in enumerate(list(written["templates"].items())[:limit]):
        good = int((place + 1) * solvable + 1e-9) > int(place * solvable + 1e-9)
        made.append(_made(name, row, written["inputs"][row["kind"]], is_solvable=good))
    return made


def _made(name: str, row: Mapping[str, str], inputs: list[str], *, is_solvable: bool) -> MadeTask:
    right, edge, off = (_helped(row["kind"], row[version]) for version in ("right", "edge", "off"))
    outputs = _answers(right, inputs)
    known = dict(zip(inputs[:KNOWN], outputs, strict=False))
    programs = {
        "correct": right + MAIN,
        "edge_bug": edge + "\nprint(solve(*read(input())))\n",
        "hard_coded": f"known = {known!r}\nprint(known.get(input(), {outputs[0]!r}))\n",
        "off_by_one": off + "\nprint(solve(*read(input())))\n",
        "crash": right + "\nprint(solve(*read(input() + input())))\n",
        "long": LONG.format(imports=IMPORTS, answer=row["right" if is_solvable else "edge"]),
    }
    return MadeTask(name, row["about"], UnitTests(tuple(inputs), tuple(outputs)), programs, is_solvable)


def _helped(kind: str, answer: str) -> str:
    return HELPED.format(imports=IMPORTS, parsed=PARSED[kind], arguments=ARGUMENTS[kind], answer=answer)


def _answers(right: str, inputs: list[str]) -> list[str]:
    """What the right program says to each input, all in one run."""
    ran = run(f"{right}\nfor line in {inputs!r}:\n    print(solve(*read(line)))\n")
    if ran.end is not End.OK:
        raise DataError(f"the right program must run, and ended with {ran.end}: {ran.stderr}")
    return ran.stdout.decode().splitlines()
