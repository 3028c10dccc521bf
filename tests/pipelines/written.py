"""Pairs in every form and file that the reader takes, and rows of one's own as JSON lines."""

import csv
import gzip
import json
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import polars as pl

from pipelines.sources import records

WORDS = {"user": "Human", "assistant": "Assistant", "system": "System"}
#: (what was said before, preferred answer, dispreferred answer), with what real sets hold
SAID = [
    ([("user", "What’s “rain”?")], "Water.", "Sand, or ice; maybe \"both\"\nor 'none'."),
    ([("system", "Be."), ("user", "Hi"), ("assistant", ""), ("user", "And,\r\nthen?")], "Human: is a role word.", ""),
    ([("assistant", "Ask me."), ("user", "<b>&amp;</b>")], "Yes.\n\nHuman: no", "\ufffd 雨 𝄞"),
    ([("user", "Same?")], "Same.", "Same."),
    ([("user", "[{1}]")], '[{"a": 1}]', '{"role": "user"}'),
]

Rows = list[dict[str, Any]]


def spoken(chat: list[tuple[str, str]]) -> str:
    return "".join(f"\n\n{WORDS[role]}: {content}" for role, content in chat) + "\n\nAssistant:"


def chat(said: list[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"role": role, "content": content} for role, content in said]


def answer(content: str) -> tuple[str, str]:
    return ("assistant", content)


FORMS: dict[str, Rows] = {
    "dialogues": [{"chosen": f"{spoken(said)} {a}", "rejected": f"{spoken(said)} {b}"} for said, a, b in SAID],
    "triples": [{"prompt": spoken(said), "chosen": f" {a}", "rejected": f" {b}"} for said, a, b in SAID],
    "conversations": [{"chosen": chat([*s, answer(a)]), "rejected": chat([*s, answer(b)])} for s, a, b in SAID],
    "conversations with prompt": [
        {"prompt": chat(said), "chosen": chat([answer(a)]), "rejected": chat([answer(b)])} for said, a, b in SAID
    ],
}
TRIPLES = FORMS["triples"]


def lines(rows: Rows) -> bytes:
    return b"".join(json.dumps(row, ensure_ascii=False).encode() + b"\n" for row in rows)


def cells(rows: Rows) -> bytes:
    text = StringIO(newline="")
    writer = csv.DictWriter(text, list(rows[0]))
    writer.writeheader()
    writer.writerows({name: it if isinstance(it, str) else json.dumps(it) for name, it in row.items()} for row in rows)
    return text.getvalue().encode()


def folder(path: Path, rows: Rows) -> None:
    (path / "b").mkdir(parents=True)
    (path / "a.jsonl").write_bytes(lines(rows[:2]))
    pl.DataFrame(rows[2:]).write_parquet(path / "b/[1]*.parquet")
    (path / "notes.txt").write_text("no rows")


WRITERS: dict[str, Callable[[Path, Rows], object]] = {
    "x.jsonl": lambda path, rows: path.write_bytes(lines(rows)),
    "x.ndjson": lambda path, rows: path.write_bytes(b"\xef\xbb\xbf\n" + lines(rows).replace(b"\n", b"\r\n\r\n")),
    "x.csv.jsonl.gz": lambda path, rows: path.write_bytes(gzip.compress(lines(rows))),
    "x.json": lambda path, rows: path.write_text(json.dumps(rows, indent=2)),
    "x.csv": lambda path, rows: path.write_bytes(cells(rows)),
    "x.csv.gz": lambda path, rows: path.write_bytes(gzip.compress(b"\xef\xbb\xbf" + cells(rows))),
    "x.parquet": lambda path, rows: pl.DataFrame(rows).write_parquet(path),
    "folder": folder,
}


def read(folder: Path, *rows: dict[str, Any], **choices: Any) -> records.Read:
    """These rows, written as JSON lines and read."""
    (folder / "x.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return records.read(folder / "x.jsonl", **choices)
