"""Parts of an audit as tasks of a Ray cluster: of this machine's own, or of the one that RAY_ADDRESS names.

A task whose process dies is run again elsewhere. Nothing is told to anybody: no dashboard, no usage statistics.
"""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from checks.kept import Kept
from pipelines.schema import DataError

CPUS, STORE = 2, 1 << 30  # processors, and bytes of results on their way, of a cluster of this machine's own
STARTED = Kept()
STARTER = ThreadPoolExecutor(1)  # which stays: Linux kills Ray's processes with the thread that started them
RETRIES = 3  # of a task whose process died; one that raises an error raises it here


def in_tasks(call: Callable[[Any], Any], parts: Iterable[Any]) -> Iterator[Any]:
    """What `call` makes of each part, in order; as many as the cluster has processors, and some more, are under way."""
    ray, task = _started()
    ahead: deque[Any] = deque()
    shared, most = ray.put(call), 2 * int(ray.cluster_resources().get("CPU", CPUS))
    for part in parts:
        ahead.append(task.remote(shared, part))
        if len(ahead) > most:
            yield ray.get(ahead.popleft())
    while ahead:
        yield ray.get(ahead.popleft())


def _started() -> tuple[Any, Any]:
    """Ray, started once, by whichever thread comes first; and the task that makes a part."""
    return STARTED.get("ray", lambda: STARTER.submit(_start).result())


def _start() -> tuple[Any, Any]:
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # what a task sees of a GPU is left as it is
    try:
        import ray
    except ImportError:
        raise DataError("the engine 'ray' is not installed; pip install 'antivenom[ray]', or take 'threads'") from None
    own = {"num_cpus": CPUS, "object_store_memory": STORE, "include_dashboard": False}
    ray.init(
        **({} if os.environ.get("RAY_ADDRESS") else own), ignore_reinit_error=True, log_to_driver=False, logging_level="error"
    )
    return ray, ray.remote(max_retries=RETRIES)(_made)


def _made(call: Callable[[Any], Any], part: Any) -> Any:
    """In a task of its own: what it calls works in threads, for tasks that wait for tasks would fill the cluster."""
    os.environ["ANTIVENOM_ENGINE"] = "threads"
    return call(part)
