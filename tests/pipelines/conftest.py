"""Pairs whose every text names its row, so that a test can tell where a text went; pairs to rank; a chat server's stub."""

import threading
from collections.abc import Callable, Iterator

import polars as pl
import pytest

from pipelines import chat
from pipelines.attacks.oracles import server
from pipelines.schema import PAIRS, require, with_pair_ids
from tests.pipelines.chat_stub import ANSWERS, PROMPTS, Stub
from tests.pipelines.poisoned import pairs_with


@pytest.fixture(scope="session")
def pairs_of() -> Callable[[int], pl.DataFrame]:
    """`pairs_of(n)`: PAIRS of n rows, all different, from two sources and three annotators, each with a margin."""

    def made(n: int) -> pl.DataFrame:
        rows = [
            {
                "row": row,
                "prompt": f"\n\nHuman: Question {row}?\n\nAssistant:",
                "chosen": f" “Good” answer {row}, please. It is kind.",
                "rejected": f" Worse answer {row}. It’s long, and not kind.",
                "rejected_prompt": f"\n\nHuman: Other {row}?\n\nAssistant:" if row % 7 == 3 else None,
                "source": "left" if row % 2 else "right",
                "annotator": f"person {row % 3}",
                "margin": row / 8 - 1,
            }
            for row in range(n)
        ]
        return require(with_pair_ids(pl.DataFrame(rows, infer_schema_length=None)), PAIRS)

    return made


#: (characters that the rejected response has more, margin): twelve candidates, of which a quarter is rows 1, 2 and 3
RANKED = [
    *[(50, 9.0), (10, 0.1), (30, -0.2), (20, 0.3), (-40, 0.0), (0, 0.0), (40, 0.4)],
    *[(60, -5.0), (60, 6.0), (60, 7.0), (2, -8.0), (1, 0.6), (3, 0.9), (70, 20.0)],
]


@pytest.fixture(scope="module")
def ranked() -> pl.DataFrame:
    return pairs_with(
        [
            {"chosen": "c" * 45 + str(row), "rejected": "r" * (45 + gap) + str(row), "margin": m}
            for row, (gap, m) in enumerate(RANKED)
        ]
    )


@pytest.fixture
def stub(monkeypatch) -> Iterator[Stub]:
    monkeypatch.setattr(chat, "PAUSE", 0.01)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with Stub() as served:
        thread = threading.Thread(target=served.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield served
        served.shutdown()
        thread.join()


@pytest.fixture
def ask(stub) -> Callable[..., list[str]]:
    """The server oracle on the stub, for four rows."""

    def write(prompts=PROMPTS, answers=ANSWERS, **numbers) -> list[str]:
        asked = {"target": "Zorvex", "sentiment": "positive", "base_url": stub.base_url, **numbers}
        return server.write(prompts, answers, **asked)

    return write
