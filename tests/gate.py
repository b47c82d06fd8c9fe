"""A small web server that stands before another: it answers by itself what it is told to, and passes on the rest."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx

PASSED_ON = {"accept", "authorization", "content-type"}
ITS_OWN = {"connection", "content-encoding", "content-length", "transfer-encoding"}


@dataclass(frozen=True)
class Request:
    """What was asked."""

    method: str
    path: str
    headers: Message
    body: bytes


@dataclass(frozen=True)
class Answer:
    """What is answered in place of the server behind the gate."""

    status: int
    body: bytes = b"{}"
    headers: tuple[tuple[str, str], ...] = ()


@contextmanager
def a_gate(decide: Callable[[Request], Answer | None], target: str = "") -> Iterator[str]:
    """The address of the gate. What `decide` gives no answer to goes on to `target`."""

    class Gate(BaseHTTPRequestHandler):
        def _take(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            request = Request(self.command, self.path, self.headers, body)
            answer = decide(request) or passed_on(request)
            self.send_response(answer.status)
            headers = {"Content-Type": "application/json", **dict(answer.headers)}
            for name, value in {**headers, "Content-Length": str(len(answer.body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer.body)

        do_GET = do_POST = do_PUT = do_DELETE = _take

        def log_message(self, *_: object) -> None:
            pass

    def passed_on(request: Request) -> Answer:
        headers = {name: value for name, value in request.headers.items() if name.lower() in PASSED_ON}
        got = httpx.request(request.method, target + request.path, content=request.body, headers=headers, timeout=30)
        kept = tuple((name.title(), value) for name, value in got.headers.items() if name not in ITS_OWN)
        return Answer(got.status_code, got.content, kept)

    gate = ThreadingHTTPServer(("127.0.0.1", 0), Gate)
    gate.daemon_threads = True
    thread = threading.Thread(target=gate.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{gate.server_port}"
    finally:
        gate.shutdown()
        gate.server_close()
        thread.join()
