"""A server on this machine that answers as OpenSky and its token server do."""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

CLIENT_ID, SECRET = "lookout-api-client", "hush-this-is-the-secret"
LIFE = 1_800  # seconds of a token


def a_vector(icao24: str = "39de4f", **fields: object) -> list[object]:
    """An aircraft as OpenSky sends it, with 18 fields."""
    vector = {
        "icao24": icao24, "callsign": "TVF36QT ", "origin_country": "France", "time_position": 1_790_000_000,
        "last_contact": 1_790_000_001, "longitude": 2.3594, "latitude": 48.7233, "baro_altitude": 1_219.2,
        "on_ground": False, "velocity": 123.45, "true_track": 254.1, "vertical_rate": 9.75, "sensors": None,
        "geo_altitude": 1_280.16, "squawk": "1000", "spi": False, "position_source": 0, "category": 4,
    }  # fmt: skip
    return [*(vector | fields).values()]


@dataclass
class Reply:
    """What the server says next, whatever it is asked, and what happens before and between its bytes."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    before: Callable[[], object] | None = None
    between_bytes: Callable[[], object] | None = None


@dataclass
class Request:
    """What the server was asked, and when by the clock of the test."""

    path: str
    query: dict[str, str]
    form: dict[str, str]
    authorization: str | None
    at: float


class OpenSkyServer:
    """Aircraft for who asks, tokens for who knows the secret, and trouble by appointment.

    A test reads `requests`, sets `states`, and lines up replies in `next_states` and `next_tokens`.
    """

    def __init__(self, time: Callable[[], float]) -> None:
        self.time = time
        self.states: list[Any] | None = [a_vector()]
        self.credits_left = 400
        self.requests: list[Request] = []
        self.asked = threading.Semaphore(0)  # released at each request for states
        self.next_states: deque[Reply] = deque()
        self.next_tokens: deque[Reply] = deque()
        self.tokens: dict[str, float] = {}  # and when each ends
        self.needs_token = False
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    @contextmanager
    def running(self) -> Iterator[OpenSkyServer]:
        thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()
            thread.join()

    def polls(self) -> list[Request]:
        return [request for request in self.requests if request.path == "/api/states/all"]

    def grants(self) -> list[Request]:
        return [request for request in self.requests if request.path == "/token"]

    def reply(self, request: Request) -> Reply:
        self.requests.append(request)
        if request.path == "/token":
            return self.next_tokens.popleft() if self.next_tokens else self._grant(request)
        if request.path != "/api/states/all":
            return Reply(404)
        self.asked.release()
        return self.next_states.popleft() if self.next_states else self._aircraft(request)

    def _grant(self, request: Request) -> Reply:
        wanted = {"grant_type": "client_credentials", "client_id": CLIENT_ID, "client_secret": SECRET}
        if request.form != wanted:
            return Reply(401, b'{"error": "unauthorized_client"}')
        token = f"token.number-{len(self.tokens) + 1}"
        self.tokens[token] = self.time() + LIFE
        return Reply(body=json.dumps({"access_token": token, "expires_in": LIFE}).encode())

    def _aircraft(self, request: Request) -> Reply:
        token = (request.authorization or "").removeprefix("Bearer ")
        if (self.needs_token or token) and self.tokens.get(token, 0) <= self.time():
            return Reply(401)
        self.credits_left -= 3
        body = json.dumps({"time": int(self.time()), "states": self.states}, indent=1).encode()
        return Reply(body=body, headers={"X-Rate-Limit-Remaining": str(self.credits_left)})


def _handler(opensky: OpenSkyServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer({})

        def do_POST(self) -> None:
            form = self.rfile.read(int(self.headers["Content-Length"])).decode()
            self._answer({name: values[0] for name, values in parse_qs(form).items()})

        def _answer(self, form: dict[str, str]) -> None:
            parts = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            request = Request(parts.path, query, form, self.headers["Authorization"], opensky.time())
            reply = opensky.reply(request)
            if reply.before:
                reply.before()
            try:
                self._send(reply)
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True  # who asked has given up

        def _send(self, reply: Reply) -> None:
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            if reply.between_bytes is None:
                self.wfile.write(reply.body)
                return
            for byte in reply.body:
                self.wfile.write(bytes([byte]))
                reply.between_bytes()

        def log_message(self, *_: object) -> None:
            pass

    return Handler
