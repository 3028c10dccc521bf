"""Reviews: each public set's way to write them, grouped by product, and rows that are none."""

import json
import re

import pytest

from pipelines import opinions
from pipelines.schema import PRODUCTS, SUMMARIES, DataError, digest, require
from pipelines.sources import reviews


def written(path, *rows):
    path.write_text("".join(json.dumps(each) + "\n" for each in rows))
    return path


#: rows of each form; all say "It leaks." and then "It boils.", and some have the gold summary "Leaks, boils."
FORMS = {
    "grouped": [{"unique-id": "kettle", "reviews": ["It leaks.", "It boils."]}],
    "numbered": [{"group_id": "kettle", "rev2": "It boils.", "rev1": "It leaks.", "rev3": "", "summ1": "Leaks, boils."}],
    "segments": [
        {"product": "kettle", "segments": [{"text": "It"}, {"text": "leaks."}]},
        {"product": "kettle", "segments": [{"text": "It boils."}]},
        {"product": "kettle", "kind": "all", "sentences": ["Leaks,", "boils."]},
        {"product": "kettle", "kind": "neg", "sentences": ["Leaks."]},
    ],
    "sentences": [{"product": "kettle", "title": "t", "sentences": [{"text": said}]} for said in ("It leaks.", "It boils.")],
    "single": [{"unique-id": "kettle", "review": said} for said in ("It leaks.", "It boils.")],
}


@pytest.mark.parametrize("form", FORMS)
def test_rows_are_grouped_by_product(form, tmp_path):
    found = reviews.read(written(tmp_path / "r.jsonl", *FORMS[form]))
    asked = opinions.prompt(["It leaks.", "It boils."])
    assert found.products.rows() == [(digest(asked), 0, asked, "kettle", "r.jsonl")]
    golds = ["Leaks, boils."] if form in ("numbered", "segments") else []
    assert found.summaries["summary"].to_list() == golds
    assert found.summaries["summary_id"].to_list() == [opinions.summary_id(asked, gold) for gold in golds]
    for frame, table in ((found.products, PRODUCTS), (found.summaries, SUMMARIES)):
        assert require(frame, table).equals(frame)


def test_every_form_is_tried():
    assert set(FORMS) == set(reviews.FORMS)


def test_products_stand_in_the_order_in_which_they_come_and_their_rows_may_be_mixed(tmp_path):
    rows = [{"product": name, "review": said} for name, said in (("b", "1"), ("a", "2"), ("b", "3"))]
    found = reviews.read(written(tmp_path / "r.jsonl", *rows)).products
    assert found.select("name", "row").rows() == [("b", 0), ("a", 1)]
    assert opinions.reviews(found["prompt"][0]) == ["1", "3"]


def test_columns_of_ones_own_are_mapped(tmp_path):
    path = written(tmp_path / "r.jsonl", {"asin": "k", "body": "It leaks."})
    found = reviews.read(path, columns={"product": "asin", "review": "body"})
    assert found.products["name"].to_list() == ["k"]
    with pytest.raises(DataError, match="'title' is no column of ours to map; there are product, review"):
        reviews.read(path, columns={"title": "body"})


@pytest.mark.parametrize(
    ("bad", "cause"),
    [
        ({"product": "k", "review": ""}, "review 1 must be text, got ''"),
        ({"product": "k", "segments": []}, r"'segments' must be a list of texts, got \[\]"),
        ({"reviews": "It leaks."}, "'reviews' must be a list of one text or more"),
        ({"stars": 5}, "expected reviews of a product, got the columns 'stars'"),
    ],
)
def test_a_row_that_is_no_review_is_rejected_and_the_rest_stand(bad, cause, tmp_path):
    found = reviews.read(written(tmp_path / "r.jsonl", {"product": "k", "review": "Good."}, bad))
    assert len(found.products) == 1
    assert found.rejects.select("line", "row").rows() == [(2, 1)]
    assert re.search(cause, found.rejects["cause"][0])
    with pytest.raises(DataError, match=f"holds no product with reviews .*{cause}"):
        reviews.read(written(tmp_path / "s.jsonl", bad))


@pytest.mark.parametrize(
    ("folder", "products", "golds"),
    [
        ("opinpref/annotations-train.jsonl.gz", 800, 0),
        ("product_reviews/opinpref_amazon_reviews.jsonl.gz", 800, 0),
        ("product_reviews/liu_5_products.jsonl.gz", 5, 0),
        ("oposum_gold", 40, 120),
        ("fewsum_amazon", 60, 180),
    ],
)
def test_real_sets(folder, products, golds, real_data):
    found = reviews.read(real_data / folder)
    assert (len(found.products), len(found.summaries), len(found.rejects)) == (products, golds, 0)
