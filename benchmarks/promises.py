"""How often each promise was tried to break: runs the tests that docs/promises.md names, counts, and writes the page's numbers.

    python benchmarks/promises.py [--tries 1] [--fuzz 0] [--page] [path ...]

With `--tries 8` tests that kill, fill and fuzz do so eight times as often; paths say which tests are run. `--fuzz 30` gives
atheris 30 s a reader. A test's property `tries` says how often it tried, otherwise each of its cases counts once. What was
counted before is added to.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

import _report

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "promises.md"
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
COUNTS = re.compile(r"\| [\d,]+ \| [\d,]+ \|")


def named(text: str) -> list[str]:
    """The tests that a text names, each once, as path::name."""
    return list(dict.fromkeys("::".join(found) for found in NAMED.findall(text)))


def tried(tests: list[str], tries: int) -> Counter[str]:
    """How often each test tried, after all have passed."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.xml")
        command = [sys.executable, "-m", "pytest", "-q", "-o", "junit_family=xunit1", f"--junitxml={report}", *tests]
        surroundings = {**os.environ, "ANTIVENOM_TRIES": str(tries), "PYTHONPATH": str(ROOT)}
        if subprocess.run(command, cwd=ROOT, env=surroundings).returncode:
            sys.exit("a promise was broken: see above")
        cases = ElementTree.parse(report).getroot().iter("testcase")
        return sum((counted(case) for case in cases), Counter())


def counted(case: ElementTree.Element) -> Counter[str]:
    """Of one case of a test; none of one that was skipped."""
    said = {each.get("name"): each.get("value") for each in case.iter("property")}
    name = f"{case.get('file')}::{str(case.get('name')).partition('[')[0]}"
    return Counter({name: int(said.get("tries") or 1)} if case.find("skipped") is None else {})


def known(name: str) -> dict[str, dict]:
    """What was counted before, by the first column."""
    file = _report.RESULTS / f"{name}.json"
    rows = json.loads(file.read_text())["rows"] if file.is_file() else []
    return {next(iter(row.values())): row for row in rows}


def count(tries: int, paths: list[str]) -> None:
    """Runs the tests, or those under paths, and adds to what is known."""
    before, tests = known("promises"), named(PAGE.read_text())
    asked = [test for test in tests if not paths or test.startswith(tuple(paths))]
    if not asked:
        sys.exit(f"{PAGE} names no test under {', '.join(paths)}")
    found = tried(asked, tries)
    rows = []
    for test in tests:
        old = before.get(test, {"each": 0, "total": 0})
        each = found[test] if tries == 1 and test in asked else old["each"]
        rows.append({"test": test, "each": each, "total": old["total"] + found[test]})
    _report.save("promises", rows)


def fuzz(seconds: int) -> None:
    """Runs atheris on every reader, and adds to what is known."""
    before = known("promises_fuzz")
    command = [sys.executable, "-m", "tests.promises.fuzz", "--seconds", str(seconds)]
    said = subprocess.run(
        command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE, text=True
    ).stdout
    rows = []
    for row in map(json.loads, said.splitlines()):
        old = before.get(row["target"], {"executions": 0})
        rows.append(
            {"reader": row["target"], "executions": old["executions"] + row["executions"], "found": row["found"][-400:]}
        )
    _report.save("promises_fuzz", rows)


def page() -> None:
    """Puts the numbers of both into the page."""
    rows = known("promises")
    lines = []
    for line in PAGE.read_text().splitlines():
        tests = [rows[test] for test in named(line) if test in rows]
        each, total = (sum(row[name] for row in tests) for name in ("each", "total"))
        lines.append(COUNTS.sub(f"| {each:,} | {total:,} |", line) if tests else line)
    executions = sum(row["executions"] for row in known("promises_fuzz").values())
    text = re.sub(r"\d[\d,]* documents", f"{executions:,} documents", "\n".join(lines) + "\n")
    PAGE.write_text(text)


if __name__ == "__main__":
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("paths", nargs="*")
    asked.add_argument("--tries", type=int, default=1)
    asked.add_argument("--fuzz", type=int, default=0)
    asked.add_argument("--page", action="store_true")
    said = asked.parse_args()
    if said.fuzz:
        fuzz(said.fuzz)
    elif not said.page:
        count(said.tries, said.paths)
    page()
