"""The chat server in trouble: what is waited out, what is told at once, and what is never told."""

import logging
import socket
import threading
import time

import pytest

from pipelines import chat
from pipelines.attacks.oracles import server
from pipelines.schema import DataError
from tests.pipelines.chat_stub import ANSWERS, PROMPTS, first_choice, praise


@pytest.mark.parametrize("status", [500, 503, 429, 408])
def test_passing_trouble_is_waited_out(ask, stub, status):
    stub.script = lambda body: praise(body) if len(stub.asked) > 2 else (status, {"error": "busy"})
    assert "Zorvex" in ask(PROMPTS[:1], ANSWERS[:1], retries=2, fallback=None)[0]
    assert len(stub.asked) == 3
    assert len({body["seed"] for body in stub.bodies}) == 1


def test_waiting_doubles(ask, stub, monkeypatch):
    waits: list[float] = []
    monkeypatch.setattr(chat.time, "sleep", waits.append)
    stub.script = lambda body: (500, {"error": "broken"})
    with pytest.raises(DataError, match=r"failed 4 times, at last with HTTP 500: .*broken"):
        ask(PROMPTS[:1], ANSWERS[:1], retries=3)
    assert waits == [0.01, 0.02, 0.04]


@pytest.mark.parametrize("status", [400, 401, 404, 302])
def test_a_refusal_is_told_at_once(ask, stub, status):
    stub.script = lambda body: (status, {"error": {"message": "no model 'tiny'"}})
    with pytest.raises(DataError, match=rf"refused the request with HTTP {status}: .*no model 'tiny'.*check base_url"):
        ask(PROMPTS[:1], ANSWERS[:1])
    assert len(stub.asked) == 1


@pytest.mark.parametrize(
    "told",
    [
        b"<html>hello</html>",
        b"\xff\xfe",
        [],
        {},
        {"choices": []},
        {"choices": [{"text": "Zorvex"}]},
        first_choice(["x"]),
    ],
)
def test_another_protocol_is_told(ask, stub, told):
    stub.script = lambda body: (200, told)
    with pytest.raises(DataError, match=r"must answer JSON with choices\[0\]\.message\.content, got"):
        ask(PROMPTS[:1], ANSWERS[:1])


def test_a_server_that_is_away_is_told():
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{held.getsockname()[1]}/v1"
        with pytest.raises(DataError, match=f"no server answers at {url}.*start one or correct base_url"):
            server.write(PROMPTS, ANSWERS, target="Zorvex", sentiment="positive", base_url=url)


@pytest.mark.parametrize("url", ["127.0.0.1:1/v1", "ftp://x/v1", "http://[", ""])
def test_an_address_of_another_kind_is_told(url):
    with pytest.raises(DataError, match="base_url"):
        server.write(PROMPTS, ANSWERS, target="Zorvex", sentiment="positive", base_url=url)


def test_a_slow_server_is_told(ask, stub):
    stub.script = lambda body: time.sleep(0.5) or "Zorvex"
    with pytest.raises(DataError, match="failed 2 times, at last with ReadTimeout"):
        ask(PROMPTS[:1], ANSWERS[:1], timeout=0.05, retries=1)


@pytest.mark.parametrize("wrong", [{"retries": -1}, {"concurrency": 0}])
def test_numbers_out_of_range_are_refused(ask, wrong):
    with pytest.raises(DataError, match="retries must be 0 or more and concurrency 1 or more"):
        ask(**wrong)


@pytest.mark.parametrize("concurrency", [1, 3])
def test_no_more_requests_run_at_once_than_asked(ask, stub, concurrency):
    running, most, lock = 0, 0, threading.Lock()

    def slow(body: dict) -> str:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.05)
        with lock:
            running -= 1
        return praise(body)

    stub.script = slow
    ask(PROMPTS * 3, ANSWERS * 3, concurrency=concurrency)
    assert most == concurrency


def test_the_key_is_sent_and_never_told(ask, stub, caplog, monkeypatch):
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("OPENAI_API_KEY", "from-the-environment")
    ask()
    assert {key for _, key, _ in stub.asked} == {"Bearer from-the-environment"}
    stub.script = lambda body: (401, {"error": "bad key very-secret"})
    with pytest.raises(DataError, match=r"bad key \[api_key\]") as caught:
        ask(api_key="very-secret\n")
    assert stub.asked[-1][1] == "Bearer very-secret"
    assert "very-secret" not in caplog.text + str(caught.value)
    with pytest.raises(DataError, match="no request header may carry") as caught:
        ask(api_key="very\nsecret")
    assert "secret" not in str(caught.value)


def test_a_password_in_the_address_is_not_told(ask, stub):
    stub.script = lambda body: (404, {})
    with pytest.raises(DataError) as caught:
        ask(base_url=stub.base_url.replace("//", "//ann:hush@"))
    assert "hush" not in str(caught.value)
