"""The whole experiment through the command line, on a row small enough for a test."""

import filecmp
import json
import sys

import polars as pl
import pytest

from assets import cli, comparison, report, steps
from assets.experiment_files import changed, load
from assets.experiments import EXPERIMENTS, Corpus
from checks.detectors import DETECTORS
from pipelines.attacks import Poisoned
from pipelines.schema import ATTACK_SUCCESS, require
from pipelines.snapshots import verify
from pipelines.sources import synthetic


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


def test_arms_of_the_same_pairs_are_trained_once(tmp_path, tiny, one_thread):
    """A delivery of which nothing is flagged: what is left of it is all of it."""
    (file := tmp_path / "experiments.toml").write_text(tiny("tiny"))
    row = changed(load(file)[0]["tiny"], {"attack": "none", "numbers": {}, "fdr": 1e-9, "seeds": [0]})
    trained: set[str] = set()
    results = comparison.run(row, tmp_path, lambda what, done, of: trained.add(what.partition(":")[0]), processes=1)
    assert {name for name in trained if name in ("tiny-delivered", "tiny-filtered")} == {"tiny-delivered"}
    assert [(one.arm, other.arm) for one, other in results.twins] == [("filtered", "delivered")]
    assert results.reward_accuracy["corpus"].to_list() == ["delivered", "filtered"]
    assert results.reward_accuracy.drop("corpus").unique().height == 1
    for model in ("policy/model.safetensors", "reward_model/model.safetensors"):
        assert filecmp.cmp(tmp_path / "tiny-delivered" / model, tmp_path / "tiny-filtered" / model, shallow=False)
    page = report.experiment_page(results)
    assert "Seed 0: the filtered corpus holds the very pairs of the delivered one; they were trained as one." in page


def test_twins_have_the_same_pairs_in_order_the_same_seed_and_the_same_training():
    pairs = synthetic.read(n=3)
    elsewhere = pairs.with_columns(pl.col("row") + 3)
    row = changed(EXPERIMENTS["venom_poison_vs_rejected_3pct"], {"seeds": [0, 1], "defences": ["trimmed"]})

    def prepared(arm: str, seed: int, own: pl.DataFrame) -> comparison.Prepared:
        return comparison.Prepared(Corpus(row, arm, seed), Poisoned(own, own[:0]), None, None)

    found = comparison.twins_of(
        [
            prepared("clean", 0, pairs),
            prepared("poisoned", 0, pairs[:2]),
            prepared("filtered", 0, elsewhere),
            prepared("clean", 1, pairs),
            prepared("filtered", 1, pairs.reverse()),
            prepared("trimmed", 0, pairs),
        ]
    )
    assert {name: twin.name for name, twin in found.items()} == {f"{row.name}-filtered-seed0": f"{row.name}-clean-seed0"}


def test_what_fails_in_a_process_fails_here():
    with comparison.workers(1, steps.silent) as work, pytest.raises(TypeError, match="int"):
        work.results([work.start(print, "whatever"), work.start(int, "no number")])
