"""A scorer in trouble: what is waited out, what ends a run with a clear word, and that what was scored is kept."""

import socket
import threading
import time

import pytest

from pipelines import rubrics
from pipelines.rubrics import asking
from pipelines.schema import DataError
from tests.pipelines.judges import PROMPT, careful, feature_of, said

SUMMARIES = [f"Summary {number} of the fit." for number in range(24)]


@pytest.fixture
def score(stub, tmp_path):
    stub.script = careful

    def asked(summaries=SUMMARIES, **numbers):
        given = {"base_url": stub.base_url, "model": "tiny", "cache": tmp_path, "retries": 1, **numbers}
        return rubrics.score([PROMPT] * len(summaries), summaries, **given)

    return asked


def test_passing_trouble_is_waited_out(score, stub):
    stub.script = lambda body: (503, {"error": "busy"}) if len(stub.asked) % 3 == 0 else careful(body)
    scored = score(retries=2, concurrency=1)
    assert (len(scored.features), scored.asked, scored.asked_again) == (24, 168, 0)


def slow(body):
    time.sleep(0.4)
    return "late"


@pytest.mark.parametrize(
    ("trouble", "told"),
    [
        (lambda body: (500, {"error": "broken"}), "failed 2 times, at last with HTTP 500: .*broken"),
        (lambda body: (502, b"<html>Bad Gateway</html>"), "failed 2 times, at last with HTTP 502: <html>Bad Gateway"),
        (slow, "failed 2 times, at last with ReadTimeout"),
        (lambda body: (200, b"<html>Log in</html>"), r"must answer JSON with choices.*got <html>Log in"),
        (
            lambda body: (401, {"error": "no key"}),
            "refused the request with HTTP 401: .*no key.*check base_url, model and api_key",
        ),
        (lambda body: (404, {"error": "no model"}), "refused the request with HTTP 404"),
    ],
)
def test_a_server_that_breaks_down_is_told_and_what_was_scored_is_kept(score, stub, trouble, told):
    stub.script = lambda body: careful(body) if len(stub.asked) <= 20 else trouble(body)
    with pytest.raises(DataError, match=rf"(?s){told}.*; 20 new marks are kept in .*, and the next run asks for the rest only"):
        score(concurrency=1, timeout=0.2)
    stub.script = careful
    scored = score()
    assert (len(scored.features), scored.asked, scored.cached) == (24, 148, 20)


def test_what_was_known_before_is_not_told_as_new(score, stub):
    score(SUMMARIES[:2])
    stub.script = lambda body: (500, {"error": "broken"})
    with pytest.raises(DataError, match="; 0 new marks are kept"):
        score(SUMMARIES[:3])


def test_a_server_that_is_away_is_told(score):
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{held.getsockname()[1]}/v1"
        with pytest.raises(DataError, match=f"no server answers at {url}.*start one or correct base_url; 0 new marks"):
            score(base_url=url)


def test_without_a_cache_the_user_is_told_that_nothing_is_kept(score, stub):
    stub.script = lambda body: (500, {"error": "broken"})
    with pytest.raises(DataError, match="nothing is kept without a cache folder"):
        score(cache=None)


@pytest.mark.parametrize("said", ["It is a fine day.", (400, {"error": "no such model"})])
def test_a_scorer_that_is_unable_is_given_up(score, stub, said):
    stub.script = lambda body: said
    with pytest.raises(
        DataError, match=r"the first 20 summaries got no mark, the last one for aspect_coverage: .*try another"
    ) as caught:
        score(concurrency=1)
    assert ("It is a fine day." if isinstance(said, str) else "no such model") in str(caught.value)
    each = 2 if isinstance(said, str) else 3  # tries of a mark, manners of a request
    assert asking.PATIENCE * each <= len(stub.asked) <= (asking.PATIENCE + 2) * each


def test_a_scorer_that_was_able_once_is_not_given_up(score, stub):
    stub.script = lambda body: careful(body) if SUMMARIES[0] in str(body) else "It is a fine day."
    scored = score(retries=0)
    assert (len(scored.features), len(scored.rejects)) == (1, 23)


def test_a_scorer_that_is_able_late_is_not_given_up(score, stub):
    stub.script = lambda body: careful(body) if SUMMARIES[19] in str(body) else "It is a fine day."
    assert len(score(retries=0).features) == 1


def test_marks_of_an_earlier_run_do_not_make_a_scorer_able(score, stub):
    stub.script = lambda body: careful(body) if feature_of(body) == "aspect_coverage" else "It is a fine day."
    with pytest.raises(DataError, match="none of 24 summaries could be scored"):
        score(retries=0)
    with pytest.raises(DataError, match="the first 20 summaries got no mark, the last one for opinion_faithfulness"):
        score(retries=0)


def test_few_summaries_without_a_mark_are_an_error_too(score, stub):
    stub.script = lambda body: "It is a fine day."
    with pytest.raises(
        DataError, match="none of 2 summaries could be scored, the first one for this: aspect_coverage: the reply"
    ):
        score(SUMMARIES[:2])


@pytest.mark.parametrize("wrong", [{"retries": -1}, {"concurrency": 0}])
def test_numbers_out_of_range_are_refused(score, stub, wrong):
    with pytest.raises(DataError, match="retries must be 0 or more and concurrency 1 or more"):
        score(**wrong)
    assert stub.asked == []


@pytest.mark.parametrize("concurrency", [1, 5])
def test_no_more_requests_run_at_once_than_asked(score, stub, concurrency):
    running, most, lock = 0, 0, threading.Lock()

    def watched(body):
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.01)
        with lock:
            running -= 1
        return careful(body)

    stub.script = watched
    score(SUMMARIES[:12], concurrency=concurrency)
    assert most == concurrency


def test_each_request_at_once_has_a_connection_that_lasts(score, stub):
    together = threading.Barrier(120)  # more than a client's pool holds by default

    def met(body):
        if feature_of(body) == "aspect_coverage":
            together.wait(timeout=20)
        return careful(body)

    stub.script = met
    assert score([f"Summary {number}." for number in range(120)], concurrency=120).asked == 840
    assert len(stub.connections) == 120


def test_the_key_is_sent_and_never_told(score, stub):
    score(SUMMARIES[:1], api_key="very-secret")
    assert {key for _, key, _ in stub.asked} == {"Bearer very-secret"}
    stub.script = lambda body: (400, {"error": "bad key very-secret"})
    with pytest.raises(DataError, match=r"bad key \[api_key\]") as caught:
        score(["Another."], api_key="very-secret")
    assert "very-secret" not in str(caught.value)


def test_a_mark_that_took_two_replies_counts_as_any(score, stub):
    stub.script = lambda body: said(3.5) if body["seed"] else "Hm."
    assert score([SUMMARIES[0]]).features.row(0)[2:] == (3.5,) * 7
