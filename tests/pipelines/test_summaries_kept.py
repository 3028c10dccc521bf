"""Answers that are kept: a killed run goes on, and only what a text hangs on is asked for anew."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from pipelines import summaries
from pipelines.summaries.building import build
from pipelines.summaries.tiers import tiers
from tests.pipelines.reviewed import KETTLE, products


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
