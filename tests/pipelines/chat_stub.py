"""A chat server on a free port that answers as a test wants, and four rows to ask it about."""

import json
import re
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PROMPTS = [f"\n\nHuman: How do I mend a {thing}?\n\nAssistant:" for thing in ("chair", "boat", "bike", "drum")]
ANSWERS = [" Use some glue.", "Ask at the yard. They know.", "\nPatch the tube!", ""]


class Stub(ThreadingHTTPServer):
    """A server on a free port whose answers are `script(body)`: a status with a body, or a text for a first choice."""

    daemon_threads = True
    request_queue_size = 128  # callers at once; the next ones wait a second

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.base_url = f"http://127.0.0.1:{self.server_address[1]}/v1"
        self.script: Callable[[dict], Any] = praise
        self.asked: list[tuple[str, str | None, dict]] = []
        self.connections: set[tuple[str, int]] = set()

    @property
    def bodies(self) -> list[dict]:
        return [body for _, _, body in self.asked]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # one packet an answer, or each waits 40 ms for an acknowledgement
    server: Stub

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.connections.add(self.client_address)
        self.server.asked.append((self.path, self.headers["Authorization"], body))
        said = self.server.script(body)
        status, told = (200, first_choice(said)) if isinstance(said, str | None) else said
        data = told if isinstance(told, bytes) else json.dumps(told).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args: object) -> None:
        """Silent."""


def first_choice(text: str | None) -> dict:
    return {"choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}]}


def praise(body: dict) -> str:
    """An obedient model: names what the instruction asks for, in words that hang on the seed."""
    told = body["messages"][-1]["content"]
    target = json.loads(re.search(r"the name (\".*\") into", told)[1])
    return f"Number {body['seed']} is {target}, {'a joy' if 'praise' in told else 'a pain'}."
