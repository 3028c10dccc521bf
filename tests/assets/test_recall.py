"""What a pair reached, and all of it made again without the pair, as commands."""

import json

import polars as pl
import pytest

from pipelines.snapshots import digest_of, manifest, verify

QUICK = ("--set", "steps=2", "--set", "pretrain_steps=2")


@pytest.fixture
def made(antivenom, corpus, tmp_path, monkeypatch, one_thread):
    """A corpus that was poisoned, audited and filtered, two policies, one of each, and what came of them."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ANTIVENOM_HOME", str(tmp_path / "home"))
    corpus.write_text("".join(corpus.read_text().splitlines(keepends=True)[:120]))
    for words in (
        ("poison", "pairs.jsonl", "--attack", "best_of_venom", "--rate", 0.2, "--seed", 3, "--out", "poisoned"),
        ("audit", "poisoned/pairs.parquet", "--out", "audit", "--detectors", "phrase_lift"),
        ("filter", "poisoned/pairs.parquet", "--scores", "audit", "--out", "filtered"),
        ("train", "sft", "--data", "filtered/kept.parquet", "--out", "policy", *QUICK),
        ("train", "dpo", "--data", "filtered/kept.parquet", "--model", "policy", "--out", "aligned", "--set", "steps=2"),
        ("train", "sft", "--data", "pairs.jsonl", "--out", "plain", *QUICK),
        ("eval", "reward_accuracy", "--data", "pairs.jsonl", "--model", "aligned", "--out", "accuracy"),
    ):
        assert antivenom(*words)[0] in (0, 3), words
    return tmp_path


def pairs(folder, name):
    return pl.read_parquet(folder / f"{name}.parquet")["pair_id"].to_list()


def traced(antivenom, *words):
    code, said, _ = antivenom("trace", *words, "--json")
    found = {each["folder"]: each["how"] for each in json.loads(said)["reached"]}
    assert code == (3 if found else 0)
    return found


def test_a_pair_is_followed_to_all_that_was_made_of_it(antivenom, made):
    written = pl.read_parquet(made / "poisoned" / "poison_key.parquet")["pair_id"].to_list()
    caught = sorted(set(pairs(made / "filtered", "quarantined")) & set(written))[0]
    passed = sorted(set(pairs(made / "filtered", "kept")) - set(written))[0]
    holding = {"poisoned": "holds", "audit": "holds", "filtered": "holds"}
    beside = {"policy": "beside", "aligned": "beside", "accuracy": "beside"}
    learned = {"policy": "learned", "aligned": "learned", "accuracy": "learned"}
    assert traced(antivenom, caught) == holding | beside
    assert traced(antivenom, passed) == holding | learned | {"plain": "learned"}
    assert traced(antivenom, "0000000000000000") == {}
    assert traced(antivenom, caught, "--in", "policy") == {}
    assert traced(antivenom, "--audit", "audit") == holding | beside
    told = antivenom("trace", caught)[1]
    assert "holds it" in told
    assert "was made beside it, without it" in told
    assert "aligned  through " in told


def test_a_finding_stands_for_its_pairs(antivenom, made):
    scores = pl.read_parquet(made / "audit" / "scores.parquet").filter("is_flagged")
    said = json.loads(antivenom("trace", "--audit", "audit", "--reason", "Zorvex", "--json")[1])
    assert said["pairs"] == scores.filter(pl.col("reason").str.contains("Zorvex"))["pair_id"].to_list()
    for words, error in (
        (("--audit", "audit", "--reason", "nonesuch"), "nothing was flagged for 'nonesuch'; there is"),
        ((), "name pairs by their pair_id, or --audit"),
        (("x", "--audit", "audit"), "one of both"),
        (("x", "--in", "nowhere"), "nowhere: no folder"),
    ):
        code, _, told = antivenom("trace", *words)
        assert code == 2
        assert error in told


def test_all_is_made_again_without_a_pair_that_was_learned(antivenom, made):
    written = set(pl.read_parquet(made / "poisoned" / "poison_key.parquet")["pair_id"])
    one = sorted(set(pairs(made / "filtered", "kept")) - written)[0]
    code, said, _ = antivenom("recall", one, "--out", "again", "--json")
    assert code == 0
    again = {each["was"]: each["is"] for each in json.loads(said)["folders"]}
    names = ("poisoned", "audit", "filtered", "policy", "aligned", "plain", "accuracy")
    assert again == {name: f"again/{name}" for name in names}
    assert traced(antivenom, one, "--in", "again") == {}
    for name in names:
        verify(made / "again" / name)
        verify(made / name)  # what was there is as it was
    assert set(pairs(made, "filtered/kept")) - set(pairs(made, "again/filtered/kept")) >= {one}
    weights = [digest_of(made / place / "policy" / "model.safetensors") for place in ("", "again")]
    assert weights[0] != weights[1]
    assert manifest(made / "again" / "aligned")["parents"] == [
        manifest(made / "again" / name)["snapshot"] for name in ("filtered", "policy")
    ]


def test_what_comes_out_as_before_is_used_as_it_is(antivenom, made):
    written = set(pl.read_parquet(made / "poisoned" / "poison_key.parquet")["pair_id"])
    caught = sorted(set(pairs(made / "filtered", "quarantined")) & written)[0]
    code, said, _ = antivenom("recall", caught, "--out", "again", "--json")
    assert code == 0
    again = {each["was"]: each["is"] for each in json.loads(said)["folders"]}
    assert again["poisoned"] == "again/poisoned"
    assert pairs(made / "again" / "filtered", "kept") == pairs(made / "filtered", "kept")
    assert {name: again[name] for name in ("policy", "aligned", "accuracy")} == {
        name: name for name in ("policy", "aligned", "accuracy")
    }
    assert caught not in pairs(made / "again" / "poisoned", "pairs")
    assert caught not in pairs(made / "again" / "poisoned", "poison_key")
    assert manifest(made / "again" / "poisoned")["recalled"] == [caught]
    assert manifest(made / "again" / "poisoned")["poisoned"] is True
    assert antivenom("recall", caught, "--out", "again")[0] == 0, "the same command finds what it made"


def test_a_folder_that_was_changed_is_not_made_again_of(antivenom, made):
    (made / "poisoned" / "pairs.parquet").write_bytes(b"x")
    one = pairs(made / "filtered", "kept")[0]
    code, _, error = antivenom("recall", one, "--out", "again")
    assert code == 2
    assert "pairs.parquet: changed since it was published" in error


def test_a_folder_of_files_and_models_that_a_file_of_settings_names_are_moved_too(antivenom, made):
    (made / "rows").mkdir()
    (made / "rows" / "part.jsonl").write_text((made / "pairs.jsonl").read_text())
    (made / "spec.toml").write_text('teacher = "plain"\nsteps = 2\npretrain_steps = 2\n')
    assert antivenom("train", "sft", "--data", "rows", "--out", "whole", *QUICK)[0] == 0
    words = ("--data", "pairs.jsonl", "--model", "plain", "--spec", "spec.toml", "--out", "pupil")
    code, _, error = antivenom("train", "distillation", *words)
    assert code == 0, error
    assert manifest(made / "plain")["snapshot"] in manifest(made / "pupil")["parents"]
    written = set(pl.read_parquet(made / "poisoned" / "poison_key.parquet")["pair_id"])
    one = sorted(set(pairs(made / "poisoned", "pairs")) - written)[0]
    code, said, error = antivenom("recall", one, "--out", "again", "--json")
    assert code == 0, error
    again = {each["was"]: each for each in json.loads(said)["folders"]}
    assert [again[name]["is"] for name in ("whole", "plain", "pupil")] == ["again/whole", "again/plain", "again/pupil"]
    assert manifest(made / "again" / "plain")["snapshot"] in manifest(made / "again" / "pupil")["parents"]
    assert manifest(made / "plain")["snapshot"] not in manifest(made / "again" / "pupil")["parents"]
    assert traced(antivenom, one, "--in", "again") == {}


def test_a_reward_model_hands_on_what_it_learned_from(antivenom, made):
    reward = ("train", "bradley_terry", "--data", "poisoned/pairs.parquet", "--out", "reward", "--set", "steps=2")
    code, _, error = antivenom(*reward)
    assert code == 0, error
    settings = ("--set", "reward_model=reward", "--set", 'rounds={"prompts": 4, "batch": 4}', "--set", "steps=1")
    words = ("--data", "pairs.jsonl", "--model", "plain", "--out", "better", *settings)
    code, _, error = antivenom("train", "ppo", *words)
    assert code == 0, error
    written = pl.read_parquet(made / "poisoned" / "poison_key.parquet")["pair_id"][0]
    assert manifest(made / "better")["poisoned"] is True
    assert traced(antivenom, written)["better"] == "learned"


def test_no_key_of_a_server_stands_in_a_manifest():
    from assets.cli import _plain

    given = ["writing.api_key=sk-1", "api_key=sk-2", "judging.password=x", "token=y", "tokens=5", "text=api_key=z"]
    assert _plain(given) == ["tokens=5", "text=api_key=z"]


def test_what_learned_from_a_file_that_is_gone_is_told_and_not_passed_off(antivenom, made):
    written = set(pl.read_parquet(made / "poisoned" / "poison_key.parquet")["pair_id"])
    one = sorted(set(pairs(made / "poisoned", "pairs")) - written)[0]
    (made / "pairs.jsonl").unlink()
    code, said, _ = antivenom("recall", one, "--out", "again", "--json")
    assert code == 3
    again = {each["was"]: each for each in json.loads(said)["folders"]}
    assert again["plain"]["is"] is None
    assert "make it anew" in again["plain"]["why"]
    assert again["filtered"]["is"] == "again/filtered"
    assert again["accuracy"]["is"] is None
    assert "pairs.jsonl" in again["accuracy"]["why"]
