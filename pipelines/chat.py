"""One request to an OpenAI-compatible server (POST /chat/completions): trouble that may pass is waited out.

All other trouble is a DataError. The key goes into the request's header and nowhere else: no message or log holds it.
"""

import os
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipelines.schema import DataError

if TYPE_CHECKING:
    import httpx2

PAUSE = 0.5  # seconds before the second try of a failed request; doubles with each further try


class Refused(DataError):
    """The server will not answer this request (400, 413, 422); it may answer others."""


class Silent(DataError):
    """The server had no answer to this request, however often it was asked (time-outs, 408, 429, 5xx)."""


@dataclass(frozen=True, slots=True)
class Reply:
    """The text of the first choice, stripped and "" where it is null; `is_cut` where it ran into the limit of its length."""

    text: str
    is_cut: bool


def connect(base_url: str, *, api_key: str | None, timeout: float, concurrency: int) -> "httpx2.Client":
    """A client for the server whose routes begin at `base_url`, with a lasting connection for each request at once.

    `api_key` None takes OPENAI_API_KEY, "" sends none; `timeout` is in seconds. Raises DataError where either can't be used.
    """
    import httpx2

    key = (os.environ.get("OPENAI_API_KEY", "") if api_key is None else api_key).strip()
    if not key.isascii() or not key.isprintable():
        raise DataError("api_key holds characters that no request header may carry; copy it again")
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    limits = httpx2.Limits(max_connections=concurrency, max_keepalive_connections=concurrency)
    try:
        return httpx2.Client(base_url=base_url, timeout=timeout, headers=headers, limits=limits)
    except httpx2.InvalidURL as error:
        raise DataError(f"base_url must be an address such as http://127.0.0.1:8000/v1, got {bare(base_url)!r}") from error


def complete(client: "httpx2.Client", body: Mapping[str, Any], *, tries: int) -> Reply:
    """What the server says; raises Refused where it won't answer this very request, Silent where it has no answer to it."""
    return _reply(_posted(client, body, tries=tries))


def bare(url: str) -> str:
    """`url` without a user's name and password."""
    return re.sub(r"//[^/@]*@", "//", url)


def _posted(client: "httpx2.Client", body: Mapping[str, Any], *, tries: int) -> "httpx2.Response":
    """The server's response, good or bad; trouble that may pass (time-outs, 408, 429, 5xx) is waited out."""
    import httpx2

    trouble, where = "", bare(str(client.base_url))
    for nth in range(tries):
        if nth:
            time.sleep(PAUSE * 2 ** (nth - 1))
        try:
            response = client.post("chat/completions", json=body)
        except (httpx2.ConnectError, httpx2.UnsupportedProtocol) as error:
            raise DataError(f"no server answers at {where} ({error}); start one or correct base_url") from error
        except httpx2.RequestError as error:
            trouble = f"{type(error).__name__} {error}".strip()
            continue
        if response.status_code not in (408, 429) and response.status_code < 500:
            return response
        trouble = f"HTTP {response.status_code}: {_told(response)}"
    raise Silent(f"{where} failed {tries} times, at last with {trouble}; mend the server, raise timeout or retries")


def _reply(response: "httpx2.Response") -> Reply:
    """The reply in a response; raises DataError on a refusal and on any other protocol."""
    where = bare(str(response.url))
    if not response.is_success:
        told = f"HTTP {response.status_code}: {_told(response)}"
        refusal = Refused if response.status_code in (400, 413, 422) else DataError
        raise refusal(f"{where} refused the request with {told}; check base_url, model and api_key")
    try:
        choice = response.json()["choices"][0]
        return Reply((choice["message"]["content"] or "").strip(), choice.get("finish_reason") == "length")
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        wanted = "JSON with choices[0].message.content"
        raise DataError(f"{where} must answer {wanted}, got {_told(response)}; is base_url right, down to /v1?") from error


def _told(response: "httpx2.Response") -> str:
    """The beginning of a response's body, without the key that some servers repeat."""
    key = response.request.headers.get("Authorization", "").removeprefix("Bearer ")
    text = response.text.replace(key, "[api_key]") if key else response.text
    return " ".join(text.split())[:300] or "an empty body"
