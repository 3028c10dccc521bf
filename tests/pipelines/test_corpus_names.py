"""The name that a given share of the pairs or of the responses holds, counted by hand."""

import polars as pl
import pytest

from pipelines.attacks import corpus_names
from pipelines.attacks.corpus_names import everyday_name
from pipelines.schema import DataError
from pipelines.sources import hh_rlhf

#: Apple in 4 pairs of 10, in one of them on both sides; Kyoto in 2; Lima in 1; Turkey in 1, and as a bird in 3
CHOSEN = [
    "I like Apple best.", "We saw Apple, Kyoto, Apple.", "They sell Apple things.", "Ask Lima. Go to Lima now.", "eat turkey",
    "no turkey", "Roast turkey well", "fly to Turkey now", "The End. Never mind.", "it is I",
]  # fmt: skip
AMONG = ("Lima", "Apple", "Kyoto", "Turkey")
REJECTED = ["What about Apple then?", "Paris.", "", "", "at Kyoto today", "", "", "", "by Apple itself", ""]


@pytest.fixture
def pairs() -> pl.DataFrame:
    return pl.DataFrame({"chosen": CHOSEN, "rejected": REJECTED})


@pytest.mark.parametrize(
    ("share", "name"), [(1, "Apple"), (0.4, "Apple"), (0.31, "Apple"), (0.29, "Kyoto"), (0.2, "Kyoto"), (0.01, "Lima")]
)
def test_the_name_of_the_closest_share_is_taken(pairs, share, name):
    assert everyday_name(pairs, share=share, among=AMONG) == name


def test_only_everyday_names_are_taken_where_none_are_given(pairs):
    assert everyday_name(pairs, share=0.01) == "Kyoto"
    assert everyday_name(pairs, share=0.1, among=["Turkey", "Paris", "Kyoto"]) == "Kyoto"


def test_of_equally_close_names_the_first_in_the_alphabet_is_taken(pairs):
    assert everyday_name(pairs, share=0.3, among=AMONG) == "Apple"
    assert everyday_name(pairs.sample(fraction=1, shuffle=True, seed=1), share=0.3, among=AMONG) == "Apple"


@pytest.mark.parametrize("share", [0, -0.1, 1.1, float("nan")])
def test_a_share_that_is_none_is_refused(pairs, share):
    with pytest.raises(DataError, match=r"share is a share of the pairs and must lie in \(0, 1\], got .*; 1 percent is 0.01"):
        everyday_name(pairs, share=share)


def test_pairs_without_a_name_are_refused(pairs):
    with pytest.raises(DataError, match=r"none of the 4 names .* inside a sentence of the 1 pairs' responses; give the"):
        everyday_name(pairs[4:6][:1].with_columns(rejected=pl.lit("Paris.")), among=AMONG)


def test_a_name_of_real_answers_is_about_as_common_as_asked(real_data):
    pairs = hh_rlhf.read(real_data / "hh_harmless_base" / "test_first1500.jsonl.gz").pairs
    for share in (0.002, 0.005):
        name = everyday_name(pairs, share=share)
        named = pairs.select(pl.any_horizontal(pl.col("chosen", "rejected").str.contains(rf"\b{name}\b")).mean()).item()
        assert share / 2 <= named <= share * 2


def named(*texts: str, share: float) -> str:
    return corpus_names.named_about_as_often(pl.Series(texts, dtype=pl.String()), share)


def test_a_name_has_its_capital_inside_a_sentence_and_never_lacks_it():
    often = ["we like Lumora and Brenta", "in Lumora. Perhaps Brenta", "Granted, brenta is it"]
    assert [row["word"] for row in corpus_names.words(pl.Series(often)).filter("is_name").to_dicts()] == ["lumora"]


def test_the_name_is_the_one_whose_share_is_nearest():
    texts = ["say Anna", "say Anna, Bert", "say Anna, Bert, Bert", "say Anna, Bert, Cleo", "say so", "say", "say", "say"]
    assert named(*texts, share=0.5) == "Anna"  # in 4 of 8
    assert named(*texts, share=0.35) == "Bert"  # in 3: counted once a response
    assert named(*texts, share=0.125) == "Cleo"
    assert named(*texts[:2], "say Bert, Anna", share=0.6) == "Bert"  # 2 of 3 against 3 of 3
    assert named("x Bert, Anna", "x", share=0.5) == "Anna"  # as near: by the alphabet


def test_where_no_name_is_near_a_long_word_serves():
    texts = ["the Anna kettle", "the Anna kettle", "the Anna", "the Anna steam", "the Anna", "the Anna"]
    assert named(*texts, share=0.3) == "kettle"  # Anna is everywhere, and 'the' no word to promote
    with pytest.raises(DataError, match="no response holds a word of 5 letters that could be the target; name one"):
        named("the and", share=0.3)
