"""Outputs of one's own: measured, audited, graded again where their items are known, and what is refused of them."""

import json

import polars as pl
import pytest

from assets.sophistry import report, study
from assets.sophistry.rows import sophistry_of
from pipelines.schema import DataError
from pipelines.tasks import TASKS
from tests.assets.judged import said, written


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


def test_outputs_of_other_policies_are_left_out(tmp_path):
    more = [{**row, "policy": "between"} for row in said() if row["policy"] == "trained"]
    file = written([*said(), *more], tmp_path / "said.jsonl")
    own = sophistry_of({"task": "passages", "outputs": file, "judge": "reader", "judges": 4, "seeds": (0,)})
    found = study.run(own, tmp_path / "kept")
    assert set(found["outputs"]["policy"]) == set(found["verdicts"]["policy"]) == {"base", "trained"}


def test_rewards_that_are_no_chances_are_not_held_against_what_is_right(tmp_path):
    file = written(said(proxy=1.5), tmp_path / "said.jsonl")
    own = sophistry_of({"task": "passages", "outputs": file, "judge": "reader", "judges": 4, "seeds": (0,)})
    audits = study.run(own, tmp_path / "kept")["audits"]
    (told,) = audits.filter(audit="the_proxy_agrees_with_gold").select("passed", "words").rows()
    assert told == (True, "not counted: a reward as 1.5 is no chance of being right")


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
