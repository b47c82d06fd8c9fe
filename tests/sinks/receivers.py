"""What alerts are sent to in tests: a web server that does as it is told, and the alerts themselves."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from vigie.alerts import CLOSED, EVENTS, OPENED, Alert, Event, alert_id, table_of
from vigie.core.delta import tables

NOON = datetime(2025, 6, 1, 12, tzinfo=UTC)
WATCH = "watch-readings-by-sensor_id"


def an_alert(key: str = "s1", at: int = 0, **fields: Any) -> Alert:
    """An alert that opened `at` seconds after noon."""
    opened_at = NOON + timedelta(seconds=at)
    alert = Alert(
        alert_id("p", "HIGH", key, opened_at), "HIGH", key, "warning", opened_at, 31.5, 30.0,
        f"HIGH at {key}: 31.5 is above 30", "{}", NOON,
    )  # fmt: skip
    return replace(alert, **fields)


def opened(key: str = "s1", at: int = 0, watch: str = WATCH, version: int = 0, **fields: Any) -> Event:
    return Event(OPENED, an_alert(key, at, **fields), watch, version)


def closed(key: str = "s1", at: int = 0, after: int = 60, watch: str = WATCH, version: int = 0) -> Event:
    return Event(CLOSED, an_alert(key, at).closed(NOON + timedelta(seconds=at + after)), watch, version)


def a_log(path: Path) -> Path:
    """The log of alerts, with nothing in it."""
    tables.ensure(path, EVENTS, "alert_events", "p")
    return path


def found(path: Path, *events: Event) -> None:
    """Have a watch write down what it found, in one commit."""
    tables.append_again(table_of(events), path)


@dataclass(frozen=True)
class Posted:
    """What a receiver was sent, and what it answered."""

    key: str
    body: dict[str, Any]
    status: int


@dataclass
class Hooks:
    """A receiver of webhooks. `answer` is given how many posts there were before, and gives a status and headers."""

    answer: Callable[[int], tuple[int, dict[str, str]]] = lambda _before: (200, {})
    posted: list[Posted] = field(default_factory=list)
    heads: list[str] = field(default_factory=list)  # the key of each post, before it is answered
    url: str = ""
    came: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))

    def taken(self) -> list[str]:
        """The keys of what was taken, in order."""
        return [post.key for post in self.posted if post.status == 200]

    def take(self, key: str, body: bytes) -> tuple[int, dict[str, str]]:
        self.came.release()
        self.heads.append(key)
        status, headers = self.answer(len(self.posted))
        self.posted.append(Posted(key, json.loads(body), status))
        return status, headers

    @contextmanager
    def running(self, port: int = 0) -> Iterator[Hooks]:
        server = ThreadingHTTPServer(("127.0.0.1", port), _handler(self))
        server.daemon_threads = True
        self.url = f"http://127.0.0.1:{server.server_port}/a-secret-path"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield self
        finally:
            server.shutdown()
            server.server_close()
            thread.join()


def _handler(hooks: Hooks) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status, headers = hooks.take(self.headers["Idempotency-Key"], body)
            try:
                self.send_response(status)
                for name, value in {"Content-Length": "0", **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True  # who sent it has given up

        def log_message(self, *_: object) -> None:
            pass

    return Handler


class Kept:
    """A receiver that takes what it is given, or raises what is lined up."""

    def __init__(self, *troubles: Exception) -> None:
        self.events: list[Event] = []
        self.calls: list[int] = []
        self.troubles = list(troubles)

    def send(self, events: Sequence[Event]) -> None:
        if self.troubles:
            raise self.troubles.pop(0)
        self.calls.append(len(events))
        self.events += events

    def close(self) -> None:
        pass


def a_free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])
