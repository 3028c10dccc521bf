"""compose.yaml as Docker reads it: services, volumes, what is published, no secret, and commands that this environment has."""

import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[1]
OURS = ("code", "webserver", "daemon")


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "compose.yaml").read_text())


def values(tree: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Every text in a tree, with the name that it stands under."""
    if isinstance(tree, dict):
        for key, value in tree.items():
            yield from values(value, key)
    elif isinstance(tree, list):
        for value in tree:
            yield from values(value, name)
    else:
        yield name, str(tree)


def test_the_services_share_one_store_and_nothing_else(compose):
    services = compose["services"]
    assert set(services) == {"postgres", *OURS}
    assert set(compose["volumes"]) == {"store", "runs"}
    named = {name: {each.split(":")[0] for each in service["volumes"]} for name, service in services.items()}
    assert named.pop("code") == {"store", "${ANTIVENOM_DELIVERIES"}
    assert named == {"postgres": {"runs"}, "webserver": {"store"}, "daemon": {"store"}}
    homes = {service["environment"]["DAGSTER_HOME"] for name, service in services.items() if name in OURS}
    mounted = {each.split(":")[1] for name in OURS for each in services[name]["volumes"] if each.startswith("store")}
    assert mounted == {f"{home}/storage" for home in homes}  # where Dagster keeps what steps print
    kept = [services["code"]["environment"][name] for name in ("ANTIVENOM_HOME", "ANTIVENOM_CACHE", "HF_HOME")]
    assert all(place.startswith(f"{mounted.copy().pop()}/") for place in kept)


def test_every_variable_of_the_settings_is_given_to_whoever_opens_them(compose):
    asked = set(re.findall(r"env: (\w+)", (ROOT / "dagster.postgres.yaml").read_text()))
    assert len(asked) == 5
    for name in OURS:
        assert asked <= set(compose["services"][name]["environment"]), name
    ours, theirs = compose["services"]["code"]["environment"], compose["services"]["postgres"]["environment"]
    same = {"DAGSTER_PG_USER": "POSTGRES_USER", "DAGSTER_PG_PASSWORD": "POSTGRES_PASSWORD", "DAGSTER_PG_DB": "POSTGRES_DB"}
    assert {ours[mine] == theirs[other] for mine, other in same.items()} == {True}


def test_no_secret_stands_in_the_file_and_none_is_made_up(compose):
    told = {(name, value) for name, value in values(compose) if re.search("PASSWORD|KEY|ALERT", name)}
    assert {name for name, _ in told} == {
        "POSTGRES_PASSWORD", "DAGSTER_PG_PASSWORD", "OPENAI_API_KEY", "ANTIVENOM_ALERT_URL", "ANTIVENOM_ALERT_COMMAND",
    }  # fmt: skip
    for name, value in told:
        must = r"\$\{ANTIVENOM_PG_PASSWORD:\?.+\}" if "PASSWORD" in name else rf"\$\{{{name}:-\}}"
        assert re.fullmatch(must, value), name


def test_only_this_machine_reaches_the_webserver_and_nobody_the_rest(compose):
    published = {name: service["ports"] for name, service in compose["services"].items() if "ports" in service}
    assert published == {"webserver": ["127.0.0.1:3000:3000"]}
    assert not any("network_mode" in service or "privileged" in service for service in compose["services"].values())


def test_commands_are_those_that_this_environment_has(compose):
    tools = Path(sys.executable).parent
    for name in OURS:
        assert os.access(tools / compose["services"][name]["command"][0], os.X_OK), name
    (served,) = yaml.safe_load((ROOT / "workspace.compose.yaml").read_text())["load_from"]
    command = compose["services"]["code"]["command"]
    assert served["grpc_server"]["host"] == "code"
    assert str(served["grpc_server"]["port"]) == command[command.index("-p") + 1]
    for name in ("webserver", "daemon"):
        assert compose["services"][name]["command"][-2:] == ["-w", "workspace.compose.yaml"]
        assert {"postgres", "code"} == set(compose["services"][name]["depends_on"])


def test_the_gpu_is_given_to_the_code_alone():
    added = yaml.safe_load((ROOT / "compose.gpu.yaml").read_text())["services"]
    assert list(added) == ["code"]
    (device,) = added["code"]["deploy"]["resources"]["reservations"]["devices"]
    assert device["capabilities"] == ["gpu"]


def test_the_image_is_made_by_the_makefile_and_does_not_run_as_root():
    lines = (ROOT / "Dockerfile").read_text()
    assert "make .venv/.installed" in lines
    assert "\n.venv/.installed: " in (ROOT / "Makefile").read_text()
    assert re.findall(r"^USER (\w+)", lines, re.M) == ["antivenom"]
    assert lines.index("USER antivenom") > lines.rindex("\nRUN ")
    ignored = (ROOT / ".dockerignore").read_text().split()
    assert {".git", ".venv", ".env"} <= set(ignored)  # history, this machine's programs, secrets


def test_what_holds_the_password_is_in_no_commit():
    assert ".env" in (ROOT / ".gitignore").read_text().split()
