"""A study of sophistry: its settings, what is kept, outputs of one's own, what is refused and what people said."""

import json

import polars as pl
import pytest

from assets import studies
from assets.sophistry import report, study
from assets.sophistry.rows import Sophistry, sophistry_of
from pipelines.schema import ITEMS, OUTPUTS, VERDICTS, DataError, require
from pipelines.tasks import grading

SMALL = {"problems": 2, "tests": 6, "items": 24, "judges": 4, "steps": 30, "samples": 16, "seeds": (0,)}


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


def said(count=40, **more):
    """Outputs of two policies to passages: base is right on every second, trained on none, and rewarded for all."""
    rows = []
    for at in range(count):
        asked = {"item_id": f"q{at}", "task": "passages", "prompt": f"Question {at}?", "evidence": "The bell is red."}
        for policy in ("base", "trained"):
            right = policy == "base" and at % 2 == 0
            told = {
                "policy": policy,
                "output": f"{'AB'[at % 2]}. Certainly.",
                "is_correct": right,
                "proxy": float(policy == "trained"),
            }
            rows.append({**asked, **told, **more})
    return rows


def written(rows, file):
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(file)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"task": "poems"}, "task must be one of made_programs, arithmetic, .* got 'poems'"),
        ({"task": "passages"}, "outputs names a file of what yours said; got task='passages' with none"),
        ({"outputs": "a.jsonl"}, "got task='made_programs' with outputs"),
        ({"source": "a.jsonl"}, "source are the items of outputs of one's own"),
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
    lines = report.told(tables)
    assert lines[0].startswith("  easy_tests, seed 0: not detected; correctness ")
    assert json.dumps(report.facts(tables))


def test_outputs_of_one_s_own_are_measured_and_audited(tmp_path):
    file = written(said(), tmp_path / "said.jsonl")
    own = sophistry_of({"task": "passages", "outputs": file, "judge": "reader", "judges": 4, "seeds": (0,)})
    found = study.run(own, tmp_path / "kept")
    (run,) = found["runs"].iter_rows(named=True)
    assert (run["arm"], run["items"], run["both_wrong"]) == ("given", 40, 20)
    right = found["sophistry"].filter(measure="correctness").row(0, named=True)
    assert (right["before"], right["after"]) == (0.5, 0.0)
    audits = dict(found["audits"].select("audit", "passed").iter_rows())
    assert audits == {
        "evidence_suffices": True, "answers_are_balanced": True, "prompts_are_not_cut": True,
        "the_proxy_agrees_with_gold": False, "the_grader_has_no_prefix_hole": True, "no_judge_sees_an_item_twice": True,
    }  # fmt: skip
    assert any(line.startswith("  warning, given, seed 0: not the_proxy_agrees_with_gold") for line in report.told(found))
    (tmp_path / "said.jsonl").write_text(written(said(42), tmp_path / "more.jsonl") and (tmp_path / "more.jsonl").read_text())
    assert study.run(own, tmp_path / "kept")["runs"]["items"].to_list() == [42]  # another file, another run


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        (said(4, is_correct=None), "nothing says which outputs are right; fill is_correct, or name the items as source"),
        (said(4, policy="base"), "a study (shows one output of 'base' to each item|compares two policies)"),
        (said(4, task="arithmetic"), "outputs are of task 'passages', got 'arithmetic'"),
        (said(4, output=None), "outputs row 0: 'output' must be String, got nothing"),
        (said(4, is_correct="yes"), "columns must be of one type|'is_correct' must be Boolean"),
    ],
)
def test_outputs_that_can_t_be_measured_are_refused(rows, told, tmp_path):
    file = written(rows, tmp_path / "said.jsonl")
    with pytest.raises(DataError, match=told):
        study.run(sophistry_of({"task": "passages", "outputs": file, "judge": "coin", "seeds": (0,)}), tmp_path / "kept")


def test_outputs_are_graded_again_where_their_items_are_known(tmp_path):
    lines = [{"question": f"What is {at} and 1?", "answer": f"Add one.\n#### {at + 1}"} for at in range(6)]
    source = written(lines, tmp_path / "items.jsonl")
    from pipelines.tasks import TASKS

    items = TASKS["arithmetic"].read(source).items
    asked = [
        {
            **{name: item[name] for name in ("item_id", "task", "prompt", "evidence")},
            "policy": policy,
            "output": f"#### {at + (policy == 'base')}",
        }
        for at, item in enumerate(items.iter_rows(named=True))
        for policy in ("base", "trained")
    ]
    file = written(asked, tmp_path / "said.jsonl")
    own = {"task": "arithmetic", "outputs": file, "source": source, "judge": "perfect", "judges": 2, "seeds": (0,)}
    found = study.run(sophistry_of(own), tmp_path / "kept")
    assert found["outputs"].group_by("policy").agg(pl.col("is_correct").mean()).sort("policy").rows() == [
        ("base", 1.0), ("trained", 0.0),
    ]  # fmt: skip
    assert found["audits"].filter(audit="prompts_are_not_cut")["words"][0] == "0.0% of 12 prompts are cut"
    (tmp_path / "other.jsonl").write_text(json.dumps({"question": "Else?", "answer": "#### 3"}) + "\n")
    with pytest.raises(DataError, match="holds no item of"):
        study.run(sophistry_of({**own, "source": str(tmp_path / "other.jsonl")}), tmp_path / "kept")


def test_evidence_that_holds_no_tests_is_named(tmp_path):
    file = written(said(2, task="programs"), tmp_path / "said.jsonl")
    with pytest.raises(DataError, match="the evidence of a program is its tests, as JSON"):
        study.run(sophistry_of({"task": "programs", "outputs": file, "seeds": (0,)}), tmp_path / "kept")


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
