"""The arena: every attack has its row, what was measured is not measured again, and what the table says of numbers by hand."""

import dataclasses
import json
import zlib

import dagster as dg
import numpy as np
import polars as pl
import pytest

from assets.arena import cells, laws, page
from assets.arena.rows import COMMON, ROWS
from assets.experiments import Experiment
from checks.detectors import DETECTORS
from checks.memory import Memory
from pipelines import attacks
from pipelines.schema import DataError
from tests.assets.place import published

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
    for row in cells.cells(BASE):
        numbers = {**row.numbers, **({"target": "Zorvex"} if row.numbers.get("target") == COMMON else {})}
        assert attacks.settings(row.attack, numbers)


def test_an_unknown_row_is_answered_with_those_there_are():
    with pytest.raises(
        DataError, match=r"no row 'venom' in the arena; there are clean, venom-poison_vs_rejected-rules-10rows, "
    ):
        cells.cells(BASE, ["clean", "venom"])


def test_cells_are_measured_once(tmp_path, memory, monkeypatch):
    rows = cells.cells(BASE, ["clean", "label_flip", "score_tampering", "annotator_collusion"])
    first = cells.run(rows, tmp_path / "kept", memory=memory)
    asked = []
    measured = cells.measured
    monkeypatch.setattr(cells, "measured", lambda row, *rest: asked.append(row.name) or measured(row, *rest))
    spoilt = next((tmp_path / "kept").glob("*.json"))
    again = cells.run(rows, tmp_path / "kept", memory=memory)
    assert asked == []
    assert again.detection.equals(first.detection)
    assert again.retrained.equals(first.retrained)
    assert again.lost.equals(first.lost)
    cells.run(
        [dataclasses.replace(row, fdr=0.1) if row.name == "label_flip" else row for row in rows],
        tmp_path / "kept",
        memory=memory,
    )
    assert asked == ["label_flip"]
    spoilt.write_text(spoilt.read_text()[:40])
    assert cells.run(rows, tmp_path / "kept", memory=memory).detection.drop("seconds").equals(first.detection.drop("seconds"))
    assert len(asked) == 2


def test_a_cell_counts_what_the_audit_flags(tmp_path, memory):
    base = dataclasses.replace(BASE, pairs=800)
    found = cells.run(cells.cells(base, ["clean", "venom-poison_vs_rejected-rules-5pct"]), tmp_path / "kept", memory=memory)
    fused = found.detection.filter(pl.col("detector") == "fused")
    clean, poisoned = fused.iter_rows(named=True)
    assert (clean["poisoned"], clean["auroc"], clean["precision"] or 0) == (0, None, 0)
    assert poisoned["poisoned"] == round(0.05 * (poisoned["poisoned"] + poisoned["clean"]))
    assert 0 <= poisoned["tpr_0.01_low"] <= poisoned["tpr_0.01"] <= poisoned["tpr_0.01_high"] <= 1
    assert found.detection.group_by("row").len()["len"].to_list() == [len(found.detection) // 2] * 2
    pairs = dict(found.retrained.filter(row=poisoned["row"]).select("training", "pairs").iter_rows())
    assert pairs["poisoned"] == poisoned["poisoned"] + poisoned["clean"]
    assert pairs["filtered"] == pairs["poisoned"] - poisoned["poisoned_flagged"] - poisoned["clean_flagged"]
    assert poisoned["poisoned_flagged"] > 0
    if len(found.lost):
        by_kind = found.lost.filter(pl.col("row") == poisoned["row"]).group_by("kind").agg(pl.col("flagged").sum())
        assert set(by_kind["flagged"]) <= {poisoned["clean_flagged"]}
    shown = page.page(base, found)
    assert "Arena of attacks and detectors" in shown
    assert "made for defence research" in shown
    assert "Filter and retrain" in shown


def test_the_code_of_another_attack_changes_no_cell():
    assert cells._code("label_flip") != cells._code("rank_poison")
    assert cells._code("label_flip") == cells._code("label_flip")


def test_the_fit_by_number_by_hand():
    def line(row, seed, poisoned, share):
        return {"row": row, "seed": seed, "detector": "fused", "poisoned": poisoned, "tpr_0.01": share}

    lines = [line("a-10rows", 0, 10, 0.5), line("a-1pct", 0, 20, 0.9), line("a-3pct", 0, 40, 1.0), line("a-3pct", 1, 40, 0.95)]
    lines += [line("b-1pct", 0, 20, 0.2), line("b-3pct", 0, 40, 0.4), line("alone", 0, 9, 1.0)]
    lines += [line("varies", seed, 9 + seed, 1.0) for seed in range(2)]  # by itself, and not because a row says so
    fits = {fit["family"]: fit for fit in laws.by_count(pl.DataFrame(lines)).to_dicts()}
    assert fits.keys() == {"a", "b"}
    assert fits["b"]["slope"] == pytest.approx(0.2 / np.log(2))
    assert fits["b"]["intercept"] == pytest.approx(0.2 - 0.2 / np.log(2) * np.log(20))
    assert (fits["a"]["smallest_detectable"], fits["b"]["smallest_detectable"]) == (20, None)


def test_cells_are_plain_json(tmp_path, memory):
    cells.run(cells.cells(BASE, ["label_flip"]), tmp_path / "kept", memory=memory)
    (file,) = (tmp_path / "kept").iterdir()
    assert set(json.loads(file.read_text())) == {"detection", "retrained", "lost"}


def test_what_is_brought_back_by_hand():
    def trained(training, seed, success, low, high, gain=0.0):
        ends = {"success": success, "success_low": low, "success_high": high}
        gains = {"accuracy_gain": gain, "accuracy_gain_low": gain - 0.01, "accuracy_gain_high": gain + 0.01}
        return {"row": "a", "seed": seed, "training": training, "pairs": 50, **ends, **gains}

    detection = pl.DataFrame(
        [
            {"row": row, "seed": seed, "detector": "fused", "poisoned": poisoned, "poisoned_flagged": flagged}
            for row, seed, poisoned, flagged in [("a", 0, 10, 10), ("a", 1, 30, 15), ("clean", 0, 0, 0)]
        ]
    )
    lines = [trained("clean", 0, 0.4, 0.3, 0.5), trained("clean", 1, 0.6, 0.4, 0.7), trained("poisoned", 0, 0.9, 0.8, 1.0)]
    lines += [trained("poisoned", 1, 1.0, 0.9, 1.0), trained("filtered", 0, 0.5, 0.4, 0.6, -0.02)]
    for last, restored in ((0.68, True), (0.72, False)):
        more = [*lines, trained("filtered", 1, last, 0.6, 0.8, 0.01)]
        (line,) = laws.brought_back(detection, pl.DataFrame(more)).to_dicts()
        assert (line["row"], line["flagged"], line["is_restored"]) == ("a", 25 / 40, restored)
        assert line["clean"] == pytest.approx((0.4 + 0.6) / 2)
        assert line["clean_high"] == pytest.approx((0.5 + 0.7) / 2)
        assert line["poisoned"] == pytest.approx((0.9 + 1.0) / 2)
        assert line["filtered"] == pytest.approx((0.5 + last) / 2)
        assert line["accuracy_gain"] == pytest.approx((-0.02 + 0.01) / 2)


def test_certified_shares_are_means_over_the_cells_that_have_them():
    table = pl.DataFrame({"certified": [[0.6, 0.4], None, [0.5, 0.1]]})
    assert laws.certified(table) == pytest.approx([0.55, 0.25])
    assert laws.certified(pl.DataFrame({"certified": [None]})) == []


def test_its_job_publishes_both_tables_and_the_page(location, tmp_path, monkeypatch):
    monkeypatch.setenv("ANTIVENOM_CACHE", str(tmp_path / "cache"))
    chosen = {"pairs": 60, "seeds": [1], "rows": ["clean", "label_flip"]}
    with location("", tmp_path / "home") as module, dg.DagsterInstance.ephemeral() as instance:
        config = {"ops": {"arena": {"config": chosen}}}
        done = module.defs.resolve_job_def("arena_job").execute_in_process(instance=instance, run_config=config)
    assert done.success
    tables = tmp_path / "home" / "tables"
    detection, retrained = (
        pl.read_parquet(published(tables, f"arena_{name}", "all") / "table.parquet") for name in ("detection", "retrained")
    )
    assert set(detection["row"]) == set(retrained["row"]) == {"clean", "label_flip"}
    assert set(detection["detector"]) == {"fused", *DETECTORS}
    assert "Filter and retrain" in (published(tables, "arena_report", "all") / "report.html").read_text()
