"""A corpus of summaries in three tiers: what it holds, what is asked for again, and what is refused."""

from contextlib import contextmanager

import polars as pl
import pytest

from pipelines import opinions, summaries
from pipelines.schema import REJECTS, SUMMARIES, DataError, require
from pipelines.sources.opinpref import GENERATED
from pipelines.summaries.building import build
from pipelines.summaries.tiers import Request, Writer
from tests.pipelines.reviewed import KETTLE, TORCH, products


def says(monkeypatch, text) -> list[Request]:
    """Makes a writer "fake" of `text(request)`; the requests it gets are the list."""
    asked: list[Request] = []

    @contextmanager
    def writing():
        yield Writer("fake", lambda request: asked.append(request) or text(request))

    monkeypatch.setattr(summaries.building, "WRITERS", {"fake": writing})
    return asked


def test_every_product_has_so_many_summaries_of_each_tier():
    built = build(products(), each=2, seed=4)
    assert built.summaries["tier"].to_list() == 2 * [tier for tier in GENERATED for _ in range(2)]
    assert built.summaries["prompt"].to_list() == [opinions.prompt(said) for said in (KETTLE, TORCH) for _ in range(6)]
    ids = [opinions.summary_id(prompt, text) for prompt, text in built.summaries.select("prompt", "summary").iter_rows()]
    assert built.summaries["summary_id"].to_list() == ids
    assert len(set(ids)) == 12
    assert set(built.summaries["source"]) == {"rules"}
    assert require(built.summaries, SUMMARIES).equals(built.summaries)
    assert require(built.rejects, REJECTS).equals(built.rejects)
    assert len(built.rejects) == 0


def test_the_seed_decides():
    assert build(products(), seed=1).summaries.equals(build(products(), seed=1).summaries)
    one, other = (set(build(products(), seed=seed).summaries["summary_id"]) for seed in (1, 2))
    assert len(one & other) < 9


def test_products_with_the_same_reviews_are_summed_up_once():
    assert build(products(KETTLE, TORCH, KETTLE), each=1).summaries.equals(build(products(), each=1).summaries)


def test_other_reviews_are_those_of_another_product(monkeypatch):
    prompts = [opinions.prompt([f"Review {at}."]) for at in range(4)]
    asked = says(monkeypatch, lambda request: f"A summary of seed {request.seed}.")
    build(products(*([f"Review {at}."] for at in range(4))), writer="fake")
    assert {(one.prompt, one.other) for one in asked} == {(one, other) for one in prompts for other in prompts if one != other}
    asked.clear()
    build(products(KETTLE), writer="fake")
    assert {one.other for one in asked} == {""}


def test_an_equal_summary_is_asked_for_again_by_another_seed_and_rejected_if_it_stays_so(monkeypatch):
    texts = iter(["The kettle  is fine, mostly.", "the KETTLE is\nfine, mostly.", "The kettle is good, mostly."])
    asked = says(monkeypatch, lambda request: next(texts, "The kettle is fine, mostly."))
    built = build(products(KETTLE), writer="fake", each=1, tries=2)
    assert built.summaries.select("tier", "summary").rows() == [
        ("good", "The kettle  is fine, mostly."),
        ("slightly_bad", "The kettle is good, mostly."),
    ]
    cause = "very_bad summary 1 equals good summary 1, in 2 tries; ask another model or raise tries"
    assert built.rejects.rows() == [("here", 1, 0, cause)]
    assert len({one.seed for one in asked}) == len(asked) == 1 + 2 + 2
    assert all(0 <= one.seed < 2**31 for one in asked)


def test_equal_summaries_of_two_products_both_stand(monkeypatch):
    says(monkeypatch, lambda request: f"It is {request.tier}, they say.")
    assert len(build(products(), writer="fake", each=1).summaries) == 6


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        (" Nineteen characters \n", "has 19 characters where 20 are the least"),
        ("", "has 0 characters"),
        ("Half a pair \ud83d stands in it.", "holds half a surrogate pair, which is no text"),
    ],
)
def test_what_is_no_summary_is_rejected_with_its_products_row(text, cause, monkeypatch):
    asked = says(
        monkeypatch, lambda request: text if request.prompt == opinions.prompt(TORCH) else f"A summary: {request.seed}."
    )
    built = build(products(), writer="fake", each=1)
    assert (len(built.summaries), built.rejects["row"].to_list(), built.rejects["line"].to_list()) == (3, [10] * 3, [11] * 3)
    assert cause in built.rejects["cause"][0]
    assert len(asked) == 3 + 3 * 4


def test_twenty_characters_are_enough(monkeypatch):
    numbers = iter(range(9))
    says(monkeypatch, lambda request: f"Just twenty letters{next(numbers)}")
    assert len(build(products(KETTLE), writer="fake").summaries) == 9


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"writer": "me"}, "writer must be one of rules, server, got 'me'"),
        ({"each": 0}, "each and tries are numbers of summaries and must be 1 or more, got 0 and 4"),
        ({"tries": 0}, "got 3 and 0"),
        ({"model": "m"}, "model is no setting of the writer rules"),
        ({"writer": "server", "timeout": "long"}, "timeout must be float"),
        ({"writer": "server", "concurrency": 0}, "concurrency 1 or more, got 3 and 0"),
    ],
)
def test_wrong_settings_are_refused(wrong, told):
    with pytest.raises(DataError, match=told):
        build(products(), **wrong)


def test_no_products_have_no_summaries():
    built = build(products().clear())
    assert built.summaries.schema == SUMMARIES.empty().schema
    assert isinstance(built.rejects, pl.DataFrame)
