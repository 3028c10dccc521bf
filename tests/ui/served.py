"""A webserver that runs, what it says over GraphQL, and its end."""

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest

LONG = 300  # seconds after which a wait has failed: a busy machine is slow, not wrong


class Dagster:
    """A running webserver: where it is, and what it says over GraphQL."""

    def __init__(self, url: str, log: Path) -> None:
        self.url, self.log = url, log

    def ask(self, query: str, **variables: object) -> dict[str, Any]:
        """The data of a GraphQL answer."""
        body = json.dumps({"query": query, "variables": variables}).encode()
        request = Request(f"{self.url}/graphql", body, {"Content-Type": "application/json"})
        with urlopen(request, timeout=20) as answer:
            return json.load(answer)["data"]

    def is_loaded(self) -> bool:
        """Whether the webserver answers and has our code location."""
        try:
            found = self.ask("{ repositoriesOrError { ... on RepositoryConnection { nodes { name } } } }")
        except OSError:
            return False
        return bool(found["repositoriesOrError"].get("nodes"))

    def runs(self, job: str) -> list[dict[str, str]]:
        """Runs of a job, the newest first."""
        query = """query($job: String!) { runsOrError(filter: {pipelineName: $job}) {
            ... on Runs { results { runId status tags { key value } } } } }"""
        return self.ask(query, job=job)["runsOrError"]["results"]

    def wait(self, what: str, is_so: Callable[[], bool]) -> None:
        """Waits until `is_so`, or fails with the last words of the log."""
        end = time.monotonic() + LONG
        while not is_so():
            if time.monotonic() > end:
                pytest.fail(f"{what}: not within {LONG} s; the log ends\n{self.log.read_text()[-4000:]}")
            time.sleep(0.5)

    def must_succeed(self, job: str) -> None:
        """Waits for the newest run of a job."""
        over = {"SUCCESS", "FAILURE", "CANCELED"}
        self.wait(f"{job} is over", lambda: any(run["status"] in over for run in self.runs(job)[:1]))
        assert self.runs(job)[0]["status"] == "SUCCESS", self.log.read_text()[-4000:]


def stop(server: subprocess.Popen, patience: float = 20) -> None:
    """Asks the whole group to end, and ends what is left: dagster dev alone would leave children behind."""
    os.killpg(server.pid, signal.SIGINT)
    with contextlib.suppress(subprocess.TimeoutExpired):
        server.wait(patience)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(server.pid, signal.SIGKILL)
