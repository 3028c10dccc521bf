"""Reviews there and back: an answer is a decision, a doubt or a reject with place and cause, and nothing is lost."""

import json
import tempfile
from pathlib import Path
from xml.etree import ElementTree

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.reviewing import FORMS, forms, label_studio, wording
from pipelines.reviewing.decisions import decide, leave_open
from pipelines.schema import CONFIRM, PUT_BACK, DataError
from tests.pipelines.reviewers import BACK, OUT, Said, decisions, fill, parted

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
#: what is done with a task -> answers, how many decisions, doubts, and what each reject says
KINDS = {
    "out": ([Said(OUT, comment="so")], 1, 0, []),
    "back": ([Said(BACK, "ann")], 1, 0, []),
    "agreed": ([Said(BACK, "ann"), Said(BACK, "bob")], 2, 0, []),
    "both": ([Said(BACK, "ann"), Said(OUT, "bob")], 0, 2, []),
    "both by one": ([Said(BACK), Said(OUT)], 0, 2, []),
    "twice": ([Said(OUT), Said(OUT)], 1, 0, ["had said the same before"]),
    "unknown": ([Said("Maybe")], 0, 0, ["expected one of the two choices, got 'Maybe'"]),
    "name of a choice": ([Said("put_back")], 0, 0, ["expected one of the two choices"]),
    "a number": ([Said(7)], 0, 0, ["expected one of the two choices, got 7"]),
    "cancelled": ([Said(OUT, is_cancelled=True)], 0, 0, ["skipped, or not submitted"]),
    "no choice": ([Said(None, comment="hm")], 0, 0, ["nothing was chosen"]),
    "changed": ([Said(BACK, edited="chosen")], 0, 0, ["'chosen' is not as it was shown"]),
    "another reason": ([Said(BACK, edited="reason")], 0, 0, ["'reason' is not as it was shown"]),
    "another question": ([Said(BACK, edited="rejected_prompt")], 0, 0, ["'rejected_prompt' is not as it was shown"]),
    "nothing": ([], 0, 0, []),
}


@pytest.fixture(params=FORMS)
def tool(request):
    return request.param


@settings(max_examples=25, deadline=None)
@given(data=st.data(), texts=st.lists(TEXTS, min_size=1, max_size=3), count=st.integers(1, 6))
@pytest.mark.parametrize("name", FORMS)
def test_there_and_back_nothing_is_lost(name, data, texts, count):
    reviewed = parted([True] * count + [False] * 2, texts=texts)
    kinds = [data.draw(st.sampled_from(sorted(KINDS))) for _ in range(count)]
    kinds[0] = "out"
    ids = reviewed.quarantined["pair_id"].to_list()
    with tempfile.TemporaryDirectory() as folder:
        FORMS[name].write(wording.tasks(reviewed.quarantined), Path(folder))
        fill(name, Path(folder), {each: KINDS[kind][0] for each, kind in zip(ids, kinds, strict=True)})
        read = forms.read(Path(folder), reviewed, FORMS)
    for table, place in ((read.decisions, 1), (read.undecided, 2)):
        told = {each: KINDS[kind][place] for each, kind in zip(ids, kinds, strict=True)}
        assert dict(table["pair_id"].value_counts().iter_rows()) == {each: many for each, many in told.items() if many}
    wanted = sorted(f"pair {each}: {cause}" for each, kind in zip(ids, kinds, strict=True) for cause in KINDS[kind][3])
    causes = sorted(read.rejects["cause"])
    assert len(causes) == len(wanted)
    for cause, want in zip(causes, wanted, strict=True):
        assert cause.startswith(want.split(": ")[0])
        assert want.split(": ")[1] in cause
    now = leave_open(decide(reviewed, read.decisions), read.undecided)
    back = [each for each, kind in zip(ids, kinds, strict=True) if kind in ("back", "agreed")]
    assert now.put_back["pair_id"].to_list() == back
    assert len(now.kept) + len(now.quarantined) == count + 2


@pytest.fixture
def answered(tool, tmp_path):
    """`answered(said, reviewed, spoil)`: what comes of six pairs set aside, after `spoil(tasks)` changed what came back."""

    def read(said, reviewed=None, spoil=lambda tasks: tasks):
        reviewed = reviewed or parted([True] * 6)
        FORMS[tool].write(wording.tasks(reviewed.quarantined), tmp_path)
        fill(tool, tmp_path, said)
        file = tmp_path / ("tasks.json" if tool == "label_studio" else "records.json")
        file.write_text(json.dumps(spoil(json.loads(file.read_text()))))
        return forms.read(tmp_path, reviewed, FORMS)

    return read


def ids_of(reviewed):
    return reviewed.quarantined["pair_id"].to_list()


def test_a_decision_has_who_made_it_and_why(answered):
    began = parted([True] * 6)
    read = answered({ids_of(began)[1]: [Said(f" {OUT} ", 7, "half a sign: \ud800")]})
    assert read.decisions.rows() == [(ids_of(began)[1], CONFIRM, "7", "half a sign: ?")]


def test_answers_on_pairs_that_are_not_set_aside_are_rejected_with_their_place(answered, tool):
    began = parted([True, True, True, False])
    ids = ids_of(began)
    now = decide(began, decisions((ids[2], PUT_BACK)))
    kept = began.kept["pair_id"][0]

    def stray(tasks):
        others = []
        for name in (kept, "0" * 16, ids[2], None, 5, ["x"]):
            task = json.loads(json.dumps(next(task for task in tasks if '"ann"' in json.dumps(task))))
            if tool == "label_studio":
                task["data"]["pair_id"] = name
            else:
                task["id"] = name
            others.append(task)
        return [*others, *tasks]

    read = answered({ids[0]: [Said(BACK)]}, now, stray)
    assert read.decisions.rows() == [(ids[0], PUT_BACK, "ann", None)]
    assert read.rejects["row"].to_list() == [0, 1, 2, 3, 4, 5]
    assert read.rejects["line"].to_list() == [1, 2, 3, 4, 5, 6]
    assert read.rejects["cause"].to_list() == [
        f"pair {kept} was kept and never set aside",
        "no pair of this folder is called '0000000000000000'",
        f"pair {ids[2]} was put back before, and is not set aside any more",
        "no pair of this folder is called None",
        "no pair of this folder is called 5",
        "no pair of this folder is called a list",
    ]


def test_the_texts_of_another_pair_are_no_texts_of_this_one(answered, tool):
    began = parted([True] * 6)
    first, second, *_ = ids_of(began)

    def swapped(tasks):
        for task in tasks:
            holder, key = (task["data"], "pair_id") if tool == "label_studio" else (task, "id")
            holder[key] = {first: second, second: first}.get(holder[key], holder[key])
        return tasks

    read = answered({first: [Said(BACK)], second: [Said(OUT)]}, began, swapped)
    assert read.decisions.is_empty()
    assert len(read.rejects) == 2


def test_who_contradicts_what_stands_leaves_it_open(answered):
    began = parted([True] * 6)
    first, second, *_ = ids_of(began)
    now = decide(began, decisions((first, CONFIRM, "bob"), (second, CONFIRM, "bob")))
    read = answered({first: [Said(BACK)], second: [Said(OUT)]}, now)
    assert read.undecided.rows() == [(first, PUT_BACK, "ann", None)]
    assert read.decisions.rows() == [(second, CONFIRM, "ann", None)]
    open_ = leave_open(now, read.undecided)
    more = answered({first: [Said(BACK, "eve")]}, open_)
    assert more.undecided.rows() == [(first, PUT_BACK, "eve", None)]  # one who agrees with one of two ends no doubt
    fresh = leave_open(began, decisions((first, CONFIRM, "ann"), (first, PUT_BACK, "bob")))
    assert answered({first: [Said(OUT, "eve")]}, fresh).undecided.rows() == [(first, CONFIRM, "eve", None)]
    again = answered({first: [Said(BACK)], second: [Said(BACK, "eve")]}, open_)
    assert again.rejects["cause"].to_list() == [f"pair {first}: ann had said the same before"]


def chosen(*given):
    """An annotation with these results, as (name, value)."""
    return {"result": [{"from_name": name, "value": value} for name, value in given]}


#: what Label Studio's annotations are, what Argilla's responses are
FORMLESS = [
    (5, 5),
    (None, None),
    ([None], {"decision": [None]}),
    ([{"result": [{"value": 1}]}], {"decision": [{"value": OUT}]}),
    ([{"result": None}], {"decision": None}),
    ([chosen(("decision", 3))], []),
    ([chosen(("comment", {"text": [3]}))], {"comment": [{"value": 3, "user_id": 1}]}),
    ([chosen(("decision", {"choices": [[[OUT]]]}))], {"decision": [{"value": [OUT], "user_id": 1}]}),
    ([chosen(("decision", {"choices": [OUT, BACK]}))], {"decision": [{"value": {"a": OUT}, "user_id": []}]}),
    ([chosen(*[("decision", {"choices": [each]}) for each in (OUT, BACK)])], {"decision": [{"value": 1, "user_id": 1}]}),
]
BROKEN = [{"label_studio": {"annotations": one}, "argilla": {"responses": other}} for one, other in FORMLESS]
BROKEN += [{"label_studio": {"data": texts}, "argilla": {"fields": texts}} for texts in (None, {})]
BROKEN += [{name: {"annotations": [], "responses": {}} for name in FORMS}]


@pytest.mark.parametrize("broken", BROKEN)
def test_a_broken_row_loses_no_other(answered, tool, broken):
    began = parted([True] * 6)

    def spoil(tasks):
        tasks[0] |= broken[tool]
        return tasks

    read = answered({each: [Said(OUT)] for each in ids_of(began)}, began, spoil)
    assert len(read.decisions) == 5
    assert len(read.rejects) == 1
    assert read.rejects["row"].to_list() == [0]


def test_rows_that_are_no_tasks_are_rejected(answered):
    began = parted([True] * 6)
    read = answered({ids_of(began)[0]: [Said(OUT)]}, began, lambda tasks: [7, None, "x", {"data": 1}, [], *tasks])
    assert len(read.decisions) == 1
    assert read.rejects["row"].to_list() == [0, 1, 2, 3, 4]
    assert all("expected an object with 'responses' or 'annotations', got" in cause for cause in read.rejects["cause"])


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, "\ud800", "[" + "9" * 5000 + "]", '{"annotations": ' * 5000])
def test_a_broken_file_loses_no_other(tool, text, tmp_path):
    began = parted([True] * 3)
    FORMS[tool].write(wording.tasks(began.quarantined), tmp_path)
    fill(tool, tmp_path, {each: [Said(BACK)] for each in ids_of(began)})
    (tmp_path / "a.json").write_bytes(text.encode("utf-8", "surrogatepass"))
    read = forms.read(tmp_path, began, FORMS)
    assert len(read.decisions) == 3
    assert read.rejects["source"].to_list() == ["a.json"]
    (tmp_path / "alone").mkdir()
    (tmp_path / "a.json").rename(tmp_path / "alone" / "a.json")
    with pytest.raises(DataError, match="none of 1 answers is of use"):
        forms.read(tmp_path / "alone", began, FORMS)


NESTS = (
    "DEEP",
    '{"x": DEEP}',
    '{"annotations": DEEP}',
    '{"annotations": [DEEP]}',
    '{"data": {}, "annotations": [{"result": [], "completed_by": DEEP}]}',
    '{"id": DEEP, "fields": {}, "responses": {"decision": [{"value": DEEP, "user_id": DEEP}]}}',
    '{"id": DEEP, "fields": {}, "responses": {"decision": [{"value": DEEP, "user_id": 1}]}}',
)


@pytest.mark.parametrize("nest", NESTS)
def test_nesting_just_short_of_what_a_parser_bears_loses_no_other(nest, tmp_path):
    began = parted([True] * 2)
    FORMS["argilla"].write(wording.tasks(began.quarantined), tmp_path)
    fill("argilla", tmp_path, {each: [Said(BACK)] for each in ids_of(began)})
    for depth in range(800, 1000):
        (tmp_path / f"{depth}.json").write_text("[" + nest.replace("DEEP", "[" * depth + "]" * depth) + "]")
    read = forms.read(tmp_path, began, FORMS)
    assert len(read.decisions) == 2
    assert len(read.rejects) == read.rejects["source"].n_unique() == 200


def test_of_nobody_known_every_answer_counts(tool, tmp_path):
    began = parted([True] * 2)
    FORMS["label_studio"].write(wording.tasks(began.quarantined), tmp_path)
    fill("label_studio", tmp_path, {ids_of(began)[0]: [Said(OUT, None), Said(OUT, None)]})
    assert [row[1:3] for row in forms.read(tmp_path, began, FORMS).decisions.rows()] == [(CONFIRM, None)] * 2


def test_a_file_without_answers_is_no_decision(answered):
    read = answered({})
    assert (len(read.decisions), len(read.undecided), len(read.rejects)) == (0, 0, 0)


def test_files_of_another_review_are_refused(tool, tmp_path):
    other = parted([True] * 3, texts=("other",))
    FORMS[tool].write(wording.tasks(other.quarantined), tmp_path)
    fill(tool, tmp_path, {each: [Said(BACK)] for each in ids_of(other)})
    with pytest.raises(DataError, match="none of 3 answers is of use, the first for this: no pair of this folder is called"):
        forms.read(tmp_path, parted([True] * 3), FORMS)
    with pytest.raises(DataError, match="no JSON file"):
        forms.read(tmp_path / "nowhere", parted([True]), FORMS)


def test_tasks_have_a_pair_s_texts_verbatim_and_always_a_reason():
    began = parted([True] * 5, texts=("<b>\n# x",))
    tasks = {task["pair_id"]: task for task in wording.tasks(began.quarantined)}
    for row in began.quarantined.iter_rows(named=True):
        task = tasks[row["pair_id"]]
        names = ("prompt", "chosen", "rejected", "reason")
        assert [task[name] for name in names] == [row[name] for name in names]
        assert task["rejected_prompt"] == (row["rejected_prompt"] or "")
        assert set(task) == {"pair_id", *wording.FIELDS}
    [task] = wording.tasks(began.quarantined.head(1).with_columns(reason=pl.lit("")))
    assert task["reason"] == wording.NO_REASON


def test_the_configuration_of_label_studio_asks_everything_once_and_shows_plain_text():
    view = ElementTree.fromstring(label_studio.config())
    choices = {one.get("name"): [choice.get("value") for choice in one] for one in view.iter("Choices")}
    assert choices == {"decision": [OUT, BACK]}
    assert [one.get("value") for one in view.iter("Text")] == [f"${name}" for name in wording.FIELDS]
    assert {one.tag for one in view.iter()} == {"View", "Header", "Text", "Choices", "Choice", "TextArea"}
    names = {one.get("name") for one in view if one.get("name")}
    assert {one.get("toName") for one in view if one.get("toName")} <= names


def test_the_settings_of_argilla_are_those_its_sdk_reads(tmp_path):
    began = parted([True] * 2)
    FORMS["argilla"].write(wording.tasks(began.quarantined), tmp_path)
    made = json.loads((tmp_path / ".argilla" / "settings.json").read_text())
    assert set(made) == {"guidelines", "allow_extra_metadata", "distribution", "fields", "questions", "vectors", "metadata"}
    assert [field["settings"] for field in made["fields"]] == [{"type": "text", "use_markdown": False}] * 5
    kinds = [(one["name"], one["settings"]["type"], one["required"]) for one in made["questions"]]
    assert kinds == [("decision", "label_selection", True), ("comment", "text", False)]
    record = json.loads((tmp_path / "records.json").read_text())[0]
    assert set(record) == {"id", "fields", "metadata", "suggestions", "responses", "vectors"}
    assert set(record["fields"]) == {field["name"] for field in made["fields"]}
    dataset = json.loads((tmp_path / ".argilla" / "dataset.json").read_text())
    assert set(dataset) == {"name", "status", "guidelines", "allow_extra_metadata"}
