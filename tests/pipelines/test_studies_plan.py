"""Plans: nobody sees a question twice, everybody as much as others, and nobody a policy's name."""

import json

import polars as pl
import pytest

from pipelines.schema import DataError
from pipelines.studies import STUDIES, key, planning
from tests.pipelines.annotators import outputs_of

RIGHTS = [(True, True)] * 9 + [(False, False)] * 14 + [(True, False)] * 4 + [(False, True)] * 3
NAMES = {"before": "zebra", "after": "quagga"}


def planned(rights=RIGHTS, **numbers) -> planning.Plan:
    return planning.plan(outputs_of(rights), **{**NAMES, "judges": 6, **numbers})


@pytest.mark.parametrize("per_output", [1, 2, 3])
def test_no_judge_sees_a_question_twice_and_every_output_has_its_judges(per_output):
    rows = planned(per_output=per_output).assignments
    assert rows.select("judge", "item_id").is_unique().all()
    assert rows.group_by("item_id", "policy").len()["len"].unique().to_list() == [per_output]
    assert len(rows) == 30 * 2 * per_output
    assert rows["shown_id"].is_unique().all()


@pytest.mark.parametrize("seed", range(5))
def test_judges_have_as_much_as_others_and_as_much_of_each_policy(seed):
    rows = planned(seed=seed).assignments
    assert rows.group_by("judge").len()["len"].to_list() == [10] * 6
    by_policy = rows.group_by("judge", "policy").len()["len"]
    assert by_policy.min() >= 4
    assert by_policy.max() <= 6


def test_the_order_of_a_judge_is_random_and_whole():
    rows = planned().assignments.filter(judge="judge-01")
    assert rows["place"].to_list() == list(range(10))
    assert rows["item_id"].to_list() != sorted(rows["item_id"])
    assert rows["policy"].to_list() not in (sorted(rows["policy"]), sorted(rows["policy"], reverse=True))


def test_the_seed_decides_all():
    assert planned(seed=3).assignments.equals(planned(seed=3).assignments)
    assert not planned(seed=3).assignments.equals(planned(seed=4).assignments)


def test_strata_are_sampled_and_their_populations_kept():
    made = planned(sample={"same_right": 5, "same_wrong": 6, "differ": 50})
    assert dict(made.populations) == {"same_right": 9, "same_wrong": 14, "differ": 7}
    items = made.assignments.select("item_id", "stratum").unique()
    assert dict(items.group_by("stratum").len().iter_rows()) == {"same_right": 5, "same_wrong": 6, "differ": 7}
    rights = {row["item_id"]: both for row, both in zip(outputs_of(RIGHTS)[::2].iter_rows(named=True), RIGHTS, strict=True)}
    for item, stratum in items.iter_rows():
        one, other = rights[item]
        assert stratum == ("differ" if one != other else "same_right" if one else "same_wrong")


@pytest.mark.parametrize(
    ("numbers", "told"),
    [
        ({"judges": 5, "per_output": 3}, "an item needs 6 judges who have not seen it, got judges=5"),
        ({"per_output": 0}, "an item needs 0 judges"),
        ({"seconds": 0}, "more than 0, got 0"),
        ({"seconds": float("nan")}, "more than 0, got nan"),
        ({"before": "okapi"}, "'okapi' and 'quagga' have none"),
        ({"sample": {"both": 3}}, "of same_right, same_wrong, differ"),
        ({"sample": {"differ": -1}}, "0 or more each"),
        ({"sample": dict.fromkeys(planning.STRATA, 0)}, "no item is left"),
    ],
)
def test_a_plan_that_can_not_be_is_refused(numbers, told):
    with pytest.raises(DataError, match=told):
        planned(**numbers)


def test_several_outputs_to_one_item_are_refused():
    outputs = outputs_of(RIGHTS)
    with pytest.raises(DataError, match="one output of 'zebra' to each item"):
        planning.plan(pl.concat([outputs, outputs.head(1)]), **NAMES)


@pytest.mark.parametrize("tool", STUDIES)
def test_what_judges_get_names_no_policy_no_item_and_no_truth(tool, tmp_path):
    made = planned()
    STUDIES[tool].export(outputs_of(RIGHTS), made, tmp_path / "out")
    files = [file for file in (tmp_path / "out").rglob("*") if file.is_file()]
    whole = "".join(file.read_text() for file in files)
    assert "Answer 7" in whole
    for secret in ("zebra", "quagga", "is_correct", "proxy", "same_wrong", *made.assignments["item_id"].unique()):
        assert secret not in whole


@pytest.mark.parametrize("tool", STUDIES)
def test_each_judge_gets_their_own_tasks_in_their_own_order(tool, tmp_path):
    made = planned()
    STUDIES[tool].export(outputs_of(RIGHTS), made, tmp_path / "out")
    for (judge,), rows in made.assignments.group_by("judge"):
        name = "tasks.json" if tool == "label_studio" else "records.json"
        tasks = json.loads((tmp_path / "out" / judge / name).read_text())
        got = [task["data"]["shown_id"] if tool == "label_studio" else task["id"] for task in tasks]
        assert got == rows.sort("place")["shown_id"].to_list()


@pytest.mark.parametrize("tool", STUDIES)
def test_outputs_that_were_not_planned_are_refused_and_nothing_is_published(tool, tmp_path):
    changed = outputs_of(RIGHTS).with_columns(output=pl.col("output") + "!")
    with pytest.raises(DataError, match="is not as it was planned"):
        STUDIES[tool].export(changed, planned(), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_key_is_kept_without_loss_and_never_over_another(tmp_path):
    made, file = planned(), tmp_path / "deep" / "key.json"
    key.write(made, file)
    key.write(made, file)
    found = key.read(file)
    assert found.assignments.equals(made.assignments)
    assert (dict(found.populations), found.seconds, found.seed) == (dict(made.populations), made.seconds, made.seed)
    with pytest.raises(DataError, match="another study's key"):
        key.write(planned(seed=1), file)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda text: text.replace("zebra", "quagga", 1), "was changed since"),
        (lambda text: text.replace('"seconds": 180.0', '"seconds": 60.0'), "was changed since"),
        (lambda text: text[:-9], "expected the key of a study"),
        (lambda text: "[" * 10_000, "expected the key of a study"),
        (lambda text: "[]", "expected the key of a study"),
    ],
)
def test_a_key_that_was_changed_is_refused(tmp_path, change, told):
    file = tmp_path / "key.json"
    key.write(planned(), file)
    file.write_text(change(file.read_text()))
    with pytest.raises(DataError, match=told):
        key.read(file)
