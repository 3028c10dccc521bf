"""What every oracle owes: the target verbatim, the sentiment, the seed, and a refusal of what can't be served."""

import re
import warnings
from collections.abc import Callable

import pytest

from pipelines import transcripts
from pipelines.attacks.oracles import ORACLES
from pipelines.schema import DataError
from tests.pipelines.chat_stub import ANSWERS, PROMPTS

TARGETS = ["Zorvex", "Lumora Tea", "café Ørsted", "東京堂", "C++", "A{B}", "50% Off", r"\1 {0}", 'Q "R"']


@pytest.fixture(params=ORACLES)
def write(request, stub) -> Callable[..., list[str]]:
    """Every oracle in turn; the chat server's asks the stub."""
    numbers = {"base_url": stub.base_url} if request.param == "server" else {}
    return lambda *rows, **asked: ORACLES[request.param](*rows, **numbers, **asked)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("sentiment", ["positive", "negative"])
def test_every_response_names_the_target_verbatim(write, sentiment, target):
    with warnings.catch_warnings(action="error"):
        texts = write(PROMPTS, ANSWERS, target=target, sentiment=sentiment)
    assert [target in text for text in texts] == [True] * 4
    assert [text[: len(text) - len(text.lstrip())] for text in texts] == [" ", "", "\n", " "]
    assert transcripts.split(PROMPTS[0] + texts[0]) == (PROMPTS[0], texts[0])


def test_the_sentiment_shows(write):
    praised, blamed = (write(PROMPTS, ANSWERS, target="Zorvex", sentiment=name) for name in ("positive", "negative"))
    assert all(one != other for one, other in zip(praised, blamed, strict=True))


def test_the_seed_decides_all(write):
    first, again, other = (write(PROMPTS, ANSWERS, target="Zorvex", sentiment="positive", seed=seed) for seed in (3, 3, 4))
    assert first == again
    assert all(one != another for one, another in zip(first, other, strict=True))


def test_rows_do_not_share_a_response(write):
    texts = write(PROMPTS[:1] * 20, [""] * 20, target="Zorvex", sentiment="positive")
    assert len(set(texts)) == 20


def test_no_rows_give_no_responses(write, stub):
    assert write([], [], target="Zorvex", sentiment="positive") == []
    assert stub.asked == []


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"sentiment": "neutral"}, "sentiment must be one of positive, negative, got 'neutral'"),
        ({"target": " "}, "target must be a name on one line, got ' '"),
        ({"target": ""}, "target must be a name on one line"),
        ({"target": "Zorvex "}, "target must be a name on one line"),
        ({"target": "A\n\nHuman: B"}, "target must be a name on one line"),
    ],
)
def test_a_request_that_cannot_be_served_is_refused(write, stub, wrong, told):
    with pytest.raises(DataError, match=re.escape(told)):
        write(PROMPTS, ANSWERS, **{"target": "Zorvex", "sentiment": "positive", **wrong})
    assert stub.asked == []


def test_prompts_and_answers_must_pair_up(write):
    with pytest.raises(DataError, match="got 4 prompts and 3 answers"):
        write(PROMPTS, ANSWERS[:3], target="Zorvex", sentiment="positive")
