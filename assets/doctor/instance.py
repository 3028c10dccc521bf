"""Dagster's instance: its folder, its dagster.yaml, the limit of the pool in which models train, and where runs are kept."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from assets.doctor import findings, postgres
from assets.doctor.findings import Finding, ill, warning, well
from pipelines.schema import DataError

POOL = "gpu"
DATABASES = ("history/runs.db", "history/runs/index.db", "schedules/schedules.db")  # what Dagster makes when it is first opened
UNKNOWN = "not known: dagster.yaml can't be read"


def dagster_home() -> Finding:
    """Whether Dagster has a folder to keep runs in, with a dagster.yaml that can be read."""
    folder = _folder()
    if folder is None:
        mend = "start it with make ui, or export DAGSTER_HOME=/a/folder with dagster.template.yaml in it as dagster.yaml"
        return warning("dagster_home", "DAGSTER_HOME is not set: runs and their history vanish when Dagster ends", mend)
    if not folder.is_absolute() or not folder.is_dir():
        mend = f"mkdir -p {Path.cwd() / folder} and export DAGSTER_HOME={Path.cwd() / folder}"
        return ill("dagster_home", f"DAGSTER_HOME is {folder}; Dagster needs a folder that is there, by its whole path", mend)
    try:
        config = _config()
    except DataError as error:
        return ill("dagster_home", str(error), f"mend the line, or begin anew: {_copy(folder)}")
    if config is None:
        return warning(
            "dagster_home", f"no dagster.yaml in {folder}: Dagster's own settings hold, without limits", _copy(folder)
        )
    return well("dagster_home", f"{folder / 'dagster.yaml'} is read")


def gpu_pool() -> Finding:
    """Whether one model at a time trains on the device."""
    try:
        config = _config()
    except DataError:
        return warning("gpu_pool", UNKNOWN, "see dagster_home")
    if config is None:
        said = f"the pool {POOL} has no limit, so that models which train at once share the device"
        return warning("gpu_pool", said, "see dagster_home: a dagster.yaml sets the limit")
    limit, mend = (
        _at(config, "concurrency", "pools", "default_limit"),
        "set concurrency.pools.default_limit to 1 in dagster.yaml",
    )
    given = _given(config)
    if given is not None:
        limit, mend = given, f"dagster instance concurrency set {POOL} 1, or in the UI: Deployment, Concurrency"
    if type(limit) is not int or limit != 1:
        said = f"the pool {POOL} has {'no limit' if limit is None else f'the limit {limit!r}'} and must have 1"
        return ill("gpu_pool", f"{said}: models that train at once share the device's memory", mend)
    told = "dagster.yaml says" if given is None else "is set in the instance"
    return well("gpu_pool", f"one step at a time in the pool {POOL}, as {told}")


def killed_runs() -> Finding:
    """Whether a run whose process is killed is noticed, and tried again."""
    try:
        config = _config()
    except DataError:
        return warning("killed_runs", UNKNOWN, "see dagster_home")
    off = [name for name in ("run_monitoring", "run_retries") if _at(config or {}, name, "enabled") is not True]
    if off:
        said = f"{' and '.join(off)} switched off: a run whose process is killed seems to go on, or is not tried again"
        return warning("killed_runs", said, f"set {off[0]}.enabled to true in dagster.yaml, as dagster.template.yaml has it")
    return well("killed_runs", "a run whose process is killed is noticed and tried again")


def freshness() -> Finding:
    """Whether Dagster says of what should be fresh whether it is."""
    try:
        config = _config()
    except DataError:
        return warning("freshness", UNKNOWN, "see dagster_home")
    if _at(config or {}, "freshness", "enabled") is False:
        said = "switched off in dagster.yaml, so that nobody is told when nightly_audit no longer looks at the sources"
        return warning("freshness", said, "set freshness.enabled to true in dagster.yaml")
    return well("freshness", "Dagster's daemon says whether what should be fresh is")


def storage() -> Finding:
    """Where runs and their events are kept; PostgreSQL is asked whether it is there."""
    try:
        config = _config()
    except DataError:
        return warning("storage", UNKNOWN, "see dagster_home")
    given = postgres.settings(config or {})
    if given is not None:
        return postgres.reached(given)
    place = _sqlite(config or {})
    if place is None:
        return well(
            "storage", "in memory until Dagster ends" if config is None else "a storage of your own, which was not asked"
        )
    return well("storage", f"SQLite in {place}" + ("" if _is_made(place) else ", which is made when Dagster first starts"))


def _folder() -> Path | None:
    named = os.environ.get("DAGSTER_HOME")
    return Path(os.path.expanduser(named)) if named else None


def _config() -> Mapping[str, Any] | None:
    """What dagster.yaml says, or none where there is none. DataError says which line is no YAML, and quotes nothing of it."""
    folder = _folder()
    file = folder / "dagster.yaml" if folder else None
    if file is None or not file.is_file():
        return None
    import yaml

    try:
        found = yaml.safe_load(file.read_text(encoding="utf-8"))
    except yaml.MarkedYAMLError as error:
        line = f"line {error.problem_mark.line + 1}" if error.problem_mark else "somewhere"
        raise DataError(f"{file}: no YAML, {line}") from None
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise DataError(f"{file}: can't be read as YAML in UTF-8 ({type(error).__name__})") from None
    if not isinstance(found or {}, dict):
        raise DataError(f"{file}: expected settings by name, such as telemetry: and concurrency:, got a {type(found).__name__}")
    return found or {}


def _at(config: Mapping[str, Any], *path: str) -> Any:
    """The value under these names, or none."""
    found: Any = config
    for name in path:
        found = found.get(name) if isinstance(found, dict) else None
    return found


def _given(config: Mapping[str, Any]) -> int | None:
    """The limit that somebody gave the pool itself, which goes before the default. An instance is opened only where it was
    before: the first time makes its databases, and a doctor makes nothing.
    """
    folder, place = _folder(), _sqlite(config)
    if folder is None or place is None or not _is_made(place):
        return None
    import dagster as dg

    with dg.DagsterInstance.from_config(str(folder)) as instance:
        limits = instance.event_log_storage.get_pool_limits()
    return next((each.limit for each in limits if each.name == POOL and not each.from_default), None)


def _sqlite(config: Mapping[str, Any]) -> Path | None:
    """The folder of Dagster's own databases, or none where runs are kept elsewhere."""
    own = _at(config, "storage", "sqlite", "base_dir")
    folder = _folder()
    elsewhere = {"run_storage", "event_log_storage", "schedule_storage"} & config.keys()
    if folder is None or elsewhere or ("storage" in config and own is None):
        return None
    return Path(str(postgres.value(own))) if own is not None else folder


def _is_made(place: Path) -> bool:
    return all((place / each).is_file() for each in DATABASES)


def _copy(folder: Path) -> str:
    return f"cp {findings.ROOT / 'dagster.template.yaml'} {folder / 'dagster.yaml'}"
