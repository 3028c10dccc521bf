"""Illnesses of a place, made real: what makes it ill, which findings turn, to what, what the first says, what its mend does."""

import shutil
from collections import namedtuple
from functools import partial

import dagster as dg

from assets.doctor import machine
from assets.doctor.findings import State
from pipelines import sandbox
from pipelines.snapshots import renames

Room = namedtuple("Room", "total used free")
STRENGTH = sandbox.strength  # the true one
WARNING, ILL = State.WARNING, State.ILL


def pool(place, limit):
    config = (place / "dagster" / "dagster.yaml").read_text()
    assert "default_limit: 1" in config
    (place / "dagster" / "dagster.yaml").write_text(config.replace("default_limit: 1", f"default_limit: {limit}"))


def set_in_the_instance(place, patch):
    with dg.DagsterInstance.from_config(str(place / "dagster")) as instance:
        instance.event_log_storage.set_concurrency_slots("gpu", 3)


def switched_off(place, patch, what):
    config, on = (place / "dagster" / "dagster.yaml").read_text(), f"\n{what}:\n  enabled: true"
    assert on in config
    (place / "dagster" / "dagster.yaml").write_text(config.replace(on, on.replace("true", "false")))


def no_limit(place, patch):
    (place / "dagster" / "dagster.yaml").write_text("telemetry:\n  enabled: false\n")


def not_yaml(place, patch):
    (place / "dagster" / "dagster.yaml").write_text("concurrency:\n  pools: [1\nrest: }\n")


def file_for_a_store(place, patch):
    shutil.rmtree(place / "store")
    (place / "store").write_text("")


def below_a_file(place, patch):
    (place / "file").write_text("")
    patch.setenv("ANTIVENOM_HOME", str(place / "file" / "store"))


def name_to_nowhere(place, patch):
    shutil.rmtree(next((place / "store" / "snapshots").iterdir()))


def name_to_no_snapshot(place, patch):
    (next((place / "store" / "snapshots").iterdir()) / "manifest.json").unlink()


def name_out_of_the_store(place, patch):
    snapshot = next((place / "store" / "snapshots").iterdir())
    shutil.copytree(snapshot, place / "elsewhere" / snapshot.name)
    renames.point(place / "store/refs/clean/pairs/tea", str(place / "elsewhere" / snapshot.name))


def half_written(place, patch):
    (place / "store" / "snapshots" / ".0123abcd").mkdir()


def room(free):
    return lambda place, patch: patch.setattr(shutil, "disk_usage", lambda _: Room(100 * 10**9, 0, int(free * 10**9)))


def no_exchange(place, patch):
    patch.setattr(renames, "_EXCHANGE", 1 << 10)  # a flag that no kernel knows, as a disk refuses one that it can't do


def no_links(place, patch):
    def refused(*_, **__):
        raise PermissionError(1, "Operation not permitted")

    patch.setattr("os.symlink", refused)


def experiments(text):
    def make(place, patch):
        (place / "rows.toml").write_text(text)
        patch.setenv("ANTIVENOM_EXPERIMENTS", str(place / "rows.toml"))

    return make


def little_memory(place, patch):
    (place / "meminfo").write_text("MemTotal:  8000000 kB\nMemAvailable:    900000 kB\n")
    patch.setattr(machine, "MEMINFO", place / "meminfo")


def driver(place, patch):
    (place / "driver").write_text("")
    patch.setattr(machine, "DRIVER", place / "driver")
    patch.setattr("torch.cuda.is_available", lambda: False)


#: what others would say of a dagster.yaml that can't be read is not known
UNREAD = {"dagster_home": ILL, **dict.fromkeys(("gpu_pool", "killed_runs", "freshness", "storage"), WARNING)}
ILLNESSES = {
    "pool of three": (
        lambda place, _: pool(place, 3),
        {"gpu_pool": ILL},
        "the limit 3",
        "concurrency.pools.default_limit to 1",
    ),
    "pool of true": (lambda place, _: pool(place, "true"), {"gpu_pool": ILL}, "the limit True", "default_limit to 1"),
    "freshness switched off": (
        partial(switched_off, what="freshness"),
        {"freshness": WARNING},
        "switched off in dagster.yaml",
        "set freshness.enabled to true",
    ),
    "pool set in the instance": (
        set_in_the_instance,
        {"gpu_pool": ILL},
        "the limit 3",
        "dagster instance concurrency set gpu 1",
    ),
    "pool without limit": (
        no_limit,
        {"gpu_pool": ILL, "killed_runs": WARNING},
        "no limit",
        "concurrency.pools.default_limit to 1",
    ),
    "no retries": (
        partial(switched_off, what="run_retries"),
        {"killed_runs": WARNING},
        "run_retries switched off",
        "set run_retries.enabled to true",
    ),
    "no monitoring": (
        partial(switched_off, what="run_monitoring"),
        {"killed_runs": WARNING},
        "run_monitoring switched off",
        "set run_monitoring.enabled to true",
    ),
    "not YAML": (
        not_yaml,
        UNREAD,
        "dagster.yaml: no YAML, line 3",
        "cp {template} {place}/dagster/dagster.yaml",
    ),
    "not UTF-8": (
        lambda place, _: (place / "dagster" / "dagster.yaml").write_bytes(b"a: \xff\xfe"),
        UNREAD,
        "UTF-8",
        "cp {template}",
    ),
    "a list for settings": (
        lambda place, _: (place / "dagster" / "dagster.yaml").write_text("- 1\n"),
        UNREAD,
        "expected settings by name",
        "cp {template}",
    ),
    "no dagster.yaml": (
        lambda place, _: (place / "dagster" / "dagster.yaml").unlink(),
        {"dagster_home": WARNING, "gpu_pool": WARNING, "killed_runs": WARNING},
        "no dagster.yaml in {place}/dagster",
        "cp {template} {place}/dagster/dagster.yaml",
    ),
    "no DAGSTER_HOME": (
        lambda _, patch: patch.delenv("DAGSTER_HOME"),
        {"dagster_home": WARNING, "gpu_pool": WARNING, "killed_runs": WARNING},
        "runs and their history vanish",
        "export DAGSTER_HOME=",
    ),
    "DAGSTER_HOME leads nowhere": (
        lambda place, patch: patch.setenv("DAGSTER_HOME", str(place / "gone")),
        {"dagster_home": ILL, "gpu_pool": WARNING, "killed_runs": WARNING},
        "{place}/gone",
        "mkdir -p {place}/gone",
    ),
    "DAGSTER_HOME of a strange user": (
        lambda _, patch: patch.setenv("DAGSTER_HOME", "~nobody-of-that-name/home"),
        {"dagster_home": ILL, "gpu_pool": WARNING, "killed_runs": WARNING},
        "~nobody-of-that-name",
        "export DAGSTER_HOME=",
    ),
    "a file for a store": (file_for_a_store, {"store": ILL}, "{place}/store is no folder", "ANTIVENOM_HOME"),
    "a store below a file": (below_a_file, {"store": ILL}, "{place}/file is no folder", "ANTIVENOM_HOME"),
    "a name to nowhere": (name_to_nowhere, {"names": ILL}, "1 of 1 names lead to no snapshot: clean/pairs/tea", "store/refs"),
    "a name to a folder without manifest": (name_to_no_snapshot, {"names": ILL}, "clean/pairs/tea", "materialize them again"),
    "a name out of the store": (name_out_of_the_store, {"names": ILL}, "clean/pairs/tea", "materialize them again"),
    "half-written": (half_written, {"snapshots": WARNING}, "1 half-written: {place}/store/snapshots/.0123abcd", "take away"),
    "no exchange": (no_exchange, {"renames": WARNING}, "can't trade places at once", "ext4"),
    "no links": (no_links, {"renames": ILL}, "no symbolic links at {place}/store", "ANTIVENOM_HOME"),
    "1.9 GB free": (room(1.9), {"disk": ILL}, "1.9 GB of 100 GB are free at {place}/store", "make room"),
    "19 GB free": (room(19), {"disk": WARNING}, "19.0 GB of 100 GB", "make room"),
    "no TOML": (experiments("[a"), {"experiments": ILL}, "no readable experiments file", "TOML file"),
    "a row refused": (
        experiments("[mine]\nrate = 3\n[yours]\nrate = 0.1\n"),
        {"experiments": WARNING},
        "1 refused, the rest are loaded: {place}/rows.toml [mine]: rate",
        "change in {place}/rows.toml",
    ),
    "a study refused": (
        experiments("[mine]\nstudy = 'nonesuch'\n"),
        {"experiments": WARNING},
        "study must be one of",
        "change",
    ),
    "a row's name refused": (experiments("['a/b']\nrate = 0.1\n"), {"experiments": WARNING}, "rename the row", "change"),
    "little memory": (little_memory, {"memory": WARNING}, "0.9 GB of ", "max_concurrent_runs"),
    "a driver, and torch without": (driver, {"gpu": WARNING}, "sees no GPU", "install torch"),
    "threads beyond the cores": (
        lambda _, patch: patch.setattr("torch.get_num_threads", lambda: 4096),
        {"threads": WARNING},
        "4096 threads of torch",
        "export OMP_NUM_THREADS=",
    ),
    "a sandbox of one layer": (
        lambda _, patch: patch.setattr(sandbox, "strength", partial(STRENGTH, ["seccomp"])),
        {"sandbox": WARNING},
        "walls: seccomp; no user of its own for a run; open: files",
        "antivenom sandbox",
    ),
}
