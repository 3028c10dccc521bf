"""Rows of CSV."""

import csv
from collections.abc import Iterator, Sequence
from io import BufferedIOBase
from pathlib import Path

from pipelines.schema import DataError, is_encodable
from pipelines.sources.row import MAX_LINE, Row, refuse_repeated


def csv_rows(stream: BufferedIOBase, file: Path, name: str) -> Iterator[Row]:
    """CSV under a header; a row may span lines and bears the number of its first."""
    csv.field_size_limit(MAX_LINE)
    reader = csv.reader(_decoded(stream), strict=True)  # else a stray quote would swallow the rows after it
    last = 0
    try:
        header = next(filter(None, reader), [])
        refuse_repeated(header, file)
        last = reader.line_num
        for cells in reader:
            first, last = last + 1, reader.line_num
            if cells:
                yield _cells(header, cells, name, first)
    except csv.Error as error:
        raise DataError(f"{file} line {last + 1}: not CSV ({error}); mend the quotes or the line") from None


def _decoded(stream: BufferedIOBase) -> Iterator[str]:
    """Lines of text in which a byte that is no UTF-8 stays to be seen, as half a surrogate pair."""
    encoding = "utf-8-sig"
    while line := stream.readline(MAX_LINE + 1):
        if len(line) > MAX_LINE:
            raise csv.Error(f"line is longer than {MAX_LINE // 2**20} MiB")
        yield line.decode(encoding, "surrogateescape")
        encoding = "utf-8"


def _cells(header: Sequence[str], cells: Sequence[str], name: str, number: int) -> Row:
    if len(cells) != len(header):
        return Row(name, number, None, f"expected {len(header)} fields, got {len(cells)}")
    values = dict(zip(header, cells, strict=True))
    broken = [column for column, cell in values.items() if not is_encodable(cell)]
    return Row(name, number, None, f"not UTF-8 in column {broken[0]!r}") if broken else Row(name, number, values)
