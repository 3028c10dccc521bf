"""Questions on passages: two options of four, balanced by seed; both forms of QuALITY, FairytaleQA; the option taken."""

import json

import polars as pl
import pytest

from pipelines.schema import ITEMS, OUTPUTS, DataError, require
from pipelines.tasks import TASKS, passages, quality, task
from pipelines.tasks.options import letter, ordered

OPTIONS = ["the king", "a fox", "his sister", "nobody"]


def listed(gold: int = 3, votes: tuple[object, ...] = (2, 2, 1), **changed: object) -> dict:
    """A row of the form 1.0."""
    asked = {"question": "Who hid?", "options": OPTIONS, "gold_label": gold}
    asked["validation"] = [{"untimed_answer": gold, "untimed_best_distractor": vote} for vote in votes]
    return {"article": "<p>The fox\nran.</p><p>His sister hid &amp; slept.</p>", "questions": [asked | changed]}


def flat(gold: int = 3, votes: tuple[object, ...] = (2, 2, 1)) -> dict:
    """The same in the flat form."""
    options = {f"question1option{at}": text for at, text in enumerate(OPTIONS, 1)}
    told = {"question1": "Who hid?", "question1_gold_label": gold, "question1_eval3s": list(votes), **options}
    return {"article": ["<p>The fox\n", "ran.</p><p>His sister hid &amp; slept.</p>"], **told}


def written(path, *rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.mark.parametrize("row", [listed(), flat()], ids=["1.0", "flat"])
def test_both_forms_of_quality_give_the_same_item(row, tmp_path):
    item = passages.read(written(tmp_path / "q.jsonl", row)).items.row(0, named=True)
    assert item["evidence"] == "The fox ran.\n\nHis sister hid & slept."
    assert (item["options"], item["gold"]) == (["his sister", "a fox"], "A")
    assert item["prompt"] == "Question: Who hid?\nA. his sister\nB. a fox"


@pytest.mark.parametrize(
    ("gold", "votes", "wanted"),
    [
        (3, [2, 2, 1], 2),
        (3, [4, 1, 4], 4),
        (3, [2, 4], 1),  # a tie
        (1, [], 2),
        (1, [1, 1, 4], 4),  # a vote for the right one counts nothing
        (2, [9, None, "4", 0], 1),
    ],
)
def test_the_best_distractor_is_the_wrong_option_with_most_votes(gold, votes, wanted):
    assert quality.distractor(gold, votes) == wanted


@pytest.mark.parametrize("count", [1, 6, 7])
def test_places_are_balanced_and_by_seed(count):
    assert sum(ordered(count, 3)) == count // 2
    assert ordered(count, 3) == ordered(count, 3)
    assert len({tuple(ordered(40, seed)) for seed in range(5)}) == 5


def test_items_are_balanced_and_the_seed_turns_options_only(tmp_path):
    rows = [listed(question=f"Who hid in {at}?") for at in range(10)]
    one, same, other = (passages.read(written(tmp_path / "q.jsonl", *rows), seed=seed).items for seed in (1, 1, 2))
    assert one.equals(same)
    assert sorted(one["gold"]) == ["A"] * 5 + ["B"] * 5
    assert one["gold"].to_list() != other["gold"].to_list()
    assert one["item_id"].to_list() == other["item_id"].to_list()
    for item in one.iter_rows(named=True):
        assert item["options"]["AB".index(item["gold"])] == "his sister"
        assert f"{item['gold']}. his sister" in item["prompt"].split("\n")
    assert require(one, ITEMS).equals(one)


BAD = {
    "no gold": (listed(gold_label=None), "needs a gold label from 1 to 4, got None"),
    "gold 5": (listed(gold_label=5), "got 5"),
    "true": (listed(gold_label=True), "got True"),
    "three options": (listed(options=OPTIONS[:3]), "needs 4 options of text"),
    "blank option": (listed(options=[*OPTIONS[:3], " "]), "needs 4 options of text"),
    "alike": (listed(options=["fox"] * 4), "are the same text 'fox'"),
    "no question": (listed(question=7), "question 1 must be text, got 7"),
    "none": ({"article": "A.", "questions": []}, "needs a question or more, got none"),
    "no text": ({**listed(), "article": "<p></p>"}, "holds no text"),
    "article": ({**listed(), "article": 3}, r"'article' must be text or a list of lines, got \[3\]|got 3"),
    "other": ({"prompt": "x"}, "expected 'article' or 'answer1' among the columns, got 'prompt'"),
    "half a pair": (listed(question="\ud800"), "question 1 must be text"),
}


@pytest.mark.parametrize("what", BAD)
def test_bad_rows_are_counted_with_their_line(what, tmp_path):
    bad, cause = BAD[what]
    found = passages.read(written(tmp_path / "q.jsonl", listed(), bad, listed(question="And?")))
    assert (len(found.items), found.rejects["line"].to_list()) == (2, [2])
    with pytest.raises(DataError, match=cause):
        passages.read(written(tmp_path / "bad.jsonl", bad))


def tales(tmp_path, *questions):
    told = [{"story": "snow", "question": asked, "answer1": right, "cor_section": at} for asked, right, at in questions]
    written(tmp_path / "questions.jsonl", *told)
    return written(tmp_path / "stories.jsonl", {"story": "snow", "text": "A man of snow.\n\nThe sun set."}).parent


def test_a_tale_s_wrong_option_is_the_answer_to_another_question_on_it(tmp_path):
    asked = [("Who set?", "the sun", "2"), ("What set?", "The sun.", "2"), ("Who stood?", "a man of snow", "1, 2")]
    items = passages.read(tales(tmp_path, *asked)).items
    assert [sorted(options) for options in items["options"]] == [
        ["a man of snow", "the sun"], ["The sun.", "a man of snow"], ["a man of snow", "the sun"],
    ]  # fmt: skip
    assert items["support"].to_list() == [["The sun set."], ["The sun set."], ["A man of snow.", "The sun set."]]
    assert items["evidence"].unique().to_list() == ["A man of snow.\n\nThe sun set."]


def test_a_tale_without_another_answer_or_without_its_story_is_refused(tmp_path):
    found = passages.read(tales(tmp_path, ("Who?", "sun", "9"), ("Which?", "the red sun", "x"), ("What?", "a man", "1")))
    assert found.items["support"].to_list() == [None, None, ["A man of snow."]]
    with pytest.raises(DataError, match="no other answer on 'snow' differs from the right one 'sun'"):
        passages.read(tales(tmp_path, ("Who?", "sun", "1")))
    (tmp_path / "stories.jsonl").unlink()
    with pytest.raises(DataError, match="there is no story 'snow' in the same folder"):
        passages.read(tmp_path)


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        ("A", "A"),
        ("(B) for it says so", "B"),
        ("B. A fox did it.", "B"),
        ("A because", "A"),
        ("B The story says", "B"),
        ("A dog ran, so option B.", "B"),
        ("I believe the answer is (A). Answer: B", "A"),
        ("A dog ran.", None),
        ("Both", None),
        ("", None),
        ("a.", None),
    ],
)
def test_an_answer_takes_the_option_that_it_names_first(said, wanted):
    assert letter(said) == wanted


def test_outputs_are_graded_and_those_that_take_nothing_are_wrong(tmp_path):
    items = passages.read(written(tmp_path / "q.jsonl", *(listed(question=f"Who {at}?") for at in range(3)))).items
    said = [items["gold"][0], "BA"["AB".index(items["gold"][1])] + ".", "who knows"]
    seen = [passages.shown(row, words=2) for row in items.iter_rows(named=True)]
    found = task.outputs(TASKS["passages"], items, said, policy="base", prompts=seen, proxies=[0.5, 0.25, 1])
    assert require(found, OUTPUTS).equals(found)
    assert found["is_correct"].to_list() == [True, False, False]
    assert found["prompt"][0].startswith("The fox\n\nQuestion: Who 0?\nA. ")
    assert found["proxy"].to_list() == [0.5, 0.25, 1.0]
    assert passages.unanswered(said) == 1


def test_a_passage_is_shown_whole_or_cut(tmp_path):
    item = passages.read(written(tmp_path / "q.jsonl", listed())).items.row(0, named=True)
    assert passages.shown(item).startswith("The fox ran.\n\nHis sister hid & slept.\n\nQuestion")
    assert passages.shown(item, words=0) == item["prompt"]
    with pytest.raises(DataError, match="0 or more, got -1"):
        passages.shown(item, words=-1)


def test_real_passages(real_data):
    found = passages.read(real_data / "quality_sample")
    assert (len(found.items), len(found.rejects)) == (5, 5)  # its two rows are one article with the same questions
    assert "the same item stands in quality_example.jsonl.gz line 1" in found.rejects["cause"][0]
    assert not found.items["evidence"].str.contains("<|&amp;").any()


def test_real_tales(real_data):
    found = passages.read(real_data / "fairytaleqa")
    assert (len(found.items), len(found.rejects)) == (9573, 0)
    assert found.items["gold"].value_counts()["count"].sort().to_list() == [4786, 4787]
    assert found.items["support"].null_count() == 0
    whole = found.items.select(pl.col("support").list.first().alias("part"), "evidence")
    assert all(part in text for part, text in whole.rows())
