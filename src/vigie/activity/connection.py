"""One connection to a stream of server-sent events, read in a thread of its own."""

from __future__ import annotations

import contextlib
import queue
import socket
import time
from collections.abc import Iterator, Mapping
from threading import Event, Thread

import httpx

from vigie.activity.sse import Frame, Frames
from vigie.backoff import Setback, retry_after
from vigie.errors import BadSetting, RunFailed

LAST_ID = b"Last-Event-ID"
WAITING = 1_000  # events that are read ahead; then the server is left to wait
MOST_AT_ONCE = 500
LONGEST_WAIT_S = 3_600.0
CLOSING_S = 2.0  # for a thread that is still connecting, and cannot be woken
PASSING = frozenset({408, 425, 429})  # and all from 500


class Connection:
    """Reads events until it is closed, or until something is wrong, which comes after the last whole event.

    `patience` is for how many seconds the server may send nothing at all: one that is well sends a comment now and
    then when there is no event.
    """

    def __init__(self, url: str, headers: Mapping[bytes, bytes], params: Mapping[str, str], patience: float) -> None:
        self._url, self._headers, self._params, self._patience = url, headers, params, patience
        self._frames: queue.Queue[Frame | Exception] = queue.Queue(WAITING)
        self._closing = Event()
        self._socket: socket.socket | None = None
        self._thread = Thread(target=self._run, name="wikimedia", daemon=True)
        self._thread.start()

    def frames(self, seconds: float) -> Iterator[Frame]:
        """The events that are there, some at a time; none when none came within so many seconds. Raises what went
        wrong once all that came before was given."""
        with contextlib.suppress(queue.Empty):
            for number in range(MOST_AT_ONCE):
                found = self._frames.get(timeout=seconds) if number == 0 else self._frames.get_nowait()
                if isinstance(found, Exception):
                    if number == 0:
                        raise found
                    self._again(found)
                    return
                yield found

    def close(self) -> None:
        """End it; the thread is woken from whatever it waits for."""
        self._closing.set()
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(CLOSING_S)

    def _again(self, problem: Exception) -> None:
        """Nothing comes behind what went wrong, so it is the last again."""
        self._frames.put_nowait(problem)

    def _put(self, found: Frame | Exception) -> None:
        while not self._closing.is_set():
            with contextlib.suppress(queue.Full):
                self._frames.put(found, timeout=0.1)
                return

    def _run(self) -> None:
        try:
            self._read()
        except httpx.TimeoutException:
            self._put(Setback(f"it sent nothing for {self._patience:g} s"))
        except httpx.HTTPError as problem:
            self._put(Setback(f"the connection broke: {problem or type(problem).__name__}"))
        except Exception as problem:  # it is raised again where the events are taken
            self._put(problem)

    def _read(self) -> None:
        with (
            httpx.Client(timeout=self._patience, headers=self._headers, follow_redirects=True) as client,
            client.stream("GET", self._url, params=self._params) as response,
        ):
            self._check(response)
            self._socket = response.extensions["network_stream"].get_extra_info("socket")
            frames = Frames()
            for chunk in response.iter_bytes():
                for frame in frames.take(chunk):
                    self._put(frame)
                if self._closing.is_set():
                    return
        raise Setback("it ended the connection")

    def _check(self, response: httpx.Response) -> None:
        status = response.status_code
        if status in PASSING or status >= 500:
            wait = retry_after(response.headers.get("Retry-After", ""), time.time(), LONGEST_WAIT_S)
            raise Setback("it was asked too often (429)" if status == 429 else f"it is in trouble ({status})", wait)
        if status == 403:
            raise RunFailed(
                "Wikimedia refuses to serve this client (403)",
                where=self._url,
                do="Set VIGIE_CONTACT to where you can really be reached; if it is, ask at "
                "https://phabricator.wikimedia.org why this address is barred.",
            )
        if status == 400 and LAST_ID in self._headers:
            raise RunFailed(
                "Wikimedia no longer takes the place where the connection broke (400)",
                where=self._url,
                do="Start the feed again: it begins with what happens then. What happened meanwhile is lost to it.",
            )
        kind = response.headers.get("Content-Type", "")
        if status != 200 or not kind.startswith("text/event-stream"):
            raise BadSetting(
                f"there is no stream of events: the answer is {status}, {kind or 'of no kind'}",
                where=self._url,
                do="Set VIGIE_WIKIMEDIA_URL to the address in Wikimedia's documentation, or leave it out.",
            )
