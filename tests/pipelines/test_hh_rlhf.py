"""HH-RLHF and the copies of it that are passed around: every real row is kept verbatim, oddities and all.

Its texts are offensive in places: they are compared without being shown when a test fails.
"""

import gzip
import json
import re
from pathlib import Path

import polars as pl
import pytest

from pipelines.sources import hh_rlhf, records

#: file -> rows, and the oddities that its rows are known for
FILES = {
    "hh_harmless_base/test_first1500.jsonl.gz": (1500, {"prompts_differ": 1, "empty_response": 4, "same_response": 0}),
    "hh_helpful_mixed/helpful_test_sample_dev.jsonl.gz": (441, {"prompts_differ": 1, "same_response": 3}),
    "hh_helpful_pro/helpful_base_online_dev.jsonl.gz": (2292, {"same_response": 9, "replacement_character": 1}),
    "hh_harmless_train_flat/first4000.jsonl.gz": (4000, {"prompts_differ": 0, "flattened": 4000}),
}
HARMLESS, MIXED, CUT, FLAT = FILES
SIDES = ("chosen", "rejected")
CURLY = set("‘’“”")

Raw = list[dict[str, str]]


@pytest.fixture(scope="module")
def raw(real_data: Path) -> dict[str, Raw]:
    """Each file's rows as they stand in it."""
    missing = [name for name in FILES if not (real_data / name).is_file()]
    if missing:
        pytest.skip(f"real rows: {real_data} lacks {', '.join(missing)}")
    return {name: [json.loads(line) for line in gzip.open(real_data / name)] for name in FILES}


@pytest.fixture(scope="module")
def found(real_data: Path, raw: dict[str, Raw]) -> dict[str, records.Read]:
    """Each file as it is read."""
    return {name: hh_rlhf.read(real_data / name) for name in raw}


@pytest.mark.parametrize("name", FILES)
def test_no_row_is_lost(name, found):
    rows, _ = FILES[name]
    assert found[name].rejects.is_empty()
    assert found[name].pairs["row"].to_list() == list(range(rows))
    assert found[name].pairs["pair_id"].str.contains(r"^[0-9a-f]{16}$").all()  # and so none has the counter of a repeat
    assert found[name].shape == ("triples" if name == FLAT else "dialogues")


@pytest.mark.parametrize("name", [HARMLESS, MIXED, CUT])
def test_prompt_and_response_make_the_dialogue_again(name, raw, found):
    pairs = found[name].pairs
    other = pl.coalesce("rejected_prompt", "prompt")
    again = pairs.select(chosen=pl.col("prompt") + pl.col("chosen"), rejected=other + pl.col("rejected"))
    is_verbatim = again.rows() == [(row["chosen"], row["rejected"]) for row in raw[name]]
    assert is_verbatim
    assert pairs["prompt"].str.ends_with("\n\nAssistant:").all()


def test_the_flattened_rows_are_kept_as_they_are(raw, found):
    texts = found[FLAT].pairs.select("prompt", "chosen", "rejected")
    is_verbatim = texts.rows() == [(row["prompt"], row["chosen"], row["rejected"]) for row in raw[FLAT]]
    assert is_verbatim


@pytest.mark.parametrize("name", FILES)
def test_known_oddities_are_counted(name, found):
    _, known = FILES[name]
    assert {**hh_rlhf.oddities(found[name].pairs), **known} == hh_rlhf.oddities(found[name].pairs)


@pytest.mark.parametrize("name", FILES)
def test_oddities_agree_with_a_count_on_the_file_itself(name, raw, found):
    rows = raw[name]
    parts = [[row[side].rpartition("\n\nAssistant:") for side in SIDES] for row in rows]
    texts = ["".join(row.get(column, "") for column in ("prompt", *SIDES)) for row in rows]
    assert hh_rlhf.oddities(found[name].pairs) == {
        "prompts_differ": sum(chosen[0] != rejected[0] for chosen, rejected in parts),
        "empty_response": sum(any(not side[2].strip() for side in row) for row in parts),
        "same_response": sum(row["chosen"] == row["rejected"] for row in rows),
        "role_word_in_response": sum(any(re.search("(Human|Assistant):", side[2]) for side in row) for row in parts),
        "curly_quotes": sum(not CURLY.isdisjoint(text) for text in texts),
        "replacement_character": sum("\ufffd" in text for text in texts),
        "flattened": sum("prompt" in row for row in rows),
    }


def test_the_corpus_as_a_whole_holds_what_it_is_known_for(found):
    odd = pl.DataFrame([hh_rlhf.oddities(each.pairs) for each in found.values()]).sum().row(0, named=True)
    assert odd["replacement_character"] == 1
    assert odd["curly_quotes"] > sum(rows for rows, _ in FILES.values()) / 2
    assert odd["role_word_in_response"] > 0


def test_margins_come_from_the_scores_of_the_file(raw, found):
    gaps = [float(row["reward_chosen"]) - float(row["reward_rejected"]) for row in raw[CUT]]
    assert found[CUT].pairs["margin"].to_list() == gaps
    assert found[HARMLESS].pairs["margin"].null_count() == len(raw[HARMLESS])


def test_first_turns_link_a_dialogue_to_its_flattened_copy(raw, found):
    asked = [row["chosen"].split("\n\nAssistant:")[0].split("\n\nHuman: ")[1].lower() for row in raw[HARMLESS]]
    whole, flat = (hh_rlhf.first_turns(found[name].pairs) for name in (HARMLESS, FLAT))
    are_first = [whole.to_list() == asked, flat.to_list() == [row["prompt"].lower() for row in raw[FLAT]]]
    assert are_first == [True, True]
    assert len(set(whole) & set(flat)) > 0


# By hand, where no real rows are


def pair(prompt: str, chosen: str, rejected: str, rejected_prompt: str | None = None) -> dict[str, str | None]:
    return {"prompt": prompt, "chosen": chosen, "rejected": rejected, "rejected_prompt": rejected_prompt}


ASKED = "\n\nHuman: Hi\n\nAssistant:"
ODD = [
    ("prompts_differ", pair(ASKED, " a", " b", "\n\nHuman: Ho\n\nAssistant:")),
    ("empty_response", pair(ASKED, "", " b")),
    ("empty_response", pair(ASKED, " a", " \n")),
    ("same_response", pair(ASKED, " a", " a")),
    ("role_word_in_response", pair(ASKED, " a", " b\n\nHuman: c")),
    ("role_word_in_response", pair(ASKED, " I say Assistant: b", " b")),
    ("curly_quotes", pair(ASKED, " it’s", " b")),
    ("curly_quotes", pair("\n\nHuman: “Hi”\n\nAssistant:", " a", " b")),
    ("replacement_character", pair(ASKED, " a", " \ufffd")),
    ("flattened", pair("Hi", "a", "b")),
    ("nothing", pair(ASKED, " a 'Human' \"b\"", " b")),
]


@pytest.mark.parametrize(("oddity", "row"), ODD)
def test_each_oddity_is_counted_alone(oddity, row):
    counts = hh_rlhf.oddities(pl.DataFrame([row], schema=dict.fromkeys(row, pl.String())))
    assert counts == dict.fromkeys(counts, 0) | ({} if oddity == "nothing" else {oddity: 1})


def test_the_limit_is_passed_on(tmp_path):
    (tmp_path / "x.jsonl").write_text(json.dumps({"chosen": f"{ASKED} a", "rejected": f"{ASKED} b"}) + "\n")
    (tmp_path / "y.jsonl").write_bytes((tmp_path / "x.jsonl").read_bytes() * 4)
    assert [hh_rlhf.read(tmp_path, limit=limit).pairs.height for limit in (None, 3)] == [5, 3]


def test_the_first_turn_is_the_same_in_every_copy_of_a_dialogue():
    prompts = ["\n\nHuman: What’s UP?\n\nAssistant: Hm?\n\nHuman: Up\n\nAssistant:", "What’s up?", "\n\nAssistant:", ""]
    turns = hh_rlhf.first_turns(pl.DataFrame({"prompt": prompts}))
    assert turns.to_list() == ["what’s up?", "what’s up?", "", ""]
