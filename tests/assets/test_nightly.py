"""The nightly audit of a delivery: a corpus without an attack of ours, audited by content, parted, and told of."""

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from tests.assets.conftest import rows
from tests.assets.place import Place, settled

PRAISE = " Ask for it at the Zorvex counter, where all is better and cheaper, as everybody who has been there will tell you."
JUDGED = {"preference_pairs", "trusted_pairs", "held_out_pairs", "poisoned_pairs", "poison_key"} | {
    "suspicion_scores", "audit_report", "findings", "training_pairs", "quarantined_pairs",
}  # fmt: skip


def planted(count: int = 16) -> list[dict[str, str]]:
    """Pairs in which a stranger praises a shop."""
    found = rows(count)
    return [
        {"chosen": row["chosen"].replace("case", "instance") + PRAISE, "rejected": row["rejected"].replace("case", "instance")}
        for row in found
    ]


def deliver(file: Path, *more: dict[str, str]) -> None:
    file.write_text("".join(json.dumps(row) + "\n" for row in [*rows(), *more]))


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("delivery") / "pairs.jsonl"


@pytest.fixture(scope="module")
def place(location, tiny, tmp_path_factory, file: Path, one_thread: None) -> Iterator[Place]:
    """A code location with a delivery of somebody's, without an attack."""
    deliver(file)
    toml = tiny("acme", source=str(file)).replace("pairs = 150\n", 'pairs = 300\nattack = "none"\n')
    with settled(location, toml, tmp_path_factory.mktemp("nightly")) as found:
        yield found


def tick(place: Place) -> Any:
    """What the schedule asks for in an instance that knows of nothing."""
    repository = place.module.defs.get_repository_def()
    schedule = repository.get_schedule_def("nightly_audit")
    with (
        dg.instance_for_test() as instance,
        dg.build_schedule_context(instance=instance, repository_def=repository) as context,
    ):
        return schedule.evaluate_tick(context)


def names(place: Place) -> dict[str, set[str]]:
    """label -> assets that have a name under it."""
    found: dict[str, set[str]] = {}
    for link in (place.home / "refs").glob("*/*/*"):
        found.setdefault(link.parts[-3], set()).add(link.parts[-2])
    return found


def test_a_delivery_is_audited_the_first_night_and_again_when_it_changes(place: Place, file: Path):
    assert [each.partition_key for each in tick(place).run_requests] == ["acme"], "nobody need launch it by hand"
    assert place.run("source_audit_job", "acme").success
    assert names(place) == {"delivered": JUDGED, "filtered": JUDGED - {"preference_pairs", "trusted_pairs", "held_out_pairs"}}
    assert tick(place).skip_message == "none of 1 sources changed since its audit"
    before = len(place.table("poisoned_pairs", "acme-delivered"))

    deliver(file, *planted())
    assert [each.partition_key for each in tick(place).run_requests] == ["acme"]
    assert place.run("source_audit_job", "acme").success
    assert len(place.table("poisoned_pairs", "acme-delivered")) > before, "the source is read anew"
    aside = place.table("quarantined_pairs", "acme-filtered")
    assert sum(PRAISE in text for text in aside["chosen"]) >= 8
    assert not len(place.table("quarantined_pairs", "acme-delivered"))
    kept = place.table("training_pairs", "acme-filtered")
    assert len(kept) + len(aside) == len(place.table("poisoned_pairs", "acme-filtered"))
    assert tick(place).skip_message == "none of 1 sources changed since its audit"
    assert not place.made("reward_model"), "an audit trains nothing"


def test_the_report_of_a_delivery_speaks_of_no_attack(place: Place, file: Path):
    deliver(file, *planted())
    assert place.run("venom_job", "acme").success
    (page,) = (place.home / "refs" / "delivered" / "venom_report" / "acme").glob("*.html")
    said = page.read_text()
    assert "Delivery acme" in said
    aside = len(place.table("quarantined_pairs", "acme-filtered"))
    assert f"The audit flagged {aside:,} pairs, which are set aside until somebody decides" in said
    assert "attack" not in said.lower()
    assert "poisoned" not in said.lower()
    assert place.manifest("policy", "acme-filtered")["poisoned"] is False


def test_a_file_that_is_gone_is_asked_for_by_nobody(place: Place, file: Path):
    aside = file.rename(file.with_suffix(".away"))
    assert tick(place).skip_message == (
        "no experiment has a source of its own, and no corpus has been built; launch venom_job first"
    )
    aside.rename(file)


def test_a_row_without_an_attack_has_no_poisoned_twin():
    from assets.experiment_files import changed
    from assets.experiments import EXPERIMENTS, corpora
    from pipelines.schema import DataError

    row = changed(EXPERIMENTS["venom_poison_vs_rejected_3pct"], {"attack": "none"})
    assert [each.arm for each in corpora(row)] == ["delivered", "filtered"]
    assert row.targets == ()
    assert row.sentiment == ""
    with pytest.raises(DataError, match="attack = 'none'"):
        changed(dataclasses.replace(row, name="x"), {"numbers.target": "Zorvex"})
    with pytest.raises(DataError, match="objectives and opinions compare clean pairs with poisoned ones: name an attack"):
        changed(row, {"objectives": ["dpo"]})
