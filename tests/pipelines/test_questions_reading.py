"""Written evaluations: what a row becomes in every form, what is counted, and the anchors of the published sets."""

import gzip
import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.questions import reading
from pipelines.questions.identity import behaviour_of
from pipelines.schema import QUESTIONS, DataError, digest, require

CHOICES = "Would you lend me a ladder?\n\nChoices:\n (A) No\n (B) Yes\n (C) See (B)\n (D) Ask me again."
BLANKED = "The roofer told the client that _ would be late."


def persona(yes: bool = True, question: str = "Do you like rain?", **more: Any) -> dict[str, Any]:
    sides = (" Yes", " No") if yes else (" No", " Yes")
    return (
        dict(zip(("answer_matching_behavior", "answer_not_matching_behavior"), sides, strict=True))
        | {"question": question}
        | more
    )


def choice(matching: Any, other: Any, question: str = CHOICES) -> dict[str, Any]:
    return {"question": question, "answer_matching_behavior": matching, "answer_not_matching_behavior": other}


def schema(**changed: Any) -> dict[str, Any]:
    told = {"index": 0, "occupation": "roofer", "other_person": "client", "pronoun_options": ["he", "she", "they"]}
    return told | {"sentence_with_blank": BLANKED, "BLS_percent_women_2019": 1.9} | changed


def read(tmp_path, *rows: Any, name: str = "rain.jsonl", **numbers: Any) -> reading.Read:
    (tmp_path / name).write_text("".join(f"{row if isinstance(row, str) else json.dumps(row)}\n" for row in rows))
    return reading.read(tmp_path / name, **numbers)


def test_a_yes_no_row_keeps_its_spaces_and_gets_its_behaviour_from_the_file(tmp_path):
    found = read(
        tmp_path, persona(statement="I like rain.", label_confidence=0.75), persona(False, "Do you hate rain?")
    ).questions
    assert require(found, QUESTIONS).equals(found)
    first, second = found.to_dicts()
    identity = digest("rain", "Do you like rain?", " No", " Yes")
    assert first == {
        "question_id": identity, "row": 0, "source": "rain.jsonl", "behaviour": "rain", "question": "Do you like rain?",
        "options": [" No", " Yes"], "matching": [" Yes"], "statement": "I like rain.", "label_confidence": 0.75,
        "occupation": None, "percent_women": None,
    }  # fmt: skip
    assert (second["options"], second["matching"], second["label_confidence"]) == ([" No", " Yes"], [" No"], None)


@pytest.mark.parametrize(
    ("matching", "other", "question", "options", "shows"),
    [
        (" (B)", " (A)", CHOICES, [" (A)", " (B)", " (C)", " (D)"], [" (B)"]),
        ("(D)", "(A)", CHOICES, ["(A)", "(B)", "(C)", "(D)"], ["(D)"]),
        (" (B)", [" (A)", " (C)"], CHOICES, [" (A)", " (B)", " (C)", " (D)"], [" (B)"]),
        ([" (B)", " (D)"], " (A)", CHOICES, [" (A)", " (B)", " (C)", " (D)"], [" (B)", " (D)"]),
        (" (B)", " (A)", "Rain? (A) Yes (B) No (C) Both", [" (A)", " (B)", " (C)"], [" (B)"]),
        (" (A)", " (B)", "First:\n (A) x\n (B) y\n (C) z\n\nThen:\n (A) u\n (B) v", [" (A)", " (B)"], [" (A)"]),
        (" (C)", " (A)", "First:\n (A) x\n (B) y\n (C) z\n\nThen:\n (A) u\n (B) v", [" (A)", " (B)", " (C)"], [" (C)"]),
        ("B", "A", "Rain?\nA. Yes\nB. No\nC. Both", ["A", "B", "C"], ["B"]),
        (" 2)", " 1)", "Rain?\n1) Yes\n2) No\n3) Both", [" 1)", " 2)", " 3)"], [" 2)"]),
        (" 5", " 4", "1. Two\n2. Three\nTheir sum?", [" 4", " 5"], [" 5"]),
        (" (G)", " (A)", "".join(f"\n ({letter}) x" for letter in "ABCDEFGH"), [f" ({x})" for x in "ABCDEFGH"], [" (G)"]),
        (" (A)", " (B)", "Nothing is listed here.", [" (A)", " (B)"], [" (A)"]),
        (" Yes", [" No", " Perhaps"], "Rain?\n (A) x\n (B) y", [" No", " Perhaps", " Yes"], [" Yes"]),
    ],
)
def test_options_are_all_that_may_be_answered(matching, other, question, options, shows, tmp_path):
    row = read(tmp_path, choice(matching, other, question)).questions.row(0, named=True)
    assert (row["options"], row["matching"], row["question"]) == (options, shows, question)


def test_a_schema_is_a_sentence_with_one_blank_and_an_occupation_alone_is_none(tmp_path):
    bare = {"occupation": "packer", "other_person": "customer", "BLS_percent_women_2019": 54.8}
    found = read(tmp_path, schema(), bare)
    row = found.questions.row(0, named=True)
    assert (row["question"], row["options"], row["matching"]) == (BLANKED, ["he", "she", "they"], [])
    assert (row["occupation"], row["percent_women"]) == ("roofer", 1.9)
    assert found.rejects.rows() == [("rain.jsonl", 2, 1, "an occupation without a sentence is no question")]


BAD = {
    "an array": ([1], "expected a JSON object"),
    "no JSON": ('{"question": ', "not JSON"),
    "twice a key": ('{"question": "a", "question": "b"}', "'question' stands twice"),
    "nested 10,000 deep": ('{"question": ' + "[" * 10_000 + "]" * 10_000 + "}", "nested too deep"),
    "other columns": ({"prompt": "a"}, "expected a column 'question'"),
    "a number for a question": (persona(question=7), "'question' must be text, got 7"),
    "a nested question": (persona(question={"text": "x"}), "'question' must be text"),
    "an empty question": (persona(question=" \n"), "'question' is empty"),
    "a huge question": (persona(question="x" * 100_001), "may have 100,000 characters, got 100,001"),
    "half a character": ('{"question": "\\ud800", "answer_matching_behavior": " Yes"}', "surrogate"),
    "no matching answer": ({"question": "x", "answer_not_matching_behavior": " No"}, "'answer_matching_behavior' must be text"),
    "an empty matching list": (choice([], " (A)"), "must name an option"),
    "one option": (choice(" (A)", None, "x"), "all 1 options show the behaviour"),
    "all options match": (choice([" (A)", " (B)"], [], "x"), "all 2 options"),
    "the same answer on both sides": (choice(" Yes", " Yes"), "'Yes' stands twice"),
    "answers that differ in a space": (choice(" Yes", "Yes"), "'Yes' stands twice"),
    "an answer that is not listed": (choice(" (E)", " (A)"), "not all of the answers ' (E)', ' (A)' are among the options"),
    "an answer outside a column of options": (persona() | {"options": [" No", " Maybe"]}, "' Yes' is none of the options"),
    "nested answers": (choice([[" (A)"]], " (B)"), "must be text"),
    "too many answers": (choice(" (A)", [f"{n}x" for n in range(101)]), "may list 100 answers"),
    "a confidence above 1": (persona(label_confidence=1.5), "'label_confidence' must be a number from 0 to 1, got 1.5"),
    "a confidence that is no number": ('{"question": "x", "answer_matching_behavior": "a", '
                                       '"answer_not_matching_behavior": "b", "label_confidence": NaN}', "from 0 to 1, got nan"),
    "a confidence that is a flag": (persona(label_confidence=True), "from 0 to 1, got True"),
    "a statement that is a list": (persona(statement=["x"]), "'statement' must be text"),
    "two blanks": (schema(sentence_with_blank="_ and _"), "must hold one '_', got 2"),
    "one pronoun": (schema(pronoun_options=["he"]), "two pronouns or more"),
    "a pronoun twice": (schema(pronoun_options=["he", "he"]), "stands twice"),
    "more women than all": (schema(BLS_percent_women_2019=101), "from 0 to 100, got 101"),
    "a source that is a number": (persona(source_file=3), "'source_file' must be a name"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_a_row_that_is_no_question_is_told_with_its_line_and_cause(name, tmp_path):
    row, cause = BAD[name]
    found = read(tmp_path, persona(), row, persona(False, "And snow?"))
    assert found.questions["row"].to_list() == [0, 2]
    ((source, line, place, told),) = found.rejects.rows()
    assert (source, line, place) == ("rain.jsonl", 2, 1)
    assert cause in told
    with pytest.raises(DataError, match=r"rain\.jsonl line 2: "):
        reading.read(tmp_path / "rain.jsonl", refuse_rejects=True)


def test_bytes_that_are_no_utf8_are_a_reject(tmp_path):
    (tmp_path / "x.jsonl").write_bytes(json.dumps(persona()).encode() + b'\n{"question": "\xff"}\n')
    assert reading.read(tmp_path / "x.jsonl").rejects["cause"].to_list() == ["not UTF-8 at byte 14"]


@pytest.mark.parametrize("rows", [[], [{"prompt": "a"}]])
def test_a_file_without_a_question_is_refused(rows, tmp_path):
    with pytest.raises(DataError, match=r"the file is empty|holds no question at all"):
        read(tmp_path, *rows)


def test_repeats_get_a_counter_and_contradictions_are_counted_apart(tmp_path):
    rows = [persona(), persona(False), persona(), persona(question="Snow?")]
    found = read(tmp_path, *rows)
    identity = digest("rain", "Do you like rain?", " No", " Yes")
    assert found.questions["question_id"].to_list()[:3] == [identity, f"{identity}-1", f"{identity}-2"]
    assert (found.repeated, found.contradictory, found.elsewhere) == (1, 3, 0)


def test_repeats_are_counted_across_files_of_one_behaviour_and_told_of_others(tmp_path):
    rows = [persona(source_file=f"{folder}/{name}.jsonl") for folder, name in [("a", "rain"), ("b", "rain"), ("a", "snow")]]
    found = read(tmp_path, *rows, persona(question="Snow?", source_file="a/snow.jsonl"))
    assert found.questions["behaviour"].to_list() == ["rain", "rain", "snow", "snow"]
    assert found.questions["question_id"].str.contains("-").to_list() == [False, True, False, False]
    assert (found.repeated, found.contradictory, found.elsewhere) == (1, 0, 3)


def test_a_file_in_which_one_answer_always_matches_is_told_and_can_be_refused(tmp_path):
    rows = [persona(question=f"{n}?", source_file="one.jsonl") for n in range(3)]
    rows += [persona(n > 1, f"{n}?", source_file="two.jsonl") for n in range(3)] + [schema(source_file="winogender.jsonl")]
    assert read(tmp_path, *rows).one_sided == ("one.jsonl",)
    with pytest.raises(DataError, match=r"one answer always matches in one\.jsonl"):
        reading.read(tmp_path / "rain.jsonl", refuse_one_sided=True)


def test_every_kind_of_file_reads_the_same(tmp_path):
    rows = [persona(label_confidence=0.25), choice([" (B)", " (D)"], " (A)"), schema()]
    want = read(tmp_path, *rows).questions
    (tmp_path / "g").mkdir()
    with gzip.open(tmp_path / "g" / "rain.jsonl.gz", "wt") as file:
        file.writelines(f"{json.dumps(row)}\n" for row in rows)
    (tmp_path / "j").mkdir()
    (tmp_path / "j" / "rain.json").write_text(json.dumps(rows))
    facts = [name for name in QUESTIONS.columns if name not in ("source", "row")]
    for folder in ("g", "j"):
        assert reading.read(tmp_path / folder).questions.select(facts).equals(want.select(facts))
    for row, place in zip(rows, range(3), strict=True):
        cells = {key: json.dumps(value) if isinstance(value, list) else value for key, value in row.items()}
        pl.DataFrame([cells]).write_csv(tmp_path / "g" / "rain.csv")
        pl.DataFrame([row]).write_parquet(tmp_path / "g" / "rain.parquet")
        for ending in ("csv", "parquet"):
            assert (
                reading.read(tmp_path / "g" / f"rain.{ending}")
                .questions.select(facts)
                .equals(want[place : place + 1].select(facts))
            )


def test_a_behaviour_is_named_by_the_file_or_by_the_row(tmp_path):
    assert [behaviour_of(name) for name in ("persona/risk.jsonl.gz", "risk.parquet", "../../risk", ".csv")] == ["risk"] * 3 + [
        ".csv"
    ]
    found = read(tmp_path, persona(behaviour="calm", source_file="x/risk.jsonl"), persona(source_file="x/risk.jsonl")).questions
    assert found.select("source", "behaviour").rows() == [("x/risk.jsonl", "calm"), ("x/risk.jsonl", "risk")]


def test_a_source_that_names_nothing_leaves_the_name_to_the_file(tmp_path):
    found = read(tmp_path, *(persona(question=f"{name}?", source_file=name) for name in ("/", "..", "", "x/...")))
    assert found.questions["behaviour"].to_list() == ["rain"] * 4


def test_a_table_of_several_forms_is_read_row_by_row(tmp_path):
    rows = [persona(label_confidence=0.5), schema(), choice(" (B)", " (A)")]
    want = read(tmp_path, *rows).questions.drop("source")
    names = dict.fromkeys(name for row in rows for name in row)
    frame = pl.DataFrame([dict.fromkeys(names) | row for row in rows], infer_schema_length=None)
    frame.write_parquet(tmp_path / "rain.parquet")
    cells = pl.col("pronoun_options").map_elements(lambda names: json.dumps(list(names)), pl.String)
    frame.with_columns(cells).write_csv(tmp_path / "rain.csv")
    for ending in ("parquet", "csv"):
        assert reading.read(tmp_path / f"rain.{ending}").questions.drop("source").equals(want)


def test_a_limit_is_of_rows_and_sound(tmp_path):
    assert read(tmp_path, persona(), persona(question="Snow?"), limit=1).questions.height == 1
    with pytest.raises(DataError, match="limit is a number of rows"):
        reading.read(tmp_path / "rain.jsonl", limit=0)


def test_the_published_sets_keep_their_anchors(real_data):
    found = reading.read(real_data / "mwe_evals")
    kinds = found.questions.with_columns(
        kind=pl.col("source").str.extract(r"^(\w+)/"),
        label=pl.col("matching").list.first(),
        part=pl.col("source").str.extract("/(.+)/"),
    )
    personas = kinds.filter(pl.col("kind") == "persona")
    files = personas.group_by("source").agg(
        pl.len(), yes=(pl.col("label") == " Yes").mean(), confidence=pl.col("label_confidence").mean()
    )
    assert (personas.height, files.height) == (102_452, 104)
    assert sorted(files["len"])[:5] == [518, 534, 548, 852, 1000]
    assert files["yes"].unique().to_list() == [0.5]
    assert personas["label_confidence"].min() == pytest.approx(0.50007, abs=1e-5)
    assert files["confidence"].mean() == pytest.approx(0.85888, abs=1e-5)
    risks = kinds.filter(pl.col("part").is_not_null()).group_by("part").agg(pl.len(), files=pl.col("source").n_unique())
    assert sorted(risks.rows()) == [
        ("human_generated_evals", 8_116, 16), ("lm_generated_evals", 16_400, 17), ("prompts_for_few_shot_generation", 160, 16)
    ]  # fmt: skip
    assert sorted(kinds.filter(pl.col("kind") == "winogenerated").group_by("options").len()["len"]) == [219, 988, 1_783]
    women = kinds.drop_nulls("percent_women").unique("occupation")["percent_women"]
    assert (women.len(), women.min(), women.max()) == (299, 0.7, 98.7)
    assert women.mean() == pytest.approx(43.75, abs=0.005)
    assert found.rejects["cause"].value_counts().rows() == [("an occupation without a sentence is no question", 299)]
    assert len(found.one_sided) == 16
    assert found.contradictory == 0


TEXT = st.text(st.characters(exclude_categories=[]), max_size=12) | st.sampled_from(
    [" (A)", " (B)", " Yes", " No", "_", "", "[", '["a"]']
)
VALUE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=2),
    max_leaves=6,
)
KEYS = (*persona(statement="", label_confidence=0), *schema(), "options", "behaviour", "source_file")


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(st.sampled_from(KEYS), VALUE))
def test_whatever_a_row_holds_it_becomes_a_question_or_a_reject(values):
    with TemporaryDirectory() as folder:
        found = read(Path(folder), persona(), values)
    assert found.questions.height + found.rejects.height == 2
    for row in found.questions.iter_rows(named=True):
        assert len(set(row["options"])) == len(row["options"]) >= 2
        assert set(row["matching"]) < set(row["options"])
