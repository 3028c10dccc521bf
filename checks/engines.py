"""Where parts of an audit are worked on: in threads of this process, for polars and numpy let other threads run while they
count, or as tasks of a Ray cluster. Parts are the same wherever they run and come back in order, and so the results are too.
"""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from checks import on_ray
from pipelines.schema import DataError

THREADS = min(4, os.cpu_count() or 1)
ENGINE = "ANTIVENOM_ENGINE"  # in the environment, so that processes that are started from here use the same
Part = TypeVar("Part")
Made = TypeVar("Made")


def in_threads(call: Callable[[Part], Made], parts: Iterable[Part]) -> Iterator[Made]:
    """What `call` makes of each part, in order; a few are made ahead, so that not all are held at a time."""
    with ThreadPoolExecutor(THREADS) as pool:
        ahead: deque[Any] = deque()
        for part in parts:
            ahead.append(pool.submit(call, part))
            if len(ahead) > THREADS:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()


#: `call` and parts go to other processes by some of them: what they are made of must be picklable
ENGINES: Mapping[str, Callable[[Callable[[Any], Any], Iterable[Any]], Iterator[Any]]] = {
    "threads": in_threads,
    "ray": on_ray.in_tasks,
}


def each(call: Callable[[Part], Made], parts: Iterable[Part]) -> Iterator[Made]:
    """What `call` makes of each part, in order, by the engine that ANTIVENOM_ENGINE names.

    Raises DataError for one that there is not, or that is not installed.
    """
    return ENGINES[_known(os.environ.get(ENGINE) or "threads")](call, parts)


def use(name: str) -> None:
    """From now on, in this process and those that it starts; raises DataError for an engine that there is not."""
    os.environ[ENGINE] = _known(name)


def _known(name: str) -> str:
    if name not in ENGINES:
        raise DataError(f"an engine is one of {', '.join(ENGINES)}, got {name!r}; set --engine or {ENGINE} to one of them")
    return name
