"""Snapshots to and from an object store, and pairs read from one, as commands."""

import json
import uuid
from pathlib import Path

import fsspec
import polars as pl
import pytest

from pipelines.snapshots import Store, digest_of, manifest


@pytest.fixture
def home(antivenom, tmp_path, monkeypatch):
    """A store with a signed snapshot, and its key in force."""
    monkeypatch.setenv("ANTIVENOM_HOME", str(tmp_path / "home"))
    antivenom("keys", "new", "us", "--out", tmp_path / "us.pem")
    monkeypatch.setenv("ANTIVENOM_KEY", str(tmp_path / "us.pem"))
    store = Store(tmp_path / "home")
    made = store.publish("pairs", lambda folder: pl.DataFrame({"x": [1]}).write_parquet(folder / "t.parquet"))
    store.point("clean/pairs/mine", made)
    return store


def test_a_snapshot_goes_there_and_comes_back_where_its_key_is_trusted(antivenom, home, tmp_path, monkeypatch):
    url, name, held = f"file://{tmp_path}/bucket", "clean/pairs/mine", home.resolve("clean/pairs/mine")
    code, said, _ = antivenom("snapshots", "push", name, url, "--json")
    assert (code, json.loads(said)) == (0, {"name": name, "snapshot": held, "snapshots": [held], "files": 1})
    assert f"{name}: nothing lacked; it is {held[:12]}" in antivenom("snapshots", "push", name, url)[1]
    assert "1 snapshots, 1 files sent" in antivenom("snapshots", "push", name, url, "--again")[1]
    monkeypatch.setenv("ANTIVENOM_TRUST", str(home.root / "trust.json"))
    monkeypatch.setenv("ANTIVENOM_HOME", str(tmp_path / "other"))
    assert "1 snapshots, 1 files fetched" in antivenom("snapshots", "pull", name, url)[1]
    other = Store(tmp_path / "other")
    assert (other.verified(name)[0] / "manifest.sig").is_file()
    assert antivenom("keys", "revoke", "us")[0] == 0
    monkeypatch.setenv("ANTIVENOM_HOME", str(tmp_path / "third"))
    code, _, error = antivenom("snapshots", "pull", name, url)
    assert code == 2
    assert "key was revoked" in error
    assert "ANTIVENOM_ALLOW=unsigned" in error
    assert Store(tmp_path / "third").snapshots() == []
    monkeypatch.setenv("ANTIVENOM_ALLOW", "unsigned")
    assert antivenom("snapshots", "pull", name, url)[0] == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("push", "clean/nothing", "memory://x"), "no snapshot has that name in"),
        (("pull", "clean/nothing", "memory://x"), "memory://x/refs/clean/nothing: no snapshot has that name there"),
        (("pull", "0" * 64, "memory://x"), "no such snapshot there"),
        (("push", "clean/pairs/mine", "bucket"), "expected an address such as s3://"),
    ],
)
def test_what_is_not_there_is_said_in_a_line(antivenom, home, words, said):
    code, _, error = antivenom("snapshots", *words)
    assert code == 2
    assert said in error
    assert error.count("\n") == 1


@pytest.fixture
def address(corpus):
    """The corpus in an object store, and a way to put another one there."""
    url = f"memory://{uuid.uuid4().hex}/pairs.jsonl"

    def put(text: str) -> str:
        fsspec.filesystem("memory").pipe_file(url, text.encode())
        return url

    put(corpus.read_text())
    return put


def test_pairs_are_audited_where_they_lie_and_again_once_they_change(antivenom, corpus, address, tmp_path):
    url, folders = address(corpus.read_text()), set(Path(corpus.parent).iterdir())
    words = ("audit", url, "--out", tmp_path / "audit", "--detectors", "degenerate", "--json")
    assert antivenom(*words)[0] == 0
    told = manifest(tmp_path / "audit")
    assert (told["parents"], told["input"]) == ([digest_of(corpus)], url)
    assert told["recipe"]["arguments"]["source"] == url
    assert antivenom(*words)[0] == 0
    assert manifest(tmp_path / "audit") == told
    assert "nothing changed since" in antivenom(*words[:-1])[1]
    lines = corpus.read_text().splitlines(keepends=True)
    address("".join(lines[:100]))
    assert json.loads(antivenom(*words)[1])["pairs"] == 100
    assert manifest(tmp_path / "audit")["parents"] != told["parents"]
    assert antivenom("filter", url, "--scores", tmp_path / "audit", "--out", tmp_path / "kept", "--json")[0] == 0
    assert len(pl.read_parquet(tmp_path / "kept" / "kept.parquet")) == 100
    poison = ("poison", url, "--attack", "label_flip", "--rate", 0.1, "--out", tmp_path / "poisoned", "--json")
    assert json.loads(antivenom(*poison)[1])["poisoned_pairs"] == 10
    assert set(Path(corpus.parent).iterdir()) - folders == {tmp_path / name for name in ("audit", "kept", "poisoned")}


def test_an_address_without_pairs_is_said_in_a_line(antivenom, address, tmp_path):
    for url, said in (
        (address("[]").replace("pairs", "others"), "others.jsonl: FileNotFoundError"),
        (address("[]"), "pairs.jsonl"),
        ("nonesuch://bucket/pairs.jsonl", "Protocol not known"),
    ):
        code, _, error = antivenom("audit", url, "--out", tmp_path / "out")
        assert code == 2
        assert said in error
        assert error.count("\n") == 1
