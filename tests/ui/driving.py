"""`dagster dev` as `make ui` starts it, and a person's clicks on it in a real Chromium."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.ports import free_port
from tests.ui.served import LONG, Dagster, stop

ROOT = Path(__file__).parents[2]
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
]
needs_browser = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium: install it (Debian: apt-get install chromium)"),
]


@contextmanager
def serving(log: Path, environment: Mapping[str, str]) -> Iterator[Dagster]:
    """`dagster dev` with its webserver and daemon, in a process group of its own, once it has our code location."""
    port = free_port()
    command = [sys.executable, "-m", "dagster", "dev", "-w", "workspace.yaml", "-h", "127.0.0.1", "-p", str(port)]
    with log.open("w") as file:
        server = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=file, stderr=subprocess.STDOUT, start_new_session=True
        )
    found = Dagster(f"http://127.0.0.1:{port}", log)
    try:
        found.wait("the code location is loaded", found.is_loaded)
        yield found
    finally:
        stop(server)


@contextmanager
def tab(profile: Path, width: int = 1500, height: int = 900) -> Iterator[Any]:
    """A tab of a headless Chromium, Dagster's invitation to its community put away whenever it comes."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch_persistent_context(
            str(profile), executable_path=CHROMIUM, headless=True, args=FLAGS, viewport={"width": width, "height": height}
        )
        page = browser.pages[0]
        page.set_default_timeout(LONG * 1000)
        page.add_locator_handler(page.get_by_role("button", name="Skip"), lambda skip: skip.click())
        yield page
        browser.close()


def picture(page: Any, name: str, left: int = 0, top: int = 0) -> None:
    """Saves what is right of `left` and below `top` where ANTIVENOM_SCREENSHOTS says."""
    if folder := os.environ.get("ANTIVENOM_SCREENSHOTS"):
        size = page.viewport_size
        clip = {"x": left, "y": top, "width": size["width"] - left, "height": size["height"] - top}
        Path(folder).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=Path(folder) / f"{name}.png", clip=clip)


def launch(dagster: Dagster, page: Any, job: str, partition: str) -> None:
    """One partition of a job by its launchpad, to its end."""
    page.goto(f"{dagster.url}/locations/assets.definitions/jobs/{job}/playground")
    page.get_by_placeholder("Partition").click()
    page.get_by_placeholder("Partition").fill(partition)  # of a long list only what is in sight is there to be clicked
    page.get_by_text(partition, exact=True).first.click()
    page.wait_for_timeout(1000)  # it begins to make the partition's configuration, and meanwhile takes no click
    page.get_by_text("Generating configuration").wait_for(state="hidden")
    page.get_by_role("button", name="Launch Run").click()
    page.wait_for_url("**/runs/*")
    dagster.must_succeed(job)
