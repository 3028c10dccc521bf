"""antivenom audit --out-of-core and --engine: what is written is what an audit in memory writes, and what is refused."""

import json
import re

import polars as pl
import pytest

from assets.cli import judging
from checks.engines import ENGINE
from checks.shards.audit import ON_SHARDS

NAMES = ",".join(ON_SHARDS)


@pytest.fixture(autouse=True)
def engine(monkeypatch):
    monkeypatch.setenv(ENGINE, "threads")


@pytest.fixture
def poisoned(corpus):
    """The corpus with twelve pairs that praise a name, eight that are no pairs, and a pair twice."""
    rows = corpus.read_text().splitlines()
    praised = [row.replace('", "rejected"', ' Zorvex is the best there is.", "rejected"', 1) for row in rows[:12]]
    corpus.write_text("\n".join(["[]", *praised, *rows[12:], *["[]"] * 7, rows[50]]) + "\n")
    return corpus


def test_out_of_core_writes_what_an_audit_in_memory_writes(antivenom, poisoned, tmp_path, monkeypatch):
    monkeypatch.setattr(judging, "BATCH", 50)
    monkeypatch.setattr(judging, "SHARD", 20_000)
    told = {}
    for name, how in (("memory", ["--detectors", NAMES]), ("disk", ["--out-of-core"])):
        words = ["audit", poisoned, "--out", tmp_path / name, "--allow-rejects", "--json", *how]
        code, said, error = antivenom(*words)
        assert (code, error) == (3, "")
        told[name] = {key: value for key, value in json.loads(said).items() if key != "out"}
    assert told["disk"] == told["memory"]
    assert told["disk"]["pairs"] == 241
    for file in ("scores.parquet", "findings.json", "rejects.parquet"):
        assert (tmp_path / "disk" / file).read_bytes() == (tmp_path / "memory" / file).read_bytes()
    pages = [(tmp_path / name / "report.html").read_text() for name in ("memory", "disk")]
    corpus, listed = (re.compile(words, re.S) for words in (r'<section id="the-corpus">.*?</section>', r"<nav.*?</nav>"))
    assert corpus.search(pages[0])
    assert not corpus.search(pages[1]), "of pairs that lie on disk the page tells no profile"
    memory, disk = (listed.sub("", corpus.sub("", page)) for page in pages)
    assert re.sub(r"<code>[^<]*</code>", "", disk) == re.sub(r"<code>[^<]*</code>", "", memory)
    assert "Zorvex" in (tmp_path / "disk" / "report.html").read_text()
    assert [file.name for file in tmp_path.iterdir() if file.name.startswith(".")] == []
    assert len(pl.read_parquet(tmp_path / "disk" / "rejects.parquet")) == 8


def test_a_filter_takes_what_was_audited_out_of_core(antivenom, poisoned, tmp_path):
    assert antivenom("audit", poisoned, "--out", tmp_path / "audit", "--out-of-core", "--allow-rejects")[0] == 3
    code, _, error = antivenom(
        "filter", poisoned, "--scores", tmp_path / "audit", "--out", tmp_path / "filtered", "--allow-rejects"
    )
    assert (code, error) == (0, "")
    assert len(pl.read_parquet(tmp_path / "filtered" / "quarantined.parquet")) >= 12


@pytest.mark.parametrize(
    ("words", "cause"),
    [
        (["--out-of-core", "--trusted", "{}"], "--out-of-core is for one corpus by itself"),
        (["--out-of-core", "--detectors", "label_doubt", "--allow-rejects"], "needs the whole corpus in memory"),
        (["--out-of-core"], "pairs.jsonl line 1:"),
        (["--engine", "spark"], "an engine is one of threads, ray, got 'spark'"),
    ],
)
def test_what_is_refused_leaves_nothing(antivenom, poisoned, tmp_path, words, cause):
    code, _, error = antivenom("audit", poisoned, "--out", tmp_path / "out", *(word.format(poisoned) for word in words))
    assert code == 2
    assert cause in error
    assert sorted(file.name for file in tmp_path.iterdir()) == ["pairs.jsonl"]
