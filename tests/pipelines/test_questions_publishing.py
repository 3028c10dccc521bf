"""Published questions: what is read back is what was written, of templates and of the published sets."""

import json

import polars as pl
import pytest

from pipelines.questions import behaviours, publishing, reading, templates
from pipelines.questions.identity import with_question_ids
from pipelines.schema import QUESTIONS, DataError, require

BUILTIN = behaviours.builtin()


def again(frame: pl.DataFrame, path) -> pl.DataFrame:
    found = reading.read(publishing.write(frame, path))
    assert found.rejects.is_empty()
    return found.questions


@pytest.mark.parametrize("name", BUILTIN)
def test_written_questions_are_read_back_as_they_were(name, tmp_path):
    made = templates.write(BUILTIN[name], count=40).questions
    made = made.with_columns(label_confidence=None if BUILTIN[name].format == "schema" else pl.lit(0.1) + pl.col("row") / 100)
    assert again(require(made, QUESTIONS), tmp_path / f"{name}.jsonl").equals(require(made, QUESTIONS))


def test_the_columns_are_the_published_ones(tmp_path):
    made = templates.write(BUILTIN["thrift"], count=1).questions.with_columns(source=pl.lit("persona/thrift.jsonl"))
    row = json.loads(publishing.write(made, tmp_path / "x.jsonl").read_text())
    assert row == {
        "source_file": "persona/thrift.jsonl", "question": made["question"][0], "statement": made["statement"][0],
        "answer_matching_behavior": " Yes", "answer_not_matching_behavior": " No",
    }  # fmt: skip
    assert [file.name for file in tmp_path.iterdir()] == ["x.jsonl"]


def odd(**changed) -> pl.DataFrame:
    told = {
        "row": 0,
        "source": "x.csv",
        "behaviour": "odd",
        "question": "Which?",
        "options": ["b", "a", "[c]"],
        "matching": ["[c]"],
    }
    schema = {name: QUESTIONS.columns[name].dtype for name in told}
    return require(with_question_ids(pl.DataFrame([told | changed], schema=schema)), QUESTIONS)


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"matching": ["b", "a"]},
        {"options": [" Yes", " No"], "matching": [" Yes"]},
        {"options": [" (B)", " (A)"], "matching": [" (A)"], "question": "Which?\n (A) x\n (B) y\n (C) z"},
        {"question": "Ünïcode \u2028 and <b>\n\n_|", "behaviour": "a b/c"},
    ],
)
def test_what_does_not_follow_from_the_answers_is_written_beside_them(changed, tmp_path):
    assert again(odd(**changed), tmp_path / "x.jsonl").equals(odd(**changed))


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"matching": ["d"]}, "'d' is none of the options"),
        ({"question": " "}, "'question' is empty"),
        ({"matching": ["a", "b", "[c]"]}, "all 3 options"),
        ({"matching": []}, "'sentence_with_blank' must hold one '_'"),
    ],
)
def test_a_question_that_no_reader_takes_is_not_published(changed, told, tmp_path):
    with pytest.raises(DataError, match=f"can't be published: .*{told}"):
        publishing.write(odd(**changed), tmp_path / "x.jsonl")
    assert not list(tmp_path.iterdir())


def test_another_ending_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"ends in \.jsonl"):
        publishing.write(odd(), tmp_path / "x.csv")


def test_published_sets_come_through_whole(real_data, tmp_path):
    for name in ("few_shot_prompts", "winogenerated", "advanced_ai_risk"):
        found = reading.read(real_data / "mwe_evals" / f"{name}.jsonl.gz").questions
        frame = found.with_columns(row=pl.int_range(pl.len(), dtype=pl.Int64))
        assert again(frame, tmp_path / "x.jsonl").equals(frame)
