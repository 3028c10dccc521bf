"""A mark is asked for once: what was kept outlasts a run that was killed, a damaged file and a second process."""

import json
import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from pipelines import rubrics
from pipelines.opinions import summary_id
from pipelines.rubrics import wording
from pipelines.rubrics.memory import Memory
from pipelines.schema import FEATURE_NAMES, DataError
from tests.pipelines.judges import PROMPT, careful, feature_of, said

SUMMARIES = [f"Summary {number} of the battery and its price." for number in range(6)]
RUN = """
import sys
from pathlib import Path
from pipelines import rubrics
address, cache, prompt, *summaries = sys.argv[1:]
rubrics.score([prompt] * len(summaries), summaries, base_url=address, model="tiny", cache=Path(cache), concurrency=3)
"""


@pytest.fixture
def score(stub, tmp_path):
    stub.script = careful

    def asked(summaries=SUMMARIES, **numbers):
        given = {"base_url": stub.base_url, "model": "tiny", "cache": tmp_path, **numbers}
        return rubrics.score([PROMPT] * len(summaries), summaries, **given)

    return asked


@pytest.fixture
def file(tmp_path):
    """Where the marks of the model tiny are kept."""
    return lambda: next((tmp_path / "rubrics").iterdir())


def test_what_was_marked_is_not_asked_for_again(score, stub):
    first = score(SUMMARIES[:4])
    again = score()
    assert (first.asked, first.cached, again.asked, again.cached) == (28, 0, 14, 28)
    assert again.features[:4].equals(first.features)
    assert len(stub.asked) == 42


def test_controls_are_kept_too(score, stub):
    score(controls=True)
    assert len(stub.asked) == 43
    assert (score(controls=True).cached, len(stub.asked)) == (43, 43)


def test_another_model_or_text_is_asked_anew(score, stub, tmp_path):
    score()
    assert score(model="other").asked == 42
    assert score(model="").asked == 42
    assert score([text.lower() for text in SUMMARIES]).asked == 42
    given = {"base_url": stub.base_url, "model": "tiny", "cache": tmp_path}
    assert rubrics.score([PROMPT + " It is big."], SUMMARIES[:1], **given).asked == 7


def test_a_changed_rubric_is_asked_for_anew_and_the_others_are_not(score, monkeypatch):
    score()
    monkeypatch.setattr(wording, "edition", wording.edition.__wrapped__)
    monkeypatch.setitem(wording.rubrics(), "relevance", wording.Rubric("Whether it is short.", "", [(0, 5, "short")]))
    again = score()
    assert (again.asked, again.cached) == (6, 36)


def test_nothing_is_kept_without_a_folder(score, tmp_path):
    assert [score(cache=None).asked, score(cache=None).asked] == [42, 42]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("cut", [1, 30, 90])
def test_a_line_that_was_half_written_is_asked_for_again(score, file, cut):
    first = score()
    file().write_bytes(file().read_bytes().rstrip(b"\n")[:-cut])
    again = score()
    assert (again.asked, again.cached) == (1, 41)
    assert again.features.equals(first.features)
    assert score().asked == 0


def test_lines_that_were_harmed_are_asked_for_again(score, file, tmp_path):
    first = score()
    lines = [line for line in file().read_bytes().split(b"\n") if line]
    assert len(lines) == 42
    lines[3] = b"\xff\x00" + lines[3]
    lines[5] = b'["a list"]'
    lines[8] = lines[8].replace(b'"score": 2', b'"score": 4')
    lines[9] = json.dumps({**json.loads(lines[9]), "summary_id": "0" * 16}).encode()
    file().write_bytes(b"\n".join([b"null", b"{", *lines, b"\xfe" * 50]))
    assert Memory(tmp_path, "tiny").get(json.loads(lines[9])["rubric"], "0" * 16) is None
    again = score()
    assert (again.asked, again.cached) == (4, 38)
    assert again.features.equals(first.features)


def test_a_file_that_is_no_text_is_written_on(score, file):
    score(SUMMARIES[:1])
    file().write_bytes(os.urandom(5000))
    assert (score().asked, score().asked) == (42, 0)


def test_two_at_once_lose_no_mark(tmp_path):
    both = [Memory(tmp_path, "tiny"), Memory(tmp_path, "tiny")]

    def write(memory, letter):
        for number in range(200):
            memory.keep(letter * 16, f"{number:016}", number / 40)

    threads = [threading.Thread(target=write, args=pair) for pair in zip(both, "ab", strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    after = Memory(tmp_path, "tiny")
    assert [after.get(letter * 16, f"{number:016}") for letter in "ab" for number in (0, 7, 199)] == [0, 0.175, 4.975] * 2


def test_a_run_that_is_killed_loses_at_most_what_was_under_way(score, stub, tmp_path):
    def slow(body):
        time.sleep(0.02)
        return careful(body)

    stub.script = slow
    run = subprocess.Popen([sys.executable, "-c", RUN, stub.base_url, str(tmp_path), PROMPT, *SUMMARIES])
    try:
        while len(stub.asked) < 16 and run.poll() is None:
            time.sleep(0.005)
    finally:
        run.send_signal(signal.SIGKILL)
        run.wait()
    time.sleep(0.1)  # for the replies that nobody waits for any more
    before = len(stub.asked)
    assert 16 <= before < 42
    again = score()
    assert again.cached >= before - 3
    assert again.asked + again.cached == 42
    marks = tuple(2 + eighths / 8 for eighths in range(len(FEATURE_NAMES)))
    assert again.features.select(FEATURE_NAMES).rows() == [marks] * 6


def test_marks_of_a_summary_that_is_rejected_are_kept(score, stub):
    stub.script = lambda body: "No." if feature_of(body) == "conciseness" and SUMMARIES[0] in str(body) else careful(body)
    assert (score(retries=0).asked, score(retries=0).cached) == (39, 38)
    stub.script = lambda body: said(4)
    assert score().asked == 4


@pytest.mark.parametrize("what", ["a file", "a folder"])
def test_a_cache_that_cannot_be_written_is_told(score, tmp_path, stub, what):
    (tmp_path / "taken").write_text("mine")
    if what == "a folder":
        score(SUMMARIES[:1])
        held = next((tmp_path / "rubrics").iterdir())
        held.unlink()
        held.mkdir()
    with pytest.raises(DataError, match=r"cache must be a folder where answers can be kept, but .* can't be used"):
        score(cache=tmp_path / "taken" if what == "a file" else tmp_path)


def test_marks_are_known_by_the_summary_of_these_reviews(tmp_path):
    memory = Memory(tmp_path, "tiny")
    memory.keep("e" * 16, summary_id(PROMPT, "Fine."), 3.0)
    assert Memory(tmp_path, "tiny").get("e" * 16, summary_id(PROMPT, "Fine.")) == 3.0
    assert Memory(tmp_path, "tiny").get("e" * 16, summary_id(PROMPT + "!", "Fine.")) is None
    assert Memory(tmp_path, "tiny").get("f" * 16, summary_id(PROMPT, "Fine.")) is None
    assert Memory(tmp_path, "other").get("e" * 16, summary_id(PROMPT, "Fine.")) is None
