"""One request and its whole answer, or the setback that came instead."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import httpx

from vigie.backoff import Setback, retry_after

TOLD_TO_WAIT = ("X-Rate-Limit-Retry-After-Seconds", "Retry-After")
LONGEST_WAIT = 86_400.0  # credits come back within a day


@dataclass(frozen=True, slots=True)
class Reply:
    """What a server answered."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Exchange:
    """The connection to OpenSky's servers.

    `patience` is the time in seconds for each step of an answer, and twice that for all of it: a server that
    drips a byte now and then would otherwise hold a poll for ever.
    """

    def __init__(self, patience: float, time: Callable[[], float]) -> None:
        self._patience = patience
        self._time = time
        self._client = httpx.Client(timeout=patience, headers={"User-Agent": "vigie"})

    def close(self) -> None:
        self._client.close()

    def get(self, url: str, params: Mapping[str, str | float], headers: Mapping[str, str]) -> Reply:
        return self._reply("GET", url, params=params, headers=headers)

    def post(self, url: str, form: Mapping[str, str]) -> Reply:
        return self._reply("POST", url, data=form)

    def _reply(
        self,
        method: str,
        url: str,
        *,
        params: Mapping[str, str | float] | None = None,
        headers: Mapping[str, str] | None = None,
        data: Mapping[str, str] | None = None,
    ) -> Reply:
        deadline = self._time() + 2 * self._patience
        body = bytearray()
        with (
            _setbacks(),
            self._client.stream(method, url, params=params, headers=headers, data=data) as response,
        ):
            for piece in response.iter_bytes():
                body += piece
                if self._time() > deadline:
                    raise Setback(f"it took more than {2 * self._patience:g} s to answer")
        reply = Reply(response.status_code, response.headers, bytes(body))
        if reply.status in {408, 429} or reply.status >= 500:
            raise Setback(_said(reply.status), _told_to_wait(reply.headers, self._time()))
        return reply


@contextmanager
def _setbacks() -> Iterator[None]:
    """The troubles of a network as setbacks: they pass."""
    try:
        yield
    except httpx.TimeoutException as problem:
        raise Setback("it did not answer in time") from problem
    except httpx.HTTPError as problem:
        raise Setback(f"it cannot be reached: {problem or type(problem).__name__}") from problem


def _said(status: int) -> str:
    return "no credits are left (429)" if status == 429 else f"it is in trouble ({status})"


def _told_to_wait(headers: Mapping[str, str], now: float) -> float:
    waits = (retry_after(headers.get(name, ""), now, LONGEST_WAIT) for name in TOLD_TO_WAIT)
    return next((wait for wait in waits if wait > 0), 0.0)
