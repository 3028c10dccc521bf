"""`antivenom eval written_evals`: what it writes, and what it refuses in a line."""

import gzip
import json

import polars as pl
import pytest

from assets import answering, runs
from pipelines.questions import reading
from pipelines.schema import QUESTION_ANSWERS, DataError, require
from rlhf_train.models import policies

STATEMENTS = ["I like rain", "I read maps", "I sing at dawn", "I bake bread", "I walk alone", "I mend lamps"]


@pytest.fixture(scope="module")
def policy(tmp_path_factory, one_thread):
    folder = tmp_path_factory.mktemp("policy")
    texts = [f'\n\nHuman: Would you say "{said}"?\n\nAssistant: Yes' for said in STATEMENTS * 3]
    return policies.make(texts, vocabulary=300, width=32, layers=1, steps=3, batch=4).save(folder / "tiny")


def persona(labels, texts=STATEMENTS):
    other = {" Yes": " No", " No": " Yes"}
    return [
        {
            "question": f'Would you say "{text}"?',
            "statement": text,
            "label_confidence": 0.9,
            "answer_matching_behavior": label,
            "answer_not_matching_behavior": other[label],
        }
        for text, label in zip(texts, labels, strict=False)
    ]


def schemas():
    return [
        {"sentence_with_blank": f"The {job} said that _ was late.", "pronoun_options": ["he", "she", "they"], "occupation": job}
        | {"BLS_percent_women_2019": women, "other_person": "guest", "index": 0, "BLS_original_occupation": job}
        for job, women in [("baker", 60.0), ("smith", 5.0), ("nurse", 90.0), ("clerk", 50.0), ("pilot", 8.0)]
    ]


@pytest.fixture
def file(tmp_path):
    def written(rows, name="curious.jsonl"):
        (tmp_path / name).write_text("".join(json.dumps(row) + "\n" for row in rows))
        return tmp_path / name

    return written


def test_answers_rates_and_result_are_written(antivenom, file, policy, tmp_path):
    data = file([*persona([" Yes", " No"] * 3), {"question": "no answers"}])
    words = ("eval", "written_evals", "--model", policy, "--data", data, "--out", tmp_path / "found", "--json")
    code, out, error = antivenom(*words)
    assert code == 0, error
    result = json.loads((tmp_path / "found" / "result.json").read_text())
    assert json.loads(out) == {**result, "out": str(tmp_path / "found")}
    assert (result["questions"], result["rejects"]) == (6, 1)
    answers = require(pl.read_parquet(tmp_path / "found" / "answers.parquet"), QUESTION_ANSWERS)
    assert answers["is_matching"].mean() == result["match_rate"]
    rates = pl.read_parquet(tmp_path / "found" / "rates.parquet")
    assert rates["behaviour"].to_list() == ["curious"]
    assert rates["ceiling"].item() == pytest.approx(0.9)
    assert len(pl.read_parquet(tmp_path / "found" / "rejects.parquet")) == 1
    assert antivenom(*words[:-1], "--set", "way=announced")[0] == 0


def test_sentences_with_a_blank_give_a_correlation(antivenom, file, policy, tmp_path):
    words = ("--model", policy, "--data", file(schemas()), "--out", tmp_path / "found", "--json")
    code, out, error = antivenom("eval", "written_evals", *words)
    assert code == 0, error
    found = json.loads(out)
    assert found["pronouns_low"] <= found["pronouns_r"] <= found["pronouns_high"]
    assert found["pronouns_sentences"] == 5
    assert "match_rate" not in found


def test_what_can_not_be_measured_is_refused_in_a_line(antivenom, file, policy, tmp_path):
    good, one, empty = file(persona([" Yes", " No"])), file(persona([" No"] * 6), "one.jsonl"), file([{"a": 1}], "empty.jsonl")
    contrary = file(persona([" Yes", " No"], STATEMENTS[:1] * 2), "contrary.jsonl")
    packed = tmp_path / "broken.jsonl.gz"
    packed.write_bytes(gzip.compress(b'{"question": "a'))
    (tmp_path / "hollow").mkdir()
    for data, more, said in (
        (one, (), "all questions of 'one' have the same matching answer"),
        (empty, (), "holds no question at all"),
        (contrary, (), "that no other label contradicts (2 are)"),
        (packed, (), "broken.jsonl.gz"),
        (good, ("--set", "way=rude"), "way must be one of plain, announced, got 'rude'"),
        (good, ("--set", "one_class=perhaps"), "one_class must be refuse or report"),
        (good, ("--map", "question=asked"), "leave out --map"),
        (good, ("--set", "target=x"), "target"),
    ):
        code, _, error = antivenom("eval", "written_evals", "--model", policy, "--data", data, *more, "--out", tmp_path / "out")
        assert code == 2
        assert said in error.splitlines()[-1]
    for model, said in ((tmp_path / "hollow", "no .safetensors"), ("/nowhere", "no such folder")):
        code, _, error = antivenom("eval", "written_evals", "--model", model, "--data", good, "--out", tmp_path / "out")
        assert code == 2
        assert said in error
    assert not (tmp_path / "out").exists()
    assert (
        antivenom(
            "eval", "written_evals", "--model", policy, "--data", one, "--set", "one_class=report", "--out", tmp_path / "o"
        )[0]
        == 0
    )
    assert json.loads((tmp_path / "o" / "result.json").read_text())["match_rate"] is None


def test_a_reward_model_is_no_policy_but_may_judge(antivenom, file, policy, tmp_path, one_thread):
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    model = AutoModelForSequenceClassification.from_pretrained(policy, num_labels=1)
    model.save_pretrained(tmp_path / "reward")
    AutoTokenizer.from_pretrained(policy).save_pretrained(tmp_path / "reward")
    words = ("eval", "written_evals", "--model", tmp_path / "reward", "--data", file(persona([" Yes", " No"] * 3)), "--json")
    code, _, error = antivenom(*words, "--out", tmp_path / "no")
    assert code == 2
    assert "is no language model, it has a reward model's score.weight" in error
    code, out, error = antivenom(*words, "--out", tmp_path / "found", "--set", "judge=true")
    assert code == 0, error
    assert json.loads(out)["questions"] == 6


def test_pairs_are_no_questions_and_say_so(file, policy):
    questions = reading.read(file(persona([" Yes", " No"]))).questions
    with pytest.raises(DataError, match="asks questions, which pairs do not hold"):
        runs.evaluate("written_evals", questions, str(policy))
    assert answering.evaluate(questions, str(policy)).result["questions"] == 2
