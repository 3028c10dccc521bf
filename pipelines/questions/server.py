"""Any OpenAI-compatible chat server as writer of questions: many replies a label, each parsed or dropped with its reason."""

import logging
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines import chat
from pipelines.questions import prompting
from pipelines.questions.behaviours import Behaviour
from pipelines.questions.replies import Replies
from pipelines.questions.written import Written, written
from pipelines.schema import DataError
from pipelines.sources.shapes import BadRow

if TYPE_CHECKING:
    import httpx2

log = logging.getLogger(__name__)

FORMATS = ("yes_no", "choice")
PATIENCE = 20  # first replies without a question, after which the server is held to be unable


def write(
    behaviour: Behaviour,
    *,
    count: int = 1000,
    seed: int = 0,
    base_url: str = "http://127.0.0.1:8000/v1",
    model: str = "",
    api_key: str | None = None,
    cache: Path | None = None,
    temperature: float = 1.4,
    top_p: float = 0.975,
    max_tokens: int = 200,
    timeout: float = 60.0,
    retries: int = 3,
    concurrency: int = 4,
) -> Written:
    """What is a question of `count` replies, the two labels in turns; what is none stands among the rejects with its reason.

    Nothing is asked twice: a row hangs on its number and the seed, and is kept in `cache`. Raises DataError where the server is
    away, stays in trouble or speaks another protocol, and where the first PATIENCE replies hold no question.

    Args:
        model: left out of requests when empty; replies are then kept by the server's address.
        api_key: taken from OPENAI_API_KEY when None.
        cache: folder in which replies are kept as they come.
        max_tokens: what a reply may have; one that runs into it is dropped.
        timeout: seconds a request may take.
        retries: further tries of a failed request.
    """
    _numbers_are_sound(behaviour, count, seed, retries, concurrency)
    name = model or chat.bare(base_url).rstrip("/")
    numbers = {"temperature": temperature, "top_p": top_p, "max_tokens": max_tokens} | ({"model": model} if model else {})
    bodies = [numbers | _request(behaviour, place, seed) for place in range(count)]
    known = Replies(cache, name)
    try:
        with (
            chat.connect(base_url, api_key=api_key, timeout=timeout, concurrency=concurrency) as client,
            ThreadPoolExecutor(concurrency) as pool,
        ):
            replies = pool.map(lambda body: _said(client, body, known, retries + 1), bodies)
            try:
                rows, faults = _parsed(replies, behaviour)
            finally:
                pool.shutdown(wait=False, cancel_futures=True)  # or all that is left is asked before the error is told
    except DataError as error:
        raise DataError(f"{error}; {_told(known)}") from error
    told = ", ".join(f"{number} because {fault}" for fault, number in Counter(faults.values()).most_common(5))
    log.info("%d of %d replies of %s are questions about %s; none: %s", len(rows), count, name, behaviour.name, told or "-")
    rejects = [(name, place + 1, place, fault) for place, fault in faults.items()]
    return written(rows, source=f"server {name} seed {seed}", behaviour=behaviour.name, rejects=rejects)


def _numbers_are_sound(behaviour: Behaviour, count: int, seed: int, retries: int, concurrency: int) -> None:
    if behaviour.format not in FORMATS:
        raise DataError(f"a server writes {' and '.join(FORMATS)} questions, got format {behaviour.format}; use templates")
    if count < 1 or concurrency < 1 or retries < 0 or seed < 0:
        got = f"{count}, {concurrency}, {retries} and {seed}"
        raise DataError(f"count and concurrency must be 1 or more, retries and seed 0 or more, got {got}")


def _parsed(replies: Iterable[chat.Reply | str], behaviour: Behaviour) -> tuple[list[dict[str, Any]], dict[int, str]]:
    """Rows of QUESTIONS, and by place why a reply is none; raises DataError where the first PATIENCE are none."""
    rows: list[dict[str, Any]] = []
    faults: dict[int, str] = {}
    for place, reply in enumerate(replies):
        try:
            rows.append(_row(reply, behaviour, place))
        except BadRow as error:
            faults[place] = str(error)
        if len(faults) == PATIENCE and not rows:
            told = f"none of the first {PATIENCE} replies holds a question, the last one because {faults[place]}"
            raise DataError(f"{told}; try another model")
    return rows, faults


def _request(behaviour: Behaviour, place: int, seed: int) -> dict[str, Any]:
    own = int(np.random.SeedSequence([seed, place]).generate_state(1)[0]) >> 1  # below 2**31, as servers want seeds
    asked = prompting.instruction(behaviour, matching=place % 2, seed=own)
    return {"seed": own, "messages": [{"role": "user", "content": asked}]}


def _said(client: "httpx2.Client", body: dict[str, Any], known: Replies, tries: int) -> chat.Reply | str:
    """The reply, an earlier run's where there is one; or why the server refuses this very request."""
    reply = known.get(body)
    if reply is None:
        try:
            reply = chat.complete(client, body, tries=tries)
        except chat.Refused as error:
            return str(error)
        known.keep(body, reply)
    return reply


def _row(reply: chat.Reply | str, behaviour: Behaviour, place: int) -> dict[str, Any]:
    if isinstance(reply, str):
        raise BadRow(reply)
    return prompting.parsed(reply.text, reply.is_cut, behaviour, matching=place % 2) | {"row": place}


def _told(known: Replies) -> str:
    """What of the run is kept, in words."""
    if not known.file:
        return "nothing is kept without a cache folder"
    return f"{len(known)} replies are kept in {known.file}, and the next run asks for the rest only"
