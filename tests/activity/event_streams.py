"""A server on this machine that behaves as EventStreams does: it ends connections anywhere, and goes on where asked."""

from __future__ import annotations

import json
import random
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

LINE_ENDS = (b"\n", b"\r\n", b"\r")


def a_change(number: int, **fields: object) -> bytes:
    """A change as it is sent, with text that is more than one byte a character."""
    change = {
        "$schema": "/mediawiki/recentchange/1.0.0",
        "meta": {"id": f"change-{number}", "domain": "fr.wikipedia.org", "stream": "mediawiki.recentchange"},
        "type": "edit",
        "title": f"Phare № {number} d’Ålesund 🌊",
        "timestamp": 1_763_683_200 + number,
        "user": "Chloé",
        "bot": False,
        "length": {"old": 100, "new": 100 + number},
        "wiki": "frwiki",
    }
    return json.dumps({**change, **fields}, ensure_ascii=False).encode()


def place(number: int) -> bytes:
    """The id of an event, as the server makes it."""
    parts = [
        {"topic": "eqiad.mediawiki.recentchange", "partition": 0, "offset": -1},
        {"topic": "codfw.mediawiki.recentchange", "partition": 0, "offset": number},
    ]
    return json.dumps(parts).encode()


@dataclass
class Reply:
    """What the server says next instead of events."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass
class Request:
    """What the server was asked."""

    path: str
    last_id: bytes | None
    agent: str
    since: str | None


class EventStreams:
    """Serves `events` in turn, from behind the one that a client names, and then falls silent.

    A connection is cut after so many bytes as `cuts` says next; `goes_back` is by how many events it repeats itself.
    `replies` are given first. With `alive` it sends comments when there is nothing to say, and otherwise nothing.
    """

    def __init__(self, events: list[bytes]) -> None:
        self.events = events
        self.requests: list[Request] = []
        self.replies: deque[Reply] = deque()
        self.cuts: deque[int] = deque()
        self.goes_back = 0
        self.alive = True
        self.frame: Callable[[int, bytes], bytes] = frame
        self.asked = threading.Semaphore(0)
        self.ended = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}/v2/stream/recentchange"

    @contextmanager
    def running(self) -> Iterator[EventStreams]:
        thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self.ended.set()
            self._server.shutdown()
            self._server.server_close()
            thread.join()

    def stream(self, last_id: bytes | None) -> bytes:
        """All that is there behind an event."""
        first = 0
        if last_id is not None:
            first = max(0, json.loads(last_id)[1]["offset"] + 1 - self.goes_back)
        frames = (self.frame(number, self.events[number]) for number in range(first, len(self.events)))
        return b":ok\n\n" + b"".join(frames)


def frame(number: int, data: bytes) -> bytes:
    return b"event: message\nid: %b\ndata: %b\n\n" % (place(number), data)


def a_wild_frame(number: int, data: bytes) -> bytes:
    """The same event in a form that is as good: other line ends, comments, data on several lines, in another order."""
    draw = random.Random(number)
    end = draw.choice(LINE_ENDS)
    lines = [b"id: " + place(number), ": a comment, é".encode(), b"event:message", b"retry: 10"]
    lines += [b"data:" + draw.choice([b"", b" "]) + part for part in data.replace(b', "', b',\n "').split(b"\n")]
    head, body = lines[:4], lines[4:]
    draw.shuffle(head)
    return end.join([*head[:2], *body, *head[2:]]) + end + end


def _handler(streams: EventStreams) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            last = self.headers["Last-Event-ID"]
            since = parse_qs(parts.query).get("since", [None])[0]
            last_id = None if last is None else last.encode("latin-1")
            streams.requests.append(Request(parts.path, last_id, self.headers["User-Agent"], since))
            streams.asked.release()
            self.close_connection = True
            with suppress(BrokenPipeError, ConnectionResetError):  # who asked has gone away
                if streams.replies:
                    self._say(streams.replies.popleft())
                else:
                    self._stream(streams.stream(last_id))

        def _say(self, reply: Reply) -> None:
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            self.wfile.write(reply.body)

        def _stream(self, content: bytes) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream; charset=utf-8")
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            cut = streams.cuts.popleft() if streams.cuts else None
            draw = random.Random(len(content))
            sent = 0
            while sent < len(content) and (cut is None or sent < cut):
                size = draw.randint(1, 400)
                piece = content[sent : sent + size] if cut is None else content[sent : min(sent + size, cut)]
                self._chunk(piece)
                sent += len(piece)
            if cut is not None:
                if cut % 2:
                    self.wfile.write(b"0\r\n\r\n")  # as a server ends it that means to; otherwise it just breaks
                return
            while not streams.ended.wait(0.05):
                if streams.alive:
                    self._chunk(b":\n\n")

        def _chunk(self, piece: bytes) -> None:
            self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
            self.wfile.flush()

        def log_message(self, *_: object) -> None:
            pass

    return Handler
