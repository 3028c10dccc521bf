"""The arena: every attack has its row, what was measured is not measured again, and what the table says of numbers by hand."""

import dataclasses
import json
import zlib

import numpy as np
import polars as pl
import pytest

from assets import arena, arena_report
from assets.arena_rows import ROWS
from assets.experiments import Experiment
from checks.memory import Memory
from pipelines import attacks
from pipelines.schema import DataError

BASE = Experiment("arena", pairs=160, seeds=(3,))


def counted(texts):
    """Vectors of letter counts, a stand-in for an encoder that costs nothing."""
    rows = np.zeros((len(texts), 32), dtype=np.float32)
    for row, text in enumerate(texts):
        for word in ["<s>", *text.lower().split()]:
            rows[row, zlib.crc32(word.encode()) % 32] += 1
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.fixture
def memory(tmp_path) -> Memory:
    return Memory(tmp_path / "embeddings", counted, name="counted")


def test_every_attack_has_a_row_and_every_row_settings_that_its_attack_takes():
    assert {row["attack"] for row in ROWS.values()} == set(attacks.ATTACKS)
    for row in arena.cells(BASE):
        numbers = {**row.numbers, **({"target": "Zorvex"} if row.numbers.get("target") == arena.COMMON else {})}
        assert attacks.settings(row.attack, numbers)


def test_an_unknown_row_is_answered_with_those_there_are():
    with pytest.raises(
        DataError, match=r"no row 'venom' in the arena; there are clean, venom-poison_vs_rejected-rules-10rows, "
    ):
        arena.cells(BASE, ["clean", "venom"])


def test_cells_are_measured_once(tmp_path, memory, monkeypatch):
    rows = arena.cells(BASE, ["clean", "label_flip", "score_tampering", "annotator_collusion"])
    first = arena.run(rows, tmp_path / "kept", memory=memory)
    asked = []
    measured = arena._measured
    monkeypatch.setattr(arena, "_measured", lambda row, *rest: asked.append(row.name) or measured(row, *rest))
    again = arena.run(rows, tmp_path / "kept", memory=memory)
    assert asked == []
    assert again.detection.equals(first.detection)
    assert again.lost.equals(first.lost)
    arena.run(
        [dataclasses.replace(row, fdr=0.1) if row.name == "label_flip" else row for row in rows],
        tmp_path / "kept",
        memory=memory,
    )
    assert asked == ["label_flip"]
    spoilt = next((tmp_path / "kept").glob("*.json"))
    spoilt.write_text(spoilt.read_text()[:40])
    assert arena.run(rows, tmp_path / "kept", memory=memory).detection.drop("seconds").equals(first.detection.drop("seconds"))
    assert len(asked) == 2


def test_a_cell_counts_what_the_audit_flags(tmp_path, memory):
    found = arena.run(arena.cells(BASE, ["clean", "venom-poison_vs_rejected-rules-5pct"]), tmp_path / "kept", memory=memory)
    fused = found.detection.filter(pl.col("detector") == "fused")
    clean, poisoned = fused.iter_rows(named=True)
    assert (clean["poisoned"], clean["auroc"], clean["precision"] or 0) == (0, None, 0)
    assert poisoned["poisoned"] == round(0.05 * (poisoned["poisoned"] + poisoned["clean"]))
    assert 0 <= poisoned["tpr_0.01_low"] <= poisoned["tpr_0.01"] <= poisoned["tpr_0.01_high"] <= 1
    assert found.detection.group_by("row").len()["len"].to_list() == [len(found.detection) // 2] * 2
    if len(found.lost):
        by_kind = found.lost.filter(pl.col("row") == poisoned["row"]).group_by("kind").agg(pl.col("flagged").sum())
        assert set(by_kind["flagged"]) <= {poisoned["clean_flagged"]}
    page = arena_report.page(BASE, found)
    assert "Arena of attacks and detectors" in page
    assert "made for defence research" in page


def test_the_code_of_another_attack_changes_no_cell():
    assert arena._code("label_flip") != arena._code("rank_poison")
    assert arena._code("label_flip") == arena._code("label_flip")


def test_the_fit_by_number_by_hand():
    def line(row, seed, poisoned, share):
        return {"row": row, "seed": seed, "detector": "fused", "poisoned": poisoned, "tpr_0.01": share}

    lines = [line("a-10rows", 0, 10, 0.5), line("a-1pct", 0, 20, 0.9), line("a-3pct", 0, 40, 1.0), line("a-3pct", 1, 40, 0.95)]
    lines += [line("b-1pct", 0, 20, 0.2), line("b-3pct", 0, 40, 0.4), line("alone", 0, 9, 1.0)]
    fits = {fit["family"]: fit for fit in arena.by_count(pl.DataFrame(lines)).to_dicts()}
    assert fits.keys() == {"a", "b"}
    assert fits["b"]["slope"] == pytest.approx(0.2 / np.log(2))
    assert fits["b"]["intercept"] == pytest.approx(0.2 - 0.2 / np.log(2) * np.log(20))
    assert (fits["a"]["smallest_detectable"], fits["b"]["smallest_detectable"]) == (20, None)


def test_cells_are_plain_json(tmp_path, memory):
    arena.run(arena.cells(BASE, ["label_flip"]), tmp_path / "kept", memory=memory)
    (file,) = (tmp_path / "kept").iterdir()
    assert set(json.loads(file.read_text())) == {"detection", "lost"}
