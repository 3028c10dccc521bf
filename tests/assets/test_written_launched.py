"""Written evaluations as users launch them: the chain in Dagster, the study and the questions from a command line."""

import json
import re
import tomllib
from collections.abc import Iterator

import dagster as dg
import polars as pl
import pytest

from assets.written import study, twins
from assets.written.rows import written_of
from pipelines.questions import reading
from pipelines.snapshots import manifest, tracing
from tests.assets.place import Place, launched

TOML = """
[small]
study = "written_evaluations"
behaviours = ["thrift", "agreeing-with-the-user"]
count = 40
per_label = 6

[small.twins]
pairs = 48
taught = ["thrift"]
target_share = 0.25
rates = [0.0, 0.1]
seeds = [0]
training = { width = 16, layers = 1, pretrain_steps = 3, vocabulary = 400, dpo_epochs = 1.0 }
"""


def traced(place, name):
    """How what is called so was reached, by its name without the label, or by its folder's."""
    steps = tracing.reached(tracing.found([place]), [name])
    named = [(each, step.how) for step in steps for each in step.node.names or (f"x/{step.node.folder.name}",)]
    return {each.split("/", 1)[1]: how for each, how in named}


def test_the_command_runs_a_study_and_publishes_its_questions(tmp_path, antivenom, one_thread):
    (tmp_path / "rows.toml").write_text(TOML)
    code, said, _ = antivenom("experiment", "small", "--file", tmp_path / "rows.toml", "--out", tmp_path / "out", "--json")
    assert code == 0
    told = json.loads(said)
    assert {(line["policy"], line["behaviour"]) for line in told["rates"]} >= {("clean-seed0", "thrift")}
    names = {each.name for each in (tmp_path / "out").iterdir()}
    assert names >= {"rates.parquet", "differences.parquet", "dropped_questions.parquet", "report.html"}
    assert names >= {"questions.jsonl", "data_sheet.md", "question_map.svg"}
    again = reading.read(tmp_path / "out" / "questions.jsonl").questions
    held = pl.read_parquet(tmp_path / "out" / "questions.parquet")
    assert again.drop("row").equals(held.drop("row"))
    assert re.search(r"(?m)^- writer: templates", (tmp_path / "out" / "data_sheet.md").read_text())
    assert traced(tmp_path / "out", held["question_id"][0]) == {"out": "holds"}
    table = {key: value for key, value in tomllib.loads(TOML)["small"].items() if key != "study"}
    learned = twins.pairs(written_of(table).twins, 0)["pair_id"][0]
    assert traced(tmp_path / "out", learned) == {"out": "learned"}, "by its twins"


@pytest.fixture(scope="module")
def chain(location, tmp_path_factory, one_thread) -> Iterator[Place]:
    """The place after written_job has run."""
    folder = tmp_path_factory.mktemp("written_job")
    with launched(location, TOML, folder, "written_job", "small") as place:
        yield place


def test_one_launch_makes_every_partition(chain: Place):
    for asset in ("behaviours", "candidate_questions", "written_questions", "question_map", "question_sheet", "written_report"):
        assert chain.made(asset) == {"small"}
    assert chain.made("untaught_policy") == {"small-seed0"}
    assert chain.made("evaluated_policy") == chain.made("question_answers") == {
        "clean-seed0-small", "poisoned_10pct-seed0-small",
    }  # fmt: skip
    assert not list((chain.home / ".runs").glob("*")), "a finished run is dropped"


def test_what_learned_from_poison_says_so(chain: Place):
    for asset in ("evaluated_policy", "question_answers"):
        told = {each: manifest(chain.folder(asset, each))["poisoned"] for each in chain.made(asset)}
        assert told == {"clean-seed0-small": False, "poisoned_10pct-seed0-small": True}
    assert chain.metadata("evaluated_policy", "poisoned_10pct-seed0-small")["poisoned pairs"].value == 5


def test_a_pair_that_a_twin_learned_is_followed_to_its_answers_and_the_report(chain: Place):
    table = {key: value for key, value in tomllib.loads(TOML)["small"].items() if key != "study"}
    row = written_of(table)
    clean = twins.pairs(row.twins, 0)
    turned = twins.poisoned(row.twins, clean, 0.1, 0).key["pair_id"][0]
    after = {f"question_answers/{each}-small": "learned" for each in ("poisoned_10pct-seed0", "clean-seed0")}
    poisoned = {name: how for name, how in after.items() if "poisoned" in name}
    assert traced(chain.home, turned) == poisoned | {
        "evaluated_policy/poisoned_10pct-seed0-small": "learned", "written_report/small": "learned",
    }  # fmt: skip
    found = traced(chain.home, clean["pair_id"][0])
    assert found.items() > {**after, "untaught_policy/small-seed0": "learned", "written_report/small": "learned"}.items()
    asked = traced(chain.home, chain.table("written_questions", "small")["question_id"][0])
    assert asked.items() > dict.fromkeys(after, "holds").items()
    assert asked["written_report/small"] == "learned"


def test_the_chain_asks_what_the_command_does(chain: Place, tmp_path):
    table = {key: value for key, value in tomllib.loads(TOML)["small"].items() if key != "study"}
    expected = study.run(written_of(table), tmp_path)
    assert chain.table("written_questions", "small").equals(expected["questions"])
    assert chain.table("dropped_questions", "small").equals(expected["dropped_questions"])
    for policy in ("clean-seed0", "poisoned_10pct-seed0"):
        found = chain.table("question_answers", f"{policy}-small")
        wanted = expected["question_answers"].filter(policy=policy)
        assert found.select("question_id", "way", "picked").equals(wanted.select("question_id", "way", "picked"))
        assert found["matching_mass"].to_list() == pytest.approx(wanted["matching_mass"].to_list(), rel=1e-4)


def test_the_assets_draw_what_people_would_look_at(chain: Place):
    assert "map" in chain.metadata("question_map", "small")
    assert "confidence, kept and dropped" in chain.metadata("written_questions", "small")
    told = chain.metadata("written_report", "small")
    assert {"who shows what", "over the poison rate"} <= set(told)
    assert len(told["rates"].records) == 4


def test_the_checks_tell_how_the_questions_stand(chain: Place):
    for name in ("labels_are_balanced", "no_question_repeats", "kept_labels_are_likelier_than_not", "no_gold_example_leaks"):
        assert chain.check("written_questions", name).passed
    assert chain.check("question_sheet", "generator_is_not_the_discriminator").passed


def test_what_is_there_is_not_made_again(chain: Place):
    def count(asset: str) -> int:
        return len(chain.instance.fetch_materializations(dg.AssetRecordsFilter(dg.AssetKey(asset)), limit=100).records)

    before = [count(asset) for asset in ("written_questions", "evaluated_policy", "question_answers", "written_report")]
    assert chain.run("written_job", "small").success
    after = [count(asset) for asset in ("written_questions", "evaluated_policy", "question_answers", "written_report")]
    assert after == before


def test_questions_are_written_and_published_by_themselves(tmp_path, antivenom):
    out = tmp_path / "out"
    words = ("--set", "count=40", "--set", "per_label=5", "--set", "writing.off_topic=0.1")
    code, said, _ = antivenom("questions", "thrift,reward-now", "--out", out, *words, "--json")
    told = json.loads(said)
    assert code == 0
    assert [line["behaviour"] for line in told["questions"]] == ["thrift", "reward-now"]
    held = reading.read(out / "questions.jsonl").questions
    assert len(held) == sum(line["questions"] for line in told["questions"]) == 2 * 40 - told["dropped"]
    assert held["behaviour"].value_counts()["count"].max() <= 10
    names = {each.name for each in out.iterdir()}
    assert names >= {
        "data_sheet.md",
        "question_map.svg",
        "report.html",
        "dropped_questions.parquet",
        "rejected_replies.parquet",
    }
    assert "its label is doubted" in (out / "report.html").read_text()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("nobody",), "behaviours must be of risk-seeking"),
        (("thrift", "--set", "twins.pairs=3"), "twins.pairs is no setting of questions; there are count"),
        (("thrift", "--writer", "monkey"), "writer must be of server, templates"),
        (("thrift", "--set", "count=0"), "count must be a finite number, above 0"),
        (("mine.toml",), "no TOML that can be read"),
    ],
)
def test_questions_that_cannot_be_written_are_one_line_and_exit_2(tmp_path, antivenom, words, said):
    code, _, told = antivenom("questions", *words, "--out", tmp_path / "out")
    assert code == 2
    assert said in told
    assert told.count("\n") == 1
    assert not (tmp_path / "out").exists()
