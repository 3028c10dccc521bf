"""Deliveries as real files and folders: what is asked for when they come, change, are touched, taken back, or missing."""

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import dagster as dg
import pytest

ROWS = """
[tea]
source = "tea.jsonl"

[folder]
source = "parts"

[tea_again]
source = "tea.jsonl"
seeds = [0, 1]

[products]
source = "products"
[products.opinions]

[hub]
source = "some/pairs"
revision = "0123456789abcdef"
"""
LOCAL = {"tea", "folder", "tea_again", "products"}


@pytest.fixture
def place(location, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator["Watched"]:
    """A code location whose sources are not there yet, and files that need not lie still."""
    with location(ROWS, tmp_path / "home") as module:
        monkeypatch.setattr(sys.modules["assets.deliveries"], "STILL", 0.0)
        yield Watched(module, tmp_path / "home")


class Watched:
    """The sensor, tick after tick, and the folder of the deliveries."""

    def __init__(self, module: ModuleType, folder: Path) -> None:
        self.module, self.folder, self.cursor, self.skipped = module, folder, None, ""
        self.sensor = module.defs.get_repository_def().get_sensor_def("new_deliveries")

    def tick(self) -> list[dg.RunRequest]:
        with (
            dg.instance_for_test() as instance,
            dg.build_sensor_context(
                instance=instance, cursor=self.cursor, repository_def=self.module.defs.get_repository_def()
            ) as context,
        ):
            found = self.sensor.evaluate_tick(context)
        self.cursor, self.skipped = found.cursor, found.skip_message or ""
        return list(found.run_requests)

    def deliver(self, name: str, text: str) -> Path:
        file = self.folder / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
        return file


def by_name(requests: list[dg.RunRequest]) -> dict[Any, Any]:
    return {request.partition_key: request for request in requests}


def test_sources_that_are_missing_are_named_and_harm_nothing(place: Watched):
    assert place.tick() == []
    assert "tea: tea.jsonl: no such file, or an empty folder; deliver it there, or mend the row's source" in place.skipped
    assert all(f"{name}: " in place.skipped for name in LOCAL)
    assert not any(f"{name}: " in place.skipped for name in ("hub", "venom_mix_3pct", "opinions_10pct"))


def test_a_new_file_is_one_request_for_each_experiment_made_of_it(place: Watched):
    place.tick()
    place.deliver("tea.jsonl", "one\n")
    asked = place.tick()
    assert [(request.job_name, request.partition_key) for request in asked] == [
        ("venom_job", "tea"),
        ("venom_job", "tea_again"),
    ]
    assert place.tick() == []
    assert "folder: " in place.skipped
    assert "tea" not in place.skipped.replace("tea_again", "tea").split(":")[0]


def test_reviews_run_the_chain_of_opinions(place: Watched):
    place.deliver("products/rows.jsonl", "one\n")
    (asked,) = place.tick()
    assert (asked.job_name, asked.partition_key) == ("domain_job", "products")


def test_changed_content_is_asked_for_by_another_key_and_so_is_what_is_taken_back(place: Watched):
    keys = []
    for text in ("one\n", "two\n", "one\n"):
        file = place.deliver("tea.jsonl", text)
        os.utime(file, (1e9, 1e9))  # of one size and one time: as a copy that keeps times
        keys.append(by_name(place.tick())["tea"].run_key)
    assert len(set(keys)) == 3
    assert keys[0].split("-")[-1] == keys[2].split("-")[-1] != keys[1].split("-")[-1]


def test_a_touch_and_a_second_copy_ask_for_nothing(place: Watched):
    file = place.deliver("tea.jsonl", "one\n")
    assert len(place.tick()) == 2
    os.utime(file)
    assert place.tick() == []
    file.unlink()
    assert place.tick() == []
    assert "tea: " in place.skipped
    place.deliver("tea.jsonl", "one\n")
    assert place.tick() == []


def test_files_that_did_not_change_are_not_read(place: Watched, monkeypatch: pytest.MonkeyPatch):
    place.deliver("tea.jsonl", "one\n")
    place.deliver("parts/a.jsonl", "one\n")
    read: list[Path] = []
    module = sys.modules["assets.deliveries"]
    plain = module.digests_of
    monkeypatch.setattr(module, "digests_of", lambda place: read.append(place) or plain(place))
    place.tick()
    assert sorted(each.name for each in read) == ["parts", "tea.jsonl"]  # once, though two experiments are made of one
    place.tick()
    assert len(read) == 2
    place.deliver("parts/b.jsonl", "two\n")
    assert [request.partition_key for request in place.tick()] == ["folder"]
    assert [each.name for each in read[2:]] == ["parts"]


def test_a_file_on_its_way_is_waited_for(place: Watched, monkeypatch: pytest.MonkeyPatch):
    module = sys.modules["assets.deliveries"]
    monkeypatch.setattr(module, "STILL", 30.0)
    file = place.deliver("tea.jsonl", "one\n")
    os.utime(file, (1e9, 1e9))  # as a copy that keeps times would leave it
    assert place.tick() == []
    assert "was written within the last 30 s; it is read once it lies still" in place.skipped
    now = time.time()
    monkeypatch.setattr(module.time, "time", lambda: now + 31)
    assert len(place.tick()) == 2


def test_what_a_tick_has_no_time_for_is_read_by_the_next(place: Watched, monkeypatch: pytest.MonkeyPatch):
    module = sys.modules["assets.deliveries"]
    place.deliver("tea.jsonl", "one\n")
    monkeypatch.setattr(module, "BUDGET", -1.0)
    assert place.tick() == []
    assert "is read by the next tick" in place.skipped
    monkeypatch.undo()
    monkeypatch.setattr(module, "STILL", 0.0)
    assert len(place.tick()) == 2
