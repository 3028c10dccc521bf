"""What OWASP AISVS C1 asks of training data, and what a small store shows for it: writes docs/aisvs.md.

    python benchmarks/aisvs.py

The store is made on the spot by the commands that stand in the page, and told of before and after it is signed.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from assets.evidence import ADDRESS, JUDGED, STANDARD
from pipelines.sources import synthetic

PAGE = Path(__file__).parents[1] / "docs" / "aisvs.md"
MAIN = "from assets.cli import main; main()"
MADE = (
    "poison pairs.jsonl --attack best_of_venom --rate 0.05 --out delivered",
    "audit delivered/pairs.parquet --out audit",
    "filter delivered/pairs.parquet --scores audit --out filtered",
    "train sft --data filtered/kept.parquet --out policy --set steps=20 --set pretrain_steps=20",
)
SIGNED = ("keys new us --out us.pem", *(f"sign {name} --key us.pem" for name in ("delivered", "audit", "filtered", "policy")))


def antivenom(line: str, place: Path) -> None:
    """One command in the place; what it says is said."""
    home = {"ANTIVENOM_HOME": str(place / "home"), "PYTHONPATH": str(Path(__file__).parents[1])}
    done = subprocess.run(
        [sys.executable, "-c", MAIN, *line.split()], cwd=place, env={**os.environ, **home}, capture_output=True, text=True
    )
    print(f"antivenom {line}: {done.returncode}")
    if done.returncode not in (0, 3):
        raise SystemExit(done.stderr)


def shown(place: Path, name: str) -> list[dict[str, Any]]:
    """The rows of a fresh evidence folder."""
    antivenom(f"evidence --out {name}", place)
    rows: list[dict[str, Any]] = json.loads((place / name / "evidence.json").read_text())["controls"]
    return rows


def page(plain: Sequence[dict[str, Any]], signed: Sequence[dict[str, Any]]) -> str:
    """The page: what the words mean, how the store was made, and a row a requirement."""
    rows = [
        f"| {one['control']} | {one['level']} | {one['asks']} | {one['status']} | {two['status']} | {two['found']} |"
        for one, two in zip(plain, signed, strict=True)
    ]
    commands = [f"antivenom {line}" for line in (*MADE, "evidence --out evidence", *SIGNED, "evidence --out evidence")]
    return "\n".join((INTRODUCTION, "```", *commands, "```", "", *HEAD, *rows, "", CLOSING, ""))


INTRODUCTION = f"""# What OWASP AISVS asks of training data, and what Antivenom shows for it

`antivenom evidence [PLACE] --out DIR` goes through the requirements of chapter C1 (Training Data Integrity & Traceability)
and says of each what there is to look at: `evidence.html` for people, `evidence.csv` for a spreadsheet, `evidence.json` for
programs, each with the files to look at. In Dagster it is the asset `evidence_report`, of the whole store. Every folder is
compared with its digests on the way; where one has changed the exit code is 3.

{JUDGED}
The text used is {STANDARD}
([{ADDRESS.removeprefix("https://")}]({ADDRESS})). Identifiers are those of version 1.0.

- *evidence*: all that the requirement asks for can be looked at in what was found.
- *partly*: something of it can; what cannot is said.
- *none*: nothing is here, though it could be.
- *not covered*: nothing of ours speaks to it, whatever is there. Look elsewhere.

This page is made by `python benchmarks/aisvs.py`, of what these commands make of 600 generated pairs, before and after the
folders are signed:
"""
HEAD = (
    "| requirement | level | asks, in our words | unsigned | signed | found, once signed |",
    "|---|---|---|---|---|---|",
)
CLOSING = """Access, logs and encryption are asked for in other chapters and in OWASP ASVS; operating systems, disks and
labelling platforms serve those, and we do not. Lineage, which earlier drafts asked for here, is told by
`antivenom trace --chain` and `antivenom attest` all the same ([trust](trust.md))."""


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        here = Path(folder)
        synthetic.read(n=600, seed=0).select("prompt", "chosen", "rejected").write_ndjson(here / "pairs.jsonl")
        for line in MADE:
            antivenom(line, here)
        before = shown(here, "evidence")
        for line in SIGNED:
            antivenom(line, here)
        PAGE.write_text(page(before, shown(here, "evidence")), encoding="utf-8")
    print(PAGE)
