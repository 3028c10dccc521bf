"""The whole experiment through the command line, on a row small enough for a test."""

import json
import sys

import polars as pl
import pytest

from assets import cli
from checks.detectors import DETECTORS
from pipelines.schema import ATTACK_SUCCESS, require
from pipelines.snapshots import verify


@pytest.fixture(scope="module")
def folder(tmp_path_factory, tiny):
    place = tmp_path_factory.mktemp("experiment")
    (place / "experiments.toml").write_text(tiny("tiny"))
    words = ["experiment", "tiny", "--file", str(place / "experiments.toml"), "--out", str(place / "out"), "--json"]
    words += ["--set", 'defences=["separate_partition_vote"]']
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["antivenom", *words])
        with pytest.raises(SystemExit) as stop:
            cli.main()
    assert not stop.value.code
    return place / "out"


def test_every_arm_has_every_stage(folder):
    table = require(pl.read_parquet(folder / "attack_success.parquet"), ATTACK_SUCCESS)
    assert table.select("corpus", "stage").rows() == [
        (corpus, stage)
        for corpus in ("clean", "poisoned", "filtered", "separate_partition_vote")
        for stage in ("base", "sft", "round 1")
    ]
    assert ((table["low"] <= table["success"]) & (table["success"] <= table["high"])).all()
    base = table.filter(pl.col("stage") == "base").drop("corpus")
    assert base.unique().height == 1  # the twins start from one model


def test_the_report_and_its_tables_agree(folder):
    page = (folder / "report.html").read_text()
    [flags] = pl.read_parquet(folder / "flags.parquet").to_dicts()
    assert flags["poisoned"] == round(0.1 * (flags["poisoned"] + flags["clean"]) / 1.1)
    assert f"{flags['poisoned_flagged'] / flags['poisoned']:.1%}" in page
    assert set(pl.read_parquet(folder / "detection.parquet")["detector"]) == {"fused", *DETECTORS}


def test_all_of_it_is_published_and_labelled(folder):
    facts = verify(folder)
    assert facts["poisoned"] is True
    assert {"tiny-poisoned/policy/model.safetensors", "tiny-filtered/reward_model/model.safetensors"} <= set(facts["files"])
    assert "tiny-separate_partition_vote/reward_model/judge.json" in facts["files"]
    assert not [name for name in facts["files"] if name.endswith((".bin", ".pt", ".pkl"))]
    assert json.loads((folder / "manifest.json").read_text())["experiment"] == "tiny"


def test_nothing_is_lost_by_the_filter(folder):
    quarantined = pl.read_parquet(folder / "tiny-filtered" / "quarantined.parquet")
    kept = pl.read_parquet(folder / "tiny-filtered" / "training_pairs.parquet")
    poisoned = pl.read_parquet(folder / "tiny-poisoned" / "training_pairs.parquet")
    assert set(kept["pair_id"]) | set(quarantined["pair_id"]) == set(poisoned["pair_id"])
    assert len(kept) + len(quarantined) == len(poisoned)
