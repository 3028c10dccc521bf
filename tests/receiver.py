"""A web server that keeps what is posted to it, as a chat's webhook would, or that misbehaves."""

import contextlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any


@dataclass(slots=True)
class Receiver:
    """Where it is, and what came: path, type of content, and body."""

    url: str
    came: list[tuple[str, str, Any]] = field(default_factory=list)

    @property
    def texts(self) -> list[str]:
        return [body["text"] for _, _, body in self.came]


def _ok(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.end_headers()


@contextlib.contextmanager
def receiving(answer: Callable[[BaseHTTPRequestHandler], None] = _ok) -> Iterator[Receiver]:
    """The server for as long as it is needed; `answer` says how it answers."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            found.came.append((self.path, self.headers["Content-Type"], json.loads(body)))
            with contextlib.suppress(OSError):  # whoever asked may have gone
                answer(self)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads, server.block_on_close = True, False
    found = Receiver(f"http://127.0.0.1:{server.server_port}/hook")
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()
