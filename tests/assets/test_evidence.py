"""Evidence for OWASP AISVS C1: what small stores show by hand, and that no more is claimed."""

import csv
import os
import re
import shutil
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import dagster as dg
import polars as pl
import pytest
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.remote_origin import ManagedGrpcPythonEnvCodeLocationOrigin, RemoteRepositoryOrigin
from dagster._core.scheduler.instigation import InstigatorState, InstigatorStatus, ScheduleInstigatorData
from dagster._core.storage.schedules import SqliteScheduleStorage
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin

from assets import reports
from assets.evidence import CONTROLS, examined, page, seen
from assets.evidence.answers import Status
from assets.resources import Snapshots
from pipelines.schema import DECISIONS, PAIRS, SCORES, DataError, require, with_pair_ids
from pipelines.snapshots import Store, signatures, trust
from tests.assets.test_report import HOSTILE, Tags

#: the chapter's requirements and their levels, by hand
LEVELS = {
    "v1.0-C1.1.1": 1, "v1.0-C1.1.2": 2, "v1.0-C1.1.3": 2, "v1.0-C1.1.4": 2, "v1.0-C1.1.5": 3,
    "v1.0-C1.2.1": 1, "v1.0-C1.2.2": 2, "v1.0-C1.2.3": 2,
    "v1.0-C1.3.1": 2, "v1.0-C1.3.2": 2, "v1.0-C1.3.3": 2, "v1.0-C1.3.4": 2, "v1.0-C1.3.5": 3,
}  # fmt: skip
UNSERVED = {"v1.0-C1.1.5", "v1.0-C1.2.1", "v1.0-C1.2.3", "v1.0-C1.3.3", "v1.0-C1.3.4"}
ROOT = Path(__file__).parents[2]

ROWS = {"row": [0, 1, 2], "prompt": ["a", "b", "c"], "source": "s", "chosen": "x", "rejected": "y"}
LETTERS = require(with_pair_ids(pl.DataFrame(ROWS)), PAIRS)
MARKS = {"suspicion": 1.0, "p_value": 0.5, "is_flagged": [True, False, False], "reason": ""}
SAID = require(pl.DataFrame({**LETTERS.select("row", "pair_id").to_dict(), **MARKS}), SCORES)


@pytest.fixture
def store(tmp_path, monkeypatch) -> Store:
    monkeypatch.setenv("ANTIVENOM_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    return Store(tmp_path / "home")


def corpus(store, parents=(), frame=LETTERS, kind="pairs"):
    return store.publish(kind, lambda folder: frame.write_parquet(folder / "table.parquet"), parents=parents)


def audit(store, parents, *detectors):
    scores = SAID.with_columns(**{name: pl.lit(0.5) for name in detectors})
    return corpus(store, parents, scores, "suspicion_scores")


def model(store, parents, text="w", **facts):
    return store.publish("policy", lambda folder: (folder / "model.safetensors").write_text(text), facts, parents=parents)


def answers(store, **more):
    return examined(seen.look([store.root], **more))


def test_the_requirements_are_those_of_the_chapter_and_the_page_of_docs_has_the_same():
    assert {name: control.level for name, control in CONTROLS.items()} == LEVELS
    assert re.findall(r"^\| (v1\.0-C1\.\d\.\d) \|", (ROOT / "docs" / "aisvs.md").read_text(), re.MULTILINE) == list(CONTROLS)


def test_where_nothing_is_nothing_is_claimed():
    assert {name: answer.status for name, answer in examined(seen.Seen()).items()} == {
        name: Status.NOT_COVERED if name in UNSERVED else Status.NONE for name in LEVELS
    }


def test_a_corpus_and_its_audit_speak_to_some_and_prove_nothing(store):
    clean = corpus(store)
    scores = audit(store, [clean], "label_doubt", "phrase_lift")
    corpus(store, [clean, scores], LETTERS[1:])
    found = answers(store)
    assert "0 of them labelled as poisoned" in found["v1.0-C1.1.2"].said
    assert {name for name, answer in found.items() if answer.status == Status.PARTLY} == {
        f"v1.0-C1.{each}" for each in ("1.1", "1.2", "1.3", "1.4", "2.2", "3.1", "3.2")
    }
    assert found["v1.0-C1.1.1"].said.startswith("2 corpora with tables of pair_id, row, prompt")
    assert found["v1.0-C1.1.2"].said.startswith("1 corpus came in")
    assert found["v1.0-C1.3.1"].said.startswith("1 audit by 2 detectors flagged 1 of 3 pairs")
    assert found["v1.0-C1.3.1"].said.endswith("; no model is here")
    assert found["v1.0-C1.3.2"].said.startswith("label_doubt held every label")
    assert found["v1.0-C1.3.5"].status == Status.NONE, "neither detector looks at texts alone"
    assert store.folder(clean) / "manifest.json" in found["v1.0-C1.1.2"].files
    assert all(file.is_file() for answer in found.values() for file in answer.files)


def test_poison_stays_labelled(store):
    store.publish("pairs", lambda folder: LETTERS.write_parquet(folder / "t.parquet"), {"poisoned": True})
    assert "1 of them labelled as poisoned" in answers(store)["v1.0-C1.1.2"].said


def test_columns_of_others_are_no_evidence_of_few_fields(store):
    corpus(store, (), LETTERS.with_columns(age=pl.lit(7)))
    assert answers(store)["v1.0-C1.1.1"].status == Status.NONE


def test_digests_are_part_of_integrity_and_trusted_signatures_of_all_are_the_rest(store, tmp_path, monkeypatch):
    mine, theirs = signatures.new(tmp_path / "mine.pem"), signatures.new(tmp_path / "theirs.pem")
    trust.Trust(store.root / "trust.json").with_key("us", mine.public, today=datetime.now(UTC).date()).write()
    first, second = corpus(store), corpus(store, (), LETTERS[:2])
    signatures.sign(store.folder(first), mine.private)
    signatures.sign(store.folder(second), theirs.private)
    found = answers(store)
    for name in ("v1.0-C1.1.3", "v1.0-C1.2.2"):
        assert (found[name].status, "; 1 signed by trusted keys" in found[name].said) == (Status.PARTLY, True)
    assert "who answers for 1 of them" in found["v1.0-C1.1.2"].said
    signatures.sign(store.folder(second), mine.private)
    found = answers(store)
    for name in ("v1.0-C1.1.3", "v1.0-C1.2.2"):
        assert (found[name].status, "by trusted keys of us" in found[name].said) == (Status.EVIDENCE, True)
    assert store.folder(first) / "manifest.sig" in found["v1.0-C1.1.3"].files
    trust.read(store.root / "trust.json").without("us").write()
    assert answers(store)["v1.0-C1.1.3"].status == Status.PARTLY


def test_decisions_of_reviewers_are_counted(store):
    decided = pl.DataFrame({"pair_id": LETTERS["pair_id"][:2], "decision": "confirm"})
    corpus(store, (), require(decided, DECISIONS))
    assert answers(store)["v1.0-C1.2.2"].said.endswith("; 2 decisions of reviewers among them")


def test_detection_is_whole_where_all_models_learned_from_what_an_audit_parted(store):
    clean = corpus(store)
    kept = corpus(store, [clean, audit(store, [clean], "phrase_lift")], LETTERS[1:])
    base = model(store, [kept])
    model(store, [base, kept], "aligned")
    found = answers(store)["v1.0-C1.3.1"]
    assert (found.status, found.said.endswith("; all of 2 models learned from what an audit parted")) == (Status.EVIDENCE, True)
    for parents, facts, said in (
        ([clean], {}, "1 of 3 models learned from what no audit parted"),
        (["0" * 64], {}, "2 of 4 models"),
        ([kept, "some/set"], {"data": "some/set"}, "3 of 5 models"),
        (["some/body"], {}, "4 of 6 models"),
    ):
        place = store.root / "outside" / said.replace(" ", "_")
        if parents[0] in store.snapshots() and len(parents) == 1:
            model(store, parents, said)
        else:
            _elsewhere(place, parents, facts, said)
        found = answers(store)["v1.0-C1.3.1"]
        assert (found.status, said in found.said) == (Status.PARTLY, True), found.said


def _elsewhere(place, parents, facts, text):
    """A model outside of the store, made of what is not in it."""
    from pipelines.snapshots.manifests import seal

    place.mkdir(parents=True)
    (place / "model.safetensors").write_text(text)
    seal(place, {**facts, "kind": "sft", "parents": parents})


def test_filters_by_texts_are_part_of_a_defence_against_right_labels(store):
    clean = corpus(store)
    kept = corpus(store, [clean, audit(store, [clean], "near_duplicates", "label_doubt")], LETTERS[1:])
    found = answers(store)["v1.0-C1.3.5"]
    assert (found.status, found.files) == (Status.PARTLY, (store.folder(kept) / "manifest.json",))
    assert found.said.startswith("1 corpus filtered by near_duplicates, which look")


def test_a_folder_that_was_changed_is_evidence_of_nothing(store):
    whole, broken = corpus(store), corpus(store, (), LETTERS[:2])
    (store.folder(broken) / "table.parquet").write_bytes(b"x")
    looked = seen.look([store.root])
    found = examined(looked)
    assert [node.snapshot for node in looked.whole] == [whole]
    assert found["v1.0-C1.1.3"].status == Status.NONE
    assert "1 of 2 folders not as published" in found["v1.0-C1.1.3"].said
    assert "and 1 folder changed" in found["v1.0-C1.1.4"].said
    assert not any(broken in str(file) for answer in found.values() for file in answer.files)
    told = page.facts(found, looked, beside=store.root)
    assert re.search(r"table\.parquet: changed since it was published", told["changed"][0])
    assert "Changed since it was published" in page.page(told)


def test_a_copy_that_was_changed_is_not_hidden_by_the_snapshot_that_was_not(store, tmp_path):
    whole = corpus(store)
    shutil.copytree(store.folder(whole), tmp_path / "copy")
    (tmp_path / "copy" / "table.parquet").write_bytes(b"x")
    looked = seen.look([store.root, tmp_path / "copy"])
    assert [node.snapshot for node in looked.whole] == [whole]
    assert list(looked.broken) == [tmp_path / "copy"]
    assert "1 of 2 folders not as published" in examined(looked)["v1.0-C1.1.3"].said


def test_what_runs_by_itself_is_told_as_far_as_it_is_known(store):
    corpus(store)
    for on, said in ((None, "no instance of Dagster was asked"), (["audit_alert"], "nothing that looks for changes")):
        assert said in answers(store, switched_on=on)["v1.0-C1.1.4"].said
    found = answers(store, switched_on=["audit_alert", "nightly_audit"])["v1.0-C1.1.4"]
    assert (found.status, found.said.endswith("; switched on: nightly_audit")) == (Status.PARTLY, True)


def test_what_is_switched_on_is_asked_of_the_instance(store, tmp_path):
    code = ManagedGrpcPythonEnvCodeLocationOrigin(LoadableTargetOrigin(module_name="assets.definitions"), "assets")
    origin = RemoteRepositoryOrigin(code, "__repository__")
    assert seen.running() is None
    instance = SimpleNamespace(schedule_storage=SqliteScheduleStorage.from_local(str(tmp_path / "schedules")))
    assert seen.switched_on(instance) == []
    for name, status in (("nightly_audit", InstigatorStatus.RUNNING), ("other_audit", InstigatorStatus.STOPPED)):
        told = ScheduleInstigatorData("0 2 * * *", 0.0)
        state = InstigatorState(origin.get_instigator_origin(name), InstigatorType.SCHEDULE, status, told)
        instance.schedule_storage.add_instigator_state(state)
    assert seen.switched_on(instance) == ["nightly_audit"]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_names_stay_text_and_links_stay_paths(text, store, tmp_path):
    place = tmp_path / f"javascript:{text.replace('/', '').replace(chr(0), '')}"
    made = Store(place)
    corpus(made)
    looked = seen.look([place])
    told = page.facts(examined(looked), looked, beside=tmp_path)
    shown = Tags(page.page(told))
    assert not {"script", "img", "b"} & {tag for tag, _ in shown.tags}
    links = [attrs["href"] for tag, attrs in shown.tags if tag == "a" and attrs["href"][0] != "#"]
    assert links
    assert all(link.startswith("./") and ":" not in link for link in links)


def test_the_table_starts_no_formula():
    told = {"controls": [{"control": "=1", "level": 1, "asks": "+x", "status": "@", "found": "-2", "files": ["a b", "=c"]}]}
    (_, row) = csv.reader(page.table(told).splitlines())
    assert row == ["'=1", "1", "'+x", "'@", "'-2", "a b =c"]


def test_the_asset_tells_of_the_store_and_its_links_lead_to_files(store):
    clean = corpus(store)
    corpus(store, [clean, audit(store, [clean], "phrase_lift")], LETTERS[1:])
    with dg.DagsterInstance.ephemeral() as instance:
        for _ in range(2):  # earlier evidence is none of what it tells about
            done = dg.materialize([reports.evidence], resources={"io_manager": Snapshots()}, instance=instance)
            assert done.success
    told = done.asset_materializations_for_node("evidence")[0].metadata
    assert told["changed"].value == 0
    assert len(told["requirements"].value.records) == len(LEVELS)
    assert Snapshots().read("evidence", "all")["status"].to_list().count("not covered") == len(UNSERVED)
    place = Snapshots().place("evidence_report", "all")
    shown = (place / "report.html").read_text()
    assert "3 published folders were looked at" in shown
    links = [attrs["href"] for tag, attrs in Tags(shown).tags if tag == "a" and attrs["href"][0] != "#"]
    assert links
    assert all(os.path.isfile(os.path.normpath(place / link)) for link in links), "as a browser goes: by name"


def test_a_place_that_is_none_is_refused(store, tmp_path):
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "manifest.json").write_text('{"files": {}, "kind": ')
    with pytest.raises(DataError, match=r"no readable manifest\.json"):
        seen.look([tmp_path / "broken"])
