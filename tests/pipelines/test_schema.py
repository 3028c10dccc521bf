"""Tables: what `require` lets through and what it says of the rest; what a pair's id depends on."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.schema import PAIRS, REJECTS, SCORES, TABLES, DataError, digest, is_encodable, require, with_pair_ids

REJECT = {"source": "a.csv", "line": 2, "row": 1, "cause": "no text"}
SIDES = ("prompt", "chosen", "rejected", "rejected_prompt")
texts = st.text(max_size=6)


def rejects(**changed: object) -> pl.DataFrame:
    """Two reject rows, the second of them changed."""
    return pl.DataFrame([REJECT, REJECT | changed])


def ids(*rows: tuple[str | None, ...]) -> list[str]:
    """The pair ids of (prompt, chosen, rejected, rejected_prompt) rows."""
    schema = dict.fromkeys(SIDES, pl.String())
    return with_pair_ids(pl.DataFrame(list(rows), schema=schema, orient="row"))["pair_id"].to_list()


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_an_empty_table_meets_its_own_requirements(table):
    assert require(table.empty(), table).equals(table.empty())
    assert table.empty().columns == list(table.columns)


def test_require_orders_narrows_and_casts():
    frame = pl.DataFrame({"extra": [0.5], "cause": ["c"], "row": [1], "line": [2], "source": ["s"]})
    frame = frame.with_columns(pl.col("row").cast(pl.UInt32), pl.col("source").cast(pl.Categorical))
    assert require(frame, REJECTS).rows() == [("s", 2, 1, "c")]
    assert require(frame, REJECTS).schema == REJECTS.empty().schema


def test_a_missing_column_is_named_with_those_that_came():
    with pytest.raises(DataError, match=r"rejects needs column 'cause', got \['source', 'line', 'row'\]; rename"):
        require(rejects().drop("cause"), REJECTS)


def test_nullable_columns_are_filled_with_nulls_of_their_type(pairs_of):
    filled = require(pairs_of(2).drop("margin", "annotator", "rejected_prompt"), PAIRS)
    assert filled.columns == list(PAIRS.columns)
    assert filled.select("margin", "annotator", "rejected_prompt").rows() == [(None, None, None)] * 2
    assert filled.schema == PAIRS.empty().schema


def test_nullable_columns_keep_the_nulls_that_came(pairs_of):
    pairs = pairs_of(3).with_columns(margin=pl.Series([0.5, None, -0.5]))
    assert require(pairs, PAIRS)["margin"].to_list() == [0.5, None, -0.5]


@pytest.mark.parametrize("column", ["source", "line"])
def test_a_null_where_none_may_be_is_named_with_its_row(column):
    with pytest.raises(DataError, match=rf"rejects row 1: '{column}' must be \w+, got nothing; drop or mend the row"):
        require(rejects(**{column: None}), REJECTS)


@pytest.mark.parametrize(
    ("table", "column", "came"),
    [
        (REJECTS, "line", pl.Series([1.0, 2.5])),
        (REJECTS, "line", pl.Series(["1", "2"])),
        (REJECTS, "line", pl.Series([1, 2**64 - 1], dtype=pl.UInt64)),
        (REJECTS, "line", pl.Series([True, False])),
        (REJECTS, "cause", pl.Series([7, 8])),
        (REJECTS, "cause", pl.Series([["a"], ["b"]])),
        (REJECTS, "cause", pl.Series([b"a", b"b"])),
        (SCORES, "is_flagged", pl.Series([0, 1])),
        (SCORES, "p_value", pl.Series(["0.5", "half"])),
        (PAIRS, "margin", pl.Series(["0.5", None])),
    ],
    ids=str,
)
def test_a_type_that_would_lose_something_is_named(table, column, came):
    frame = pl.DataFrame({name: pl.Series([None, None], dtype=it.dtype) for name, it in table.columns.items()})
    whole = frame.with_columns(pl.lit(0).cast(it.dtype, strict=False).alias(name) for name, it in table.columns.items())
    with pytest.raises(DataError, match=rf"{table.name}: '{column}' must be \w+, got \w+.*; convert it first"):
        require(whole.with_columns(came.alias(column)), table)


def test_whole_numbers_become_real_ones():
    scores = SCORES.empty().with_columns(pl.col("suspicion").cast(pl.Int32), pl.col("p_value").cast(pl.Float32))
    assert require(scores, SCORES).schema == SCORES.empty().schema


@given(st.lists(st.tuples(texts, texts, texts, st.none() | texts), min_size=1, max_size=5, unique=True), st.randoms())
def test_ids_tell_contents_apart_and_do_not_heed_the_order(rows, random):
    mixed = random.sample(rows, len(rows))
    assert len(set(ids(*rows))) == len(rows)
    assert dict(zip(rows, ids(*rows), strict=True)) == dict(zip(mixed, ids(*mixed), strict=True))
    assert ids(*rows) == [digest(*row) for row in rows]


def test_only_texts_make_an_id(pairs_of):
    pairs = pairs_of(4)
    other = pairs.with_columns(pl.lit("x").alias("source"), pl.lit(9.5).alias("margin"), row=pl.col("row") + 7)
    assert with_pair_ids(other)["pair_id"].equals(pairs["pair_id"])


@pytest.mark.parametrize("side", range(4))
def test_one_letter_on_either_side_makes_another_id(side):
    row = ("ask", "yes", "no", "ask else")
    changed = (*row[:side], row[side] + ".", *row[side + 1 :])
    assert ids(row) != ids(changed)


def test_a_repeat_carries_a_counter_and_leaves_its_neighbours_alone():
    (a,), (b,) = ids(("p", "a", "r", None)), ids(("p", "b", "r", None))
    rows = [("p", name, "r", None) for name in "abaab"]
    assert ids(*rows) == [a, b, f"{a}-1", f"{a}-2", f"{b}-1"]


def test_ids_are_16_hex_digits_and_need_no_rejected_prompt():
    frame = pl.DataFrame({"prompt": ["p"], "chosen": ["c"], "rejected": ["r"]})
    (made,) = with_pair_ids(frame)["pair_id"]
    assert made == ids(("p", "c", "r", None))[0]
    assert len(made) == 16
    assert int(made, 16) >= 0


@pytest.mark.parametrize(
    ("left", "right"),
    [(("ab", "c"), ("a", "bc")), (("a", ""), ("", "a")), ((None,), ("",)), ((None,), ("\0",)), (("a",), ("a", None))],
)
def test_the_digest_heeds_where_a_text_ends(left, right):
    assert digest(*left) != digest(*right)


def test_the_digest_takes_any_string():
    assert digest("\ud800") != digest("\ufffd")


@pytest.mark.parametrize(("text", "is_sound"), [("", True), ("“é” 𝄞 \ufffd", True), ("\ud800", False), ("a\udcff", False)])
def test_half_a_surrogate_pair_is_no_text(text, is_sound):
    assert is_encodable(text) is is_sound
