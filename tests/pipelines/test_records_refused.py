"""Of a file that can't be used at all, its name, its line and the mend."""

import gzip

import pytest

from pipelines.schema import DataError
from pipelines.sources import records
from tests.pipelines.written import TRIPLES, cells, folder, lines


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
