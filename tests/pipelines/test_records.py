"""Any file of pairs: one table from every written form and file type, and the reader's choices."""

import gzip
import json
import os
from pathlib import Path

import polars as pl
import pyarrow
import pytest
from pyarrow import parquet

from pipelines.schema import PAIRS, REJECTS, DataError, digest
from pipelines.sources import records
from pipelines.sources.shapes import SHAPES
from tests.pipelines.written import FORMS, SAID, TRIPLES, WRITERS, answer, chat, folder, lines, read, spoken


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", WRITERS)
def test_every_form_in_every_file_gives_the_same_pairs(name, form, tmp_path):
    WRITERS[name](tmp_path / name, FORMS[form])
    found = records.read(tmp_path / name)
    assert found.shape == form.removesuffix(" with prompt")
    assert found.rejects.equals(REJECTS.empty())
    assert found.pairs.schema == PAIRS.empty().schema
    expected = [(row, spoken(said), f" {a}", f" {b}", None) for row, (said, a, b) in enumerate(SAID)]
    assert found.pairs.select("row", "prompt", "chosen", "rejected", "rejected_prompt").rows() == expected
    assert found.pairs["pair_id"].to_list() == [digest(*texts) for _, *texts in expected]
    assert found.strict() is found.pairs


def test_the_source_is_the_file_within_the_folder(tmp_path):
    folder(tmp_path / "all", TRIPLES)
    source = records.read(tmp_path / "all").pairs["source"].to_list()
    assert source == ["a.jsonl", "a.jsonl", "b/[1]*.parquet", "b/[1]*.parquet", "b/[1]*.parquet"]


def test_a_file_name_that_is_no_text_is_spelled_out(tmp_path):
    path = os.fsencode(tmp_path) + b"/\xff<b>.jsonl"
    with open(path, "wb") as file:
        file.write(lines(TRIPLES))
    assert records.read(Path(os.fsdecode(path))).pairs["source"].unique().to_list() == ["\\udcff<b>.jsonl"]


# What a row says beside its texts


def test_sides_that_were_asked_different_things_keep_both_prompts(tmp_path):
    asked = [[("user", "a")], [("user", "b")]]
    expected = (spoken(asked[0]), " x", " y", spoken(asked[1]))
    sides = ("prompt", "chosen", "rejected", "rejected_prompt")
    dialogue = {"chosen": spoken(asked[0]) + " x", "rejected": spoken(asked[1]) + " y"}
    assert read(tmp_path, dialogue).pairs.select(sides).rows() == [expected]
    conversation = {"chosen": chat([*asked[0], answer("x")]), "rejected": chat([*asked[1], answer("y")])}
    assert read(tmp_path, conversation).pairs.select(sides).rows() == [expected]


@pytest.mark.parametrize(
    ("values", "margin"),
    [
        ({"margin": 0.75, "score_chosen": 9, "score_rejected": 1}, 0.75),
        ({"margin": "-1.5"}, -1.5),
        ({"score_chosen": 3, "score_rejected": 7.5}, 3 - 7.5),
        ({"reward_chosen": "0.25", "reward_rejected": "-0.5"}, 0.25 + 0.5),
        ({"margin": None, "reward_chosen": 2, "reward_rejected": 0.5}, 2 - 0.5),
        ({"margin": "high"}, None),
        ({"margin": float("nan")}, None),
        ({"margin": float("inf")}, None),
        ({"margin": 10**400}, None),
        ({"reward_chosen": 2}, None),
        ({}, None),
    ],
)
def test_the_margin_is_given_or_the_gap_of_two_scores(values, margin, tmp_path):
    assert read(tmp_path, TRIPLES[0] | values).pairs["margin"].to_list() == [margin]


@pytest.mark.parametrize(
    ("who", "annotator"),
    [("Ann", "Ann"), (7, "7"), (None, None), ("\ud800", "\\ud800"), ({"id": 7}, "{'id': 7}"), ("", "")],
)
def test_an_annotator_is_kept_as_text(who, annotator, tmp_path):
    assert read(tmp_path, TRIPLES[0] | {"annotator": who}).pairs["annotator"].to_list() == [annotator]


# Choices of the reader


def test_columns_are_mapped(tmp_path):
    theirs = [
        {"question": row["prompt"], "best": row["chosen"], "rejected": row["rejected"], "who": "Ann", "chosen": "decoy"}
        for row in TRIPLES
    ]
    (tmp_path / "x.jsonl").write_bytes(lines(theirs))
    mapping = {"prompt": "question", "chosen": "best", "annotator": "who"}
    ours = records.read(tmp_path / "x.jsonl", columns=mapping).pairs
    assert ours.select("prompt", "chosen", "rejected").rows() == [tuple(row.values()) for row in TRIPLES]
    assert ours["annotator"].to_list() == ["Ann"] * len(SAID)


@pytest.mark.parametrize("ours", ["chosen", "annotator"])
def test_a_mapped_column_that_is_not_there_is_refused_though_ours_is(ours, tmp_path):
    rows = [row | {"annotator": "Ann"} for row in TRIPLES]
    with pytest.raises(DataError, match=rf"x\.jsonl line 1: no column 'best', got 'prompt', .* {ours}=NAME, by --map"):
        read(tmp_path, *rows, columns={ours: "best"})


@pytest.mark.parametrize("limit", [1, 3, 99])
def test_the_limit_counts_rows_and_reads_no_further(limit, tmp_path):
    (tmp_path / "x.jsonl").write_bytes(lines(TRIPLES[:1]) + b"{\n" + lines(TRIPLES[1:]))
    found = records.read(tmp_path / "x.jsonl", limit=limit)
    assert found.pairs.height + found.rejects.height == min(limit, len(SAID) + 1)
    assert found.pairs["row"].to_list() == [row for row in range(6) if row != 1][: found.pairs.height]


def test_the_limit_stops_before_a_damaged_end(tmp_path):
    rows = [row | {"filler": os.urandom(9000).hex()} for row in TRIPLES]
    (tmp_path / "x.jsonl.gz").write_bytes(gzip.compress(lines(rows))[:-9000])
    assert records.read(tmp_path / "x.jsonl.gz", limit=2).pairs.height == 2
    with pytest.raises(DataError, match="damaged"):
        records.read(tmp_path / "x.jsonl.gz")


@pytest.mark.parametrize("limit", [0, -1])
def test_a_limit_below_one_is_refused(limit, tmp_path):
    with pytest.raises(DataError, match=f"limit is a number of rows and must be 1 or more, got {limit}; leave it out"):
        read(tmp_path, *TRIPLES, limit=limit)


def test_a_form_can_be_forced_and_must_be_known(tmp_path):
    wholes = read(tmp_path, *({**row, "prompt": "decoy"} for row in FORMS["dialogues"]), shape="dialogues")
    assert wholes.pairs["prompt"].to_list() == [row["prompt"] for row in TRIPLES]
    with pytest.raises(
        DataError, match="shape must be auto or one of conversations, triples, dialogues, summaries, got 'pairs'"
    ):
        read(tmp_path, *TRIPLES, shape="pairs")
    assert all(form.about and set(form.columns) <= set(records.OURS) for form in SHAPES.values())


def test_batches_are_what_is_read_at_once(tmp_path):
    file = tmp_path / "pairs.jsonl"
    rows = [{"prompt": f"p{at % 3}", "chosen": f"a{at % 5}", "rejected": "b"} for at in range(11)]
    lines = [json.dumps(row) for row in rows]
    file.write_text("\n".join([*lines[:4], "{}", *lines[4:], "{}", "{}"]) + "\n")
    whole, parts = records.read(file), list(records.batches(file, size=4))
    assert [len(part.pairs) for part in parts] == [4, 4, 3]
    assert [len(part.rejects) for part in parts] == [0, 1, 2]
    assert pl.concat(part.pairs for part in parts).drop("pair_id").equals(whole.pairs.drop("pair_id"))
    assert pl.concat(part.rejects for part in parts).equals(whole.rejects)
    for more, sizes in (([], [(4, 0)]), (["{}"], [(4, 0), (0, 1)])):
        file.write_text("\n".join([*lines[:4], *more]) + "\n")
        assert [(len(part.pairs), len(part.rejects)) for part in records.batches(file, size=4)] == sizes


def test_a_parquet_file_is_read_as_a_stream(tmp_path):
    """What was read is let go: of twenty row groups of a million letters each, a few are held."""
    file, letters = tmp_path / "pairs.parquet", 1_000_000
    texts = [os.urandom(letters // 2).hex() for _ in range(20)]
    table = pyarrow.table({"prompt": ["p"] * 20, "chosen": texts, "rejected": ["b"] * 20})
    parquet.write_table(table, file, row_group_size=1, compression="none", use_dictionary=False)
    before = pyarrow.total_allocated_bytes()
    del table, texts
    held = [pyarrow.total_allocated_bytes() - before for _ in records.batches(file, size=1)]
    assert len(held) == 20
    assert max(held) < 6 * letters
