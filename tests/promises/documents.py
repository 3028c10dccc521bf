"""Documents as they should be, which fuzzers begin with: one of everything that others may write."""

import io
import json
import shutil
import tempfile
from collections.abc import Callable
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from pipelines.reviewing import FORMS as TOOLS
from pipelines.reviewing import folders, wording
from pipelines.snapshots import recalled, signatures, staged, trust
from pipelines.studies import STUDIES, key, planning
from rlhf_train.models import feature_rewards
from tests.pipelines import annotators, reviewers


def published(folder: Path) -> Path:
    """A folder as a filter publishes it."""
    shutil.rmtree(folder / "out", ignore_errors=True)
    with staged(folder / "out", "filtered pairs", {"parents": ["0" * 64]}) as aside:
        folders.write(reviewed(), aside)
    return folder / "out"


@cache
def reviewed() -> Any:
    """What stands in there."""
    return reviewers.parted([True] * 3 + [False])


def made(name: str, make: Callable[[Path], object]) -> bytes:
    """The file of that name that `make` leaves in a folder."""
    with tempfile.TemporaryDirectory() as folder:
        make(Path(folder))
        return next(path for path in sorted(Path(folder).rglob("*")) if path.match(name)).read_bytes()


@cache
def keys() -> tuple[signatures.Pair, trust.Trust]:
    """A key, and who trusts it."""
    folder = Path(tempfile.mkdtemp())
    pair = signatures.new(folder / "us.pem")
    return pair, trust.Trust(folder / "trust.json").with_key("us", pair.public, today=date(2026, 1, 1), days=36500)


def trusted(folder: Path) -> None:
    """A file of trusted keys."""
    trust.Trust(folder / "trust.json", keys()[1].keys).write()


@cache
def signature() -> bytes:
    """Of a published folder."""
    return made("manifest.sig", lambda folder: signatures.sign(published(folder), keys()[0].private))


def recall(folder: Path) -> None:
    """A list of recalled pairs."""
    recalled.add(folder, ["0" * 16, "f" * 16], "it was wrong")


@cache
def answered(tool: str) -> bytes:
    """What a tool gives back of a review."""

    def fill(folder: Path) -> None:
        TOOLS[tool].write(wording.tasks(reviewed().quarantined), folder)
        said = [reviewers.Said(reviewers.BACK, comment="so")]
        reviewers.fill(tool, folder, dict.fromkeys(reviewed().quarantined["pair_id"], said))

    return made("[tr]*s.json", fill)


@cache
def plan() -> planning.Plan:
    """Who judges what in a study."""
    outputs = annotators.outputs_of([(True, False), (False, True)])
    return planning.plan(outputs, before="zebra", after="quagga", judges=2, seed=1)


@cache
def judged(tool: str) -> bytes:
    """What a tool gives back of a study."""

    def fill(folder: Path) -> None:
        outputs = annotators.outputs_of([(True, False), (False, True)])
        STUDIES[tool].export(outputs, plan(), folder / "tasks")
        said = [annotators.Said("ann")]
        annotators.fill(tool, folder / "tasks", dict.fromkeys(plan().assignments["shown_id"], said))

    return made("[tr]*s.json", fill)


def kept_key(folder: Path) -> None:
    """The key of a study."""
    key.write(plan(), folder / "key.json")


def parquet(rows: list[dict[str, Any]]) -> bytes:
    """A table."""
    held = io.BytesIO()
    pl.DataFrame(rows).write_parquet(held)
    return held.getvalue()


def text(value: object) -> bytes:
    """JSON."""
    return json.dumps(value).encode()


def rewarded(folder: Path) -> None:
    """A reward of two expert features."""
    chosen, rejected = np.array([[1.0, 0.25], [0.75, 1.0], [0.5, 0.5]]), np.array([[0.0, 0.5], [0.25, 0.5], [0.25, 1.0]])
    feature_rewards.fit("linear", chosen, rejected, names=("a", "b")).save(folder)
