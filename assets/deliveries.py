"""Deliveries: the whole chain is run anew when the files that an experiment is made of have come or changed.

What is looked at is content: a file that was only touched or copied again asks for nothing.
"""

import json
import os
import time
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import dagster as dg

from assets.automation import venom_job
from assets.domain_jobs import domain_job
from assets.experiments import Experiment
from assets.partitions import EXPERIMENTS
from pipelines.snapshots import digest_of_facts, digests_of
from pipelines.sources import SOURCES

STILL = 30.0  # seconds since a file was last written or put there; before that it may still be on its way
BUDGET = 30.0  # seconds in which a tick begins to read; it is cut off after 60, and what is left is read by the next


@dg.sensor(
    jobs=[venom_job, domain_job],
    description="Runs an experiment's whole chain when its source, a file or folder, has come or changed.",
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.STOPPED,
)
def new_deliveries(context: dg.SensorEvaluationContext) -> dg.SensorResult:
    """A request for each experiment whose files differ from what the cursor knows of them: stamp, digest and how many came.

    Nothing is asked of the hub: a source there is pinned to a revision, and changes by an edit of its row. Generated pairs
    never change.
    """
    known: dict[str, list[Any]] = json.loads(context.cursor or "{}")
    requests, waiting, read = [], [], _reader()
    for row, place in watched():
        try:
            found = _look(place, known.get(row.name), read)
        except _NotYet as error:
            waiting.append(f"{row.name}: {place}: {error}")
            continue
        if found[1:] != known.get(row.name, [None] * 3)[1:]:
            requests.append(_request(row, *found[1:]))
        known[row.name] = found
    for line in waiting:
        context.log.info(line)
    skip = None if requests else "; ".join(waiting) or "no source has changed"
    return dg.SensorResult(run_requests=requests or None, skip_reason=skip, cursor=json.dumps(known))


class _NotYet(Exception):
    """Why a source can't be told of now, and what to do."""


def watched() -> Iterator[tuple[Experiment, Path]]:
    """Experiments whose source is to be found on this machine, and where."""
    for row in EXPERIMENTS.values():
        place = _place(row.source)
        if row.source not in SOURCES and (row.revision is None or os.path.exists(place)):
            yield row, place


def _place(source: str) -> Path:
    """As experiment_files has it, but for what came after the code was loaded: beside the file of experiments first."""
    beside = Path(os.environ.get("ANTIVENOM_EXPERIMENTS", "")).parent / source
    return beside if os.path.exists(beside) else Path(source)


def _reader() -> Callable[[Path], str]:
    """The digest of all content of a place, each read once in a tick; _NotYet once the tick has no time left."""
    end = time.monotonic() + BUDGET

    @cache
    def read(place: Path) -> str:
        if time.monotonic() > end:
            raise _NotYet("is read by the next tick: others took long")
        return digest_of_facts(digests_of(place))

    return read


def _look(place: Path, known: list[Any] | None, read: Callable[[Path], str]) -> list[Any]:
    """Stamp, digest and number of the content; files are read only where names, sizes or times are others than before."""
    try:
        stamp = _stamp(place)
        if known is not None and known[0] == stamp:
            return known
        digest = read(place)
    except OSError as error:
        raise _NotYet(f"can't be read ({error.strerror}); see to its rights") from None
    if known is not None and known[1] == digest:
        return [stamp, *known[1:]]
    return [stamp, digest, 1 + (known[2] if known is not None else 0)]


def _stamp(place: Path) -> str:
    """Of names, sizes and times of all files."""
    files = sorted(place.rglob("*")) if place.is_dir() else [place]
    told = [(str(file), file.stat()) for file in files if file.is_file()]
    if not told:
        raise _NotYet("no such file, or an empty folder; deliver it there, or mend the row's source")
    if 0 <= time.time() - max(info.st_ctime for _, info in told) < STILL:
        raise _NotYet(f"was written within the last {STILL:g} s; it is read once it lies still")
    return digest_of_facts([[name, info.st_size, info.st_mtime_ns, info.st_ctime_ns] for name, info in told])


def _request(row: Experiment, digest: str, number: int) -> dg.RunRequest:
    """Keyed by content, and by its number too, for a delivery that is taken back is one more change."""
    job = venom_job if row.opinions is None else domain_job
    key = f"{row.name}-{number}-{digest[:16]}"
    return dg.RunRequest(run_key=key, job_name=job.name, partition_key=row.name, tags={"antivenom/delivery": digest[:16]})
