"""The answers as a page, a table and facts. Links lead to files beside it and nowhere else."""

import csv
import io
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from assets import html
from assets.evidence import ADDRESS, CONTROLS, JUDGED, STANDARD
from assets.evidence.answers import Answer, Status
from assets.evidence.seen import Seen

LINKS = 5  # of an answer, on a page


def facts(answers: Mapping[str, Answer], seen: Seen, beside: Path) -> dict[str, Any]:
    """All of it for programs; files are named by their path from `beside`."""
    return {
        "standard": STANDARD,
        "address": ADDRESS,
        "judged": JUDGED,
        "folders": [node.snapshot for node in seen.whole],
        "changed": sorted(map(_plain, seen.broken.values())),
        "controls": [
            {
                "control": name,
                "level": CONTROLS[name].level,
                "asks": CONTROLS[name].asks,
                "status": str(answer.status),
                "found": _plain(answer.said),
                "files": [_place(file, beside) for file in answer.files],
            }
            for name, answer in answers.items()
        ],
    }


def table(told: Mapping[str, Any]) -> str:
    """A row a requirement, as spreadsheets read it; what could be taken for a formula stands behind an apostrophe."""
    out = io.StringIO()
    names = ("control", "level", "asks", "status", "found", "files")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(names)
    for row in told["controls"]:
        cells = {**row, "files": " ".join(row["files"])}
        writer.writerow([_cell(cells[name]) for name in names])
    return out.getvalue()


def page(told: Mapping[str, Any]) -> str:
    """One self-contained page."""
    counts = {status: sum(row["status"] == status for row in told["controls"]) for status in Status}
    words = ", ".join(f"{status} for {count}" for status, count in counts.items())
    changed = (
        [html.verdict(f"Changed since it was published: {'; '.join(told['changed'])}", bad=True)] if told["changed"] else []
    )
    return html.page(
        "Evidence on training data",
        f"{STANDARD}. {len(told['folders']):,} published folders were looked at.",
        [
            html.paragraph(f"{len(told['controls'])} requirements: {words}. {JUDGED}"),
            *changed,
            *(_section(row) for row in told["controls"]),
        ],
    )


def _section(row: Mapping[str, Any]) -> str:
    rest = len(row["files"]) - LINKS
    links = [html.file_link(file, file) for file in row["files"][:LINKS]]
    more = [html.text(f"and {rest:,} more, which evidence.json names")] if rest > 0 else []
    return html.section(
        f"{row['control']}: {row['status']}",
        html.paragraph(f"Level {row['level']}. {row['asks']}."),
        html.paragraph(f"{row['found']}."),
        f"<p>{'<br>'.join([*links, *more])}</p>" if links else "",
    )


def _place(file: Path, beside: Path) -> str:
    return _plain(Path(os.path.relpath(os.path.abspath(file), os.path.abspath(beside))).as_posix())


def _plain(words: str) -> str:
    """As a file can hold it: half a surrogate pair, as in a file name that is no UTF-8, is spelled out."""
    return words.encode("utf-8", "backslashreplace").decode()


def _cell(value: object) -> str:
    words = html.visible(str(value))
    return f"'{words}" if words.startswith(("=", "+", "-", "@", "\t")) else words
