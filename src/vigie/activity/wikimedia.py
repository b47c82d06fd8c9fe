"""Live recent changes of Wikimedia's wikis, from EventStreams.

https://wikitech.wikimedia.org/wiki/Event_Platform/EventStreams_HTTP_Service

The server ends every connection after a quarter of an hour or so. Each is made again where the last event that the
feed took ended, so nothing is missed; what the server sends again is left out.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from threading import Event
from typing import TYPE_CHECKING, Any

import msgspec

from vigie.backoff import Backoff, Clock, Setback
from vigie.errors import BadSetting
from vigie.feed import NOTHING_SAID, LiveOptions, Tick
from vigie.spoiling import Message

if TYPE_CHECKING:
    from vigie.activity.sse import Frame
    from vigie.settings import Settings

RECENT_CHANGE = """meta STRUCT<id: STRING, domain: STRING>, type STRING, title STRING, timestamp BIGINT, user STRING,
    bot BOOLEAN, minor BOOLEAN, length STRUCT<old: BIGINT, new: BIGINT>, wiki STRING"""

PATIENCE_S = 60.0
HEARTBEAT_S = 0.5  # what feed.py asks of a live source
REMEMBERED = 20_000  # ids: of some minutes, and a server goes back by seconds

log = logging.getLogger(__name__)


class Meta(msgspec.Struct):
    """What is read of an event's `meta`."""

    id: str = ""
    domain: str | None = None


class Change(msgspec.Struct):
    """What is read of an event before it is sent on as it came."""

    meta: Meta = msgspec.field(default_factory=Meta)
    title: str | None = None
    log_params: Any = None


def live(  # noqa: PLR0913  (what a test turns by hand comes last)
    settings: Settings,
    stop: Event,
    options: LiveOptions = NOTHING_SAID,
    *,
    clock: Clock | None = None,
    jitter: Callable[[], float] = random.random,
    patience: float = PATIENCE_S,
) -> Iterator[Tick]:
    """Every change of Wikimedia's wikis from now on, until `stop` is set, each once as long as this feed lives.

    Setbacks are waited out, as long as Wikimedia asks or ever longer with jitter. Raises VigieError when only a
    person can mend it.
    """
    if options.interval is not None:
        raise BadSetting("changes come as they are made", where="--interval", do="Leave it out.")
    for flag, value in (("credits", options.credits), ("for", options.seconds)):
        if value is not None:
            raise BadSetting("only a live feed of OpenSky takes it", where=f"--{flag}", do="Leave it out.")
    if settings.contact is None:
        raise BadSetting(
            "Wikimedia serves nobody who cannot be reached: whoever runs a client that makes trouble is told before "
            "it is barred",
            where="VIGIE_CONTACT",
            do="Set VIGIE_CONTACT to your e-mail or web address. It goes to Wikimedia as the User-Agent, "
            "and nowhere else.",
        )
    return _Listener(settings, stop, clock or Clock(time.time), Backoff(jitter), patience).ticks()


class _Listener:
    """One connection after the other, and what was taken of them."""

    def __init__(self, settings: Settings, stop: Event, clock: Clock, backoff: Backoff, patience: float) -> None:
        self._url = settings.wikimedia_url
        self._agent = f"vigie/{version('vigie')} ({settings.contact})"
        self._stop, self._clock, self._backoff, self._patience = stop, clock, backoff, patience
        self._began = clock.time()
        self._taken = b""  # the id of the last event that the feed took
        self._seen: dict[str, None] = {}

    def ticks(self) -> Iterator[Tick]:
        while not self._stop.is_set():
            try:
                yield from self._listen()
            except Setback as setback:
                pause = self._backoff.after(setback.wait)
                log.warning(
                    "no changes from Wikimedia: %s; next try in %.4g s (setback %d in a row)",
                    setback.reason,
                    pause,
                    self._backoff.failures,
                )
                yield from self._pause(pause)

    def _listen(self) -> Iterator[Tick]:
        from vigie.activity.connection import Connection

        log.info("asking %s for changes %s", self._url, "from where it broke" if self._taken else "from now on")
        connection = Connection(self._url, self._headers(), self._since(), self._patience)
        try:
            while not self._stop.is_set():
                frames = list(connection.frames(HEARTBEAT_S))
                # Whoever asks for the next tick has taken this one.
                yield Tick(self._clock.time(), [message for frame in frames for message in self._new(frame)])
                if frames:
                    self._taken = frames[-1].id or self._taken
                    self._backoff.reset()
        finally:
            connection.close()

    def _headers(self) -> dict[bytes, bytes]:
        from vigie.activity.connection import LAST_ID

        headers = {b"User-Agent": self._agent.encode(), b"Accept": b"text/event-stream", b"Cache-Control": b"no-store"}
        return {**headers, LAST_ID: self._taken} if self._taken else headers

    def _since(self) -> dict[str, str]:
        """When no event came of the first connection, what happened since it was begun."""
        if self._taken or not self._backoff.failures:
            return {}
        return {"since": f"{datetime.fromtimestamp(self._began, UTC):%Y-%m-%dT%H:%M:%SZ}"}

    def _new(self, frame: Frame) -> Iterator[Message]:
        """The event as a message, unless it was sent before or is there for Wikimedia's own watch alone."""
        # A line is a message; within JSON a line end is a blank.
        value = frame.data.replace(b"\r", b" ").replace(b"\n", b" ")
        try:
            change = msgspec.json.decode(value, type=Change)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            yield None, value  # silver says what is wrong with it
            return
        name = change.meta.id
        if change.meta.domain == "canary" or name in self._seen:
            return
        if name:
            self._seen[name] = None
            if len(self._seen) > REMEMBERED:
                del self._seen[next(iter(self._seen))]
        if not isinstance(change.log_params, str | None):
            value = _with_text(value, change.log_params)
        yield change.title.encode() if change.title is not None else None, value

    def _pause(self, seconds: float) -> Iterator[Tick]:
        while seconds > 0 and not self._stop.is_set():
            self._clock.wait(self._stop, min(seconds, HEARTBEAT_S))
            seconds -= HEARTBEAT_S
            yield Tick(self._clock.time(), [])


def _with_text(value: bytes, params: object) -> bytes:
    """The event with its `log_params`, which may be an array or an object, as the text of that: one field has one
    type."""
    return msgspec.json.encode({**msgspec.json.decode(value), "log_params": msgspec.json.encode(params).decode()})
