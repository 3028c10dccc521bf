"""Pairs read and judged: all in memory, several sets together if need be, or one corpus on disk, in shards."""

import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import typer

from assets.cli.common import columns_of, read, refuse_rejects, told_as
from pipelines.schema import DataError

SHARD = 48 << 20  # bytes of text in a shard, as far as the size of the input tells
PACKED, SQUEEZED = (".parquet", ".gz"), 6  # such a file holds some times as many bytes of text
MOST, BATCH = 256, 1 << 17  # shards; pairs dealt at a time


@dataclass(frozen=True, slots=True)
class Reading:
    """How INPUT is to be read."""

    shape: str
    columns: list[str] | None
    revision: str | None
    allow_rejects: bool
    quiet: bool

    def __call__(self, source: str, *, quiet: bool | None = None) -> Any:
        """All of it."""
        told = self.quiet if quiet is None else quiet
        return read(source, self.shape, self.columns, self.revision, self.allow_rejects, quiet=told)


@dataclass(frozen=True, slots=True)
class Judged:
    """PAIRS by set, or those of them that a page shows; SCORES by set; findings; REJECTS; the written form and the number of
    the input's pairs."""

    pairs: Mapping[str, pl.DataFrame]
    scores: Mapping[str, pl.DataFrame]
    findings: list[dict[str, Any]]
    rejects: pl.DataFrame
    shape: str
    count: int


def in_memory(places: Mapping[str, str], trusted: str | None, reading: Reading, **how: Any) -> Judged:
    """One audit of all sets, by name; that of one set is plain: its findings name rows of that one input."""
    from checks import audit as one
    from checks import lineage, memory

    found = {name: reading(place) for name, place in places.items()}
    first, *others = found
    how["trusted"] = None if trusted is None else reading(trusted, quiet=True).pairs
    how["encoder"] = memory.Memory(memory.folder() / "embeddings")
    pairs = {name: each.pairs for name, each in found.items()}
    if others:
        several = lineage.audit_sets(pairs, **how)
        scores, findings = several.scores, several.findings
    else:
        plain = one.audit(pairs[first], **how)
        scores, findings = {first: plain.scores}, plain.findings
    rejects = pl.concat(each.rejects for each in found.values())
    return Judged(pairs, scores, findings, rejects, found[first].shape, len(pairs[first]))


def on_disk(places: Mapping[str, str], trusted: str | None, reading: Reading, *, beside: Path, **how: Any) -> Judged:
    """The audit of one corpus that need not fit into memory; its shards lie `beside` the result until that is there."""
    from assets import audit_findings
    from checks.shards.audit import audit_shards
    from checks.shards.corpus import deal

    if len(places) > 1 or trusted is not None:
        raise DataError("--out-of-core is for one corpus by itself; leave --with and --trusted out, or audit in memory")
    [(name, place)] = places.items()
    beside.mkdir(parents=True, exist_ok=True)
    rejects: list[pl.DataFrame] = []
    shape: list[str] = []
    with tempfile.TemporaryDirectory(prefix=".shards.", dir=beside) as folder:
        corpus = deal(_frames(place, reading, rejects, shape), Path(folder), _shards(place))
        if not reading.quiet:
            typer.echo(told_as(name, len(corpus), shape[0], sum(map(len, rejects))))
        found = audit_shards(corpus, **how)
        shown = corpus[audit_findings.examples(found.findings, found.scores)]
    return Judged({name: shown}, {name: found.scores}, found.findings, pl.concat(rejects), shape[0], len(corpus))


def _frames(source: str, reading: Reading, rejects: list[pl.DataFrame], shape: list[str]) -> Iterator[pl.DataFrame]:
    from pipelines.sources import records

    columns = columns_of(reading.columns)
    for batch in records.batches(source, size=BATCH, shape=reading.shape, columns=columns, revision=reading.revision):
        refuse_rejects(batch, reading.allow_rejects)
        rejects.append(batch.rejects)
        shape.append(batch.shape)
        yield batch.pairs


def _shards(source: str) -> int:
    place = Path(source)
    files = [place] if place.is_file() else [file for file in place.rglob("*") if file.is_file()] if place.is_dir() else []
    size = sum(file.stat().st_size * (SQUEEZED if file.name.endswith(PACKED) else 1) for file in files)
    return min(max(size // SHARD, 1), MOST) if files else MOST // 4
