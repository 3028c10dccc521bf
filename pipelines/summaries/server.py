"""Any OpenAI-compatible chat server as writer: a tier's instruction, its sampling, and the reviews as quoted material.

Reviews are anyone's text: each is a JSON string on one line, between lines that hold a digest of them all, which none of them
can foretell, and the instruction comes after them. A model that obeys its material all the same is a weak writer, not a breach.
"""

import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pipelines import chat, opinions
from pipelines.schema import DataError, digest
from pipelines.summaries.tiers import Request, Tier, Writer, table, tiers

if TYPE_CHECKING:
    import httpx2

log = logging.getLogger(__name__)


@contextmanager
def writing(
    *,
    base_url: str = "http://127.0.0.1:8000/v1",
    model: str = "",
    api_key: str | None = None,
    timeout: float = 60.0,
    retries: int = 3,
    concurrency: int = 4,
) -> Iterator[Writer]:
    """The server's writer; it raises DataError where the server is away, refuses or speaks another protocol.

    Args:
        model: left out of the request when empty, for servers that hold one model.
        api_key: taken from OPENAI_API_KEY when None.
        timeout: seconds a request may take.
        retries: further tries of a failed request.
    """
    if retries < 0 or concurrency < 1:
        raise DataError(f"retries must be 0 or more and concurrency 1 or more, got {retries} and {concurrency}")
    terms = {name: digest(table()["layout"], tier.instruction, json.dumps(tier.sampling)) for name, tier in tiers().items()}
    with chat.connect(base_url, api_key=api_key, timeout=timeout, concurrency=concurrency) as client:
        line = Line(client, {"model": model} if model else {}, retries + 1)
        yield Writer(f"server {model or chat.bare(base_url)}", line.write, concurrency, terms)


class Line:
    """The way to one server, which may turn out to take no `top_k`: OpenAI's own protocol has none."""

    def __init__(self, client: "httpx2.Client", facts: Mapping[str, Any], tries: int) -> None:
        self.client, self.facts, self.tries = client, facts, tries
        self.takes_top_k = True

    def write(self, request: Request) -> str:
        """The server's answer, stripped."""
        body = {**self.facts, **asked(request)}
        try:
            return self._told(body)
        except DataError as error:
            if "top_k" not in str(error):
                raise
            if self.takes_top_k:
                log.warning("the server takes no top_k and is asked without it: %s", error)
            self.takes_top_k = False
            return self._told(body)

    def _told(self, body: Mapping[str, Any]) -> str:
        sent = body if self.takes_top_k else {name: value for name, value in body.items() if name != "top_k"}
        return chat.complete(self.client, sent, tries=self.tries).text


def asked(request: Request) -> dict[str, Any]:
    """Body of a request for a chat completion, without the model."""
    tier = tiers()[request.tier]
    numbers = {"max_tokens" if name == "tokens" else name: number for name, number in tier.sampling.items()}
    message = {"role": "user", "content": instruction(request.prompt, tier)}
    return {**numbers, "seed": request.seed, "messages": [message]}


def instruction(prompt: str, tier: Tier) -> str:
    """What the server is told: the reviews as delimited data, then the tier's instruction."""
    reviews = "\n".join(json.dumps(review, ensure_ascii=False) for review in opinions.reviews(prompt))
    fence = f"----- {digest(prompt)} -----"  # of the reviews themselves, so that they cannot hold it
    parts = {"fence": fence, "reviews": reviews, "instruction": tier.instruction}
    return table()["layout"].strip().format(**parts)
