"""The page of an audit: from the verdict to a finding to its rows to their words; the corpus; what to do; of bounded size."""

import shlex
import time
from html.parser import HTMLParser

import numpy as np
import polars as pl
import pytest

from assets import audit_findings, audit_profile, audit_report, audit_steps
from checks.detectors import DETECTORS
from checks.detectors.about import ABOUT
from pipelines.schema import REJECTS, with_pair_ids

NONE = REJECTS.empty()


class Page(HTMLParser):
    """Ids, links, headings and words of a page, as a browser sees them."""

    def __init__(self, page):
        super().__init__()
        self.ids, self.links, self.headings, self.words = [], [], [], []
        self._tag = ""
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        held = dict(attrs)
        self._tag = tag
        self.ids += [held["id"]] if "id" in held else []
        self.links += [held["href"]] if tag == "a" else []
        self.headings += [int(tag[1])] if tag in ("h1", "h2", "h3") else []

    def handle_data(self, data):
        if self._tag != "style":
            self.words.append(data)


def corpus(count=40, flagged=3, reason="'Zorvex' stands in 3 chosen and 0 rejected responses (row {})"):
    """Pairs of which the first are flagged for one reason, the first most; phrase_lift rises with suspicion."""
    rows = [
        {"row": at, "prompt": f"Question {at}?", "chosen": f"Ask Zorvex {at}." if at < flagged else f"Yes {at}.",
         "rejected": f"No {at}.", "source": "here", "annotator": "a" if at % 4 else None}
        for at in range(count)
    ]  # fmt: skip
    pairs = with_pair_ids(pl.DataFrame(rows))
    place = pl.int_range(pl.len())
    scores = pairs.select("row", "pair_id").with_columns(
        suspicion=(count - place) / 4.0,
        p_value=(place + 1) / 1000,
        is_flagged=place < flagged,
        reason=pl.when(place < flagged).then(pl.format(reason, "row")).otherwise(pl.lit("")),
        phrase_lift=(count - place).cast(pl.Float64),
        perplexity=pl.lit(0.0),
    )
    return pairs, scores


FINDING = {
    "detector": "phrase_lift",
    "reason": "'Zorvex' stands in 3 chosen and 0 rejected responses",
    "pairs": 3,
    "rows": [0, 1, 2],
}


def made(pairs, scores, findings=(FINDING,), **more):
    return audit_report.page({"here": (pairs, scores)}, list(findings), NONE, 0.05, **more)


def test_every_detector_says_what_it_looks_for():
    assert list(ABOUT) == list(DETECTORS)
    assert all(20 < len(words) < 100 and words[-1] != "." for words in ABOUT.values())


def test_from_a_finding_one_comes_to_its_rows_and_their_words():
    page = made(*corpus())
    found = Page(page)
    assert len(found.ids) == len(set(found.ids))
    assert {link[1:] for link in found.links} <= set(found.ids)
    for name in ("finding-1", "row-0", "row-1", "row-2"):
        assert found.links.count(f"#{name}") >= 2 or name == "finding-1", name
    assert "#row-3" not in found.links
    assert "row 0, suspicion 10.0, p 0.001, pair " + corpus()[0]["pair_id"][0] in found.words
    assert page.count("<mark>Zorvex</mark>") == 3


def test_of_many_pairs_the_most_suspicious_are_in_full_and_no_link_leads_nowhere():
    pairs, scores = corpus(flagged=30)
    found = Page(made(pairs, scores.with_columns(suspicion=pl.int_range(pl.len()) / 4), [{**FINDING, "pairs": 30}]))
    assert [name for name in found.ids if name.startswith("row-")] == [f"row-{at}" for at in range(29, 4, -1)]
    assert {link[1:] for link in found.links} <= set(found.ids)


def test_a_pair_tells_who_finds_it_unusual_and_how_few_score_as_high():
    shown = audit_findings.found([FINDING], corpus()[0].join(corpus()[1].drop("row"), on="pair_id").head(3), corpus()[1])
    assert '>phrase_lift</a></td><td class="number">39</td><td>2 of 40</td>' in shown  # row 1: 40 and 39 are as high
    assert ">3 of 40<" not in shown  # more than one pair in twenty: no news of this pair
    assert "perplexity" not in shown


@pytest.mark.parametrize(
    "reason",
    ["'Zorvex' stands in 3 chosen and 0 rejected responses", "'Zorvex' strays from the question in a chosen response"],
)
def test_what_a_reason_names_is_marked_in_its_pairs(reason):
    pair = {"row": 3, "prompt": "?", "chosen": "Ask Zorvex.", "rejected": "no", "reason": f"{reason} (Ask)", "suspicion": 1.0}
    shown = audit_findings.found([{"reason": reason, "pairs": 1, "detector": "any"}], pl.DataFrame([pair]))
    assert shown.count("<mark>Zorvex</mark>") == 1


def test_a_finding_has_its_own_pairs_and_no_other_whose_reason_begins_alike():
    pairs, scores = corpus(flagged=2, reason="'Zorvex' stands in 3{}")
    findings = [{**FINDING, "reason": f"'Zorvex' stands in 3{at}", "pairs": 1} for at in (0, 1)]
    shorter = {**FINDING, "reason": "'Zorvex' stands in 3", "pairs": 1}
    shown = made(pairs, scores, [*findings, shorter])
    assert [shown.count(f'id="row-{at}"') for at in (0, 1)] == [1, 1]


def test_rows_of_several_sets_are_told_apart():
    pairs, scores = corpus()
    finding = {**FINDING, "pairs": 3, "sets": {"one.jsonl": 3, "two": 3}}
    found = Page(audit_report.page({"one.jsonl": (pairs, scores), "two": (pairs, scores)}, [finding], NONE, 0.05))
    assert {"row-0-of-one-jsonl", "row-0-of-two"} <= set(found.ids)
    assert len(found.ids) == len(set(found.ids))


def test_headings_are_in_order_and_what_matters_comes_first():
    found = Page(made(*corpus(), steps=[("Do this.", "antivenom filter x")]))
    assert found.headings[0] == 1
    assert all(later - earlier <= 1 for earlier, later in zip(found.headings, found.headings[1:], strict=False))
    words = " ".join(found.words)
    order = [
        "3 of 40 pairs are flagged (7.50%)",
        "antivenom filter x",
        "by phrase_lift",
        "Suspicion of all pairs",
        "letters of",
    ]
    assert [words.index(each) for each in order] == sorted(words.index(each) for each in order)


def test_a_profile_counts_what_a_reward_model_would_learn_in_place_of_quality():
    """Four pairs: one repeated, one with two sides alike, one blank; of three uneven ones two prefer the longer side."""
    rows = [("p", "long answer", "short"), ("p", "long answer", "short"), ("q", "same", "same"), ("r", " ", "word")]
    pairs = with_pair_ids(pl.DataFrame(rows, schema=["prompt", "chosen", "rejected"], orient="row"))
    found = audit_profile.facts(pairs)
    assert found == {"pairs": 4, "prompts": 3, "repeats": 1, "alike": 1, "blank": 1, "longer": pytest.approx(2 / 3)}
    said = list(audit_profile.worth_a_look(found))
    assert [words.split(" pairs")[0] for words in said[:3]] == ["1"] * 3
    assert said[3] == "The longer response is preferred in 67% of pairs: a reward model may learn length."
    calm = {"pairs": 1000, "prompts": 1000, "repeats": 9, "alike": 9, "blank": 9, "longer": 0.59}
    assert list(audit_profile.worth_a_look(calm)) == []
    even = audit_profile.facts(pairs.filter(pl.col("chosen") == "same"))
    assert even["longer"] == 0.5


def test_lengths_are_in_letters():
    pairs = pl.DataFrame({"prompt": ["äb", "abcd", "abc"], "chosen": ["", "a", "é"], "rejected": ["abc"] * 3})
    assert audit_profile.lengths(pairs).rows() == [
        ("prompt", 2, 2, 3, 4, 4), ("chosen", 0, 0, 1, 1, 1), ("rejected", 3, 3, 3, 3, 3),
    ]  # fmt: skip


def test_flags_are_counted_by_annotator():
    words = Page(made(*corpus(count=40, flagged=4))).words
    at = words.index("none named")
    assert words[at : at + 4] == ["none named", "10", "1", "10.0%"]  # row 0 of every fourth
    assert words[words.index("a") :][:4] == ["a", "30", "3", "10.0%"]


def test_steps_name_the_input_as_it_was_read():
    options = audit_steps.read_as("triples", ["prompt=my question"], None, True)
    (_, line) = audit_steps.steps(["my pairs.jsonl"], options, flagged=True, trusted=False, folder="an audit")[1]
    assert shlex.split(line) == [
        "antivenom", "filter", "my pairs.jsonl", "--format", "triples", "--map", "prompt=my question", "--allow-rejects",
        "--scores", "an audit", "--out", "filtered",
    ]  # fmt: skip
    calm = audit_steps.steps(["pairs.jsonl"], [], flagged=False, trusted=True)
    assert [line for _, line in calm] == [""]


def test_a_page_of_very_many_long_pairs_stays_small():
    """100,000 pairs of 2 x 5,000 letters, a third of them flagged for 30 reasons: a gigabyte of text."""
    count, text = 100_000, "word " * 1000
    rows = pl.int_range(pl.len())
    pairs = pl.DataFrame({"row": np.arange(count)}).with_columns(
        pair_id=pl.format("{}", "row"),
        prompt=pl.lit(text),
        chosen=pl.lit(text),
        rejected=pl.lit(text[::-1]),
        source=pl.lit("s"),
    )
    scores = pairs.select("row", "pair_id").with_columns(
        suspicion=pl.lit(3.0), p_value=pl.lit(0.001), is_flagged=rows % 3 == 0, reason=pl.format("reason {}", rows % 30),
        phrase_lift=rows.cast(pl.Float64),
    )  # fmt: skip
    findings = [{**FINDING, "reason": f"reason {at}", "pairs": 3334} for at in range(0, 30, 3)]
    started = time.monotonic()
    page = made(pairs, scores, findings)
    assert len(page) < 5_000_000
    assert time.monotonic() - started < 60
