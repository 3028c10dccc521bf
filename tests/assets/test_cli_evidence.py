"""Provenance, attestations, data-set metadata and evidence as commands."""

import contextlib
import csv
import io
import json
import shutil
from pathlib import Path

import polars as pl
import pytest
import typer

from assets import cli
from assets.cli import audit, chaining, corpora
from pipelines.snapshots import digest_of, manifest
from tests.assets.conftest import rows
from tests.assets.test_report import Tags


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """Pairs, the folder of an attack on them, and of each an audit and what a filter parted by it."""
    here = tmp_path_factory.mktemp("published")
    (here / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows()))
    with contextlib.chdir(here):
        run(corpora.poison, source="pairs.jsonl", attack="label_flip", rate=0.1, out=Path("poisoned"))
        for name, source in (("", "poisoned/pairs.parquet"), ("clean_", "pairs.jsonl")):
            run(audit.audit, source=source, detectors="phrase_lift,contradictions", out=Path(f"{name}audit"))
            run(corpora.filter_, source=source, scores=Path(f"{name}audit"), out=Path(f"{name}filtered"))
    return here


def run(command, **given):
    """A command as the command line calls it, quietly."""
    with contextlib.suppress(typer.Exit), contextlib.redirect_stdout(io.StringIO()):
        cli.recorded(command)(**given, as_json=True)


@pytest.fixture
def here(published, tmp_path, monkeypatch):
    """A copy of all that, to be worked in, with a store of one's own that is empty."""
    shutil.copytree(published, tmp_path / "here")
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("ANTIVENOM_HOME", str(tmp_path / "home"))
    return tmp_path / "here"


@pytest.fixture
def trusted(antivenom, here):
    """A key that is trusted, and has signed nothing yet."""
    assert antivenom("keys", "new", "us", "--out", "us.pem")[0] == 0
    return here


def test_trace_tells_the_chain_of_a_pair_and_of_the_one_it_was_written_from(antivenom, here):
    key = pl.read_parquet("poisoned/poison_key.parquet").row(-1, named=True)
    host = pl.read_parquet("clean_audit/scores.parquet").filter(pair_id=key["host_pair_id"])["row"][0]
    assert host > 0
    code, said, _ = antivenom("trace", key["pair_id"], "--chain", "--json")
    assert code == 3
    mine, clean = json.loads(said)["chains"][key["pair_id"]]
    assert mine["written"][0]["host_pair_id"] == clean["pair_id"] == key["host_pair_id"]
    assert mine["written"][0]["key"] == manifest(here / "poisoned")["snapshot"]
    made = [(each["made_by"], each["folder"]) for each in mine["transforms"]]
    assert made == [("poison", "poisoned"), ("audit", "audit"), ("filter", "filtered")]
    assert mine["transforms"][0]["recipe"]["arguments"]["attack"] == "label_flip"
    assert [(each["source"], each["row"]) for each in clean["origins"]] == [("pairs.jsonl", host)]
    told = antivenom("trace", key["pair_id"], "--chain")[1]
    assert f"written by label_flip (swap), as the sealed key in poisoned says, from {key['host_pair_id']}" in told
    assert f"from pairs.jsonl row {host}" in told
    assert f"1. poison of pairs.jsonl ({digest_of(here / 'pairs.jsonl')[:12]})" in told
    assert "3. filter of 1, 2" in told
    assert "chains" not in json.loads(antivenom("trace", key["pair_id"], "--json")[1])
    assert json.loads(antivenom("trace", "nobody", "--chain", "--json")[1])["chains"] == {"nobody": []}


def test_what_a_source_is_called_speaks_to_no_terminal(tmp_path):
    from pipelines.snapshots.provenance import Chain, Origin, Place, Transform
    from pipelines.snapshots.tracing import Node

    node = Node(tmp_path, {"snapshot": "s" * 64, "kind": "x\x1b[31m\nforged line"})
    chain = Chain("p", (Transform(node, (), (), (Place("t.parquet", 1, "\x1b[2J", None),)),), (), ())
    told = chaining.lines(chain)
    assert isinstance(chain.origins[0], Origin)
    assert not any("\x1b" in line or "\n" in line for line in told)


def test_a_folder_is_attested_and_whoever_trusts_the_key_can_check_it(antivenom, trusted, tmp_path):
    attest = ("attest", "filtered", "--key", "us.pem", "--out", tmp_path / "filtered.json")
    assert antivenom(*attest)[2].startswith("antivenom: filtered: is not signed")
    assert antivenom("sign", "filtered", "--key", "us.pem")[0] == 0
    assert antivenom(*attest)[0] == antivenom(*attest)[0] == 0, "it stands in the place of the earlier one"
    for words, error in (
        (("verify", "audit", "--attestation", tmp_path / "filtered.json"), "and not audit as it is"),
        (("verify", "filtered", "--attestation", "pairs.jsonl"), "pairs.jsonl: no attestation that can be read"),
        (("verify", "filtered", "--attestation", "nowhere.json"), "nowhere.json: no attestation that can be read"),
        (("verify", "pairs.jsonl", "--attestation", tmp_path / "filtered.json"), "no readable manifest.json"),
        ((*attest[:-1], "filtered/new.json"), "was published, and no file may come to it"),
        ((*attest[:-1], "pairs.jsonl"), "something else stands there"),
        ((*attest[:3], "pairs.jsonl", *attest[4:]), "pairs.jsonl: no private key that can be read"),
    ):
        code, _, told = antivenom(*words)
        assert (code, error in told) == (2, True), told
    (trusted / "filtered" / "manifest.sig").unlink()  # the attestation says as much
    code, said, _ = antivenom("verify", "filtered", "--attestation", tmp_path / "filtered.json", "--json")
    assert (code, json.loads(said)["attested_by"]) == (0, "us")
    assert antivenom("keys", "revoke", "us")[0] == 0
    assert "whose key was revoked" in antivenom("verify", "filtered", "--attestation", tmp_path / "filtered.json")[2]


def test_an_attestation_is_held_against_trusted_keys_or_not_believed(antivenom, here):
    assert antivenom("keys", "new", "us", "--out", "us.pem", "--trust", "elsewhere.json")[0] == 0
    assert antivenom("attest", "filtered", "--key", "us.pem", "--out", "said.json")[0] == 0
    code, _, error = antivenom("verify", "filtered", "--attestation", "said.json")
    assert (code, "name it with --trust" in error) == (2, True)
    assert "attested by us" in antivenom("verify", "filtered", "--attestation", "said.json", "--trust", "elsewhere.json")[1]


def test_tables_are_described_and_what_is_still_to_be_told_is_named(antivenom, here):
    words = ("croissant", "poisoned", "--out", "about/poisoned.json", "--license", "CC-BY-4.0")
    code, said, _ = antivenom(*words, "--json")
    assert (code, json.loads(said)["lacking"]) == (0, ["url", "creator", "datePublished"])
    found = json.loads(Path("about/poisoned.json").read_text())
    assert found["name"] == "POISONED poisoned"
    assert {each["contentUrl"] for each in found["distribution"]} == {
        "../poisoned/pairs.parquet", "../poisoned/poison_key.parquet",
    }  # fmt: skip
    told = antivenom(*words, "--url", "https://example.org", "--creator", "us", "--date", "2026-05-01")[1]
    assert "was not told" not in told
    for more, error in (
        (("--url", "javascript:alert(1)"), "begins with https://"),
        (("--date", "soon"), "--date is a day such as 2026-05-01"),
    ):
        code, _, told = antivenom(*words, *more)
        assert (code, error in told) == (2, True), told
    assert "no readable manifest.json" in antivenom("croissant", "about", "--out", "other.json")[2]


def test_what_nobody_signed_is_not_described_where_trust_is_in_force(antivenom, trusted, monkeypatch):
    words = ("croissant", "filtered", "--out", "filtered.json")
    assert "filtered: is not signed" in antivenom(*words)[2]
    monkeypatch.setenv("ANTIVENOM_ALLOW", "unsigned")
    assert antivenom(*words)[0] == 0


def test_evidence_is_shown_to_people_spreadsheets_and_programs(antivenom, here):
    code, said, _ = antivenom("evidence", "--out", "shown/first", "--json")
    told = json.loads(said)
    assert (code, len(told["controls"]), len(told["folders"]), told["changed"]) == (0, 13, 5, [])
    assert all((here / "shown" / "first" / file).is_file() for row in told["controls"] for file in row["files"])
    with open("shown/first/evidence.csv", newline="") as file:
        assert [row["status"] for row in csv.DictReader(file)] == [row["status"] for row in told["controls"]]
    links = [
        attrs["href"]
        for tag, attrs in Tags(Path("shown/first/evidence.html").read_text()).tags
        if tag == "a" and attrs["href"][0] != "#"
    ]
    assert links
    assert all((here / "shown" / "first" / link).is_file() for link in links)
    first = manifest(here / "shown" / "first")["content"]
    assert "a person must judge" in antivenom("evidence", "--out", "shown/first")[1]
    assert manifest(here / "shown" / "first")["content"] == first, "it tells of no evidence"
    (here / "audit" / "report.html").write_text("all is well")
    code, said, _ = antivenom("evidence", "--out", "shown/first")
    assert (code, "CHANGED: audit/report.html: changed since it was published" in said) == (3, True)


def test_where_nothing_was_published_there_is_no_evidence_to_show(antivenom, here):
    Path("bare").mkdir()
    for place, error in (("bare", "bare: nothing there was published"), ("pairs.jsonl", "pairs.jsonl: no folder")):
        code, _, told = antivenom("evidence", place, "--out", "shown")
        assert (code, error in told, Path("shown").exists()) == (2, True, False), told
