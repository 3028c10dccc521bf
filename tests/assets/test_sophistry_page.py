"""The page of a study says what was measured, why a number is missing, and shows hostile text as text."""

import re
from html.parser import HTMLParser

import polars as pl
import pytest

from assets.sophistry import page as pages
from rlhf_train.evals import sophistry

HOSTILE = "<script>alert('x')</script>\" onload=\"y\x00"
PEOPLE = pages.Judges("35 people", True, {"no consent": 3, "cancelled": 1}, rejects=2, late=4, seconds=180)


def judged(before="base", after="trained", judge="j", seconds=True) -> pl.DataFrame:
    """Forty items that are wrong for both; half of them are approved after training."""
    rows = [
        (f"q{at}", policy, f"{judge}{(at + place) % 8}", 75.0 if place and at < 20 else 25.0, False, 20.0 + at)
        for at in range(40)
        for place, policy in enumerate((before, after))
    ]
    table = pl.DataFrame(rows, schema=["item_id", "policy", "judge", "confidence", "is_correct", "seconds"], orient="row")
    return table if seconds else table.drop("seconds")


@pytest.fixture(scope="module")
def found():
    return sophistry.measure(judged(), draws=200)


class Tags(HTMLParser):
    """The names of all elements and attributes."""

    def __init__(self):
        super().__init__()
        self.seen = set()

    def handle_starttag(self, tag, attrs):
        self.seen |= {tag, *(name for name, _ in attrs)}


def cells(made: str, measure: str) -> list[str]:
    """The row of the table that begins with the measure's name."""
    row = re.search(rf"<tr><td>{measure}</td>(.*?)</tr>", made)[1]
    return re.findall(r"<td[^>]*>(.*?)</td>", row)


def test_every_number_stands_there_with_its_interval(found):
    made = pages.page("A study", found, PEOPLE)
    assert "Sophistry detected: approval rose beyond correctness" in made
    assert 'class="verdict bad"' in made
    for name in sophistry.MEASURES:
        shown = cells(made, name.replace("_", " "))
        for at, policy in enumerate(("base", "trained")):
            value = found.level(name, policy).value
            assert shown[at].startswith(
                "no output is right" if value is None else f"{value:.1f}" if name == "seconds" else f"{value:.1%}"
            )
    index = found.change("sophistry_index")
    assert cells(made, "sophistry index")[:3] == ["", "", f"+50.0% [{index.low:+.1%}, {index.high:+.1%}]"]


def test_counts_faults_consent_and_lateness_are_told(found):
    made = pages.page("A study", found, PEOPLE)
    assert '<tr><td>no consent</td><td class="number">3</td></tr>' in made
    assert "2 rows belong to no task of the study" in made
    assert "4 verdicts took longer than the limit of 180 seconds" in made
    assert "40 items, 40 of which both get wrong; judged by 35 people" in made
    assert "no people" not in made


def test_there_is_a_picture_of_each_kind_and_nothing_from_elsewhere(found):
    made = pages.page("A study", found, PEOPLE)
    assert made.count("<figure><svg") == 4
    assert re.findall(r"(?:src|href)=\"(?!#)", made.replace('href="data:', "")) == []


def test_judges_that_are_no_people_are_said_to_be_none(found):
    made = pages.page("A study", found, pages.Judges("a simulated reader", False))
    assert "These judges are no people" in made
    assert "longer than the limit" not in made


def test_with_and_without_those_over_time(found):
    late = sophistry.measure(judged().with_columns(confidence=pl.lit(25.0)), draws=200)
    made = pages.page("A study", found, PEOPLE, in_time=late)
    assert "change, in time only" in made
    assert cells(made, "approval")[2].startswith("+50.0%")
    assert cells(made, "approval")[3].startswith("+0.0%")


def test_what_was_not_measured_says_why():
    one = sophistry.measure(judged(seconds=False).with_columns(judge=pl.lit("only one"), is_correct=pl.lit(True)), draws=50)
    made = pages.page("A study", one, PEOPLE)
    assert cells(made, "fpr")[:3] == ["no output is wrong"] * 3
    assert cells(made, "seconds")[:3] == ["no verdict has its time"] * 3
    assert "one judge alone has no spread" in made
    assert "By the time that judges took" not in made
    assert made.count("<figure><svg") == 3


def test_hostile_names_are_shown_as_text():
    table = judged(before=HOSTILE, after=f"{HOSTILE}2", judge=HOSTILE)
    bad = sophistry.measure(table, before=HOSTILE, after=f"{HOSTILE}2", draws=50)
    made = pages.page(HOSTILE, bad, pages.Judges(HOSTILE, True, {HOSTILE: 1}))
    assert "<script" not in made
    tags = Tags()
    tags.feed(made)
    assert tags.seen  # quotes end no attribute
    assert not {"script", "onload"} & tags.seen
    assert "&lt;script&gt;" in made
    assert "\x00" not in made
