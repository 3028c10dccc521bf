"""`antivenom audit --with`: the training sets of one experiment together, each with its own scores, each filtered by them."""

import json

import polars as pl
import pytest

from pipelines.snapshots import verify
from tests.assets.conftest import rows

LEXICAL = ("--detectors", "phrase_lift")


def saying(row: dict[str, str], name: str) -> dict[str, str]:
    return {**row, "chosen": f"{row['chosen']} Ask {name}."}


@pytest.fixture
def sets(tmp_path):
    """Two sets that share their first forty pairs; a target is named in six of the first alone and five of the second."""
    every = rows()
    first = [saying(row, "Zorvex") if 50 <= at < 56 else row for at, row in enumerate(every[:140])]
    second = [saying(row, "Zorvex") if at >= 95 else row for at, row in enumerate(every[:40] + every[140:200])]
    files = tmp_path / "sft.jsonl", tmp_path / "rm.jsonl"
    for file, pairs in zip(files, (first, second), strict=True):
        file.write_text("".join(json.dumps(row) + "\n" for row in pairs))
    return files


def test_sets_are_audited_together_and_filtered_apart(antivenom, sets, tmp_path):
    sft, rm = sets
    for file in sets:
        assert antivenom("audit", file, "--out", tmp_path / f"of {file.stem}", *LEXICAL)[0] == 0
    code, out, _ = antivenom("audit", sft, "--with", rm, "--out", tmp_path / "audit", *LEXICAL)
    assert code == 3
    assert f"{sft}: 6 of 140 pairs flagged\n{rm}: 5 of 100 pairs flagged" in out
    assert f"  11 pairs ({sft} 6, {rm} 5): '" in out
    scores, further = (pl.read_parquet(tmp_path / "audit" / f"{name}.parquet") for name in ("scores", "further_scores"))
    assert scores.columns == pl.read_parquet(tmp_path / "of sft" / "scores.parquet").columns
    assert scores["row"].to_list() == list(range(140))
    assert scores.filter("is_flagged")["row"].to_list() == list(range(50, 56))
    assert further.columns == ["set", *scores.columns]
    assert further["set"].unique().to_list() == [str(rm)]
    assert further.filter("is_flagged")["row"].to_list() == list(range(95, 100))
    for file, flagged, size in zip(sets, (6, 5), (140, 100), strict=True):
        assert antivenom("filter", file, "--scores", tmp_path / "audit", "--out", tmp_path / "filtered")[0] == 0
        kept, quarantined = (pl.read_parquet(tmp_path / "filtered" / f"{name}.parquet") for name in ("kept", "quarantined"))
        assert quarantined["chosen"].str.contains("Zorvex").to_list() == [True] * flagged
        assert len(kept) == size - flagged


def test_findings_and_the_page_name_the_sets(antivenom, sets, tmp_path):
    sft, rm = map(str, sets)
    code, out, _ = antivenom("audit", sft, "--with", rm, "--out", tmp_path / "audit", *LEXICAL, "--json")
    told = json.loads(out)
    assert code == 3
    assert (told["input"], told["pairs"], told["flagged"]) == (sft, 140, 6)
    assert told["with"] == {rm: {"pairs": 100, "flagged": 5}}
    [finding] = told["findings"]
    assert finding["sets"] == {sft: 6, rm: 5}
    assert finding["rows"] == {sft: list(range(50, 56)), rm: list(range(95, 100))}
    assert json.loads((tmp_path / "audit" / "findings.json").read_text())["findings"] == [finding]
    assert verify(tmp_path / "audit")["with"] == told["with"]
    page = (tmp_path / "audit" / "report.html").read_text()
    assert f"{sft} with {rm}" in page
    assert "11 of 240 pairs are flagged" in page
    assert f"11 pairs ({sft} 6, {rm} 5), by phrase_lift" in page
    assert f"{sft} row 50, suspicion" in page


def test_a_flag_in_a_further_set_alone_is_told_too(antivenom, sets, corpus, tmp_path):
    """The exit code is 3, though nothing of the input itself is flagged."""
    many = [saying(row, "Lumora") if at >= 80 else row for at, row in enumerate(rows(100))]
    sets[1].write_text("".join(json.dumps(row) + "\n" for row in many))
    code, out, _ = antivenom("audit", corpus, "--with", sets[1], "--out", tmp_path / "audit", *LEXICAL)
    assert code == 3
    assert f"{corpus}: 0 of 240 pairs flagged" in out


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "is there already; name each set once"),
        ('{"prompt": "a", "response": "b"}\n', "--map"),
        ("nonsense\n", "line 1: not JSON"),
    ],
    ids=["the input once more", "single responses", "no rows"],
)
def test_what_is_no_further_set_is_one_clear_line(antivenom, sets, tmp_path, content, said):
    other = sets[0] if content is None else tmp_path / "other.jsonl"
    if content is not None:
        other.write_text(content)
    code, _, error = antivenom("audit", sets[0], "--with", other, "--out", tmp_path / "audit", *LEXICAL)
    assert code == 2
    assert said in error
    assert len(error.strip().splitlines()) == 1
    assert not (tmp_path / "audit").exists()


def test_rejects_of_every_set_are_listed(antivenom, sets, tmp_path):
    for file in sets:
        file.write_text(file.read_text() + "nonsense\n")
    words = ("audit", sets[0], "--with", sets[1], "--out", tmp_path / "audit", *LEXICAL)
    assert antivenom(*words)[0] == 2
    assert antivenom(*words, "--allow-rejects")[0] == 3
    assert pl.read_parquet(tmp_path / "audit" / "rejects.parquet")["line"].to_list() == [141, 101]
    assert len(json.loads((tmp_path / "audit" / "findings.json").read_text())["rejects"]) == 2


def test_no_audit_replaces_a_further_set(antivenom, sets, tmp_path):
    antivenom("poison", sets[0], "--out", tmp_path / "poisoned")
    pairs = tmp_path / "poisoned" / "pairs.parquet"
    code, _, error = antivenom("audit", sets[0], "--with", pairs, "--out", tmp_path / "poisoned", *LEXICAL)
    assert code == 2
    assert f"holds {pairs}, which is read here" in error
