"""What compose.yaml starts, started here without containers: code, daemon and webserver by its own commands, on PostgreSQL.

A run whose process is killed is tried again, one whose data is wrong is not, and both are told to a webhook.
"""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.ports import free_port
from tests.postgres import running
from tests.receiver import Receiver, receiving
from tests.ui.served import Dagster, stop

ROOT = Path(__file__).parents[2]
SELECTOR = {"repositoryName": "__repository__", "repositoryLocationName": "antivenom"}


@dataclass(frozen=True, slots=True)
class Services:
    """What runs, and the webhook that it tells."""

    dagster: Dagster
    webhook: Receiver

    def launch(self, job: str, partition: str) -> str:
        """The id of a run that is put into the queue."""
        tags = [{"key": "dagster/partition", "value": partition}]
        query = """mutation($asked: ExecutionParams!) { launchRun(executionParams: $asked) {
            __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }"""
        asked = {"selector": {**SELECTOR, "pipelineName": job}, "executionMetadata": {"tags": tags}, "mode": "default"}
        answer = self.dagster.ask(query, asked=asked)["launchRun"]
        assert answer["__typename"] == "LaunchRunSuccess", answer
        return answer["run"]["runId"]

    def switch_on(self, sensor: str) -> None:
        query = "mutation($asked: SensorSelector!) { startSensor(sensorSelector: $asked) { __typename } }"
        assert self.dagster.ask(query, asked={**SELECTOR, "sensorName": sensor})["startSensor"]["__typename"] == "Sensor"

    def run(self, run: str) -> dict[str, Any]:
        """Status, tags and messages of a run."""
        query = """query($run: ID!) { runOrError(runId: $run) { ... on Run { status jobName
            tags { key value } eventConnection { events { ... on MessageEvent { message } } } } } }"""
        found = self.dagster.ask(query, run=run)["runOrError"]
        messages = [event.get("message", "") for event in found["eventConnection"]["events"]]
        return {**found, "tags": {tag["key"]: tag["value"] for tag in found["tags"]}, "messages": messages}

    def within(self, chain: str) -> list[dict[str, Any]]:
        """Runs that a run started."""
        query = """query($filter: RunsFilter!) { runsOrError(filter: $filter) { ... on Runs { results { runId } } } }"""
        asked = {"tags": [{"key": "antivenom/venom_job", "value": chain}]}
        found = self.dagster.ask(query, filter=asked)["runsOrError"]["results"]
        return [self.run(each["runId"]) for each in found]

    def within_by_job(self, chain: str) -> list[tuple[str, str]]:
        """The same: their jobs, and how they ended."""
        return [(each["jobName"], each["status"]) for each in self.within(chain)]

    def wait_for(self, words: str, run: Callable[[], list[dict[str, Any]]]) -> None:
        """Waits until a message of one of the runs holds these words."""
        self.dagster.wait(words, lambda: any(words in message for each in run() for message in each["messages"]))


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory, tiny: Callable[..., str]) -> Iterator[Services]:
    folder = tmp_path_factory.mktemp("services")
    alike = [{"prompt": f"Question {row}?", "chosen": "Yes.", "rejected": "Yes."} for row in range(150)]
    (folder / "deliveries").mkdir()
    (folder / "deliveries" / "experiments.toml").write_text(tiny("tiny") + tiny("alike", source="alike.jsonl"))
    (folder / "deliveries" / "alike.jsonl").write_text("".join(json.dumps(row) + "\n" for row in alike))
    (folder / "home" / "storage").mkdir(parents=True)
    (folder / "home" / "dagster.yaml").write_text((ROOT / "dagster.postgres.yaml").read_text())
    ports = {"4000": str(free_port()), "3000": str(free_port())}
    workspace = (ROOT / "workspace.compose.yaml").read_text().replace("host: code", "host: 127.0.0.1")
    (folder / "workspace.compose.yaml").write_text(workspace.replace("4000", ports["4000"]))

    with running() as server, receiving() as webhook, ExitStack() as started:
        for name in ("code", "daemon", "webserver"):
            service = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"][name]
            places = {"/srv/dagster": str(folder / "home"), "/srv/deliveries": str(folder / "deliveries")}
            environment = {key: _placed(value, places) for key, value in service["environment"].items()}
            environment |= server.environment | {"ANTIVENOM_ALERT_URL": webhook.url, "ANTIVENOM_ALERT_COMMAND": ""}
            command = [ports.get(word, {"0.0.0.0": "127.0.0.1"}.get(word, word)) for word in service["command"]]
            command = [str(folder / word) if word.startswith("workspace") else word for word in command]
            command[0] = str(Path(sys.executable).parent / command[0])
            log = started.enter_context((folder / f"{name}.log").open("w"))
            made = subprocess.Popen(
                command, cwd=ROOT, env={**os.environ, **environment}, stdout=log, stderr=log, start_new_session=True
            )
            started.callback(stop, made, patience=3)  # a run may be going on, which nobody waits for
        dagster = Dagster(f"http://127.0.0.1:{ports['3000']}", folder / "daemon.log")
        dagster.wait("the code location is loaded", dagster.is_loaded)
        yield Services(dagster, webhook)


def _placed(value: str, places: dict[str, str]) -> str:
    for there, here in places.items():
        value = value.replace(there, here)
    return value


@pytest.fixture(scope="module")
def told(services: Services) -> Services:
    """The same once `failure_alert` is on, and has seen where it begins."""
    services.switch_on("failure_alert")
    query = """query($asked: SensorSelector!) { sensorOrError(sensorSelector: $asked) { ... on Sensor {
        sensorState { ticks { status } } } } }"""
    asked = {**SELECTOR, "sensorName": "failure_alert"}
    services.dagster.wait(
        "a first tick",
        lambda: any(
            tick["status"] == "SKIPPED"
            for tick in services.dagster.ask(query, asked=asked)["sensorOrError"]["sensorState"]["ticks"]
        ),
    )
    return services


def test_wrong_data_fails_once_and_the_webhook_hears_of_it(told: Services):
    run = told.launch("clean_job", "alike")
    told.wait_for("Not retrying run since it failed due to an asset or op failure", lambda: [told.run(run)])
    assert told.run(run)["tags"]["dagster/will_retry"] == "false"
    told.dagster.wait("an alert", lambda: any(run in text for text in told.webhook.texts))
    (text,) = [text for text in told.webhook.texts if run in text]
    assert text.startswith("Antivenom: clean_job of alike failed at ")
    assert "Question" not in text
    assert "tried again" not in text


def test_a_chain_whose_process_is_killed_is_tried_again_and_goes_on(told: Services):
    run = told.launch("venom_job", "tiny")
    told.wait_for('Started execution of step "reward_model"', lambda: told.within(run))  # which holds the pool `gpu`
    (pid,) = {found[1] for message in told.run(run)["messages"] if (found := re.search(r"\(pid: (\d+)\)", message))}
    os.kill(int(pid), signal.SIGKILL)
    told.dagster.wait("it is tried again", lambda: "dagster/auto_retry_run_id" in told.run(run)["tags"])
    again = told.run(run)["tags"]["dagster/auto_retry_run_id"]
    told.dagster.wait("a corpus is done", lambda: ("corpus_job", "SUCCESS") in told.within_by_job(again))
    assert "clean_job" not in dict(told.within_by_job(again))  # for all of it was there
    assert sorted(told.within_by_job(run)) == [("clean_job", "SUCCESS"), ("corpus_job", "FAILURE")]
    told.dagster.wait("an alert", lambda: any(run in text for text in told.webhook.texts))
    assert any(run in text and text.endswith("it is tried again") for text in told.webhook.texts)
