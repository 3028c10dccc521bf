"""Strange name: the three chances of one name together, by hand, and the reason that names it."""

from math import exp, log, log10
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest

from checks import mentions
from checks.detectors import strange_name
from checks.evidence import Evidence
from checks.lifts import Lifts
from checks.sentences import Stray
from checks.words import words

SURPRISE = {"pair": pl.Int64(), "name": pl.String(), "surprise": pl.Float64(), "contrast": pl.Int64(), "phrase": pl.Int64()}


def fisher(*surprises: float) -> float:
    """-log10 of the chance of three p-values with such a product: exp(-y) (1 + y + y^2 / 2), y = minus the log of it."""
    y = sum(surprises) * log(10)
    return -log10(exp(-y) * (1 + y + y * y / 2))


def evidence(pairs, strangers, named_lifts, felt_lifts):
    made = Evidence(pairs, encoder=None)
    made.strays = [Stray(row[0], "chosen", f"ask {row[1]} (now)", (row[1].upper(),)) for row in strangers]
    schema = {"pair": pl.Int64(), "name": pl.String(), "surprise": pl.Float64(), "at": pl.Int64()}
    made.strangers = pl.DataFrame([(*row, at) for at, row in enumerate(strangers)], schema=schema, orient="row")
    for table, rows in ((mentions.named, named_lifts), (mentions.felt, felt_lifts)):
        lifted = pl.DataFrame([(*row, 2, 7) for row in rows], schema=SURPRISE, orient="row")
        told = lambda contrast, phrase, table=table: ("", f"{table.__name__} {contrast} {phrase}")  # noqa: E731
        lifts = SimpleNamespace(words=lambda lifted=lifted: lifted, told=told)
        made._kept.get(table, lambda lifts=lifts: lifts)
    return made


def test_the_chances_of_one_name_count_together(chatter):
    strangers = [(0, "bo", 1.5), (0, "cy", 2.0), (3, "bo", 0.5), (4, "di", 4.0)]
    made = evidence(chatter(20), strangers, [(0, "bo", 2.0), (3, "bo", 0.4), (3, "cy", 9.0)], [(0, "bo", 1.0), (1, "bo", 9.0)])
    expected = np.zeros(20)
    expected[[0, 3, 4]] = max(fisher(1.5, 2.0, 1.0), fisher(2.0, 0, 0)), fisher(0.5, 0.4, 0), fisher(4.0, 0, 0)
    assert strange_name.score(made) == pytest.approx(expected)
    assert strange_name.explain(made, [4, 0, 1, 3]) == [
        "'DI' strays from the question in a chosen response (ask di [now])",
        "'BO' strays from the question in a chosen response, and stands in named 2 7 (ask bo [now])",
        "no sentence of this pair brings up a name of its own",
        "'BO' strays from the question in a chosen response, and stands in named 2 7 (ask bo [now])",
    ]


def test_the_more_surprising_table_is_told(chatter):
    made = evidence(chatter(20), [(0, "bo", 1.5)], [(0, "bo", 2.0)], [(0, "bo", 2.1)])
    assert "felt 2 7" in strange_name.explain(made, [0])[0]


def test_without_names_nothing_is_strange(chatter):
    assert strange_name.score(evidence(chatter(20), [], [], [])).tolist() == [0] * 20


def test_lifted_words_are_those_that_explain_pairs(named):
    lifts = Lifts(mentions.named(words(named[:200], named[200:])), seed=1)
    found = lifts.words()
    assert found["pair"].max() < 200
    assert found.select("pair", "name").is_unique().all()
    best = found.sort("pair", "surprise", descending=[False, True]).unique("pair", keep="first", maintain_order=True)
    told = [lifts.told(*row) for row in best.select("contrast", "phrase").iter_rows()]
    assert told == lifts.explain(best["pair"].to_list())
    assert best["surprise"].to_numpy() == pytest.approx(lifts.score()[best["pair"].to_numpy()], abs=1e-4)
