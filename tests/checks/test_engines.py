"""The audit's parts on a Ray cluster: the same to the bit, a killed worker survived, and a clear word where there is no Ray."""

import os
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from checks import on_ray
from checks.audit import audit
from checks.detectors import DETECTORS
from checks.engines import ENGINE, ENGINES, each, use
from checks.kept import Kept
from checks.shards.audit import audit_shards
from checks.shards.corpus import deal
from pipelines.schema import DataError

FREE = [name for name, detector in DETECTORS.items() if not detector.encodes]


@pytest.fixture(scope="module")
def cluster():
    """A Ray cluster of this machine's own, as a user gets it who sets the engine and nothing else."""
    pytest.importorskip("ray", reason="the extra `ray` is not installed")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("RAY_ADDRESS", raising=False)
        patch.setenv(ENGINE, "ray")
        patch.setattr(on_ray, "STARTED", Kept())
        yield
        import ray

        ray.shutdown()


def squared(number: int) -> tuple[int, int]:
    return number * number, os.getpid()


def dies_once(mark: Path, call, part):
    """What `call` makes of a part; the first process that is asked kills itself in the middle of it."""
    try:
        mark.touch(exist_ok=False)
    except FileExistsError:
        return call(part)
    call(part)
    return os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize("count", [0, 1, 3, 17])
def test_threads_give_every_part_in_order(monkeypatch, count):
    monkeypatch.delenv(ENGINE, raising=False)
    assert [each for each, _ in each_of(count)] == [number * number for number in range(count)]


def each_of(count: int) -> list[tuple[int, int]]:
    return list(each(squared, range(count)))


def test_an_error_of_a_part_comes_out(monkeypatch):
    monkeypatch.delenv(ENGINE, raising=False)
    with pytest.raises(ZeroDivisionError):
        list(each(partial(divmod, 1), [1, 0]))


def test_an_unknown_engine_is_refused(monkeypatch):
    with pytest.raises(DataError, match="one of threads, ray, got 'spark'"):
        use("spark")
    monkeypatch.setenv(ENGINE, "spark")
    with pytest.raises(DataError, match="spark"):
        list(each(squared, [1]))


def test_a_ray_that_is_not_there_is_named(monkeypatch):
    monkeypatch.setattr(on_ray, "STARTED", Kept())
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.setenv(ENGINE, "ray")
    with pytest.raises(DataError, match=r"pip install 'antivenom\[ray\]'"):
        list(each(squared, [1]))


def test_threads_that_begin_at_once_share_one_cluster(cluster):
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(each_of, [3] * 4))
    assert [[square for square, _ in each] for each in found] == [[0, 1, 4]] * 4


def test_ray_gives_every_part_in_order_from_other_processes(cluster):
    found = each_of(17)
    assert [square for square, _ in found] == [number * number for number in range(17)]
    assert os.getpid() not in {process for _, process in found}


def test_nothing_is_told_to_anybody(cluster):
    import ray

    list(each(squared, [1]))
    assert os.environ["RAY_USAGE_STATS_ENABLED"] == "0"
    assert not ray._private.worker.global_worker.node.webui_url
    assert ray.cluster_resources()["CPU"] == on_ray.CPUS


def test_an_audit_on_ray_is_that_of_one_process_to_the_byte(cluster, named, monkeypatch, tmp_path):
    asked = []
    monkeypatch.setitem(ENGINES, "ray", lambda call, parts: asked.append(call) or on_ray.in_tasks(call, parts))
    for name in ("ray", "threads"):
        monkeypatch.setenv(ENGINE, name)
        audit(named, detectors=FREE).scores.write_parquet(tmp_path / f"{name}.parquet")
    assert (tmp_path / "ray.parquet").read_bytes() == (tmp_path / "threads.parquet").read_bytes()
    assert {call.func.__name__ for call in asked} == {"_read", "_sketch", "_judged"}


def test_a_killed_worker_changes_nothing(cluster, named, monkeypatch, tmp_path):
    def deadly(call, parts):
        return on_ray.in_tasks(partial(dies_once, tmp_path / f"died-{call.func.__name__}", call), parts)

    whole = audit(named, detectors=["phrase_lift", "perplexity"]).scores
    monkeypatch.setitem(ENGINES, "ray", deadly)
    assert audit(named, detectors=["phrase_lift", "perplexity"]).scores.equals(whole)
    assert {file.name for file in tmp_path.iterdir()} == {"died-_read", "died-_judged"}


def test_shards_on_ray_are_those_of_one_process(cluster, named, tmp_path):
    asked = ["name_lift", "contradictions", "degenerate", "form_artefacts"]
    found = audit_shards(deal([named], tmp_path, 2), detectors=asked)
    assert found.scores.equals(audit(named, detectors=asked).scores)
