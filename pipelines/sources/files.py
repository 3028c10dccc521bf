"""Rows of a file or folder, one at a time, each with the place it came from; a row that can't be read says why."""

import gzip
import json
import os
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from io import BufferedIOBase
from pathlib import Path
from typing import Any

import pyarrow
from pyarrow import parquet

from pipelines.schema import DataError
from pipelines.snapshots import MANIFEST, is_published
from pipelines.sources.csv_rows import csv_rows
from pipelines.sources.row import MAX_LINE, Row, most_frequent, refuse_repeated

ENDINGS = (".jsonl", ".jsonl.gz", ".ndjson", ".json", ".csv", ".csv.gz", ".parquet")


@dataclass(frozen=True, slots=True)
class RepeatedKey:
    """Stands for a JSON object in which a key stands twice, so that none of its two values is taken."""

    key: str


def rows(path: Path) -> Iterator[Row]:
    """Every row under `path` (a file, or a folder of them in name order); raises DataError naming an unusable file."""
    for file in _files(path):
        name = printable(file.name if file == path else file.relative_to(path).as_posix())
        try:
            yield from _rows_of(file, name)
        except DataError:
            raise
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            cause = f"the gzip stream is cut short or damaged ({_first_line(error)})"
            raise DataError(f"{file}: {cause}; fetch the file again") from None
        except (OSError, ValueError, OverflowError, pyarrow.ArrowException) as error:
            raise DataError(f"{file}: can't be read ({_first_line(error)}); check the file") from None


def printable(text: str) -> str:
    """`text` as a table can hold it: half a surrogate pair, as in a file name that is no UTF-8, is spelled out."""
    return text.encode("utf-8", "backslashreplace").decode()


def _files(path: Path) -> list[Path]:
    if not os.path.exists(path):  # unlike Path.exists, false for a name that is too long
        raise DataError(f"{path}: no such file or folder; check the path")
    if path.is_file():
        if not path.name.endswith(ENDINGS):
            raise DataError(f"{path}: expected a name that ends in {', '.join(ENDINGS)}; convert or rename the file")
        return [path]
    found = sorted(file for file in path.rglob("*") if file.is_file() and file.name.endswith(ENDINGS))
    for file in found:
        if file.name == MANIFEST and is_published(file.parent):
            tables = ", ".join(other.name for other in found if other.parent == file.parent and other != file)
            raise DataError(f"{file.parent}: a folder that antivenom published; name one file of it ({tables})")
    if not found:
        raise DataError(f"{path}: the folder holds no file that ends in {', '.join(ENDINGS)}")
    return found


def _rows_of(file: Path, name: str) -> Iterator[Row]:
    if file.stat().st_size == 0:
        raise DataError(f"{file}: the file is empty; expected preference pairs")
    if file.name.endswith(".parquet"):
        yield from _parquet(file, name)
        return
    with gzip.open(file) if file.name.endswith(".gz") else file.open("rb") as stream:
        if file.name.endswith((".csv", ".csv.gz")):
            yield from csv_rows(stream, file, name)
        elif file.name.endswith(".json"):
            yield from _array(stream, file, name)
        else:
            yield from _lines(stream, name)


def _parquet(file: Path, name: str) -> Iterator[Row]:
    """Rows by pyarrow: polars panics on some damaged files, and a panic can't be caught and worded."""
    with parquet.ParquetFile(file, pre_buffer=False) as table:  # which would hold all that was read until the end
        refuse_repeated(table.schema_arrow.names, file)
        found = (values for batch in table.iter_batches(batch_size=1024) for values in batch.to_pylist())
        yield from (Row(name, number, values) for number, values in enumerate(found, 1))


def _lines(stream: BufferedIOBase, name: str) -> Iterator[Row]:
    """JSON lines; blank lines are no rows but count as lines."""
    number = 0
    while line := stream.readline(MAX_LINE + 1):
        number += 1
        if len(line) > MAX_LINE:
            while line and not line.endswith(b"\n"):
                line = stream.readline(MAX_LINE)
            yield Row(name, number, None, f"line is longer than {MAX_LINE // 2**20} MiB")
            continue
        line = line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line
        if line.strip():
            yield _parsed(line, name, number)


def _parsed(line: bytes, name: str, number: int) -> Row:
    try:
        values = json.loads(line.decode("utf-8"), object_pairs_hook=_object)
    except UnicodeDecodeError as error:
        return Row(name, number, None, f"not UTF-8 at byte {error.start}")
    except RecursionError:
        return Row(name, number, None, "JSON nested too deep")
    except json.JSONDecodeError as error:
        return Row(name, number, None, f"not JSON ({error.msg}, column {error.colno})")
    except ValueError as error:  # a number of more digits than Python reads
        return Row(name, number, None, f"not JSON ({error})")
    return _record(values, name, number)


def _object(items: list[tuple[str, Any]]) -> dict[str, Any] | RepeatedKey:
    values = dict(items)
    return values if len(values) == len(items) else RepeatedKey(most_frequent(key for key, _ in items))


def _record(values: object, name: str, number: int) -> Row:
    if isinstance(values, RepeatedKey):
        return Row(name, number, None, f"key {values.key!r} stands twice in one object")
    if not isinstance(values, dict):
        return Row(name, number, None, f"expected a JSON object with named columns, got {type(values).__name__}")
    return Row(name, number, values)


def _array(stream: BufferedIOBase, file: Path, name: str) -> Iterator[Row]:
    """One JSON array of objects; its places stand for lines."""
    try:
        values = json.loads(stream.read().decode("utf-8-sig"), object_pairs_hook=_object)
    except (ValueError, RecursionError) as error:
        cause = f"not a JSON array ({_first_line(error)})"
        raise DataError(f"{file}: {cause}; mend it or use one object a line (.jsonl)") from None
    if not isinstance(values, list):
        raise DataError(f"{file}: expected a JSON array, got {type(values).__name__}; use .jsonl for JSON lines")
    yield from (_record(value, name, number) for number, value in enumerate(values, 1))


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
