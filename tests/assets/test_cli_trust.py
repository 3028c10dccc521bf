"""Keys, signatures and what training lets in, as commands."""

import json

import dagster as dg
import polars as pl
import pytest

from assets import gate
from assets.resources import Snapshots
from pipelines.schema import DataError
from pipelines.snapshots import Store, manifest, staged

QUICK = ("--set", "steps=2", "--set", "pretrain_steps=2", "--json")


@pytest.fixture
def trusted(antivenom, tmp_path, monkeypatch):
    """A key and a file of trusted keys, in force."""
    monkeypatch.setenv("ANTIVENOM_HOME", str(tmp_path / "home"))
    code, said, _ = antivenom("keys", "new", "us", "--out", tmp_path / "us.pem", "--json")
    assert code == 0
    assert json.loads(said)["trust"] == str(tmp_path / "home" / "trust.json")
    monkeypatch.setenv("ANTIVENOM_KEY", str(tmp_path / "us.pem"))
    return tmp_path


def test_what_is_published_is_signed_and_verified(antivenom, corpus, trusted, monkeypatch):
    poison = ("poison", corpus, "--attack", "label_flip", "--rate", 0.1, "--out", trusted / "out")
    assert antivenom(*poison)[0] == 0
    code, said, _ = antivenom("verify", trusted / "out", "--json")
    assert code == 0
    assert json.loads(said)["signed_by"] == "us"
    monkeypatch.delenv("ANTIVENOM_KEY")
    assert antivenom(*poison)[0] == 0
    code, _, error = antivenom("verify", trusted / "out")
    assert code == 2
    assert "is not signed" in error
    assert antivenom("sign", trusted / "out", "--key", trusted / "us.pem")[0] == 0
    assert "signed by us" in antivenom("verify", trusted / "out")[1]
    assert antivenom("keys", "revoke", "us")[0] == 0
    assert "was revoked" in antivenom("keys", "list")[1]
    code, _, error = antivenom("verify", trusted / "out")
    assert code == 2
    assert "key was revoked" in error
    (trusted / "out" / "pairs.parquet").write_bytes(b"x")
    for command in (["verify"], ["sign", "--key", trusted / "us.pem"]):
        code, _, error = antivenom(command[0], trusted / "out", *command[1:])
        assert code == 2
        assert "pairs.parquet: changed since it was published" in error


def test_training_lets_in_what_is_signed_and_audited(antivenom, corpus, trusted, one_thread):
    corpus.write_text("".join(corpus.read_text().splitlines(keepends=True)[:40]))
    for words in (
        ("audit", corpus, "--out", trusted / "audit", "--detectors", "phrase_lift"),
        ("filter", corpus, "--scores", trusted / "audit", "--out", trusted / "filtered"),
        ("train", "sft", "--data", trusted / "filtered" / "kept.parquet", "--out", trusted / "policy", *QUICK),
    ):
        assert antivenom(*words)[0] == 0, words
    assert manifest(trusted / "policy")["admitted"] == {"signed_by": "us", "audited": True, "allowed": [], "models": {}}
    assert manifest(trusted / "policy")["parents"] == [manifest(trusted / "filtered")["snapshot"]]


def test_training_refuses_the_rest_unless_it_is_let_in_by_name(antivenom, corpus, trusted, one_thread):
    corpus.write_text("".join(corpus.read_text().splitlines(keepends=True)[:40]))
    assert antivenom("poison", corpus, "--attack", "label_flip", "--rate", 0.1, "--out", trusted / "out")[0] == 0
    signed = trusted / "out" / "pairs.parquet"
    for data, names, said in (
        (corpus, [], "let it in by name: --allow unsigned"),
        (corpus, ["--allow", "unaudited"], "let it in by name: --allow unsigned"),
        (corpus, ["--allow", "unsigned"], "let it in by name: --allow unaudited"),
        (signed, [], "no audit has parted it"),
        (signed, ["--allow", "everything"], "got 'everything'"),
    ):
        code, _, error = antivenom("train", "sft", "--data", data, "--out", trusted / "policy", *QUICK, *names)
        assert code == 2
        assert said in error
    assert not (trusted / "policy").exists()
    both = ("--allow", "unsigned,unaudited")
    assert antivenom("train", "sft", "--data", corpus, "--out", trusted / "policy", *QUICK, *both)[0] == 0
    told = manifest(trusted / "policy")["admitted"]
    assert told == {"signed_by": None, "audited": False, "allowed": ["unaudited", "unsigned"], "models": {}}


@pytest.fixture
def models(trusted, monkeypatch):
    """A model that was signed, one that was not, one that was changed since, and one that nobody published."""
    for name in ("signed", "changed", "plain"):
        if name == "plain":
            monkeypatch.delenv("ANTIVENOM_KEY")
        with staged(trusted / name, "sft") as folder:
            (folder / "model.safetensors").write_text("weights")
    (trusted / "changed" / "model.safetensors").write_text("others")
    (trusted / "bare").mkdir()
    (trusted / "bare" / "model.safetensors").write_text("weights")
    return trusted


@pytest.mark.parametrize(
    ("model", "said", "word"),
    [
        ("plain", "is not signed", "unsigned"),
        ("changed", "changed since it was published", "unsigned"),
        ("bare", "no model that antivenom published", "foreign"),
        ("some/model-of-the-hub", "no model that antivenom published", "foreign"),
    ],
)
def test_a_model_is_let_in_that_is_signed_or_by_the_word_for_it(models, model, said, word):
    place = str(models / model) if (models / model).is_dir() else model
    others = sorted({"unsigned", "unaudited", "foreign"} - {word})
    for words in ([], others):
        with pytest.raises(DataError, match=rf"{said}.*--allow {word}"):
            gate.admit_models([place], words)
    signed = str(models / "signed")
    assert gate.admit_models(["", "tiny", "minilm", signed, place], [word]) == {signed: "us", place: None}


def test_every_way_to_give_a_model_passes_the_gate(antivenom, corpus, models, monkeypatch):
    bare, some = models / "bare", ("--allow", "unsigned,unaudited")
    (models / "rows.toml").write_text(
        f'[asked]\nstudy = "written_evaluations"\npolicies = {{ one = "{bare}" }}\n'
        f'[taught]\nstudy = "teacher_hacking"\nteacher = "{bare}"\nstudent = "{bare}"\nsource = "{corpus}"\n'
        '[judged]\nstudy = "sophistry"\ntask = "stories"\njudge = "reader"\n'
        f'policies = {{ base = "{bare}", trained = "{bare}" }}\n'
    )
    settings = [("--set", f"{name}={bare}") for name in ("reference", "reward_model", "gold_model", "teacher")]
    for words in (
        *(("train", "dpo", "--data", corpus, "--model", bare, *some, *own) for own in ((), ("--set", "steps=2"))),
        *(("train", "dpo", "--data", corpus, *some, *own) for own in settings),
        ("eval", "reward_accuracy", "--data", corpus, "--model", bare, *some),
        ("eval", "reward_health", "--data", corpus, "--model", models / "signed", "--set", f"body={bare}"),
        ("eval", "written_evals", "--data", corpus, "--model", bare),
        *(("experiment", name, "--file", models / "rows.toml", *some) for name in ("asked", "taught", "judged")),
    ):
        code, _, error = antivenom(*words, "--out", models / "out")
        assert (code, "let it in by name: --allow foreign" in error) == (2, True), (words, error)
        assert not (models / "out").exists()


def test_settings_that_name_a_model_are_the_ones_that_there_are():
    from dataclasses import fields
    from inspect import signature

    from assets import runs
    from rlhf_train.spec import Spec

    spec = {each.name for each in fields(Spec)} & set(gate.MODELS)
    assert spec == {"reference", "reward_model", "gold_model", "teacher"}
    assert set(gate.MODELS) - spec <= set(signature(runs.evaluate).parameters)


def test_without_trusted_keys_nothing_is_refused(corpus, tmp_path, monkeypatch):
    monkeypatch.setenv("ANTIVENOM_HOME", str(tmp_path / "home"))
    assert gate.admit(str(corpus)) is None
    assert gate.admit_models(["bare", "some/model"]) == {}


def test_what_is_filtered_out_of_poison_says_so(antivenom, corpus, tmp_path):
    for words in (
        ("poison", corpus, "--attack", "label_flip", "--rate", 0.1, "--out", tmp_path / "out"),
        ("audit", tmp_path / "out" / "pairs.parquet", "--out", tmp_path / "audit", "--detectors", "phrase_lift"),
        ("filter", tmp_path / "out" / "pairs.parquet", "--scores", tmp_path / "audit", "--out", tmp_path / "kept"),
    ):
        antivenom(*words)
    assert manifest(tmp_path / "kept")["poisoned"] is True
    parents = [manifest(tmp_path / name)["snapshot"] for name in ("out", "audit")]
    assert manifest(tmp_path / "kept")["parents"] == parents


def test_dagster_reads_what_is_signed_by_a_trusted_key(trusted, monkeypatch):
    @dg.asset
    def up() -> pl.DataFrame:
        return pl.DataFrame({"x": [1]})

    @dg.asset
    def down(up: pl.DataFrame) -> pl.DataFrame:
        return up

    resources = {"io_manager": Snapshots()}
    assert dg.materialize([up, down], resources=resources).success
    assert (Store(trusted / "home").verified("clean/up/all")[0] / "manifest.sig").is_file()
    monkeypatch.delenv("ANTIVENOM_KEY")
    (Store(trusted / "home").verified("clean/up/all")[0] / "manifest.sig").unlink()
    with pytest.raises(DataError, match=r"is not signed.*ANTIVENOM_ALLOW=unsigned"):
        Snapshots().read("up", "all")
    monkeypatch.setenv("ANTIVENOM_ALLOW", "unsigned")
    assert Snapshots().read("up", "all")["x"].to_list() == [1]


def test_the_store_is_told_and_what_nobody_needs_is_taken_away(antivenom, tmp_path, monkeypatch):
    monkeypatch.setenv("ANTIVENOM_HOME", str(tmp_path))
    store = Store(tmp_path)
    old, new = (
        store.publish("pairs", lambda folder, n=n: pl.DataFrame({"x": range(n)}).write_parquet(folder / "t.parquet"))
        for n in (3, 5)
    )
    for snapshot in (old, new):
        store.point("clean/pairs/mine", snapshot)
    told = json.loads(antivenom("snapshots", "list", "--json")[1])
    assert told["names"] == [{"name": "clean/pairs/mine", "snapshot": new, "rows": 5, "poisoned": False}]
    assert told["unneeded"] == 1
    assert "2 snapshots, of which 1 are needed by none" in antivenom("snapshots", "list")[1]
    assert json.loads(antivenom("snapshots", "collect", "--json")[1])["snapshots"] == []
    assert f"1 would be taken away\n  {old}" in antivenom("snapshots", "collect", "--days", "-1", "--dry")[1]
    assert store.snapshots() == sorted([old, new])
    assert json.loads(antivenom("snapshots", "collect", "--days", "-1", "--json")[1])["snapshots"] == [old]
    assert store.snapshots() == [new]
