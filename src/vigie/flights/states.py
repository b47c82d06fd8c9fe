"""One poll of OpenSky: who is in the box now, as messages."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec
from msgspec import Raw

from vigie.backoff import Setback
from vigie.errors import BadSetting, RunFailed
from vigie.flights.access import Access
from vigie.flights.exchange import Exchange, Reply
from vigie.flights.opensky import FIELDS

if TYPE_CHECKING:
    from vigie.settings import Settings

Message = tuple[bytes | None, bytes]
LENGTHS = {17, 18}  # a vector has its category only with extended=1, and not always then


class Body(msgspec.Struct):
    """OpenSky's answer. A vector stays the text that it came as, each number with all its digits."""

    time: int
    states: list[Raw] | None


@dataclass(frozen=True, slots=True)
class Answer:
    """What one poll brought. `odd` messages come from vectors that are not as documented."""

    time: int
    messages: list[Message]
    odd: int
    credits_left: int | None


class States:
    """OpenSky's `/states/all` for one box, as a user when the settings name one."""

    def __init__(self, settings: Settings, patience: float, time: Callable[[], float]) -> None:
        self._exchange = Exchange(patience, time)
        self._url = f"{settings.opensky_url}/states/all"
        self._params = {"extended": 1, **settings.opensky_box._asdict()}
        self._access: Access | None = None
        if settings.opensky_client_id and settings.opensky_client_secret:
            self._access = Access(
                self._exchange,
                settings.opensky_token_url,
                settings.opensky_client_id,
                settings.opensky_client_secret,
                time,
            )

    def close(self) -> None:
        self._exchange.close()

    def poll(self) -> Answer:
        """Ask once. Raises Setback where time will mend it, and VigieError where a person must."""
        reply = self._get()
        if reply.status == 401 and self._access:
            self._access.forget()
            reply = self._get()
        if reply.status != 200:
            raise self._refused(reply.status)
        return read(reply.body, _number(reply.headers.get("X-Rate-Limit-Remaining", "")))

    def _get(self) -> Reply:
        return self._exchange.get(self._url, self._params, self._access.headers() if self._access else {})

    def _refused(self, status: int) -> BadSetting | RunFailed:
        if status == 401 and self._access:
            return self._access.refused(status)
        if status in {401, 403}:
            return RunFailed(
                f"OpenSky refuses to answer ({status})",
                where=self._url,
                do="Set VIGIE_OPENSKY_CLIENT_ID and VIGIE_OPENSKY_CLIENT_SECRET. OpenSky also blocks the "
                "addresses of some cloud providers: then ask from elsewhere.",
            )
        return BadSetting(
            f"OpenSky answers {status}, which is no answer to this question",
            where=self._url,
            do="Set VIGIE_OPENSKY_URL to the address in OpenSky's documentation, or leave it out.",
        )


def read(text: bytes, credits_left: int | None) -> Answer:
    """The messages of one answer: for each vector an object of named fields."""
    try:
        # On one line, because a line is a message to an inbox.
        body = msgspec.json.decode(msgspec.json.format(text, indent=-1), type=Body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as problem:
        raise Setback(f"its answer is malformed: {problem}") from problem
    time = Raw(str(body.time).encode())
    messages: list[Message] = []
    odd = 0
    for vector in body.states or ():
        try:
            values = msgspec.json.decode(vector, type=list[Raw])
        except msgspec.MsgspecError:
            # Sent as it came, to be looked at in quarantine: nothing is dropped before bronze.
            messages.append((None, bytes(vector)))
            odd += 1
            continue
        odd += len(values) not in LENGTHS
        # Fields that a later OpenSky adds at the end have no name yet, and stay out.
        named = dict(zip(FIELDS, (time, *values), strict=False))
        messages.append((_key(named.get("icao24")), msgspec.json.encode(named)))
    return Answer(body.time, messages, odd, credits_left)


def _key(icao24: Raw | None) -> bytes | None:
    try:
        return msgspec.json.decode(icao24 or b"", type=str).encode()
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() else None
