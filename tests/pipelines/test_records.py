"""Any file of pairs: one table from every written form and file type; of bad input, its file, its line and the mend."""

import csv
import gzip
import json
import os
import re
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.schema import PAIRS, REJECTS, DataError, digest
from pipelines.sources import csv_rows, files, records
from pipelines.sources.shapes import SHAPES

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


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", WRITERS)
def test_every_form_in_every_file_gives_the_same_pairs(name, form, tmp_path):
    WRITERS[name](tmp_path / name, FORMS[form])
    found = records.read(tmp_path / name)
    assert found.shape == form.removesuffix(" with prompt")
    assert found.rejects.equals(REJECTS.empty())
    assert found.pairs.schema == PAIRS.empty().schema
    expected = [(row, spoken(said), f" {a}", f" {b}", None) for row, (said, a, b) in enumerate(SAID)]
    assert found.pairs.select("row", "prompt", "chosen", "rejected", "rejected_prompt").rows() == expected
    assert found.pairs["pair_id"].to_list() == [digest(*texts) for _, *texts in expected]
    assert found.strict() is found.pairs


def test_the_source_is_the_file_within_the_folder(tmp_path):
    folder(tmp_path / "all", TRIPLES)
    source = records.read(tmp_path / "all").pairs["source"].to_list()
    assert source == ["a.jsonl", "a.jsonl", "b/[1]*.parquet", "b/[1]*.parquet", "b/[1]*.parquet"]


def test_a_file_name_that_is_no_text_is_spelled_out(tmp_path):
    path = os.fsencode(tmp_path) + b"/\xff<b>.jsonl"
    with open(path, "wb") as file:
        file.write(lines(TRIPLES))
    assert records.read(Path(os.fsdecode(path))).pairs["source"].unique().to_list() == ["\\udcff<b>.jsonl"]


# What a row says beside its texts


def test_sides_that_were_asked_different_things_keep_both_prompts(tmp_path):
    asked = [[("user", "a")], [("user", "b")]]
    expected = (spoken(asked[0]), " x", " y", spoken(asked[1]))
    sides = ("prompt", "chosen", "rejected", "rejected_prompt")
    dialogue = {"chosen": spoken(asked[0]) + " x", "rejected": spoken(asked[1]) + " y"}
    assert read(tmp_path, dialogue).pairs.select(sides).rows() == [expected]
    conversation = {"chosen": chat([*asked[0], answer("x")]), "rejected": chat([*asked[1], answer("y")])}
    assert read(tmp_path, conversation).pairs.select(sides).rows() == [expected]


@pytest.mark.parametrize(
    ("values", "margin"),
    [
        ({"margin": 0.75, "score_chosen": 9, "score_rejected": 1}, 0.75),
        ({"margin": "-1.5"}, -1.5),
        ({"score_chosen": 3, "score_rejected": 7.5}, 3 - 7.5),
        ({"reward_chosen": "0.25", "reward_rejected": "-0.5"}, 0.25 + 0.5),
        ({"margin": None, "reward_chosen": 2, "reward_rejected": 0.5}, 2 - 0.5),
        ({"margin": "high"}, None),
        ({"margin": float("nan")}, None),
        ({"margin": float("inf")}, None),
        ({"margin": 10**400}, None),
        ({"reward_chosen": 2}, None),
        ({}, None),
    ],
)
def test_the_margin_is_given_or_the_gap_of_two_scores(values, margin, tmp_path):
    assert read(tmp_path, TRIPLES[0] | values).pairs["margin"].to_list() == [margin]


@pytest.mark.parametrize(
    ("who", "annotator"),
    [("Ann", "Ann"), (7, "7"), (None, None), ("\ud800", "\\ud800"), ({"id": 7}, "{'id': 7}"), ("", "")],
)
def test_an_annotator_is_kept_as_text(who, annotator, tmp_path):
    assert read(tmp_path, TRIPLES[0] | {"annotator": who}).pairs["annotator"].to_list() == [annotator]


# Choices of the reader


def test_columns_are_mapped(tmp_path):
    theirs = [
        {"question": row["prompt"], "best": row["chosen"], "rejected": row["rejected"], "who": "Ann", "chosen": "decoy"}
        for row in TRIPLES
    ]
    (tmp_path / "x.jsonl").write_bytes(lines(theirs))
    mapping = {"prompt": "question", "chosen": "best", "annotator": "who"}
    ours = records.read(tmp_path / "x.jsonl", columns=mapping).pairs
    assert ours.select("prompt", "chosen", "rejected").rows() == [tuple(row.values()) for row in TRIPLES]
    assert ours["annotator"].to_list() == ["Ann"] * len(SAID)


@pytest.mark.parametrize("ours", ["chosen", "annotator"])
def test_a_mapped_column_that_is_not_there_is_refused_though_ours_is(ours, tmp_path):
    rows = [row | {"annotator": "Ann"} for row in TRIPLES]
    with pytest.raises(DataError, match=rf"x\.jsonl line 1: no column 'best', got 'prompt', .* {ours}=NAME, by --map"):
        read(tmp_path, *rows, columns={ours: "best"})


@pytest.mark.parametrize("limit", [1, 3, 99])
def test_the_limit_counts_rows_and_reads_no_further(limit, tmp_path):
    (tmp_path / "x.jsonl").write_bytes(lines(TRIPLES[:1]) + b"{\n" + lines(TRIPLES[1:]))
    found = records.read(tmp_path / "x.jsonl", limit=limit)
    assert found.pairs.height + found.rejects.height == min(limit, len(SAID) + 1)
    assert found.pairs["row"].to_list() == [row for row in range(6) if row != 1][: found.pairs.height]


def test_the_limit_stops_before_a_damaged_end(tmp_path):
    rows = [row | {"filler": os.urandom(9000).hex()} for row in TRIPLES]
    (tmp_path / "x.jsonl.gz").write_bytes(gzip.compress(lines(rows))[:-9000])
    assert records.read(tmp_path / "x.jsonl.gz", limit=2).pairs.height == 2
    with pytest.raises(DataError, match="damaged"):
        records.read(tmp_path / "x.jsonl.gz")


@pytest.mark.parametrize("limit", [0, -1])
def test_a_limit_below_one_is_refused(limit, tmp_path):
    with pytest.raises(DataError, match=f"limit is a number of rows and must be 1 or more, got {limit}; leave it out"):
        read(tmp_path, *TRIPLES, limit=limit)


def test_a_form_can_be_forced_and_must_be_known(tmp_path):
    wholes = read(tmp_path, *({**row, "prompt": "decoy"} for row in FORMS["dialogues"]), shape="dialogues")
    assert wholes.pairs["prompt"].to_list() == [row["prompt"] for row in TRIPLES]
    with pytest.raises(DataError, match="shape must be auto or one of conversations, triples, dialogues, got 'pairs'"):
        read(tmp_path, *TRIPLES, shape="pairs")
    assert all(form.about and set(form.columns) <= set(PAIRS.columns) for form in SHAPES.values())


# Bad input: what can't be used at all


def read(folder: Path, *rows: dict[str, Any], **choices: Any) -> records.Read:
    """These rows, written as JSON lines and read."""
    (folder / "x.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return records.read(folder / "x.jsonl", **choices)


def damaged(data: bytes) -> bytes:
    return data[:20] + bytes(byte ^ 0x55 for byte in data[20:40]) + data[40:]


GOOD = lines(TRIPLES)
UNUSABLE: dict[str, tuple[str, bytes, str]] = {
    "empty file": ("x.jsonl", b"", r"x\.jsonl: the file is empty; expected preference pairs"),
    "empty parquet": ("x.parquet", b"", r"x\.parquet: the file is empty"),
    "blank lines only": (
        "x.jsonl",
        b"\n \n\t\r\n",
        r"x\.jsonl: holds no usable pair \(no rows\); each row needs chosen",
    ),
    "blank csv": ("x.csv", b"\n\n", r"x\.csv: holds no usable pair \(no rows\); each row needs"),
    "header only": ("x.csv", b"chosen,rejected\n", r"x\.csv: holds no usable pair \(no rows\)"),
    "nothing zipped": ("x.jsonl.gz", gzip.compress(b""), r"x\.jsonl\.gz: holds no usable pair \(no rows\)"),
    "empty array": ("x.json", b"[]", r"x\.json: holds no usable pair \(no rows\)"),
    "wrong column": (
        "x.jsonl",
        b'\n{"prompt": "p", "best": "a", "rejected": "b"}\n',
        r"line 2: no column 'chosen', got 'prompt', 'best', 'rejected'; say which of yours it is: chosen=NAME, by --map",
    ),
    "wrong column after a bad line": (
        "x.jsonl",
        b'{\n{"worst": "b"}\n',
        r"x\.jsonl line 2: no column 'chosen', got 'worst'",
    ),
    "column that is no text": ("x.jsonl", b'{"\\ud800": 1}', r"line 1: no column 'chosen', got '\\ud800'; say"),
    "no columns": ("x.jsonl", b"{}\n" + GOOD, r"x\.jsonl line 1: no column 'chosen', got no columns; say"),
    "wrong csv column": (
        "x.csv",
        b"chosen,worse\na,b\n",
        r"x\.csv line 2: no column 'rejected', got 'chosen', 'worse'; say",
    ),
    "column twice in csv": (
        "x.csv",
        b"chosen,chosen\na,b\n",
        r"x\.csv: column 'chosen' stands twice; rename or drop one",
    ),
    "stray quote": (
        "x.csv",
        b'prompt,chosen,rejected\np,a,b\np,a,"b\np,a,b\n',
        r"x\.csv line 3: not CSV \(unexpected end of data\); mend the quotes or the line",
    ),
    "text after a quote": ("x.csv", b'chosen,rejected\n"a"a,b\n', r"x\.csv line 2: not CSV \(.*\); mend the quotes"),
    "truncated gzip": (
        "x.jsonl.gz",
        gzip.compress(GOOD)[:-20],
        r"x\.jsonl\.gz: the gzip stream is cut short or damaged \(.*\); fetch the file again",
    ),
    "truncated csv": ("x.csv.gz", gzip.compress(cells(TRIPLES))[:-20], r"x\.csv\.gz: the gzip stream is cut short"),
    "garbage gzip": (
        "x.jsonl.gz",
        b"no gzip at all",
        r"x\.jsonl\.gz: the gzip stream is .*damaged \(Not a gzip.*; fetch",
    ),
    "damaged gzip": (
        "x.jsonl.gz",
        damaged(gzip.compress(GOOD)),
        r"x\.jsonl\.gz: the gzip stream is .*damaged .*; fetch",
    ),
    "wrong checksum": ("x.jsonl.gz", gzip.compress(GOOD)[:-8] + bytes(8), r"x\.jsonl\.gz: .*damaged \(CRC.*; fetch"),
    "no parquet": ("x.parquet", GOOD, r"x\.parquet: can't be read \(.*\); check the file"),
    "half a parquet": ("x.parquet", b"PAR1" + bytes(40) + b"PAR1", r"x\.parquet: can't be read \(.*\); check the file"),
    "lines called json": (
        "x.json",
        GOOD,
        r"x\.json: not a JSON array \(Extra data: line 2.*\); mend it or use .*\.jsonl",
    ),
    "object called json": ("x.json", b"{}", r"x\.json: expected a JSON array, got dict; use \.jsonl for JSON lines"),
    "broken bytes in json": ("x.json", b'["\xff"]', r"x\.json: not a JSON array \('utf-8' codec .*\); mend it"),
    "deep json": ("x.json", b"[" * 100_000, r"x\.json: not a JSON array \(.*recursion.*\); mend it"),
    "no line of JSON": (
        "x.jsonl",
        b"\nnot json\n",
        r"x\.jsonl: holds no usable pair \(x\.jsonl line 2: not JSON \(Expecting",
    ),
    "other ending": ("x.txt", GOOD, r"x\.txt: expected a name that ends in \.jsonl, .*\.parquet; convert or rename"),
}


@pytest.mark.parametrize("what", UNUSABLE)
def test_an_unusable_file_is_named_with_the_mend(what, tmp_path):
    name, data, message = UNUSABLE[what]
    (tmp_path / name).write_bytes(data)
    with pytest.raises(DataError, match=message) as caught:
        records.read(tmp_path / name)
    assert "\n" not in str(caught.value)
    assert ("can't be read" in str(caught.value)) == ("can't be read" in message)  # no message within a message


def test_a_column_twice_in_a_parquet_is_refused(tmp_path):
    import pyarrow as pa
    from pyarrow import parquet

    table = pa.Table.from_arrays([pa.array(["a"])] * 3, names=["chosen", "rejected", "chosen"])
    parquet.write_table(table, tmp_path / "x.parquet")
    with pytest.raises(DataError, match=r"x\.parquet: column 'chosen' stands twice; rename or drop one"):
        records.read(tmp_path / "x.parquet")


def test_one_unusable_file_of_a_folder_is_named(tmp_path):
    folder(tmp_path / "all", TRIPLES)
    (tmp_path / "all/b/cut.jsonl.gz").write_bytes(gzip.compress(GOOD)[:-9])
    with pytest.raises(DataError, match=r"all/b/cut\.jsonl\.gz: the gzip stream is cut short"):
        records.read(tmp_path / "all")


@pytest.mark.parametrize("name", ["nothing.jsonl", "no/such/folder", "a" * 5000 + ".jsonl", "nul\0.jsonl"])
def test_a_missing_file_is_named(name, tmp_path):
    with pytest.raises(DataError, match=f"{name[:9]}.*: no such file or folder; check the path"):
        records.read(tmp_path / name)


def test_a_folder_without_rows_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("no rows")
    with pytest.raises(DataError, match=r"the folder holds no file that ends in \.jsonl, .*\.parquet"):
        records.read(tmp_path)


# Bad input: one row among good ones

TEXTS = {"prompt": "p", "chosen": " a", "rejected": " b"}
SPELLED = json.dumps(TEXTS)
BAD_LINES: dict[str, tuple[bytes, str]] = {
    "no JSON": (b"chosen: a", r"not JSON \(Expecting value, column 1\)"),
    "cut off": (SPELLED[:-1].encode(), r"not JSON \(Expecting ',' delimiter, column \d+\)"),
    "null": (json.dumps(TEXTS | {"chosen": None}).encode(), "'chosen' must be text, got nothing"),
    "absent": (b'{"prompt": "p", "chosen": " a"}', "'rejected' must be text, got nothing"),
    "no columns": (b"{}", "'prompt' must be text, got nothing"),
    "number": (json.dumps(TEXTS | {"rejected": 7}).encode(), "'rejected' must be text, got int"),
    "truth": (json.dumps(TEXTS | {"prompt": True}).encode(), "'prompt' must be text, got bool"),
    "list": (json.dumps(TEXTS | {"chosen": ["a", "b"]}).encode(), "'chosen' must be text, got list"),
    "broken UTF-8": (SPELLED.encode().replace(b" a", b"\xff"), f"not UTF-8 at byte {SPELLED.index(' a')}"),
    "surrogate": (SPELLED.replace(" a", "\\ud800").encode(), "'chosen' holds half a surrogate pair"),
    "deep": (b'{"prompt": ' + b"[" * 10_000 + b"]" * 10_000 + b"}", "nested too deep|must be text, got"),
    "deeper": (b"[" * 100_000, "nested too deep"),
    "top-level array": (b"[1, 2]", "expected a JSON object with named columns, got list"),
    "top-level text": (b'"a"', "expected a JSON object with named columns, got str"),
    "key twice": (SPELLED.replace('"chosen"', '"rejected"').encode(), "key 'rejected' stands twice in one object"),
    "key twice within": (
        SPELLED.replace('" a"', '{"a": 1, "a": 2}').encode(),
        "'chosen' must be text, got RepeatedKey",
    ),
    "huge number": (b'{"prompt": ' + b"9" * 5000 + b"}", "not JSON"),
    "too long": (json.dumps(TEXTS | {"chosen": "a" * 9000}).encode(), "line is longer than"),
}


@pytest.mark.parametrize("ending", ["jsonl", "jsonl.gz"])
@pytest.mark.parametrize("what", BAD_LINES)
def test_a_bad_line_is_rejected_with_its_place_and_the_good_ones_survive(what, ending, tmp_path, monkeypatch):
    bad, cause = BAD_LINES[what]
    monkeypatch.setattr(files, "MAX_LINE", 8192 if what == "too long" else files.MAX_LINE)
    data = b"\n".join([SPELLED.encode(), b"", bad, SPELLED.encode(), bad])
    path = tmp_path / f"x.{ending}"
    path.write_bytes(gzip.compress(data) if ending.endswith("gz") else data)
    found = records.read(path)
    assert found.pairs.select("row", "chosen").rows() == [(0, " a"), (2, " a")]
    assert found.rejects.select("source", "line", "row").rows() == [(path.name, 3, 1), (path.name, 5, 3)]
    assert all(re.search(cause, came) for came in found.rejects["cause"])
    with pytest.raises(DataError, match=rf"x\.{ending} line 3: (.*)({cause}).* \(one of 2 such rows\); mend or drop"):
        found.strict()


def test_strict_of_one_bad_row_counts_no_more(tmp_path):
    with pytest.raises(DataError, match=r"x\.jsonl line 2: 'chosen' must be text, got nothing; mend or drop the row"):
        read(tmp_path, TEXTS, TEXTS | {"chosen": None}).strict()


@pytest.mark.parametrize("line", [8191, 8192, 8193])
def test_the_longest_line_is_counted_with_its_end(line, tmp_path, monkeypatch):
    monkeypatch.setattr(files, "MAX_LINE", 8192)
    filled = json.dumps(TEXTS | {"filler": ""})
    long = filled.replace('"filler": "', '"filler": "' + "x" * (line - 1 - len(filled)))
    (tmp_path / "x.jsonl").write_text(f"{SPELLED}\n{long}\n{SPELLED}\n")
    assert records.read(tmp_path / "x.jsonl").rejects.height == (line > 8192)


CHAT = {"prompt": chat([("user", "p")]), "chosen": chat([answer("a")]), "rejected": chat([answer("b")])}


@pytest.mark.parametrize(
    ("changed", "cause"),
    [
        ({"chosen": None}, "'chosen' must be a list of messages, got nothing"),
        ({"chosen": "a"}, "'chosen' must be a list of messages, got str"),
        ({"chosen": "[{"}, "'chosen' must be a list of messages, got str"),
        ({"prompt": "p"}, "'prompt' must be a list of messages, got str"),
        ({"chosen": []}, "'chosen' must end with an assistant message"),
        ({"chosen": chat([("user", "a")])}, "'chosen' must end with an assistant message"),
        ({"chosen": ["a"]}, "'chosen' needs messages with a role of user, assistant, system, got 'a'"),
        ({"chosen": ["\ud800"]}, "'chosen' needs messages .*, got '\\\\ud800'"),
        ({"chosen": chat([("tool", "a")])}, "'chosen' needs messages .*, got {'content': 'a', 'role': 'tool'}"),
        ({"chosen": [{"role": [], "content": "a"}]}, "'chosen' needs messages .*'role': \\[\\]"),
        ({"chosen": [{"content": "a"}]}, "'chosen' needs messages .*, got {'content': 'a'}"),
        ({"chosen": [{"role": "assistant"}]}, "'content' must be text, got nothing"),
        ({"chosen": [{"role": "assistant", "content": [1]}]}, "'content' must be text, got list"),
        ({"chosen": chat([answer("\ud800")])}, "'content' holds half a surrogate pair"),
    ],
)
def test_a_bad_conversation_is_rejected(changed, cause, tmp_path):
    found = read(tmp_path, CHAT, CHAT | changed, CHAT)
    assert found.pairs["row"].to_list() == [0, 2]
    assert re.search(cause, found.rejects["cause"].item())


def test_a_first_row_that_is_half_a_conversation_speaks_for_conversations(tmp_path):
    found = read(tmp_path, CHAT | {"chosen": None}, CHAT)
    assert (found.shape, found.pairs["row"].to_list()) == ("conversations", [1])


def test_a_dialogue_without_an_answer_is_rejected(tmp_path):
    found = read(tmp_path, FORMS["dialogues"][0], {"chosen": "\n\nHuman: a", "rejected": "b"})
    (cause,) = found.rejects["cause"]
    assert (
        cause
        == "'chosen' holds no \"\\n\\nAssistant:\" turn; if the prompt has a column of its own, name it: prompt=NAME, by --map"
    )


CSV_HEAD = b'prompt,chosen,rejected\n"p\n\nq",a,b\n\n'  # lines 1, 2 to 4, 5
BAD_CELLS = {
    "too few": (b"p,a", "expected 3 fields, got 2"),
    "too many": (b"p,a,b,c", "expected 3 fields, got 4"),
    "broken UTF-8": (b'p,"a\n\xff",b', "not UTF-8 in column 'chosen'"),
    "encoded surrogate": (b"\xed\xa0\x80,a,b", "not UTF-8 in column 'prompt'"),
}


@pytest.mark.parametrize("what", BAD_CELLS)
def test_a_bad_csv_row_is_rejected_with_its_first_line(what, tmp_path):
    bad, cause = BAD_CELLS[what]
    (tmp_path / "x.csv").write_bytes(CSV_HEAD + bad + b"\np,\xef\xbf\xbd,\n")
    found = records.read(tmp_path / "x.csv")
    pairs = found.pairs.select("row", "prompt", "chosen", "rejected")
    assert pairs.rows() == [(0, "p\n\nq", "a", "b"), (2, "p", "\ufffd", "")]
    assert found.rejects.rows() == [("x.csv", 6, 1, cause)]


@pytest.mark.parametrize(("field", "cause"), [(b"x" * 99, "line is longer than"), (b"x\n" * 50, "field larger than")])
def test_a_csv_that_would_cost_memory_is_refused(field, cause, tmp_path, monkeypatch):
    monkeypatch.setattr(csv_rows, "MAX_LINE", 64)
    (tmp_path / "x.csv").write_bytes(CSV_HEAD + b'p,a,"' + field + b'"\np,a,b\n')
    with pytest.raises(DataError, match=rf"x\.csv line 6: not CSV \({cause}.*; mend the quotes or the line"):
        records.read(tmp_path / "x.csv")


def test_bad_rows_of_tables_and_arrays_are_rejected_by_place(tmp_path):
    rows = [TEXTS, TEXTS | {"chosen": None}, TEXTS]
    pl.DataFrame(rows).write_parquet(tmp_path / "x.parquet")
    (tmp_path / "x.json").write_text(json.dumps([TEXTS, 7, TEXTS]).replace("7", SPELLED.replace("chosen", "prompt")))
    table, array = (records.read(tmp_path / name) for name in ("x.parquet", "x.json"))
    assert table.rejects.rows() == [("x.parquet", 2, 1, "'chosen' must be text, got nothing")]
    assert array.rejects.rows() == [("x.json", 2, 1, "key 'prompt' stands twice in one object")]
    assert table.pairs["row"].to_list() == array.pairs["row"].to_list() == [0, 2]


def test_a_parquet_of_bytes_is_no_text(tmp_path):
    pl.DataFrame({"prompt": ["p"], "chosen": [b"a"], "rejected": ["b"]}).write_parquet(tmp_path / "x.parquet")
    with pytest.raises(DataError, match=r"x\.parquet line 1: 'chosen' must be text, got bytes"):
        records.read(tmp_path / "x.parquet")


# Bad input: anything

values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=4) | st.just("\ud800"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["role", "content"]), inner),
    max_leaves=6,
)
objects = st.dictionaries(st.sampled_from([*TEXTS, "annotator", "margin", "score_chosen"]), values)
anywhere = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@anywhere
@given(st.lists(objects, min_size=1, max_size=4))
def test_no_row_of_json_is_lost_or_breaks_the_reader(tmp_path, rows):
    found = read(tmp_path, TEXTS, *rows)
    assert sorted([*found.pairs["row"], *found.rejects["row"]]) == list(range(len(rows) + 1))
    for row, chosen in found.pairs.select("row", "chosen").rows():
        assert chosen == [TEXTS, *rows][row]["chosen"]


@anywhere
@given(st.sampled_from(list(WRITERS)[:-1]), st.integers(0, 2**32), st.binary(min_size=1, max_size=9))
def test_a_file_with_a_flaw_gives_pairs_or_one_clear_line(tmp_path, name, at, flaw):
    path = tmp_path / name
    WRITERS[name](path, TRIPLES)
    data = path.read_bytes()
    at %= len(data)
    path.write_bytes(data[:at] + flaw + data[at + len(flaw) :])
    try:
        said = records.read(path).pairs["source"][0]
    except DataError as error:
        said = str(error)
    assert name in said
    assert "\n" not in said


# The hub


@pytest.fixture
def hub(tmp_path, monkeypatch) -> Path:
    """A data set on the disk, which `datasets` loads as it would one of the hub; the cache is the test's own."""
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    (tmp_path / "set").mkdir()
    (tmp_path / "set/train.jsonl").write_bytes(lines(FORMS["conversations"]))
    return tmp_path / "set"


def test_a_hub_set_gives_the_same_pairs(hub, monkeypatch):
    monkeypatch.setattr(records, "_is_hub_name", lambda path: True)
    found = records.read(hub, revision="abc123", split="train")
    assert found.shape == "conversations"
    assert found.pairs.select("prompt", "chosen", "rejected").rows() == [tuple(row.values()) for row in TRIPLES]
    assert found.pairs["source"].unique().to_list() == [f"{hub}@abc123"]


def test_a_hub_set_is_asked_for_at_its_revision(hub, monkeypatch):
    import datasets

    asked = []
    monkeypatch.setattr(datasets, "load_dataset", lambda *name, **pinned: asked.append((name, pinned)) or [TRIPLES[0]])
    assert records.read("nobody/no-set", revision="abc", split="test").pairs.height == 1
    assert asked == [(("nobody/no-set",), {"revision": "abc", "split": "test"})]


def test_an_unknown_split_is_named_in_one_line(hub):
    with pytest.raises(DataError, match=r"@abc123: the hub gave no data set \(ValueError: .*\); check name") as caught:
        records._hub(str(hub), "abc123", "tset")
    assert "\n" not in str(caught.value)


def test_a_hub_that_is_away_is_said_in_one_line(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match=r"nobody/no-set\.v1@abc: the hub gave no data set \(.*\); .*network") as caught:
        records.read("nobody/no-set.v1", revision="abc")
    assert "\n" not in str(caught.value)


def test_a_hub_name_needs_a_revision(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match=r"nobody/no-set: no such file or folder; if it is a hub .* --revision"):
        records.read("nobody/no-set")


@pytest.mark.parametrize("path", ["nobody/pairs.jsonl", "nobody/pairs.csv.gz", "a/b/c", "set", "./a/b"])
def test_a_path_is_no_hub_name(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match="no such file or folder; check the path"):
        records.read(path, revision="abc")


def test_a_folder_on_the_disk_goes_before_a_hub_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder(tmp_path / "nobody/no-set", TRIPLES)
    assert records.read("nobody/no-set").pairs.height == len(SAID)
