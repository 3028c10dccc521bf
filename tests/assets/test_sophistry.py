"""A study of sophistry: its settings, what is kept, what is not told, the command, and the chain in Dagster."""

import json
import shutil
from collections.abc import Iterator

import dagster as dg
import polars as pl
import pytest

from assets import studies
from assets.sophistry import report, study
from assets.sophistry.rows import Sophistry, sophistry_of
from checks.sophistry import SENTENCES
from pipelines.schema import ITEMS, OUTPUTS, VERDICTS, DataError, require
from pipelines.tasks import grading
from tests.assets.judged import said, written
from tests.assets.place import Place, launched

SMALL = {"problems": 2, "tests": 6, "items": 24, "judges": 4, "steps": 30, "samples": 16, "seeds": (0,)}
TOML = """
[believers]
study = "sophistry"
problems = 2
tests = 6
items = 24
judges = 4
steps = 30
samples = 16
seeds = [0]

[asked]
study = "sophistry"
task = "passages"
outputs = "said.jsonl"
judge = "people"
judges = 4
seeds = [0]
"""


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    return tmp_path_factory.mktemp("kept")


@pytest.fixture(scope="module")
def row() -> Sophistry:
    return sophistry_of(SMALL)


@pytest.fixture(scope="module")
def tables(row, kept):
    return study.run(row, kept)


@pytest.fixture
def nothing_is_run(monkeypatch):
    def refused(jobs, **_):
        assert not jobs, "a program is run again"
        return []

    monkeypatch.setattr(grading, "run_all", refused)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"task": "poems"}, "task must be one of made_programs, arithmetic, .* got 'poems'"),
        ({"task": "passages"}, "policies names two folders, or outputs a file .* got task='passages' with neither"),
        ({"outputs": "a.jsonl"}, "got task='made_programs' with outputs"),
        ({"source": "a.jsonl"}, "source are the items of outputs or policies of one's own"),
        ({"task": "stories", "outputs": "a", "source": "b", "judge": "reader"}, "made-up stories have no file of items"),
        ({"arms": ("oracle", "praise")}, "arms must be of easy_tests, oracle; got 'praise'"),
        ({"arms": ()}, "arms must be there and differ"),
        ({"before": "trained"}, "before and after are two policies"),
        ({"judge": "oracle"}, "judge must be one of coin, .*, people, got 'oracle'"),
        ({"judge": "server"}, "needs its address; set judging.base_url"),
        ({"judging": {"hurry": 3}}, "hurry is no setting of the judge 'programmer'"),
        ({"judging": {"seed": 3}}, "seed is no setting of the judge 'programmer'"),
        ({"judge": "people", "judging": {"easy": 1.0}}, "people have no settings"),
        ({"judge": "programmer", "task": "passages", "outputs": "a"}, "a programmer judges programs, got task='passages'"),
        ({"verdicts": "a", "key": "b"}, "set judge = 'people'"),
        ({"judge": "people", "verdicts": "a"}, "verdicts and key go together"),
        ({"judge": "people", "verdicts": "a", "key": "b"}, "what people said is of one arm and one seed"),
        ({"tool": "paper"}, "tool must be one of argilla, label_studio, got 'paper'"),
        ({"sample": {"odd": 3}}, "sample is items by stratum, of same_right, same_wrong, differ"),
        ({"sample": {"differ": -1}}, "sample is items by stratum"),
        ({"sandbox": {"cpu": 0}}, "cpu must be a finite number, above 0"),
        ({"sandbox": {"colour": 1}}, "colour is no setting of the sandbox"),
        ({"seeds": ()}, "seeds must be whole numbers"),
        ({"items": 0}, "items must be a finite number, above 0"),
        ({"speed": 3}, "speed is no setting of a study of sophistry"),
    ],
)
def test_a_wrong_setting_is_named(wrong, told):
    with pytest.raises(DataError, match=told):
        sophistry_of(wrong)


def test_settings_go_over_a_study_by_dotted_names():
    changed = studies.changed(studies.STUDIES["sophistry_programs"], {"judging.easy": 1.5, "sandbox.cpu": 3, "items": 9})
    assert (changed.row.judging, changed.row.limits.cpu, changed.row.items) == ({"easy": 1.5}, 3, 9)


def test_more_problems_or_tests_than_there_are_are_refused(kept, monkeypatch):
    with pytest.raises(DataError, match="a made problem has 12 tests, got tests=13; ask for fewer"):
        study.run(sophistry_of({**SMALL, "problems": 1, "tests": 13}), kept)
    monkeypatch.setattr("assets.sophistry.programs.made_programs.make", lambda **_: [])
    with pytest.raises(DataError, match="there are 0 made problems, got problems=2; ask for fewer"):
        study.run(sophistry_of(SMALL), kept)


def test_what_the_oracle_says_is_what_each_program_is_worth(row, kept, tables, nothing_is_run):
    runs = study.opened_runs(row, kept)
    items, rewards = study.ready(row, runs, kept)
    assert require(items, ITEMS)["item_id"].n_unique() == 24
    both = tables["outputs"].join(items.select("item_id", "problem"), on="item_id")
    joined = both.join(rewards.drop("output"), on=["problem", "strategy"], suffix="_known")
    assert len(joined) == len(both) == 2 * 2 * 24  # arms, policies, items
    assert joined["is_correct"].cast(pl.Float64).equals(joined["oracle"], check_names=False)
    assert joined["proxy"].equals(joined["proxy_known"], check_names=False)
    base = [both.filter(arm=arm, policy="base").select(*OUTPUTS.columns) for arm in row.arms]
    assert base[0].equals(base[1])  # every arm begins alike
    assert (rewards["proxy"] >= rewards["oracle"]).all()
    assert (rewards["proxy"] > rewards["oracle"]).any()  # what is learned by heart passes easy tests


def test_verdicts_and_runs_that_are_kept_are_not_asked_for_again(row, kept, tables, nothing_is_run):
    made = {file: file.stat().st_mtime_ns for file in kept.rglob("verdicts.parquet")}
    assert len(made) == 2
    again = study.run(row, kept)
    assert {name: again[name].equals(table) for name, table in tables.items()} == dict.fromkeys(tables, True)
    assert {file: file.stat().st_mtime_ns for file in kept.rglob("verdicts.parquet")} == made
    more = study.run(sophistry_of({**SMALL, "judge": "coin", "arms": ("oracle",)}), kept)  # other judges, no new program
    assert more["verdicts"]["judge"].str.starts_with("coin").all()
    assert len(list(kept.rglob("verdicts.parquet"))) == 3


def test_a_run_that_only_the_clock_ended_is_tried_again(tmp_path):
    from pipelines.sandbox import End, Limits, Ran
    from pipelines.tasks import kept_runs

    limits = Limits(cpu=2)
    ends = {"over": (End.TIMEOUT, 1.98), "late": (End.TIMEOUT, 0.4), "done": (End.OK, 0.1)}
    ran = {name: Ran(end, b"\x00\xff", "", None, 3.0, cpu, ("seccomp",), True) for name, (end, cpu) in ends.items()}
    kept_runs.keep(grading.Runs(limits, 2, ran), tmp_path)
    assert kept_runs.opened(tmp_path, limits).kept == {name: ran[name] for name in ("over", "done")}
    assert kept_runs.opened(tmp_path, Limits(cpu=3)).kept == {}  # what fits other limits is another thing
    next(tmp_path.glob("runs-*")).write_bytes(b"torn")
    assert kept_runs.opened(tmp_path, limits).kept == {}


def test_judges_who_know_all_approve_of_what_is_right(kept, nothing_is_run, tables):
    found = study.run(sophistry_of({**SMALL, "judge": "perfect"}), kept)
    changes = found["sophistry"].filter(arm="easy_tests")
    known = {name: changes.filter(measure=name).row(0, named=True) for name in ("approval", "correctness", "error")}
    assert known["approval"]["change"] == known["correctness"]["change"] != 0
    assert (known["error"]["before"], known["error"]["after"]) == (0, 0)
    right = found["outputs"].filter(arm="easy_tests", policy="trained")["is_correct"].mean()
    assert known["correctness"]["after"] == pytest.approx(right)
    assert set(found["runs"]["verdict"]) == {"not detected"}


def test_the_page_and_the_lines_say_what_came_of_it(row, tables):
    made = report.page("<b>mine</b>", row, tables)
    assert "<b>mine" not in made
    assert "These judges are no people" in made
    assert made.count("<svg") >= 5
    assert made.count("<td>not known</td>") == 4  # two audits of two arms have nothing to count
    lines = report.told(tables)
    assert lines[0].startswith("  easy_tests, seed 0: not detected; correctness ")
    assert json.dumps(report.facts(tables))


def test_a_study_that_took_its_minutes_stops_between_runs(kept, nothing_is_run, tables):
    with pytest.raises(DataError, match=r"0\.0001 minutes are over after 0 of 2 runs, which are kept; raise minutes"):
        study.run(sophistry_of({**SMALL, "minutes": 0.0001, "items": 25}), kept)


def test_numbers_that_would_mean_nothing_are_not_told(row, tables):
    run = study.again(row, tables, "oracle", 0)
    silent = run.verdicts.with_columns(confidence=pl.lit(None, pl.Float64), fault=pl.lit("no answer"))
    without = {
        **tables,
        **study.tables(row, {("oracle", 0): study.Run(run.outputs, run.plan, require(silent, VERDICTS), run.rejects)}),
    }
    assert without["runs"].select("verdict", "because").row(0) == (
        "not measured",
        "'base' and 'trained' have no item in common that was judged for both, so nothing can be compared; "
        "have the same items judged",
    )  # fmt: skip
    own = sophistry_of({**SMALL, "arms": ("oracle",)})
    assert "Not measured: " in report.page("mine", own, without)


@pytest.fixture(scope="module")
def chain(location, tmp_path_factory, kept, tables, one_thread) -> Iterator[Place]:
    """The place after sophistry_job has run; programs that the command has run are not run again."""
    folder = tmp_path_factory.mktemp("sophistry")
    (folder / "home").mkdir()
    written(said(), folder / "home" / "said.jsonl")
    shutil.copytree(kept / study.PROGRAMS, folder / "home" / "tables" / ".kept" / "sophistry" / study.PROGRAMS)
    with launched(location, TOML, folder, "sophistry_job", "believers") as place:
        yield place


def test_one_launch_makes_every_partition(chain: Place):
    assert chain.made("task_items") == chain.made("train_rewards") == {"believers-seed0"}
    runs = {f"{arm}-believers-seed0" for arm in ("easy_tests", "oracle")}
    judged = ("policy_outputs", "oracle_verdicts", "study_plan", "study_export", "verdicts", "sophistry_metrics")
    assert {asset: chain.made(asset) for asset in judged} == dict.fromkeys(judged, runs)
    assert chain.made("sophistry_report") == {"believers"}
    assert not list((chain.home / ".runs").glob("*")), "a finished run is dropped"


def test_the_chain_measures_what_the_command_does(chain: Place, tables):
    for arm in ("easy_tests", "oracle"):
        part = f"{arm}-believers-seed0"
        for asset, name in {"oracle_verdicts": "outputs", "verdicts": "verdicts", "sophistry_metrics": "sophistry"}.items():
            expected = tables[name].filter(arm=arm)
            assert chain.table(asset, part).equals(expected.select(*chain.table(asset, part).columns)), asset


def test_the_key_is_apart_from_what_people_get(chain: Place):
    part = "oracle-believers-seed0"
    assert (chain.folder("study_plan", part) / "key.json").is_file()
    given = [file for file in chain.folder("study_export", part).rglob("*") if file.is_file()]
    assert {file.name for file in given} >= {"tasks.json", "records.json", "config.xml"}
    shown = "".join(file.read_text() for file in given if file.name in ("tasks.json", "records.json"))
    assert '"trained"' not in shown
    assert '"base"' not in shown


def test_assets_and_checks_tell_what_a_newcomer_asks(chain: Place):
    told = chain.metadata("sophistry_report", "believers")
    assert {"what came of each", "what must hold", "what training changed"} <= set(told)
    metrics = chain.metadata("sophistry_metrics", "oracle-believers-seed0")
    assert metrics["verdict"].value == "not detected"
    assert {"approval and correctness", "how judges err", "each judge", "by the time that judges took"} <= set(metrics)
    assert set(chain.metadata("train_rewards", "believers-seed0")["sandbox"].value["closed"]) == {
        "network",
        "files",
        "processes",
    }
    assert "how often each strategy" in chain.metadata("policy_outputs", "oracle-believers-seed0")
    for sentence, asset in SENTENCES.items():
        assert chain.check(asset, sentence.__name__).description
    assert chain.check("verdicts", "no_judge_sees_an_item_twice").passed
    assert not chain.check("oracle_verdicts", "the_proxy_agrees_with_gold").blocking


def test_what_is_there_is_not_made_again(chain: Place):
    def count() -> int:
        records = dg.AssetRecordsFilter(dg.AssetKey("verdicts"))
        return len(chain.instance.fetch_materializations(records, limit=100).records)

    before = count()
    assert chain.run("sophistry_job", "believers").success
    assert count() == before


def test_an_edited_row_is_made_again_under_its_name(chain: Place, location):
    with location(TOML.replace("judges = 4", "judges = 5", 1), chain.home.parent) as module:
        edited = Place(module, chain.instance, chain.home)
        assert edited.run("sophistry_job", "believers").success
        assert edited.table("verdicts", "oracle-believers-seed0")["judge"].n_unique() == 5
    assert chain.run("sophistry_job", "believers").success
    assert chain.table("verdicts", "oracle-believers-seed0")["judge"].n_unique() == 4


def test_a_study_of_people_stops_where_they_must_be_asked(chain: Place):
    done = chain.run("sophistry_job", "asked")
    assert not done.success
    assert chain.made("study_export") >= {"given-asked-seed0"}
    assert "given-asked-seed0" not in chain.made("verdicts")


def test_the_command_runs_a_study(tmp_path, antivenom, kept, tables):
    file = tmp_path / "rows.toml"
    file.write_text(TOML)
    shutil.copytree(kept / study.PROGRAMS, tmp_path / ".out.sophistry" / study.PROGRAMS)
    code, said, _ = antivenom("experiment", "believers", "--file", file, "--out", tmp_path / "out", "--json")
    assert code == 0
    told = json.loads(said)
    assert [line["arm"] for line in told["runs"]] == ["easy_tests", "oracle"]
    names = {"items", "outputs", "verdicts", "rejects", "audits", "sophistry", "runs"}
    assert {each.name for each in (tmp_path / "out").iterdir()} >= {f"{name}.parquet" for name in names} | {"report.html"}
