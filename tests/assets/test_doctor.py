"""The doctor at a healthy place and at ill ones: each illness turns its own finding, whose mend says what to do."""

import json
import shutil
from collections import namedtuple

import pytest

from assets import doctor
from assets.doctor import findings, machine
from assets.doctor.findings import State
from pipelines import sandbox
from pipelines.snapshots import Store
from tests.assets.illnesses import ILLNESSES, Room, pool

TEMPLATE = findings.ROOT / "dagster.template.yaml"
SLOW = ("code_location",)  # a process of seconds, tried by itself below
OURS = (
    *("dagster_home", "gpu_pool", "killed_runs", "freshness", "storage", "store", "renames", "snapshots", "names"),
    *("experiments", "rooms", "python"),
)
Card = namedtuple("Card", "name total_memory")


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A healthy place: an instance with our settings that was never opened, and a store with one named snapshot."""
    home, store = tmp_path / "dagster", tmp_path / "store"
    home.mkdir()
    shutil.copy(TEMPLATE, home / "dagster.yaml")
    for name, value in {"DAGSTER_HOME": home, "ANTIVENOM_HOME": store}.items():
        monkeypatch.setenv(name, str(value))
    monkeypatch.delenv("ANTIVENOM_EXPERIMENTS", raising=False)
    snapshot = Store(store).publish("pairs", lambda folder: (folder / "said").write_text("tea"))
    Store(store).point("clean/pairs/tea", snapshot)
    return tmp_path


@pytest.fixture
def steady(tmp_path, monkeypatch):
    """A machine with room for all, whatever this one is like."""
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Room(500 * 10**9, 0, 400 * 10**9))
    (tmp_path / "plenty").write_text("MemAvailable:    9000000 kB\n")
    monkeypatch.setattr(machine, "MEMINFO", tmp_path / "plenty")
    monkeypatch.setattr(machine, "DRIVER", tmp_path / "no driver")
    monkeypatch.setattr("torch.get_num_threads", lambda: 1)
    monkeypatch.setattr(sandbox, "strength", lambda: {"layers": ["all"], "closed": sandbox.CLOSED, "own_user": True})


def states():
    return {name: doctor.examine(name).state for name in doctor.CHECKUPS if name not in SLOW}


def tree(place):
    """Every file and link below, and what it holds."""
    return {
        str(each.relative_to(place)): str(each.readlink()) if each.is_symlink() else each.is_file() and each.read_bytes()
        for each in place.rglob("*")
    }


def test_a_healthy_place_is_well_and_left_as_it_was(place, antivenom):
    before = tree(place)
    code, out, _ = antivenom("doctor", "--json")
    told = json.loads(out)
    found = {each["name"]: each for each in told["findings"]}
    assert code == 0
    assert list(found) == list(doctor.CHECKUPS)
    assert [each for each in told["findings"] if each["state"] == "ill"] == []
    assert {name: found[name]["state"] for name in OURS} == dict.fromkeys(OURS, "well")
    assert all(bool(each["mend"]) == (each["state"] != "well") for each in told["findings"])
    assert told["ill"] == 0
    assert told["warnings"] == sum(each["state"] == "warning" for each in told["findings"])
    assert found["snapshots"]["said"] == "1 snapshots, none half-written"
    assert " loads in " in found["code_location"]["said"]
    assert tree(place) == before


def test_what_is_ill_is_said_with_its_mend_and_exit_code_3(place, antivenom, monkeypatch):
    monkeypatch.setattr(doctor, "CHECKUPS", {name: doctor.CHECKUPS[name] for name in ("store", "gpu_pool", "names")})
    assert antivenom("doctor")[0] == 0
    pool(place, 3)
    code, out, _ = antivenom("doctor")
    assert code == 3
    lines = out.splitlines()
    assert [line.split()[:2] for line in lines[:2]] == [["well", "store"], ["ILL", "gpu_pool"]]
    assert lines[2].strip() == "mend: set concurrency.pools.default_limit to 1 in dagster.yaml"
    assert lines[-1] == "3 checkups: 2 well, 0 warnings, 1 ill"
    told = json.loads(antivenom("doctor", "--json")[1])
    assert [each["state"] for each in told["findings"]] == ["well", "ill", "well"]


@pytest.mark.parametrize("case", ILLNESSES)
def test_an_illness_turns_its_own_finding(place, steady, monkeypatch, case):
    make, turns, said, mend = ILLNESSES[case]
    before = states()
    make(place, monkeypatch)
    there = tree(place)
    assert {name: state for name, state in states().items() if state != before[name]} == turns
    assert tree(place) == there, "a doctor leaves nothing behind"
    found, words = doctor.examine(next(iter(turns))), {"place": place, "template": TEMPLATE}
    assert said.format(**words) in found.said
    assert mend.format(**words) in found.mend


def test_a_gpu_is_named_with_its_memory_and_to_have_none_is_well(monkeypatch, steady):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert doctor.examine("gpu") == findings.well("gpu", "none; models are trained on the processor")
    cards = [Card("H200", 150 * 10**9), Card("T4", 16 * 10**9)]
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: len(cards))
    monkeypatch.setattr("torch.cuda.get_device_properties", cards.__getitem__)
    assert doctor.examine("gpu") == findings.well("gpu", "H200, 150 GB; T4, 16 GB")


def test_a_store_that_is_not_there_yet_is_well_and_not_made(place, monkeypatch):
    monkeypatch.setenv("ANTIVENOM_HOME", str(place / "new" / "store"))
    found = {name: doctor.examine(name) for name in ("store", "renames", "snapshots", "names")}
    assert {each.state for each in found.values()} == {State.WELL}
    assert "is not there yet" in found["store"].said
    assert not (place / "new").exists()
