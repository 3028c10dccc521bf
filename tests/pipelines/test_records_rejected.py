"""Of a bad row among good ones, its place and its cause; and no row is lost, whatever stands in the file."""

import gzip
import json
import re

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.schema import DataError
from pipelines.sources import csv_rows, files, records
from tests.pipelines.written import FORMS, TRIPLES, WRITERS, answer, chat, read

# One row among good ones

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


# Anything

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
