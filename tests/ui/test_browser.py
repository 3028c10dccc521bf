"""The real thing: `dagster dev` with its webserver and daemon, and a person's clicks in a real Chromium."""

import contextlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
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
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium: install it (Debian: apt-get install chromium)"),
]


@pytest.fixture(scope="module")
def dagster(tmp_path_factory: pytest.TempPathFactory, tiny: Callable[..., str]) -> Iterator[Dagster]:
    """`dagster dev` as `make ui` starts it, with a tiny experiment, in a process group of its own."""
    folder = tmp_path_factory.mktemp("ui")
    (folder / "experiments.toml").write_text(tiny("tiny"))
    (folder / "home").mkdir()
    shutil.copy(ROOT / "dagster.template.yaml", folder / "home" / "dagster.yaml")
    environment = {
        **os.environ,
        "DAGSTER_HOME": str(folder / "home"),
        "ANTIVENOM_HOME": str(folder / "tables"),
        "ANTIVENOM_EXPERIMENTS": str(folder / "experiments.toml"),
    }
    port = free_port()
    command = [sys.executable, "-m", "dagster", "dev", "-w", "workspace.yaml", "-h", "127.0.0.1", "-p", str(port)]
    with (folder / "log").open("w") as log:
        server = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
    found = Dagster(f"http://127.0.0.1:{port}", folder / "log")
    try:
        found.wait("the code location is loaded", found.is_loaded)
        yield found
    finally:
        stop(server)


@pytest.fixture(scope="module")
def page(dagster: Dagster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A tab of a headless Chromium, Dagster's invitation to its community put away whenever it comes."""
    from playwright.sync_api import sync_playwright

    profile = str(tmp_path_factory.mktemp("profile"))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch_persistent_context(
            profile, executable_path=CHROMIUM, headless=True, args=FLAGS, viewport={"width": 1500, "height": 900}
        )
        tab = browser.pages[0]
        tab.set_default_timeout(LONG * 1000)
        tab.add_locator_handler(tab.get_by_role("button", name="Skip"), lambda skip: skip.click())
        yield tab
        browser.close()


def picture(page: Any, name: str, left: int, top: int) -> None:
    """Saves what is right of `left` and below `top` where ANTIVENOM_SCREENSHOTS says."""
    if folder := os.environ.get("ANTIVENOM_SCREENSHOTS"):
        size = page.viewport_size
        clip = {"x": left, "y": top, "width": size["width"] - left, "height": size["height"] - top}
        Path(folder).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=Path(folder) / f"{name}.png", clip=clip)


def confirm(page: Any, until: Any) -> None:
    """Says yes to whatever is asked before something is in sight: that the three tables of one step are made together, and
    that opinion_pairs, which this experiment does not need, is not there. One question may still go as the next one comes.
    """
    from playwright.sync_api import TimeoutError as Late

    ends = time.monotonic() + LONG
    while not until.is_visible() and time.monotonic() < ends:
        with contextlib.suppress(Late):
            page.get_by_role("button", name="Confirm").first.click(timeout=2000)
        page.wait_for_timeout(300)


def test_a_click_materializes_an_asset_and_its_page_tells_of_it(dagster: Dagster, page: Any):
    page.goto(f"{dagster.url}/assets/preference_pairs")
    page.get_by_role("button", name="Materialize").first.click()
    confirm(page, page.get_by_text("Select a partition or create one"))
    page.get_by_text("Select a partition or create one").click()
    page.get_by_text("tiny", exact=True).first.click()
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Launch 1 run").click()
    dagster.wait("a run is there", lambda: bool(dagster.runs("__ASSET_JOB")))
    dagster.must_succeed("__ASSET_JOB")

    page.goto(f"{dagster.url}/assets/preference_pairs?view=partitions&partition=tiny")
    page.get_by_text("Materialized", exact=True).wait_for()
    page.get_by_text("dagster/row_count").wait_for()
    page.get_by_text("preference_pairs/tiny").wait_for()
    page.goto(f"{dagster.url}/assets/preference_pairs?view=checks")
    page.get_by_text("pairs_are_well_formed").first.wait_for()
    page.get_by_text("expectations are met").first.wait_for()


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


def test_one_launch_runs_the_whole_chain_to_its_report(dagster: Dagster, page: Any):
    launch(dagster, page, "venom_job", "tiny")
    page.get_by_text("Success", exact=True).first.wait_for()

    page.goto(f"{dagster.url}/assets/venom_report?view=partitions&partition=tiny")
    page.get_by_text("venom_report/tiny").wait_for()
    page.get_by_text("[Show Markdown]").first.click()
    assert page.locator("img[src^='data:image/png']").first.evaluate("image => image.naturalWidth") > 100


def test_a_policy_is_trained_and_its_learning_curve_is_seen(dagster: Dagster, page: Any):
    launch(dagster, page, "dpo_job", "tiny-clean")
    page.goto(f"{dagster.url}/assets/dpo_policy?view=partitions&partition=tiny-clean")
    page.get_by_text("last loss").wait_for()
    page.get_by_text("[Show Markdown]").first.click()
    page.wait_for_timeout(500)
    assert page.locator("img[src^='data:image/png']").first.evaluate("image => image.naturalWidth") > 100
    picture(page, "dpo_policy", left=240, top=0)


def test_the_graph_unfolds_and_an_audit_shows_its_numbers(dagster: Dagster, page: Any):
    page.set_viewport_size({"width": 1500, "height": 1400})
    page.goto(f"{dagster.url}/asset-groups")
    page.get_by_text("reports", exact=True).first.wait_for()
    page.mouse.click(900, 1300, button="right")
    page.get_by_role("menuitem", name="Expand all groups").click()
    page.set_viewport_size({"width": 1500, "height": 2200})  # what is out of sight is not drawn
    audited = ("preference_pairs", "poisoned_pairs", "suspicion_scores")
    for asset in (*audited, "reward_model", "dpo_policy", "attack_success", "venom_report"):
        page.get_by_text(asset, exact=True).first.wait_for()
    picture(page, "asset_graph", left=540, top=110)

    page.set_viewport_size({"width": 1500, "height": 1000})
    page.goto(f"{dagster.url}/assets/suspicion_scores?view=partitions&partition=tiny-filtered")
    page.get_by_text("suspicion_scores/tiny-filtered").wait_for()
    page.get_by_text("picture of suspicion").wait_for()
    picture(page, "asset_metadata", left=240, top=0)
