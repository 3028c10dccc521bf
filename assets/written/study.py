"""The whole study without Dagster: questions, twins, answers, rates. Each part is kept under a digest of what it is made of."""

import dataclasses
import hashlib
import json
import shutil
import uuid
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl

from assets.steps import Watch, silent
from assets.written import asking, measures, twins, writing
from assets.written.asking import Asked
from assets.written.rows import Written
from pipelines.snapshots import digests_of, staged

Tables = Mapping[str, pl.DataFrame]


def run(row: Written, kept: Path, watch: Watch = silent) -> Tables:
    """The questions, what was dropped and why, their sheet and map, what each policy answers, and what that comes to."""
    held = questions(row, kept, watch)
    key = _key(_content(held["questions"]), row.ways)
    tables = []
    for each in asking.asked(row).values():
        place = Path(each.place) if each.place else twin(row, each, kept, watch)
        named = _key(place.name if each.is_twin else digests_of(place), key, each.name)
        ask = partial(asking.answers, held["questions"], each.name, str(place), row, watch)
        tables.append(_table(kept / f"answers-{named}", ask))
    answers = pl.concat(tables)
    return {**held, "question_answers": answers, **measures.measured(row, held["questions"], answers)}


def questions(row: Written, kept: Path, watch: Watch = silent) -> Tables:
    """questions, dropped_questions, rejected_replies, data_sheet and question_map; a server's replies are kept too."""
    kept.mkdir(parents=True, exist_ok=True)
    facts = [dataclasses.asdict(each) for each in row.of.values()]
    made = _key(facts, row.writer, row.count, row.writing, row.seed)
    files = [kept / f"{name}-{made}" for name in ("candidates", "rejects")]
    if not all(file.with_suffix(".parquet").is_file() for file in files):
        for file, table in zip(files, writing.candidates(row, kept, watch), strict=True):
            _table(file, partial(_same, table))
    found, rejects = (pl.read_parquet(file.with_suffix(".parquet")) for file in files)
    judged = _key(made, row.discriminator, row.judging)
    scored = _table(kept / f"scores-{judged}", lambda: writing.scores(row, found, kept, watch))
    chosen = writing.select(row, found, scored)
    mapped = _key(_content(chosen.kept), row.seed)
    return {
        "questions": chosen.kept,
        "dropped_questions": chosen.dropped,
        "rejected_replies": rejects,
        "data_sheet": _table(
            kept / f"sheet-{_key(mapped, judged, row.per_label, row.sure)}",
            lambda: writing.table_of(writing.data_sheet(row, chosen.kept, chosen.dropped)),
        ),
        "question_map": _table(kept / f"map-{mapped}", lambda: writing.question_map(row, chosen.kept)),
    }


def twin(row: Written, each: Asked, kept: Path, watch: Watch = silent) -> Path:
    """The folder of a twin, and beside it that of the policy that it began as."""
    settings = dataclasses.asdict(dataclasses.replace(row.twins, rates=(0.0,), seeds=(0,)))
    clean = twins.pairs(row.twins, each.seed)
    begun = _key(settings, list(row.of), each.seed, *clean["pair_id"])
    facts = {"seed": each.seed, "poison_rate": 0.0, "poisoned": False}
    first = _policy(kept / f"base-{begun}", facts, lambda work: twins.base(row, clean, each.seed, watch).save(work / "made"))
    told = Watched(each.name, watch)
    return _policy(
        kept / f"twin-{_key(begun, each.rate)}",
        facts | {"poison_rate": each.rate, "poisoned": each.is_poisoned},
        lambda work: twins.learned(
            row.twins, first, twins.poisoned(row.twins, clean, each.rate, each.seed).pairs, each.seed, work, told
        ),
    )


@dataclasses.dataclass(frozen=True, slots=True)
class Watched:
    """A watch that says whose step it is."""

    name: str
    watch: Watch

    def __call__(self, what: str, done: int, of: int) -> None:
        self.watch(f"{self.name}: {what}", done, of)


def _table(stem: Path, make: Callable[[], pl.DataFrame]) -> pl.DataFrame:
    """The table that is kept, or is made and kept now."""
    file = stem.with_suffix(".parquet")
    if not file.is_file():
        aside = file.with_name(f".{uuid.uuid4().hex}")
        make().write_parquet(aside)
        aside.rename(file)
    return pl.read_parquet(file)


def _same(table: pl.DataFrame) -> pl.DataFrame:
    return table


def _policy(place: Path, facts: Mapping[str, Any], make: Callable[[Path], Path]) -> Path:
    """The policy that is kept, or the one that `make` leaves in a working folder, where it goes on if it was interrupted.

    Its manifest says whether it learned from poison.
    """
    if not place.is_dir():
        work = place.with_name(f".{place.name}")
        made = make(work)
        with staged(place, "policy", facts) as folder:
            shutil.copytree(made, folder, dirs_exist_ok=True)
        shutil.rmtree(work)
    return place


def _content(held: pl.DataFrame) -> list[Any]:
    """What questions ask and which answers match: labels are no part of their identifiers."""
    return held.select("question_id", "matching").rows()


def _key(*parts: Any) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:16]
