"""E-mail and chat, through Apprise."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from vigie.alerts import CLOSED
from vigie.errors import BadSetting
from vigie.sinks import NotNow, Refused, Undeliverable
from vigie.sinks.apprise_log import Cause, Hearing
from vigie.sinks.letters import ZERO_WIDTH_SPACE, digest, headline, key, line, without_mentions

if TYPE_CHECKING:
    from pydantic import SecretStr

    from vigie.alerts import Event
    from vigie.contracts import Surroundings


@dataclass(frozen=True, slots=True)
class Notify:
    """A message for each alert that opens and closes, to each address in VIGIE_NOTIFY; when more than `digest_over`
    wait, one message that lists them.

    An address is one of Apprise's: `mailto://user:password@host?to=person`, `slack://...`. Such receivers keep no
    keys, so that a repeat after a crash arrives twice; the message ends with the alert's id.
    """

    digest_over: int = 5

    name: ClassVar[str] = "notify"
    module: ClassVar[str] = "apprise"
    extra: ClassVar[str] = "notify"
    at_once: ClassVar[int] = 1_000

    def problems(self) -> Iterator[str]:
        """What is wrong with what it was given."""
        if not isinstance(self.digest_over, int) or self.digest_over < 1:
            yield f"digest_over is {self.digest_over!r}, and must be a whole number from 1 on"

    def missing(self, around: Surroundings) -> str:
        return "" if around.settings.notify else "VIGIE_NOTIFY is not set"

    def opened(self, around: Surroundings) -> Messenger:
        assert around.settings.notify is not None
        return Messenger(around.settings.notify, around.pipeline)


class Messenger:
    """The services that are told; each that took a message is not sent it again while another is waited for."""

    def __init__(self, addresses: SecretStr, pipeline: str = "") -> None:
        import apprise

        self._hearing = Hearing()
        self._pipeline = pipeline
        self._names: list[str] = []
        self._rooms: list[int] = []
        self._services: list[Any] = []
        for number, address in enumerate(re.split(r"[\s,]+(?=[A-Za-z][\w+.-]*://)", addresses.get_secret_value()), 1):
            service = apprise.Apprise.instantiate(address, suppress_exceptions=True)
            if service is None:
                raise BadSetting(
                    f"address {number} is none that Apprise knows",
                    where="VIGIE_NOTIFY",
                    do="Write for example mailto://user:password@host?from=vigie@host&to=person@host, with blanks "
                    "between several.",
                )
            self._names.append(str(service.service_name))
            self._rooms.append(int(service.body_maxlen))
            self._services.append(apprise.Apprise(service))
        self._took: set[tuple[int, str]] = set()

    def send(self, events: Sequence[Event]) -> None:
        causes = [
            (name, cause)
            for number, name in enumerate(self._names)
            if (cause := self._failed(number, events)) is not None
        ]
        if not causes:
            self._took -= {(number, key(event)) for number in range(len(self._names)) for event in events}
            return
        said = "; ".join(f"{name} did not take a message ({cause.said})" for name, cause in causes)
        if any(cause.is_passing for _, cause in causes):
            raise NotNow(said)
        if any(not cause.is_of_the_message for _, cause in causes):
            raise Refused(
                said, where="VIGIE_NOTIFY", do="Look at the address: who sends, to whom, and by which server."
            )
        raise Undeliverable(said, where="VIGIE_NOTIFY", do="Look at what that service says of it.")

    def close(self) -> None:
        """Each message has a connection of its own."""

    def _failed(self, number: int, events: Sequence[Event]) -> Cause | None:
        """Why a service did not take what it has not taken yet, if it did not."""
        left = [event for event in events if (number, key(event)) not in self._took]
        if not left:
            return None
        service = self._services[number]
        title, body = self._single(left[0]) if len(left) == 1 else digest(left, self._pipeline, self._rooms[number])
        with self._hearing.listening() as heard:
            taken = service.notify(
                title=_plain(title),
                body=_plain(body),
                notify_type=_kind(left),
                body_format="text",  # where a service shows HTML or Markdown, what came with the data is escaped
            )
        if not taken:
            return heard.cause()
        self._took |= {(number, key(event)) for event in left}
        return None

    @staticmethod
    def _single(event: Event) -> tuple[str, str]:
        return headline(event), f"{line(event)}\n{key(event)}"


def _plain(text: str) -> str:
    """Without mentions: the `<` of Slack's, `<!channel>`, is parted from what follows it, as `@` is."""
    return without_mentions(text).replace("<!", f"<{ZERO_WIDTH_SPACE}!").replace("<@", f"<{ZERO_WIDTH_SPACE}@")


def _kind(events: Sequence[Event]) -> str:
    """Of Apprise's kinds, which have colours and pictures, the one of the worst."""
    still = [event.alert.severity for event in events if event.event != CLOSED]
    return "success" if not still else "failure" if "critical" in still else "warning"
