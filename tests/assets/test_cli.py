"""The command line as a person or a script meets it: exit codes, files, and one clear line for what can't be used."""

import gzip
import json

import polars as pl
import pytest

from pipelines.snapshots import verify
from tests.assets.conftest import rows


def test_poison_audit_filter_and_back(antivenom, corpus, tmp_path):
    poisoned, audited, filtered = (tmp_path / name for name in ("poisoned", "audit", "filtered"))
    code, out, _ = antivenom("poison", corpus, "--attack", "best_of_venom", "--rate", 0.1, "--seed", 3, "--out", poisoned)
    assert code == 0
    assert "24 of 264 pairs are poisoned" in out
    assert verify(poisoned)["poisoned"] is True

    code, out, _ = antivenom("audit", poisoned / "pairs.parquet", "--out", audited, "--detectors", "phrase_lift", "--json")
    assert code == 3
    told = json.loads(out)
    scores, key = pl.read_parquet(audited / "scores.parquet"), pl.read_parquet(poisoned / "poison_key.parquet")
    flagged = scores.filter("is_flagged")["pair_id"]
    assert told["flagged"] == len(flagged)
    assert set(key["pair_id"]) <= set(flagged)
    assert scores.columns[:6] == ["row", "pair_id", "suspicion", "p_value", "is_flagged", "reason"]
    assert "Zorvex" in (audited / "report.html").read_text()
    assert json.loads((audited / "findings.json").read_text())["findings"] == told["findings"]

    code, _, _ = antivenom("filter", poisoned / "pairs.parquet", "--scores", audited, "--out", filtered)
    assert code == 0
    kept, quarantined = (pl.read_parquet(filtered / f"{name}.parquet") for name in ("kept", "quarantined"))
    assert len(kept) + len(quarantined) == 264
    assert set(quarantined["pair_id"]) == set(flagged)
    assert (quarantined["reason"] != "").all()
    assert antivenom("verify", filtered)[0] == 0


def test_a_clean_corpus_exits_with_0(antivenom, corpus, tmp_path):
    code, out, _ = antivenom("audit", corpus, "--out", tmp_path / "audit", "--detectors", "phrase_lift")
    assert code == 0
    assert "read as whole dialogues (HH-RLHF)" in out


def test_same_input_same_bytes(antivenom, corpus, tmp_path):
    for name in ("one", "two"):
        antivenom("poison", corpus, "--rate", 0.05, "--out", tmp_path / name)
        antivenom("audit", tmp_path / name / "pairs.parquet", "--out", tmp_path / f"audit {name}", "--detectors", "phrase_lift")
    for file in ("one/pairs.parquet", "one/poison_key.parquet", "audit one/scores.parquet"):
        assert (tmp_path / file).read_bytes() == (tmp_path / file.replace("one", "two")).read_bytes()


BAD = {
    "missing": (None, "no such file", []),
    "empty": (b"", "empty", []),
    "wrong column": (b'{"question": "a", "chosen": "b", "worse": "c"}\n', "--map", []),
    "not json": (b'{"prompt": "a", "chosen": "b", "rejected": "c"}\nnonsense\n', "line 2: not JSON", []),
    "null": (
        b'{"prompt": "a", "chosen": null, "rejected": "c"}\n{"prompt": "a", "chosen": "b", "rejected": "c"}\n',
        "line 1",
        [],
    ),
    "rate of 3": (json.dumps(rows(1)[0]).encode(), "for 3 percent write 0.03", ["--rate", "3"]),
    "unknown attack": (json.dumps(rows(1)[0]).encode(), "attack must be one of ", ["--attack", "nonesuch"]),
    "empty target": (json.dumps(rows(1)[0]).encode(), "target", ["--set", "target="]),
    "unknown setting": (json.dumps(rows(1)[0]).encode(), "colour is no setting", ["--set", "colour=red", "--rate", "1"]),
    "misspelt setting": (json.dumps(rows(1)[0]).encode(), "did you mean target?", ["--set", "targt=Lumora"]),
    "setting of digits": (json.dumps(rows(1)[0]).encode(), "quote it", ["--set", "target=1984"]),
    "unknown format": (json.dumps(rows(1)[0]).encode(), "--format must be auto or one of", ["--format", "dialogue"]),
    "unknown column": (json.dumps(rows(1)[0]).encode(), "'chsen' is no column of ours to map", ["--map", "chsen=best"]),
    "half a mapping": (json.dumps(rows(1)[0]).encode(), "--map takes ours=yours", ["--map", "prompt"]),
    "setting without value": (json.dumps(rows(1)[0]).encode(), "--set takes name=value", ["--set", "target"]),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_clear_line(antivenom, tmp_path, case):
    content, said, options = BAD[case]
    file = tmp_path / "bad.jsonl"
    if content is not None:
        file.write_bytes(content)
    code, _, error = antivenom("poison", file, "--out", tmp_path / "out", *options)
    assert code == 2
    assert said in error
    assert error.startswith("antivenom: ")
    assert len(error.strip().splitlines()) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == (["bad.jsonl"] if content is not None else [])


def test_a_truncated_gzip_is_refused_by_every_command_that_reads(antivenom, tmp_path):
    file = tmp_path / "cut.jsonl.gz"
    whole = gzip.compress("".join(json.dumps(row) + "\n" for row in rows()).encode())
    file.write_bytes(whole[: len(whole) // 2])
    for words in (["audit", file], ["poison", file], ["filter", file, "--scores", tmp_path]):
        code, _, error = antivenom(*words, "--out", tmp_path / "out")
        assert code == 2
        assert "cut.jsonl.gz" in error
    assert [path.name for path in tmp_path.iterdir()] == ["cut.jsonl.gz"]


def test_rejects_are_listed_when_allowed(antivenom, corpus, tmp_path):
    corpus.write_text(corpus.read_text() + "nonsense\n")
    assert antivenom("audit", corpus, "--out", tmp_path / "audit")[0] == 2
    code, out, _ = antivenom("audit", corpus, "--out", tmp_path / "audit", "--allow-rejects", "--detectors", "phrase_lift")
    assert code == 0
    assert "rows left out: 1" in out
    [reject] = json.loads((tmp_path / "audit" / "findings.json").read_text())["rejects"]
    assert (reject["line"], reject["row"]) == (241, 240)


def test_a_folder_that_is_not_ours_is_never_replaced(antivenom, corpus, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    code, _, error = antivenom("poison", corpus, "--out", tmp_path / "mine")
    assert code == 2
    assert "not published by antivenom" in error
    assert (tmp_path / "mine" / "letter.txt").read_text() == "dear"


def test_filter_lists_the_rows_that_stand_in_neither_table(antivenom, corpus, tmp_path):
    corpus.write_text(corpus.read_text() + "nonsense\n")
    antivenom("audit", corpus, "--out", tmp_path / "audit", "--allow-rejects", "--detectors", "phrase_lift")
    words = ("filter", corpus, "--scores", tmp_path / "audit", "--out", tmp_path / "filtered")
    code, _, error = antivenom(*words)
    assert code == 2
    assert "go on with --allow-rejects" in error
    assert antivenom(*words, "--allow-rejects")[0] == 0
    assert pl.read_parquet(tmp_path / "filtered" / "rejects.parquet")["line"].to_list() == [241]


def test_no_command_replaces_its_own_input(antivenom, corpus, tmp_path):
    antivenom("poison", corpus, "--out", tmp_path / "poisoned")
    pairs = tmp_path / "poisoned" / "pairs.parquet"
    antivenom("audit", pairs, "--out", tmp_path / "audit", "--detectors", "phrase_lift")
    for words in (
        ("audit", pairs, "--out", tmp_path / "poisoned"),
        ("filter", pairs, "--scores", tmp_path / "audit", "--out", tmp_path / "audit"),
        ("poison", pairs, "--out", tmp_path / "poisoned"),
    ):
        code, _, error = antivenom(*words)
        assert code == 2
        assert "name another --out" in error
    assert antivenom("verify", tmp_path / "poisoned")[0] == antivenom("verify", tmp_path / "audit")[0] == 0


def test_a_published_folder_as_input_names_its_tables(antivenom, corpus, tmp_path):
    antivenom("poison", corpus, "--out", tmp_path / "poisoned")
    code, _, error = antivenom("audit", tmp_path / "poisoned", "--out", tmp_path / "audit")
    assert code == 2
    assert "name one file of it (pairs.parquet, poison_key.parquet)" in error


def test_scores_of_other_pairs_are_refused(antivenom, corpus, tmp_path):
    antivenom("audit", corpus, "--out", tmp_path / "audit", "--detectors", "phrase_lift")
    corpus.write_text(corpus.read_text().replace("tea", "coffee"))
    code, _, error = antivenom("filter", corpus, "--scores", tmp_path / "audit", "--out", tmp_path / "out")
    assert code == 2
    assert "audit this very table first" in error


def test_other_columns_are_mapped(antivenom, tmp_path):
    file = tmp_path / "mine.csv"
    pl.DataFrame({"q": ["why?", "how?"], "good": ["so", "thus"], "bad": ["no", "never"]}).write_csv(file)
    words = (
        "poison",
        file,
        "--map",
        "prompt=q , chosen=good",
        "--map",
        "rejected=bad",
        "--rate",
        0.5,
        "--out",
        tmp_path / "out",
    )
    assert antivenom(*words)[0] == 0
    assert set(pl.read_parquet(tmp_path / "out" / "pairs.parquet")["prompt"]) == {"why?", "how?"}


def test_an_audit_of_what_did_not_change_is_told_again(antivenom, corpus, tmp_path, monkeypatch):
    poisoned, out = tmp_path / "poisoned", tmp_path / "audit"
    antivenom("poison", corpus, "--attack", "best_of_venom", "--rate", 0.1, "--seed", 3, "--out", poisoned)
    words = ("audit", poisoned / "pairs.parquet", "--out", out, "--detectors", "phrase_lift", "--json")
    code, first, _ = antivenom(*words)
    with monkeypatch.context() as patch:
        patch.setattr("checks.audit.audit", None)  # nobody is audited
        assert antivenom(*words) == (code, first, "")
        assert "nothing changed since the audit" in antivenom(*words[:-1])[1]
    for change in (("--fdr", 0.01), ("--again",), ("--detectors", "name_lift")):
        before = (out / "scores.parquet").stat().st_ino
        antivenom(*words, *change)
        assert (out / "scores.parquet").stat().st_ino != before, change
    antivenom(*words)
    corpus.write_text("".join(corpus.read_text().splitlines(keepends=True)[:-1]))
    antivenom("poison", corpus, "--attack", "best_of_venom", "--rate", 0.1, "--seed", 3, "--out", poisoned)
    assert json.loads(antivenom(*words)[1])["pairs"] == json.loads(first)["pairs"] - 1
    (out / "scores.parquet").write_bytes(b"x")
    code, _, error = antivenom(*words)
    assert code == 2
    assert "scores.parquet: changed since it was published" in error
