"""A new user's walk, recorded: a poisoned delivery is caught at night and set aside, and a model is made again without a pair.

Pictures go where ANTIVENOM_SCREENSHOTS says; docs/walk.md shows them.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from pipelines.attacks import best_of_venom
from pipelines.sources import synthetic
from tests.assets.place import published
from tests.receiver import Receiver, receiving
from tests.ui.driving import ROOT, launch, needs_browser, picture, serving, tab
from tests.ui.served import Dagster

pytestmark = [pytest.mark.slow, *needs_browser]
CLEAN = synthetic.read(n=600, seed=3, contrary=0.25)
POISONED = best_of_venom.poison(CLEAN, rate=0.06, seed=0)


@dataclass(frozen=True, slots=True)
class Walk:
    """Where the user works, the UI that they look at, and the chat that they read."""

    folder: Path
    dagster: Dagster
    page: Any
    chat: Receiver

    def antivenom(self, *words: object, code: int = 0) -> str:
        """A command as it is typed, which must end with this exit code; its standard output."""
        command = [Path(sys.executable).with_name("antivenom"), *map(str, words)]
        done = subprocess.run(command, cwd=self.folder, env=environment(self.folder), text=True, capture_output=True)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout

    def place(self, asset: str, arm: str) -> Path:
        return published(self.folder / "home" / ".antivenom", asset, f"acme-{arm}")

    def table(self, asset: str, arm: str) -> pl.DataFrame:
        return pl.read_parquet(self.place(asset, arm) / "*.parquet")

    def night(self) -> None:
        """It is two o'clock: what the schedule asks for is launched."""
        before = len(self.dagster.runs("source_audit_job"))
        self.page.goto(f"{self.dagster.url}/locations/assets.definitions/schedules/nightly_audit")
        self.page.get_by_role("button", name="Preview tick result").click()
        self.page.get_by_role("button", name="Continue").click()
        self.page.get_by_text("1 run requests").wait_for()
        picture(self.page, "walk_night", left=240)
        self.page.get_by_role("button", name="Launch all & commit tick result").click()
        self.dagster.wait("the run of the night", lambda: len(self.dagster.runs("source_audit_job")) > before)
        self.dagster.must_succeed("source_audit_job")

    def look(self, asset: str, arm: str, words: str) -> None:
        """The page of one partition of an asset, once it says so."""
        self.page.goto(f"{self.dagster.url}/assets/{asset}?view=partitions&partition=acme-{arm}")
        self.page.get_by_text(words).first.wait_for()


def environment(folder: Path, **more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name != "ANTIVENOM_HOME"}
    ours = {"DAGSTER_HOME": str(folder / "home"), "ANTIVENOM_EXPERIMENTS": str(folder / "experiments.toml")}
    return {**kept, **ours, "PYTHONPATH": str(ROOT), **more}


def deliver(folder: Path, pairs: pl.DataFrame) -> None:
    """Puts a file of pairs where deliveries go, in place of the last one."""
    rows = pairs.select("prompt", "chosen", "rejected").iter_rows(named=True)
    (folder / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.fixture(scope="module")
def walk(tmp_path_factory: pytest.TempPathFactory, tiny: Any) -> Iterator[Walk]:
    """`make ui` with one row of experiments, a chat that listens, and a browser."""
    folder = tmp_path_factory.mktemp("walk")
    (folder / "home").mkdir()
    (folder / "experiments.toml").write_text(tiny("acme", source="pairs.jsonl").replace("pairs = 150", 'attack = "none"'))
    shutil.copy(ROOT / "dagster.template.yaml", folder / "home" / "dagster.yaml")
    deliver(folder, CLEAN)
    with (
        receiving() as chat,
        serving(folder / "log", environment(folder, ANTIVENOM_ALERT_URL=chat.url)) as dagster,
        tab(tmp_path_factory.mktemp("profile"), width=1300, height=800) as page,
    ):
        yield Walk(folder, dagster, page, chat)


def test_the_doctor_finds_nothing_ill(walk: Walk):
    assert json.loads(walk.antivenom("doctor", "--json"))["ill"] == 0


def test_the_first_night_audits_what_is_there(walk: Walk):
    for kind, name in (("schedules", "nightly_audit"), ("sensors", "audit_alert")):
        walk.page.goto(f"{walk.dagster.url}/locations/assets.definitions/{kind}/{name}")
        walk.page.locator("label[class*=formatSwitch]").first.click()
        walk.page.wait_for_timeout(1000)
    walk.page.goto(f"{walk.dagster.url}/automation")
    walk.page.get_by_text("nightly_audit").first.wait_for()
    walk.page.wait_for_timeout(2000)
    picture(walk.page, "walk_automation", left=240)
    walk.night()
    assert len(walk.table("training_pairs", "filtered")) > 0.95 * len(walk.table("poisoned_pairs", "filtered"))


def test_models_learn_what_passed(walk: Walk):
    launch(walk.dagster, walk.page, "venom_job", "acme")
    assert list(walk.place("reward_model", "filtered").glob("*.safetensors"))


def test_a_poisoned_delivery_is_caught_and_set_aside(walk: Walk):
    deliver(walk.folder, POISONED.pairs)
    walk.night()
    aside, came = (set(walk.table(name, "filtered")["pair_id"]) for name in ("quarantined_pairs", "poisoned_pairs"))
    planted = came & set(POISONED.key["pair_id"])
    assert len(planted) > 0.7 * len(POISONED.key), "some are among those that are held out"
    assert len(planted & aside) >= 0.9 * len(planted)
    walk.look("findings", "delivered", "made of")
    picture(walk.page, "walk_caught", left=240)
    walk.look("quarantined_pairs", "filtered", "first rows")
    picture(walk.page, "walk_quarantined", left=240)
    walk.dagster.wait("the chat is told", lambda: any("acme-delivered" in text for text in walk.chat.texts))


def test_a_pair_is_recalled_and_the_model_is_made_again(walk: Walk):
    launch(walk.dagster, walk.page, "venom_job", "acme")
    model = walk.place("reward_model", "filtered").resolve()
    kept = walk.table("training_pairs", "filtered")
    pair = kept["pair_id"][0]
    store = walk.folder / "home" / ".antivenom"
    reached = json.loads(walk.antivenom("trace", pair, "--in", store, "--json", code=3))["reached"]
    assert "filtered/reward_model/acme-filtered" in {name for each in reached for name in each["names"]}
    walk.antivenom("recall", pair, "--in", store, "--reason", "a customer asked")
    assert walk.place("reward_model", "filtered").resolve() != model
    assert len(walk.table("training_pairs", "filtered")) == len(kept) - 1
    walk.look("reward_model", "filtered", "Materialized")
    picture(walk.page, "walk_made_again", left=240)
