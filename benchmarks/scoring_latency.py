"""Seconds to mark 1,000 summaries by a server that takes 50 ms a reply, beside the least that concurrency allows; and again.

The server is a process of its own and does nothing but wait. `bare` is the client alone, as many requests and nothing done with
the replies. The second run finds every mark in the cache and asks nothing.
"""

import asyncio
import json
import multiprocessing
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from selectors import SelectSelector

import _report
import altair as alt
import polars as pl

from pipelines import chat
from pipelines.opinions import prompt
from pipelines.rubrics import asking, wording
from pipelines.rubrics.memory import Memory
from pipelines.schema import FEATURE_NAMES

SUMMARIES, LATENCY = 1000, 0.05
REVIEWS, WORDS = 13, 44  # as long as those of OpinPref
REPLY = json.dumps({"choices": [{"message": {"content": '{"reason": "It was weighed.", "score": 3.5}'}}]}).encode()


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Replies to one request after another on a connection, in one packet each."""
    while head := await reader.read(0 if reader.at_eof() else 1):
        head += await reader.readuntil(b"\r\n\r\n")
        lines = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:] if b": " in line)
        await reader.readexactly(int(lines[b"content-length"]))
        await asyncio.sleep(LATENCY)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(REPLY), REPLY))
    writer.close()


def serve(port: Connection) -> None:
    """Tells the port, then answers for ever."""

    async def forever() -> None:
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        port.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(SelectSelector())) as runner:  # epoll waits whole ms
        runner.run(forever())


@contextmanager
def served() -> Iterator[str]:
    """The address of a server in a process of its own."""
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=serve, args=(there,), daemon=True)
    process.start()
    try:
        yield f"http://127.0.0.1:{here.recv()}/v1"
    finally:
        process.terminate()


def corpus() -> list[tuple[str, str]]:
    """Prompts and summaries of the size of real ones, all different."""
    return [
        (prompt([f"Review {nth} of {row}." + " word" * WORDS for nth in range(REVIEWS)]), f"Summary {row}." + " word" * 70)
        for row in range(SUMMARIES)
    ]


def measured(address: str, features: int, concurrency: int) -> dict[str, float]:
    """A line: seconds of a run and of the same run again, and requests that the latter made."""
    pairs = corpus()
    with tempfile.TemporaryDirectory() as cache:
        seconds, asked = zip(*(run(address, pairs, features, concurrency, Path(cache)) for _ in range(2)), strict=True)
    least = LATENCY * SUMMARIES * features / concurrency
    told = {"summaries": SUMMARIES, "features": features, "concurrency": concurrency, "least": least, "seconds": seconds[0]}
    told |= {"share of least": seconds[0] / least, "bare": bare(address, pairs[0], SUMMARIES * features, concurrency)}
    return {**told, "seconds again": seconds[1], "asked again": asked[1]}


def bare(address: str, pair: tuple[str, str], count: int, concurrency: int) -> float:
    """Seconds of `count` equal requests."""
    body = {"max_tokens": 400, "messages": wording.messages(*pair, FEATURE_NAMES[0])}
    start = time.perf_counter()
    with (
        chat.connect(address, api_key="", timeout=60.0, concurrency=concurrency) as client,
        ThreadPoolExecutor(concurrency) as pool,
    ):
        list(pool.map(lambda _: client.post("chat/completions", json=body), range(count)))
    return time.perf_counter() - start


def run(address: str, pairs: list[tuple[str, str]], features: int, concurrency: int, cache: Path) -> tuple[float, int]:
    """Seconds and marks asked for, with the memory opened anew as another process would."""
    start = time.perf_counter()
    with chat.connect(address, api_key="", timeout=60.0, concurrency=concurrency) as client:
        server = asking.Server(client, {"max_tokens": 400}, tries=4)
        rows = asking.rows(pairs, FEATURE_NAMES[:features], server, Memory(cache, "stub"), concurrency=concurrency)
    assert all(not row.fault for row in rows)
    return time.perf_counter() - start, sum(row.asked for row in rows)


def main() -> None:
    """One feature and all seven, by 8 and by 16 at once."""
    with served() as address:
        chat.connect(address, api_key="", timeout=60.0, concurrency=1).close()  # imports the client
        rows = [measured(address, features, concurrency) for features in (1, len(FEATURE_NAMES)) for concurrency in (8, 16)]
    _report.save("scoring_latency", rows)
    bars = [
        {"run": f"{row['features']} x {SUMMARIES}, {row['concurrency']} at once", "what": what, "seconds": row[what]}
        for row in rows
        for what in ("least", "bare", "seconds", "seconds again")
    ]
    chart = alt.Chart(pl.DataFrame(bars)).mark_bar().encode(x="seconds:Q", y="what:N", row="run:N", color="what:N")
    _report.draw("scoring_latency", chart.properties(width=420))


if __name__ == "__main__":
    main()
