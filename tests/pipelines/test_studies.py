"""Studies there and back: whatever annotators do, every output has one verdict or one fault, and nothing else is lost."""

import json
import tempfile
from pathlib import Path
from xml.etree import ElementTree

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.schema import CONFIDENCES, DataError
from pipelines.studies import STUDIES, answers, key, label_studio, planning, study, wording
from rlhf_train.evals import sophistry
from tests.pipelines.annotators import NO, WORDS, Said, fill, outputs_of

NAMES = {"before": "zebra", "after": "quagga"}
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
KINDS = (
    "whole",
    "late",
    "no consent",
    "no word of consent",
    "blank",
    "out of range",
    "cancelled",
    "changed",
    "nothing",
)


@pytest.fixture(params=STUDIES)
def tool(request):
    return request.param


def done(kind: str, person: str, level: int, reason: str) -> tuple[list[Said], tuple]:
    """What is done with a task, and the (confidence, seconds, reason, consent, fault) it must come to."""
    told = reason if reason.strip() else None
    one = {"person": person, "confidence": WORDS[level], "reason": reason}
    return {
        "whole": ([Said(**one)], (float(level), 42.0, told, True, None)),
        "late": ([Said(**one, seconds=400)], (float(level), 400.0, told, True, None)),
        "no consent": ([Said(**one, consent=NO)], (None, None, None, False, "no consent")),
        "no word of consent": ([Said(**one, consent=None)], (None, None, None, False, "no consent")),
        "blank": ([Said(**{**one, "confidence": None})], (None, 42.0, told, True, "no answer")),
        "out of range": ([Said(**{**one, "confidence": "110: certain"})], (None, 42.0, told, True, "out of format")),
        "cancelled": ([Said(**one, is_cancelled=True)], (None, 42.0, told, True, "cancelled")),
        "changed": ([Said(**one, edited=True)], (None, 42.0, told, True, "the task was changed")),
        "nothing": ([], (None, None, None, None, "no answer")),
    }[kind]


@settings(max_examples=25, deadline=None)
@given(data=st.data(), rights=st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=5))
@pytest.mark.parametrize("name", STUDIES)
def test_there_and_back_nothing_is_lost(name, data, rights):
    outputs = outputs_of(rights, texts=data.draw(st.lists(TEXTS, min_size=1, max_size=3)))
    plan = planning.plan(outputs, **NAMES, judges=4, seed=data.draw(st.integers(0, 9)))
    said, wanted = {}, []
    for row in plan.assignments.iter_rows(named=True):
        kind, level = data.draw(st.sampled_from(KINDS)), data.draw(st.sampled_from(CONFIDENCES))
        said[row["shown_id"]], verdict = done(kind, f"p-{row['judge']}", level, data.draw(TEXTS))
        wanted.append((row["item_id"], row["policy"], row["judge"], *verdict))
    with tempfile.TemporaryDirectory() as folder:
        STUDIES[name].export(outputs, plan, Path(folder) / "out")
        fill(name, Path(folder) / "out", said)
        found = STUDIES[name].read(Path(folder) / "out", plan)
    assert found.verdicts.rows() == wanted
    assert len(found.rejects) == 0
    assert found.late == sum(row[3] is not None and row[4] == 400 for row in wanted)


@pytest.fixture
def filled(tool, tmp_path):
    """`filled(change)`: six items, all answered at 75 by each judge's own person, after `change(said, rows)`."""
    outputs = outputs_of([(True, False)] * 6)
    plan = planning.plan(outputs, **NAMES, judges=4)

    def read(change=lambda said, rows: None, spoil=lambda folder: None):
        rows = plan.assignments.rows(named=True)
        said = {row["shown_id"]: [Said(f"p-{row['judge']}")] for row in rows}
        change(said, rows)
        STUDIES[tool].export(outputs, plan, tmp_path / "out")
        fill(tool, tmp_path / "out", said)
        spoil(tmp_path / "out")
        return STUDIES[tool].read(tmp_path / "out", plan)

    return read


def test_all_who_answer_are_heard(filled):
    found = filled()
    assert found.verdicts["confidence"].to_list() == [75.0] * 12
    assert (len(found.rejects), dict(found.faults), found.late) == (0, {}, 0)


def test_a_second_answer_counts_for_nothing_and_is_told(filled, tool):
    def again(said, rows):
        said[rows[0]["shown_id"]].append(Said("somebody else", confidence=WORDS[0]))
        if tool == "label_studio":  # Argilla has one answer a person
            said[rows[1]["shown_id"]] += [Said(f"p-{rows[1]['judge']}"), Said(f"p-{rows[1]['judge']}", confidence=WORDS[0])]

    found = filled(again)
    assert found.verdicts["confidence"].to_list() == [75.0] * 12
    causes = found.rejects["cause"].to_list()
    assert "was judge-01's, and another person answered it" in causes[0]
    if tool == "label_studio":
        assert [cause.split(", and ")[1].split(";")[0] for cause in causes[1:]] == ["the same", "something else"]


def test_one_person_as_two_judges_judges_no_question_twice(filled):
    def one_person(said, rows):
        for row in rows:
            said[row["shown_id"]] = [Said("the same person")]

    found = filled(one_person)
    kept = found.verdicts.drop_nulls("confidence")
    assert kept["item_id"].n_unique() == len(kept) == 6
    assert dict(found.faults) == {"no answer": 6}
    assert all("had judged this question before" in cause for cause in found.rejects["cause"])


def test_where_a_tool_does_not_say_who_answered_tasks_are_their_judge_s(filled):
    def nobody(said, rows):
        for row in rows:
            said[row["shown_id"]] = [Said(None)]

    found = filled(nobody)
    assert (found.verdicts["confidence"].null_count(), len(found.rejects)) == (0, 0)


def test_tasks_of_another_study_are_told_and_lose_no_other(filled, tool):
    def spoil(folder):
        file = next(folder.rglob("tasks.json" if tool == "label_studio" else "records.json"))
        tasks = json.loads(file.read_text())
        foreign = json.loads(json.dumps(tasks[0]))
        if tool == "label_studio":
            foreign["data"]["shown_id"] = "0" * 16
        else:
            foreign["id"] = "0" * 16
        file.write_text(json.dumps([foreign, 7, None, {"data": 1}, *tasks]))

    found = filled(spoil=spoil)
    assert found.verdicts["confidence"].to_list() == [75.0] * 12
    assert sum("no task of this study is called '0000000000000000'" in cause for cause in found.rejects["cause"]) == 1
    assert len(found.rejects) == 4


BROKEN = [
    {"annotations": 5, "responses": 5},
    {"annotations": [None], "responses": {"confidence": [None]}},
    {"annotations": [{"result": [{"from_name": "x"}]}], "responses": {"confidence": [{"value": 1}]}},
    {"annotations": [{"result": None}], "responses": {"confidence": None}},
    {"annotations": [{"result": [{"from_name": "consent", "value": 3}]}], "responses": []},
    {"data": None, "fields": None},
]


@pytest.mark.parametrize("broken", BROKEN)
def test_a_broken_row_loses_no_other(filled, tool, broken):
    def spoil(folder):
        file = next(folder.rglob("tasks.json" if tool == "label_studio" else "records.json"))
        tasks = json.loads(file.read_text())
        tasks[0] |= broken
        file.write_text(json.dumps(tasks))

    found = filled(spoil=spoil)
    assert found.verdicts["confidence"].null_count() == 1
    assert len(found.rejects) == 1
    assert "are not as" in found.rejects["cause"][0]


@pytest.mark.parametrize("text", ["", "{", "[" * 10_000, "\ud800"])
def test_a_broken_file_loses_no_other(filled, tool, text):
    def spoil(folder):
        file = sorted(folder.rglob("tasks.json" if tool == "label_studio" else "records.json"))[0]
        file.write_bytes(text.encode("utf-8", "surrogatepass"))

    found = filled(spoil=spoil)
    assert found.verdicts.filter(pl.col("judge") != "judge-01")["confidence"].null_count() == 0
    assert "the file is no JSON" in found.rejects["cause"][0]


@pytest.mark.parametrize("odd", [float("nan"), -1, "12", True, 1e300, None, [3]])
def test_times_that_are_none_are_left_out(odd, tmp_path):
    outputs = outputs_of([(True, False)])
    plan = planning.plan(outputs, **NAMES, judges=2)
    STUDIES["label_studio"].export(outputs, plan, tmp_path / "out")
    fill("label_studio", tmp_path / "out", {name: [Said(name, seconds=odd)] for name in plan.assignments["shown_id"]})
    found = STUDIES["label_studio"].read(tmp_path / "out", plan).verdicts
    assert found["seconds"].to_list() == [None, None]
    assert found["confidence"].to_list() == [75, 75]


def test_two_levels_at_once_and_words_of_ones_own_are_no_level(tmp_path):
    outputs = outputs_of([(True, False)] * 2)
    plan = planning.plan(outputs, **NAMES, judges=4)
    STUDIES["label_studio"].export(outputs, plan, tmp_path / "out")
    names = plan.assignments["shown_id"].to_list()
    odd = (100, "75", {"a": 1}, (WORDS[75], WORDS[25]))
    fill("label_studio", tmp_path / "out", {name: [Said(name, confidence=one)] for name, one in zip(names, odd, strict=True)})
    assert dict(STUDIES["label_studio"].read(tmp_path / "out", plan).faults) == {"out of format": 4}


def test_a_reason_with_half_a_character_is_kept_with_a_question_mark(filled):
    def half(said, rows):
        said[rows[0]["shown_id"]] = [Said(f"p-{rows[0]['judge']}", reason="so \ud800 it is")]

    assert filled(half).verdicts["reason"][0] == "so ? it is"


def test_nothing_of_this_study_is_refused(tool, tmp_path):
    plan = planning.plan(outputs_of([(True, False)]), **NAMES, judges=2)
    with pytest.raises(DataError, match="no JSON file"):
        STUDIES[tool].read(tmp_path / "nowhere", plan)
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "x.json").write_text("[1]")
    with pytest.raises(DataError, match="none of 1 rows is of this study"):
        STUDIES[tool].read(tmp_path / "bad", plan)


def test_without_those_over_time():
    rows = [(75.0, 181.0, None), (75.0, 180.0, None), (25.0, None, None), (None, 500.0, "no answer")]
    table = pl.DataFrame(rows, schema={"confidence": pl.Float64, "seconds": pl.Float64, "fault": pl.String}, orient="row")
    found = answers.within(table, 180)
    assert found["confidence"].to_list() == [None, 75, 25, None]
    assert found["fault"].to_list() == ["out of time", None, None, "no answer"]


def test_the_configuration_of_label_studio_asks_everything_once():
    view = ElementTree.fromstring(label_studio.config())
    choices = {one.get("name"): [choice.get("value") for choice in one] for one in view.iter("Choices")}
    assert choices == {"consent": list(wording.CONSENT), "confidence": list(wording.LEVELS)}
    assert [one.get("value") for one in view.iter("Text")] == ["$evidence", "$prompt", "$output"]
    names = {one.get("name") for one in view if one.get("name")}
    assert {one.get("toName") for one in view if one.get("toName")} <= names
    assert list(view.iter("HyperText")) == []


def test_the_settings_of_argilla_are_those_its_sdk_reads(tmp_path):
    outputs = outputs_of([(True, False)])
    STUDIES["argilla"].export(outputs, planning.plan(outputs, **NAMES, judges=2), tmp_path / "out")
    made = json.loads((tmp_path / "out" / "judge-01" / ".argilla" / "settings.json").read_text())
    assert set(made) == {"guidelines", "allow_extra_metadata", "distribution", "fields", "questions", "vectors", "metadata"}
    assert [field["settings"]["type"] for field in made["fields"]] == ["text"] * 3
    kinds = {question["name"]: question["settings"]["type"] for question in made["questions"]}
    assert kinds == {
        "consent": "label_selection", "confidence": "label_selection", "reason": "text", "started": "text", "finished": "text",
    }  # fmt: skip
    names = [one["name"] for one in (*made["fields"], *made["questions"])]
    assert len(set(names)) == len(names)
    record = json.loads((tmp_path / "out" / "judge-01" / "records.json").read_text())[0]
    assert set(record) == {"id", "fields", "metadata", "suggestions", "responses", "vectors"}
    assert set(record["fields"]) == {field["name"] for field in made["fields"]}
    assert "180 seconds" in made["guidelines"]


def test_the_key_never_lies_among_what_judges_get(tool, tmp_path):
    outputs = outputs_of([(True, False)])
    plan = planning.plan(outputs, **NAMES, judges=2)
    with pytest.raises(DataError, match="keep it elsewhere"):
        study.begin(STUDIES[tool], outputs, plan, folder=tmp_path / "out", keep=tmp_path / "out" / "key.json")
    assert list(tmp_path.iterdir()) == []


def test_a_whole_study_comes_to_the_numbers_of_its_verdicts(tool, tmp_path):
    """Outputs, plan, export, answers, import, measure; beside it the same verdicts measured without any file."""
    rights = [(at % 4 == 0, at % 5 == 0) for at in range(40)]
    outputs = outputs_of(rights)
    sample = {"same_right": 2, "same_wrong": 16, "differ": 8}
    plan = planning.plan(outputs, **NAMES, judges=5, sample=sample, seed=2)
    study.begin(STUDIES[tool], outputs, plan, folder=tmp_path / "out", keep=tmp_path / "key.json")
    said, rows = {}, []
    for at, row in enumerate(plan.assignments.iter_rows(named=True)):
        level = CONFIDENCES[(at * 7 + (row["policy"] == "quagga")) % 5]
        said[row["shown_id"]] = [Said(f"p-{row['judge']}", confidence=WORDS[level], seconds=30 + at)]
        rows.append((row["item_id"], row["policy"], row["judge"], float(level), 30.0 + at, row["stratum"]))
    fill(tool, tmp_path / "out", said)
    read = study.end(STUDIES[tool], tmp_path / "out", keep=tmp_path / "key.json")
    direct = pl.DataFrame(rows, schema=["item_id", "policy", "judge", "confidence", "seconds", "stratum"], orient="row")
    known = outputs.select("item_id", "policy", "is_correct", "proxy")
    numbers = {**NAMES, "populations": plan.populations, "draws": 100}
    found = sophistry.measure(study.judged(read.verdicts, outputs, plan), **numbers)
    wanted = sophistry.measure(direct.join(known, on=["item_id", "policy"]), **numbers)
    assert found.levels.equals(wanted.levels)
    assert found.changes.equals(wanted.changes)
    assert found.items == 26
    right = sum(
        plan.populations[name] * share for name, share in (("same_right", 1), ("differ", _right(plan, outputs, "zebra")))
    )
    assert found.level("correctness", "zebra").value == pytest.approx(right / 40)
    assert key.read(tmp_path / "key.json").populations == plan.populations


def _right(plan, outputs, policy) -> float:
    """Share of the sampled items that differ which the policy gets right."""
    items = plan.assignments.filter(stratum="differ", policy=policy)
    return items.join(outputs, on=["item_id", "policy"])["is_correct"].mean()
