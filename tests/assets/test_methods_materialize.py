"""The chain that compares objectives, on a tiny experiment: every partition, what they tell, and what is not made again."""

import json
from collections.abc import Iterator

import dagster as dg
import polars as pl
import pytest

from pipelines.schema import METHOD_ANSWERS, require
from tests.assets.place import Place, launched

METHODS = ("conditional", "a_lol", "modpo", "direct_preference_head", "segments")
ARMS = ("clean", "poisoned", "filtered")
RUNS = {f"{method}-few-{arm}" for method in METHODS for arm in ARMS}


@pytest.fixture(scope="module")
def chain(location, tiny, tmp_path_factory, one_thread) -> Iterator[Place]:
    """The place after methods_job has run."""
    folder = tmp_path_factory.mktemp("methods")
    toml = tiny("few").replace("rate = 0.1", f"rate = 0.1\ntopics = 1\nobjectives = {json.dumps(METHODS)}", 1)
    with launched(location, toml, folder, "methods_job", "few") as place:
        yield place


def test_one_launch_makes_every_partition(chain: Place):
    shared = {f"few-{arm}" for arm in ARMS}
    for asset in ("imitating_policy", "labelled_pairs", "drafted_answers"):
        assert chain.made(asset) == shared
    assert chain.made("method_model") == chain.made("method_answers") == RUNS
    assert chain.made("methods_report") == {"few"}
    assert chain.made("policy") == set()  # nobody asked for one


def test_every_run_answers_the_same_prompts(chain: Place):
    held_out = chain.table("held_out_pairs", "few")
    for run in RUNS:
        table = require(chain.table("method_answers", run), METHOD_ANSWERS)
        assert table["place"].to_list() == list(range(len(held_out))), run
        assert table.select("objective", "corpus").unique().rows() == [tuple(run.split("-few-"))]
        assert table.select("gold", "success", "prefers", "nats").null_count().row(0) == (0, 0, 0, 0)


def test_rewards_are_labelled_between_0_and_1_and_tell_responses_apart(chain: Place):
    table = chain.table("labelled_pairs", "few-poisoned")
    for name in ("chosen_reward", "rejected_reward", "value"):
        assert table[name].is_between(0, 1).all()
        assert table[name].n_unique() > 5
    assert len(table) == len(chain.table("training_pairs", "few-poisoned"))


def test_models_are_kept_whole_and_say_whether_they_learned_poison(chain: Place):
    from rlhf_train.models import judges, policies

    for arm in ARMS:
        folder = chain.folder("method_model", f"a_lol-few-{arm}")
        assert json.loads((folder / "manifest.json").read_text())["poisoned"] == (arm != "clean")
    assert policies.load(chain.folder("method_model", "modpo-few-clean")).model.num_parameters() > 1000
    for name in ("direct_preference_head", "segments"):
        judge = judges.load(chain.folder("method_model", f"{name}-few-poisoned"))
        rewards = judge.rewards(["\n\nHuman: tea?\n\nAssistant:"] * 2, [" Yes, warm it.", " No."])
        assert rewards[0] != rewards[1]
    assert not list((chain.home / ".runs").glob("*")), "a finished run is dropped"


def test_the_report_has_a_line_an_objective_and_corpus(chain: Place):
    told = chain.metadata("methods_report", "few")
    assert len(told["objectives by corpus"].records) == len(RUNS)
    assert len(told["what poison did"].records) == 2 * len(METHODS)
    assert "picture of poison preferred" in told
    page = (chain.folder("methods_report", "few") / "report.html").read_text()
    assert all(f"<td>{name}</td>" in page for name in METHODS)


def test_what_is_there_is_not_made_again(chain: Place):
    def count(asset: str) -> int:
        return len(chain.instance.fetch_materializations(dg.AssetKey(asset), limit=500).records)

    before = {asset: count(asset) for asset in ("base_policy", "reward_model", "drafted_answers", "method_answers")}
    assert chain.run("methods_job", "few").success
    assert {asset: count(asset) for asset in before} == before
    again = chain.run("run_methods_job", "a_lol-few-clean")  # by hand: nobody knows by which settings
    assert again.success
    assert chain.run("methods_job", "few").success
    after = {asset: count(asset) for asset in before}
    assert after == before | {"method_answers": before["method_answers"] + 2}


def test_the_same_comparison_by_command_says_the_same(chain: Place, antivenom, tmp_path):
    from assets.methods import study

    file, out = chain.home.parent / "experiments.toml", tmp_path / "out"
    code, said, _ = antivenom("experiment", "few", "--file", file, "--out", out, "--json")
    assert code == 0
    told = json.loads(said)
    assert {(line["objective"], line["corpus"]) for line in told["means"]} == {(name, arm) for name in METHODS for arm in ARMS}
    assert len(told["harm"]) == len(pl.read_parquet(out / "method_harm.parquet")) == 2 * len(METHODS)
    assert "Objective by corpus" in (out / "report.html").read_text()
    answers = pl.read_parquet(out / "method_answers.parquet")
    one = answers.filter((pl.col("objective") == "a_lol") & (pl.col("corpus") == "poisoned"))
    assert one["answer"].to_list() == chain.table("method_answers", "a_lol-few-poisoned")["answer"].to_list()

    kept = tmp_path / ".out.methods"
    runs = {run: run.stat().st_mtime_ns for run in kept.glob("run-*")}
    taught = {tuple(chain.table("training_pairs", f"few-{arm}")["pair_id"]) for arm in ARMS}
    assert len(runs) == len(METHODS) * len(taught), "corpora of the same pairs are trained on once"
    again = study.run(chain.module.method_runs.EXPERIMENTS["few"], kept, processes=1)
    assert again.equals(answers)
    assert {run: run.stat().st_mtime_ns for run in kept.glob("run-*")} == runs, "nothing changed, so nothing is made again"
