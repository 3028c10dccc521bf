"""The chain on a tiny experiment: from clean rows to the report, what checks hold back, and the same bytes again."""

import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from rlhf_train.models import committees
from tests.assets.killed import killed, made
from tests.assets.place import Place, published, settled
from tests.receiver import receiving

TABLES = ("poisoned_pairs", "poison_key", "suspicion_scores", "findings", "training_pairs", "quarantined_pairs")
HEAVY = 200_000  # letters of what a page must load to tell of one thing
TRAINED = ("reward_model", "policy", "attack_success", "reward_accuracy", "detection", "roc_curves", "flags")


def alike(folder: Path) -> Path:
    """A file that reads well, half of whose pairs have the same response on both sides."""
    file = folder / "alike.jsonl"
    rows = (
        {"prompt": f"Question {row}?", "chosen": f"Answer {row}.", "rejected": f"Answer {row if row % 2 else -row}."}
        for row in range(1, 151)
    )
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


@pytest.fixture(scope="module")
def place(location, tiny, tmp_path_factory) -> Iterator[Place]:
    """The code location with a good and a bad experiment, before anything has run."""
    folder = tmp_path_factory.mktemp("chain")
    toml = tiny("tiny") + tiny("alike", source=str(alike(folder)))
    with settled(location, toml, folder) as found:
        yield found


@pytest.fixture(scope="module")
def chain(place: Place, one_thread: None) -> Place:
    """The same after venom_job has run for the good one."""
    done = place.run("venom_job", "tiny")
    assert done.success, [event.step_failure_data.error for event in done.all_events if event.is_step_failure]
    return place


def test_one_launch_makes_every_partition_of_the_experiment(chain: Place):
    arms = {"tiny-clean", "tiny-poisoned", "tiny-filtered"}
    assert {asset: chain.made(asset) & arms for asset in TABLES + TRAINED} == dict.fromkeys(TABLES + TRAINED, arms)
    assert "tiny" in chain.made("base_policy") & chain.made("venom_report")
    jobs = sorted(run.job_name for run in chain.instance.get_runs() if run.tags.get("dagster/partition", "").startswith("tiny"))
    assert jobs == ["clean_job", "corpus_job", "corpus_job", "corpus_job", "report_job", "venom_job"]


def test_rows_add_up_in_every_arm(chain: Place):
    clean = len(chain.table("preference_pairs", "tiny"))
    written = round(0.1 * clean)
    assert [len(chain.table("poison_key", f"tiny-{arm}")) for arm in ("clean", "poisoned", "filtered")] == [
        0,
        written,
        written,
    ]
    for arm, count in (("clean", clean), ("poisoned", clean + written), ("filtered", clean + written)):
        parts = chain.table("training_pairs", f"tiny-{arm}"), chain.table("quarantined_pairs", f"tiny-{arm}")
        assert len(chain.table("suspicion_scores", f"tiny-{arm}")) == count == sum(map(len, parts))
    assert chain.table("poisoned_pairs", "tiny-clean").equals(chain.table("preference_pairs", "tiny"))


def test_whatever_comes_of_poison_says_so_in_its_manifest(chain: Place):
    for asset in TABLES + TRAINED:
        marks = [chain.manifest(asset, f"tiny-{arm}")["poisoned"] for arm in ("clean", "poisoned", "filtered")]
        assert marks == [False, True, True], asset
    assert chain.manifest("preference_pairs", "tiny")["poisoned"] is False


def test_models_are_safetensors_and_nothing_is_pickled(chain: Place):
    weights = {link.parent.name for link in (chain.home / "refs").glob("*/*/*") if list(link.glob("*.safetensors"))}
    assert weights == {"base_policy", "reward_model", "policy"}
    assert {file.suffix for file in chain.home.rglob("*") if file.is_file()} <= {
        ".parquet", ".json", ".safetensors", ".html", ".jinja", ".txt", ".ids", "",
    }  # fmt: skip


def test_a_committee_is_published_as_a_reward_model_is(chain: Place, tmp_path: Path):
    reward = chain.module.defs.resources["io_manager"].read("reward_model", "tiny-clean")
    committee = committees.Committee((reward, reward), "worst")
    formats = sys.modules["assets.formats"].FORMATS
    formats[type(committee).__name__].write(committee, tmp_path / "committee")
    again = formats["Committee"].read(tmp_path / "committee")
    asked = ["\n\nHuman: Tea?\n\nAssistant:"], [" Yes."]
    assert again.rewards(*asked) == pytest.approx(reward.rewards(*asked), abs=1e-6)


def test_people_are_told_rows_columns_pictures_and_where_it_lies(chain: Place):
    told = chain.metadata("suspicion_scores", "tiny-filtered")
    assert told["dagster/row_count"].value == len(chain.table("suspicion_scores", "tiny-filtered"))
    assert "data:image/png;base64," in told["picture of suspicion"].value
    assert told["dagster/column_lineage"].value.deps_by_column["pair_id"][0].asset_key == dg.AssetKey("poisoned_pairs")
    assert Path(told["place"].value) == chain.folder("suspicion_scores", "tiny-filtered") / "table.parquet"
    assert len(told["first rows"].records) == 5
    assert "data:image/png;base64," in chain.metadata("attack_success", "tiny-clean")["picture of attack success"].value
    assert "data:image/png;base64," in chain.metadata("venom_report", "tiny")["picture of attack success"].value
    page = (chain.folder("venom_report", "tiny") / "report.html").read_text()
    assert "Experiment tiny" in page


def test_a_model_leads_to_its_data_and_the_data_to_its_models(chain: Place):
    pairs, model = (chain.manifest(asset, "tiny-poisoned")["snapshot"] for asset in ("training_pairs", "reward_model"))
    told = chain.metadata("reward_model", "tiny-poisoned")
    link = "[training_pairs](/assets/training_pairs?view=partitions&partition=tiny-poisoned)"
    rows = len(chain.table("training_pairs", "tiny-poisoned"))
    assert f"| {link} | tiny-poisoned | {rows} | yes | `{pairs[:12]}` |" in told["made of"].value
    assert "learned from poisoned data: **yes" in told["model card"].value
    assert link in told["model card"].value
    assert "learned from poisoned data: no" in chain.metadata("reward_model", "tiny-clean")["model card"].value
    assert "epochs 0.2" in told["settings"].value
    wanted = dg.AssetRecordsFilter(dg.AssetKey("training_pairs"), asset_partitions=["tiny-poisoned"])
    seen = [record.asset_observation.metadata for record in chain.instance.fetch_observations(wanted, limit=9).records]
    learned = {name: value.value for metadata in seen for name, value in metadata.items()}
    assert set(learned) == {f"learned by {asset} of tiny-poisoned" for asset in ("reward_model", "policy")}
    back = link.replace("training_pairs", "reward_model") + f" of `tiny-poisoned`, snapshot `{model[:12]}`"
    assert learned["learned by reward_model of tiny-poisoned"] == f"{back}, from `{pairs[:12]}`"


def test_a_finding_leads_to_its_pairs_in_their_own_words_and_to_the_page(chain: Place):
    told = chain.metadata("findings", "tiny-poisoned")
    scores, pairs = (chain.table(asset, "tiny-poisoned") for asset in ("suspicion_scores", "poisoned_pairs"))
    flagged = scores.filter("is_flagged").sort("suspicion", descending=True)
    shown = [record.data for record in told["flagged pairs"].records]
    assert told["flagged"].value == len(flagged) > 0
    assert {row["pair_id"] for row in shown} <= set(flagged["pair_id"])
    assert shown[0]["pair_id"] == flagged["pair_id"][0]
    assert shown[0]["chosen"] == pairs.filter(pair_id=shown[0]["pair_id"])["chosen"][0][:200]
    assert "(/assets/audit_report?view=partitions&partition=tiny-poisoned)" in told["every flagged pair"].value
    page = (chain.folder("audit_report", "tiny-poisoned") / "report.html").read_text()
    assert f"{len(flagged)} of {len(scores)} pairs are flagged" in page
    assert f'id="row-{shown[0]["row"]}"' in page


def test_every_table_tells_its_columns_and_no_page_is_heavy(chain: Place):
    nodes = {spec.key.to_user_string(): spec for spec in chain.module.defs.resolve_all_asset_specs()}
    for asset in (*TABLES, "attack_success", "reward_accuracy", "detection", "roc_curves", "flags"):
        told = chain.metadata(asset, "tiny-poisoned")
        schema = told.get("dagster/column_schema") or nodes[asset].metadata["dagster/column_schema"]
        columns = schema.value.columns if hasattr(schema, "value") else schema.columns
        assert set(chain.table(asset, "tiny-poisoned").columns) <= {column.name for column in columns}, asset
        assert all(column.type and column.description for column in columns), asset
        assert sum(len(str(value.value)) for value in told.values()) < HEAVY, asset


def test_audits_that_flagged_pairs_are_told_of_by_their_numbers(chain: Place, monkeypatch: pytest.MonkeyPatch):
    scores = {f"tiny-{arm}": chain.table("suspicion_scores", f"tiny-{arm}") for arm in ("clean", "poisoned", "filtered")}
    counts = {name: (int(table["is_flagged"].sum()), len(table)) for name, table in scores.items()}
    with receiving() as webhook, dg.build_sensor_context(instance=chain.instance, cursor="0") as context:
        monkeypatch.setenv("ANTIVENOM_ALERT_URL", webhook.url)
        sys.modules["assets.alerts"].audit_alert.evaluate_tick(context)
    (text,) = webhook.texts
    for name, (flagged, pairs) in counts.items():
        assert (f"{flagged} of {pairs} pairs of {name} (run " in text) == bool(flagged)
    assert counts["tiny-poisoned"][0] > 0


def test_the_audit_never_saw_the_key(chain: Place):
    graph = chain.module.defs.resolve_asset_graph()
    for asset in ("suspicion_scores", "findings", "training_pairs", "reward_model", "policy"):
        assert dg.AssetKey("poison_key") not in graph.get_ancestor_asset_keys(dg.AssetKey(asset))


def test_the_same_seeds_make_the_same_bytes(chain: Place, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    assets = ("preference_pairs", "trusted_pairs", "held_out_pairs", *TABLES)
    monkeypatch.setenv("ANTIVENOM_HOME", str(tmp_path))
    for job, partition in (("clean_job", "tiny"), ("corpus_job", "tiny-filtered")):
        selected = [dg.AssetKey(asset) for asset in assets if chain.made(asset) & {partition}]
        assert chain.run(job, partition, asset_selection=selected).success
        for asset in (key.to_user_string() for key in selected):
            again = json.loads((published(tmp_path, asset, partition) / "manifest.json").read_text())
            assert again["files"] == chain.manifest(asset, partition)["files"], asset


ARMS = ("tiny-clean", "tiny-poisoned", "tiny-filtered")


def named(home: Path, name: str = "tiny*") -> dict[str, str]:
    """The digest of every partition of the experiment."""
    return {link.relative_to(home / "refs").as_posix(): link.readlink().name for link in (home / "refs").glob(f"*/*/{name}")}


def resumed(chain: Place, instance: dg.DagsterInstance) -> None:
    """venom_job once more, in the same instance; the run that was killed within the first has come to an end."""
    again = Place(chain.module, instance, chain.home).run("venom_job", "tiny")
    assert again.success, [event.step_failure_data.error for event in again.all_events if event.is_step_failure]
    running = (dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.STARTING)
    assert instance.get_runs(dg.RunsFilter(statuses=running)) == []


def test_a_chain_that_is_killed_half_way_makes_what_lacks_and_nothing_else(chain: Place, monkeypatch, tmp_path: Path):
    """Killed in a step that keeps the one place in the pool, which would otherwise be waited for for ever."""
    home, whole = tmp_path / "store", named(chain.home)
    shutil.copytree(chain.home, home, symlinks=True)
    for link in list((home / "refs").glob("*/reward_accuracy/tiny-*")):
        link.unlink()
    with killed(home, tmp_path / "dagster", "tiny", "reward_accuracy", "tiny-poisoned") as instance:
        assert made(instance) == ["reward_accuracy/tiny-clean"]
        assert named(home).items() < whole.items(), "what was published is as it is in the undisturbed chain"
        monkeypatch.setenv("ANTIVENOM_HOME", str(home))
        resumed(chain, instance)
        assert made(instance) == sorted(f"reward_accuracy/{arm}" for arm in ARMS), "and the report, of the same, is the same"
    assert named(home) == whole


@pytest.mark.slow  # the whole chain once more, training and all
@pytest.mark.parametrize("asset", ["base_policy", "suspicion_scores", "reward_model", "attack_success", "venom_report"])
def test_a_chain_that_is_killed_anywhere_comes_to_the_same(chain: Place, monkeypatch, tmp_path: Path, asset: str):
    partition = "tiny" if asset in ("base_policy", "venom_report") else "tiny-poisoned"
    with killed(tmp_path / "store", tmp_path / "dagster", "tiny", asset, partition) as instance:
        monkeypatch.setenv("ANTIVENOM_HOME", str(tmp_path / "store"))
        before = set(made(instance))
        resumed(chain, instance)
        again = [each for each in before if made(instance).count(each) > 1]
        assert not again, "what was made is not made again"
    assert named(tmp_path / "store") == named(chain.home)


@pytest.fixture(scope="module")
def stopped(place: Place) -> dg.ExecuteInProcessResult:
    """venom_job on pairs that fail their suite."""
    return place.run("venom_job", "alike")


def test_a_failing_blocking_check_stops_all_that_would_follow(place: Place, stopped: dg.ExecuteInProcessResult):
    assert not stopped.success
    assert "alike" in place.made("preference_pairs")
    for asset in ("base_policy", *TABLES, *TRAINED, "venom_report"):
        assert not [name for name in place.made(asset) if name.startswith("alike")], asset


def test_the_failing_check_names_what_is_wrong(place: Place, stopped: dg.ExecuteInProcessResult):
    key = dg.AssetCheckKey(dg.AssetKey("preference_pairs"), "pairs_are_well_formed")
    found = place.instance.get_latest_asset_check_evaluation_record(key).event.asset_check_evaluation
    assert (found.passed, found.partition, found.severity) == (False, "alike", dg.AssetCheckSeverity.ERROR)
    assert found.description == "not met: chosen and rejected differ in at least 95 % of pairs"
    first = found.metadata["expectations"].records[0].data
    assert (first["met"], first["unexpected rows"]) == (False, 64)
    assert first["examples"].startswith("row ")


def test_another_run_may_not_build_on_a_table_that_failed_either(place: Place, stopped: dg.ExecuteInProcessResult):
    later = place.run("corpus_job", "alike-clean")
    assert not later.success
    (failure,) = [event for event in later.all_events if event.is_step_failure]
    assert "preference_pairs of alike is held back: pairs_are_well_formed failed" in failure.step_failure_data.error.to_string()
    assert place.made("poisoned_pairs") & {"alike-clean"} == set()


def test_a_table_that_was_changed_behind_our_back_is_refused(chain: Place):
    file = chain.folder("poison_key", "tiny-filtered") / "table.parquet"
    kept = file.read_bytes()
    file.write_bytes(kept + b" ")
    try:
        with pytest.raises(ValueError, match=r"filtered/poison_key/tiny-filtered: .*table\.parquet: changed since"):
            chain.module.defs.resources["io_manager"].read("poison_key", "tiny-filtered")
    finally:
        file.write_bytes(kept)


def weights(chain: Place, partition: str) -> dict:
    from safetensors.torch import load_file

    return load_file(chain.folder("dpo_policy", partition) / "model.safetensors")


def dpo(chain: Place, processes: int, partition: str = "tiny-clean") -> dg.ExecuteInProcessResult:
    done = chain.run("dpo_job", partition, run_config={"resources": {"launcher": {"config": {"processes": processes}}}})
    assert done.success, [event.step_failure_data.error for event in done.all_events if event.is_step_failure]
    return done


def messages(chain: Place, done: dg.ExecuteInProcessResult) -> list[str]:
    return [entry.user_message for entry in chain.instance.all_logs(done.run_id)]


def test_a_policy_trained_here_in_a_process_or_in_two_is_the_same(chain: Place):
    import torch

    dpo(chain, 0)
    here = weights(chain, "tiny-clean")
    apart = dpo(chain, 1)
    assert all(torch.equal(value, weights(chain, "tiny-clean")[name]) for name, value in here.items())
    assert any(message.startswith("training: ") and "loss" in message for message in messages(chain, apart))
    told = chain.metadata("dpo_policy", "tiny-clean")
    dpo(chain, 2)
    two = chain.metadata("dpo_policy", "tiny-clean")
    assert two["last loss"].value == pytest.approx(told["last loss"].value, rel=5e-3)
    assert "data:image/png" in told["learning curve"].value
    assert not list((chain.home / ".runs").iterdir())


def test_a_killed_training_step_is_gone_on_with(chain: Place, monkeypatch):
    import torch

    from rlhf_train import checkpoints

    dpo(chain, 0)
    whole = weights(chain, "tiny-clean")
    plain, saved = checkpoints.save, []

    def killed(folder, step, *rest):
        plain(folder, step, *rest)
        saved.append(step)
        if len(saved) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(checkpoints, "save", killed)
    monkeypatch.setattr(sys.modules["assets.numbers"], "SAVE_EVERY", 3)
    assert not chain.run("dpo_job", "tiny-clean").success
    assert saved == [3, 6]
    monkeypatch.setattr(checkpoints, "save", plain)
    again = dpo(chain, 0)
    assert all(torch.equal(value, weights(chain, "tiny-clean")[name]) for name, value in whole.items())
    assert not any("training: 1 of" in message for message in messages(chain, again))


def test_a_recalled_pair_is_in_nothing_that_is_made_again_and_the_rest_stays(chain: Place, antivenom, monkeypatch):
    monkeypatch.chdir(chain.home)
    key = chain.table("poison_key", "tiny-poisoned")["pair_id"]
    written, count = key[0], len(key)
    names = [link.relative_to(chain.home / "refs").as_posix() for link in (chain.home / "refs").glob("*/*/tiny*")]
    before = {name: (chain.home / "refs" / name).resolve().name for name in names}
    code, told, _ = antivenom("trace", written, "--in", chain.home, "--json")
    assert code == 3
    reached = {name: each["how"] for each in json.loads(told)["reached"] for name in each["names"]}
    assert reached["poisoned/training_pairs/tiny-poisoned"] == "holds"
    assert reached["poisoned/reward_model/tiny-poisoned"] == reached["poisoned/policy/tiny-poisoned"] == "learned"
    assert not [name for name in reached if name.endswith("tiny-clean")]
    assert reached["poisoned/venom_report/tiny"] == "learned"

    code, told, _ = antivenom("recall", written, "--in", chain.home, "--later", "--reason", "a customer asked", "--json")
    assert code == 0
    assert json.loads(told)["left"], "it is to be made again later"
    assert json.loads((chain.home / "recalled.json").read_text())["pairs"][written]["reason"] == "a customer asked"
    assert chain.run("venom_job", "tiny").success
    after = {name: (chain.home / "refs" / name).resolve().name for name in names}
    changed = {name for name in names if after[name] != before[name]}
    assert {"poisoned/training_pairs/tiny-poisoned", "poisoned/reward_model/tiny-poisoned"} < changed
    assert not [name for name in changed if name.startswith("clean/")], "clean twins are as they were"
    code, told, _ = antivenom("trace", written, "--in", chain.home, "--json")
    assert not [each for each in json.loads(told)["reached"] if each["names"] and each["how"] == "holds"]
    assert len(chain.table("poison_key", "tiny-poisoned")) == count - 1
