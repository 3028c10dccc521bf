"""A corpus of summaries in three tiers: what it holds, what is asked again, and what a killed run leaves to be asked."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from pipelines import opinions, summaries
from pipelines.schema import REJECTS, SUMMARIES, DataError, require
from pipelines.sources.opinpref import GENERATED
from pipelines.summaries.building import build
from pipelines.summaries.tiers import Request, Writer, tiers
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


def number(body: dict) -> str:
    return f"Summary number {body['seed']} of the kettle."


RUN = """
import sys
from pipelines.summaries.building import build
from tests.pipelines.reviewed import products
build(products(), writer="server", base_url=sys.argv[1], cache=sys.argv[2], concurrency=1)
"""


def test_a_killed_run_goes_on_without_asking_again_for_what_it_had_written(stub, tmp_path):
    cache, whole = tmp_path / "kept" / "answers.jsonl", 2 * 9
    stub.script = lambda body: time.sleep(30 * (len(stub.asked) > 7)) or number(body)
    process = subprocess.Popen([sys.executable, "-c", RUN, stub.base_url, str(cache)], cwd=Path(__file__).parents[2])
    while len(stub.asked) < 8 and process.poll() is None:
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    written = [json.loads(line) for line in cache.read_text().splitlines()]
    assert [line["seed"] for line in written] == [body["seed"] for body in stub.bodies[:7]]
    with cache.open("ab") as stream:
        stream.write(json.dumps(written[0]).encode()[:-20])  # as if the kill had come within a line
    stub.script = number
    stub.asked.clear()
    again = build(products(), writer="server", base_url=stub.base_url, cache=cache)
    asked = {body["seed"] for body in stub.bodies}
    assert len(stub.asked) == whole - 7
    assert not asked & {line["seed"] for line in written}
    stub.asked.clear()
    assert build(products(), writer="server", base_url=stub.base_url, cache=cache).summaries.equals(again.summaries)
    assert stub.asked == []
    assert build(products(), writer="server", base_url=stub.base_url).summaries.equals(again.summaries)
    assert len(stub.asked) == whole


def test_rejected_answers_are_kept_too(stub, tmp_path):
    stub.script = lambda body: "Always the same summary."
    first = build(products(KETTLE), writer="server", base_url=stub.base_url, cache=tmp_path / "a", each=1, tries=3)
    assert (len(first.summaries), len(first.rejects), len(stub.asked)) == (1, 2, 1 + 3 + 3)
    again = build(products(KETTLE), writer="server", base_url=stub.base_url, cache=tmp_path / "a", each=1, tries=3)
    assert again.rejects.equals(first.rejects)
    assert len(stub.asked) == 7


@pytest.mark.parametrize(
    ("changed", "asked"),
    [({}, 0), ({"model": "other"}, 9), ({"seed": 1}, 9), ({"each": 4}, 3), ({"timeout": 5.0}, 0), ({"tries": 2}, 0)],
)
def test_only_what_a_text_hangs_on_is_asked_for_anew(changed, asked, stub, tmp_path):
    stub.script = number
    settings = {"writer": "server", "base_url": stub.base_url, "cache": tmp_path / "a", "model": "m"}
    build(products(KETTLE), **settings)
    stub.asked.clear()
    build(products(KETTLE), **settings | changed)
    assert len(stub.asked) == asked


def test_another_instruction_or_another_sampling_is_asked_for_anew(stub, tmp_path, monkeypatch):
    stub.script = number
    settings = {"writer": "server", "base_url": stub.base_url, "cache": tmp_path / "a"}
    build(products(KETTLE), **settings)
    first = {body["seed"] for body in stub.bodies}
    for change in ({"instruction": "Write."}, {"sampling": {"top_p": 0.5}}):
        stub.asked.clear()
        changed = {**tiers(), "good": replace(tiers()["good"], **change)}
        monkeypatch.setattr(summaries.server, "tiers", lambda changed=changed: changed)
        build(products(KETTLE), **settings)
        assert len(stub.asked) == 3
        assert {body["seed"] for body in stub.bodies} < first
        monkeypatch.undo()


def test_a_damaged_file_loses_its_damaged_lines_alone(stub, tmp_path):
    stub.script, cache = number, tmp_path / "a"
    build(products(KETTLE), writer="server", base_url=stub.base_url, cache=cache)
    lines = cache.read_bytes().splitlines(keepends=True)
    told = json.loads(lines[3])
    lines[1] = b"\xff\xfe\x00 no JSON\n"
    lines[3] = json.dumps({**told, "summary": 7}).encode() + b"\n"
    lines[5] = json.dumps({**told, "place": [1]}).encode() + b"\n" + b"[" * 100_000 + b"\n[]\n{}\n\n"
    cache.write_bytes(b"".join(lines))
    stub.asked.clear()
    assert len(build(products(KETTLE), writer="server", base_url=stub.base_url, cache=cache).summaries) == 9
    assert len(stub.asked) == 3


def test_of_two_answers_to_the_same_request_the_first_counts(stub, tmp_path):
    stub.script, cache = number, tmp_path / "a"
    first = build(products(KETTLE), writer="server", base_url=stub.base_url, cache=cache)
    again = [
        json.dumps({**json.loads(line), "summary": "What a second run was told."}) for line in cache.read_text().splitlines()
    ]
    with cache.open("a") as stream:
        stream.write("\n".join(again))
    assert build(products(KETTLE), writer="server", base_url=stub.base_url, cache=cache).summaries.equals(first.summaries)


def test_the_rules_keep_nothing(tmp_path):
    assert len(build(products(), cache=tmp_path / "a").summaries) == 18
    assert not (tmp_path / "a").exists()


def test_no_products_have_no_summaries():
    built = build(products().clear())
    assert built.summaries.schema == SUMMARIES.empty().schema
    assert isinstance(built.rejects, pl.DataFrame)
