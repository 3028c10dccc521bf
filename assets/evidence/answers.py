"""What was found for a requirement: how much, in words, and where it stands."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from pipelines.snapshots import MANIFEST
from pipelines.snapshots.signatures import SIGNATURE
from pipelines.snapshots.tracing import Node


class Status(StrEnum):
    """How much there is to look at; none of these says that a requirement is met."""

    EVIDENCE = "evidence"
    PARTLY = "partly"  # of something that it asks for
    NONE = "none"  # not here, though it could be
    NOT_COVERED = "not covered"  # nothing of ours speaks to it


@dataclass(frozen=True, slots=True)
class Answer:
    """How much was found, in words, and the files to look at."""

    status: Status
    said: str
    files: tuple[Path, ...] = ()


def not_covered(why: str) -> Callable[[Any], Answer]:
    """The answer to what nothing of ours speaks to, whatever is there."""
    return lambda seen: Answer(Status.NOT_COVERED, why)


def none(why: str) -> Answer:
    """Nothing was found."""
    return Answer(Status.NONE, why)


def partly(said: str, nodes: Iterable[Node], *names: str) -> Answer:
    """Something of what is asked for, in these files of the folders."""
    return Answer(Status.PARTLY, said, files_of(nodes, *names))


def evidence(said: str, nodes: Iterable[Node], *names: str) -> Answer:
    """All of it can be looked at in these files of the folders."""
    return Answer(Status.EVIDENCE, said, files_of(nodes, *names))


def counted(count: int, one: str, more: str) -> str:
    """How many of what: 1 corpus, 2 corpora."""
    return f"{count:,} {one if count == 1 else more}"


def files_of(nodes: Iterable[Node], *names: str) -> tuple[Path, ...]:
    """Those of these files that the folders have: manifests and signatures where none is named."""
    wanted = names or (MANIFEST, SIGNATURE)
    return tuple(file for node in nodes for name in wanted if (file := node.folder / name).is_file())
