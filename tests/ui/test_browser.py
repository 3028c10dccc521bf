"""The real thing: `dagster dev` with its webserver and daemon, and a person's clicks in a real Chromium."""

import contextlib
import os
import shutil
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.ui.driving import ROOT, launch, needs_browser, picture, serving, tab
from tests.ui.served import LONG, Dagster

pytestmark = needs_browser


@pytest.fixture(scope="module")
def dagster(tmp_path_factory: pytest.TempPathFactory, tiny: Callable[..., str]) -> Iterator[Dagster]:
    """`dagster dev` as `make ui` starts it, with a tiny experiment."""
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
    with serving(folder / "log", environment) as found:
        yield found


@pytest.fixture(scope="module")
def page(dagster: Dagster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with tab(tmp_path_factory.mktemp("profile")) as found:
        yield found


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

    page.keyboard.press("Escape")
    page.get_by_role("link", name="training_pairs").first.click()
    page.get_by_text("learned by dpo_policy of tiny-clean").wait_for()


def test_the_graph_unfolds_and_an_audit_shows_its_numbers(dagster: Dagster, page: Any):
    page.set_viewport_size({"width": 1500, "height": 1400})
    page.goto(f"{dagster.url}/asset-groups")
    page.get_by_text("reports", exact=True).first.wait_for()
    picture(page, "asset_graph", left=540, top=110)
    page.mouse.click(900, 1300, button="right")
    page.get_by_role("menuitem", name="Expand all groups").click()
    page.set_viewport_size({"width": 1500, "height": 2200})  # what is out of sight is not drawn
    audited = ("preference_pairs", "poisoned_pairs", "suspicion_scores")
    for asset in (*audited, "reward_model", "dpo_policy", "attack_success", "venom_report"):
        page.get_by_text(asset, exact=True).first.wait_for()

    page.set_viewport_size({"width": 1500, "height": 1000})
    page.goto(f"{dagster.url}/assets/suspicion_scores?view=partitions&partition=tiny-filtered")
    page.get_by_text("suspicion_scores/tiny-filtered").wait_for()
    page.get_by_text("picture of suspicion").wait_for()
    picture(page, "asset_metadata", left=240, top=0)

    page.goto(f"{dagster.url}/assets/findings?view=partitions&partition=tiny-filtered")
    page.get_by_text("flagged pairs", exact=True).wait_for()
    page.get_by_role("link", name="audit_report").first.click()
    page.get_by_text("audit_report/tiny-filtered").wait_for()
