"""A web address that is told of each alert: Slack, Mattermost, or a program of one's own."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from vigie.backoff import retry_after
from vigie.sinks import NotNow, Refused, Undeliverable
from vigie.sinks.answers import OF_THE_MESSAGE, PASSING
from vigie.sinks.letters import fields, key, line, without_mentions

if TYPE_CHECKING:
    import httpx
    from pydantic import SecretStr

    from vigie.alerts import Event
    from vigie.contracts import Surroundings

PATIENCE_S = 10.0
LONGEST_WAIT_S = 3_600.0
TO_DO = {
    400: "It does not take this form of message: is it the address of an incoming webhook, or a receiver of your own?",
    401: "The address holds no right to write there, or no longer: make a new one.",
    403: "The address holds no right to write there, or no longer: make a new one.",
    404: "There is no receiver at that address: it was mistyped, or taken away.",
    410: "The receiver was taken away: make a new one.",
}


@dataclass(frozen=True, slots=True)
class Webhook:
    """A POST for each alert that opens and closes, to VIGIE_WEBHOOK_URL, of JSON with its fields and a `text`.

    The header `Idempotency-Key` is the alert's id, with `-closed` behind it when the alert closed.
    """

    timeout: float = PATIENCE_S
    name: ClassVar[str] = "webhook"
    module: ClassVar[str] = ""
    extra: ClassVar[str] = ""
    at_once: ClassVar[int] = 1

    def problems(self) -> Iterator[str]:
        """What is wrong with what it was given."""
        if not isinstance(self.timeout, int | float) or not 0 < self.timeout < math.inf:
            yield f"timeout is {self.timeout!r}, and must be a number of seconds, more than none"

    def missing(self, around: Surroundings) -> str:
        return "" if around.settings.webhook_url else "VIGIE_WEBHOOK_URL is not set"

    def opened(self, around: Surroundings) -> Hook:
        assert around.settings.webhook_url is not None
        return Hook(around.settings.webhook_url, self.timeout)


class Hook:
    """The connection to a webhook. Whoever knows its address may write there, so no one is told it."""

    def __init__(self, url: SecretStr, timeout: float, now: Callable[[], float] = time.time) -> None:
        self._url = url
        self._timeout = timeout
        self._now = now
        self._client: httpx.Client | None = None

    def send(self, events: Sequence[Event]) -> None:
        for event in events:
            self._post(event)

    def close(self) -> None:
        if self._client is not None:
            self._client.close()

    def _post(self, event: Event) -> None:
        import httpx

        if self._client is None:
            logging.getLogger("httpx").setLevel(logging.WARNING)  # at INFO it writes every address
            logging.getLogger("httpcore").setLevel(logging.WARNING)
            self._client = httpx.Client(timeout=self._timeout, headers={"User-Agent": "vigie"})
        try:
            with self._client.stream(
                "POST",
                self._url.get_secret_value(),
                json={"text": _escaped(line(event)), **fields(event)},
                headers={"Idempotency-Key": key(event)},
            ) as response:
                status, wait = response.status_code, response.headers.get("Retry-After", "")
        except httpx.TimeoutException:
            raise NotNow(f"it did not answer within {self._timeout:g} s") from None  # the cause holds the address
        except httpx.HTTPError as problem:
            raise NotNow(f"it cannot be reached ({type(problem).__name__})") from None
        except (httpx.InvalidURL, UnicodeError) as problem:
            raise Refused(
                f"the address of the webhook names no host ({type(problem).__name__})",
                where="VIGIE_WEBHOOK_URL",
                do="Mend the address.",
            ) from None
        if status in PASSING or status >= 500:
            raise NotNow(f"it answered {status}", retry_after(wait, self._now(), LONGEST_WAIT_S))
        if not 200 <= status < 300:
            raise (Undeliverable if status in OF_THE_MESSAGE else Refused)(
                f"the webhook refused an alert with {status}",
                where="VIGIE_WEBHOOK_URL",
                do=TO_DO.get(status, "Look at what the receiver says of it, and mend the address or the receiver."),
            )


def _escaped(text: str) -> str:
    """As Slack wants it, and with no mention of anybody: neither Slack's `<!channel>` nor Mattermost's `@all`.

    https://docs.slack.dev/messaging/formatting-message-text#escaping
    """
    return without_mentions(text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;"))
