"""The map of questions and their data sheet: reproducible, named by lifted words, and honest about what is missing."""

import numpy as np
import polars as pl
import pytest

from checks.questions import map as maps
from checks.questions import sheet as sheets
from pipelines.schema import QUESTIONS, DataError, require

WORDS = ("gardens", "trains", "soup")


def questions(count: int = 60, **changed) -> pl.DataFrame:
    told = {"source": "x", "behaviour": "b", "options": [" No", " Yes"]}
    rows = []
    for at in range(count):
        said = {"question": f"About {WORDS[at % 3]} number {at}", "statement": f"I like {WORDS[at % 3]} {at}"}
        label = {"matching": [[" No"], [" Yes"]][at // 3 % 2], "label_confidence": 0.6 + at / 1000}
        rows.append({"question_id": str(at), "row": at} | told | said | label)
    return require(pl.DataFrame(rows).with_columns(**changed), QUESTIONS)


def topical(texts) -> np.ndarray:
    """A vector a topic, moved a little by the text's length."""
    rows = np.array([[float(word in text) for word in WORDS] + [len(text) / 100] for text in texts], dtype=np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.mark.parametrize("method", maps.METHODS)
def test_a_map_is_the_same_twice_and_parts_topics(method):
    made, again = (maps.question_map(questions(), encoder=topical, method=method, clusters=3) for _ in range(2))
    assert made.equals(again)
    assert made.columns == ["question_id", "behaviour", "label", "x", "y", "cluster", "name"]
    for word in WORDS:
        here = made.filter(pl.Series([word in said for said in questions()["statement"]]))
        assert here["cluster"].n_unique() == 1
        assert here["name"][0].split(", ")[0] == word
    assert np.isfinite(made.select("x", "y").to_numpy()).all()


def test_the_strongest_directions_are_principal_components():
    vectors = np.random.default_rng(3).normal(size=(20, 5)) * [5, 3, 1, 1, 1]
    off = vectors - vectors.mean(axis=0)
    _, values, directions = np.linalg.svd(off, full_matrices=False)
    got = maps.plane(vectors)
    assert np.abs(got) == pytest.approx(np.abs(off @ directions[:2].T))
    assert (got.max(axis=0) >= -got.min(axis=0)).all()
    assert got.std(axis=0) * np.sqrt(20) == pytest.approx(values[:2])


def test_clusters_are_numbered_by_size_and_no_more_than_there_are_vectors():
    vectors = np.repeat(np.eye(3), [2, 5, 3], axis=0)
    assert maps.grouped(vectors, 10).tolist() == [2] * 2 + [0] * 5 + [1] * 3


def test_words_are_lifted_by_log_odds_with_a_prior():
    said = pl.Series(["red sky", "red sea", "blue sky", "blue sea", "blue sea"])
    assert maps.lifted(said, [0, 0, 1, 1, 1]) == {0: "red, sky", 1: "blue, sea"}
    prior = 10 * 2.5 / 6
    here, there = 2 + prior, 0 + prior
    want = (np.log(here / (2 + 10 - here)) - np.log(there / (3 + 10 - there))) / np.sqrt(1 / here + 1 / there)
    assert maps._rise(2, 2, 2, 5) == pytest.approx(want)


def test_wrong_maps_are_refused():
    with pytest.raises(DataError, match="4 questions and a method of pca, tsne, got 3"):
        maps.question_map(questions(3), encoder=topical)
    with pytest.raises(DataError, match="'umap'"):
        maps.question_map(questions(), encoder=topical, method="umap")


def test_a_sheet_tells_what_was_kept_and_why_not():
    dropped = questions(3).with_columns(
        reason=pl.Series(["its label is doubted: confidence 0.3", "its label is doubted: 0.1", "x"])
    )
    found = sheets.sheet(questions(), dropped=dropped, gold=questions(6), made="by hand", licence="CC BY 4.0", encoder=topical)
    assert found["yield of filters"] == {"written": 63, "kept": 60, "its label is doubted": 2, "x": 1}
    assert found["labels"]["matching  No"] == found["labels"]["matching  Yes"] == 30
    assert found["labels"]["ceiling of a match rate"] == pytest.approx(0.6 + 29.5 / 1000, abs=1e-4)
    assert found["labels"]["least confidence"] == 0.6
    assert found["how made"] == {"writer": "by hand", "licence": "CC BY 4.0"}
    assert found["variety"]["share with half of its words of an example"] == pytest.approx(6 / 60)
    assert sheets.warnings(found) == ["questions repeat the examples: 0.1, at most 0.05 is wanted"]


def test_what_is_not_known_is_not_made_up():
    found = sheets.sheet(questions(label_confidence=pl.lit(None)), encoder=topical)
    assert found["labels"]["ceiling of a match rate"] is None
    assert found["yield of filters"] == {"filtered": "no"}
    assert "- writer: not said" in sheets.markdown(found)
    assert "- ceiling of a match rate: not known" in sheets.markdown(found)
    with pytest.raises(DataError, match="a sheet needs a question"):
        sheets.sheet(questions()[:0], encoder=topical)


def test_a_set_out_of_bounds_is_warned_of():
    lopsided = questions(240, label_confidence=pl.when(pl.col("row") % 6 < 3).then(0.45).otherwise(0.9)).filter(
        (pl.col("row") % 6 < 3) | (pl.col("row") < 12)
    )
    told = " / ".join(sheets.warnings(sheets.sheet(lopsided, encoder=topical)))
    for words in (
        "unevenly by their place",
        "one label is trusted more",
        "a cluster has one label",
        "a label is doubted: confidence 0.45",
    ):
        assert words in told


def test_hostile_names_stay_on_their_line():
    name = "x`\n# <script>|[a](b)"
    page = sheets.markdown(sheets.sheet(questions(behaviour=pl.lit(name)), encoder=topical), title=name)
    assert "\n# \\<" not in page
    assert "- behaviours: x\\` \\# \\<script\\>\\|\\[a\\](b)" in page
