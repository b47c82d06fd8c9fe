"""E-mail and chat, through Apprise."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from vigie.alerts import CLOSED
from vigie.errors import BadSetting
from vigie.sinks import NotNow
from vigie.sinks.letters import ZERO_WIDTH_SPACE, key, line, without_mentions

if TYPE_CHECKING:
    from pydantic import SecretStr

    from vigie.alerts import Event
    from vigie.graph import Surroundings


@dataclass(frozen=True, slots=True)
class Notify:
    """A message for each alert that opens and closes, to each address in VIGIE_NOTIFY.

    An address is one of Apprise's: `mailto://user:password@host?to=person`, `slack://...`. Such receivers keep no
    keys, so that a repeat after a crash arrives twice; the message ends with the alert's id.
    """

    name: ClassVar[str] = "notify"
    module: ClassVar[str] = "apprise"
    extra: ClassVar[str] = "notify"
    at_once: ClassVar[int] = 1

    def missing(self, around: Surroundings) -> str:
        return "" if around.settings.notify else "VIGIE_NOTIFY is not set"

    def opened(self, around: Surroundings) -> Messenger:
        assert around.settings.notify is not None
        return Messenger(around.settings.notify)


class Messenger:
    """The services that are told; each that took a message is not sent it again while another is waited for."""

    def __init__(self, addresses: SecretStr) -> None:
        import apprise

        # What it logs of a service may hold a part of its address.
        logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)
        self._names: list[str] = []
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
            self._services.append(apprise.Apprise(service))
        self._took: set[tuple[int, str]] = set()

    def send(self, events: Sequence[Event]) -> None:
        for event in events:
            failed = [name for number, name in enumerate(self._names) if not self._told(number, event)]
            if failed:
                raise NotNow(f"{', '.join(failed)} did not take a message")
            self._took.clear()

    def close(self) -> None:
        """Each message has a connection of its own."""

    def _told(self, number: int, event: Event) -> bool:
        if (number, key(event)) in self._took:
            return True
        over = event.event == CLOSED
        taken = self._services[number].notify(
            title=self._plain(f"{event.alert.rule} at {event.alert.key}{' is over' if over else ''}"),
            body=self._plain(f"{line(event)}\n{key(event)}"),
            notify_type="success" if over else "failure" if event.alert.severity == "critical" else "warning",
            body_format="text",  # where a service shows HTML or Markdown, what came with the data is escaped
        )
        if taken:
            self._took.add((number, key(event)))
        return bool(taken)

    @staticmethod
    def _plain(text: str) -> str:
        """Without mentions: the `<` of Slack's, `<!channel>`, is parted from what follows it, as `@` is."""
        return without_mentions(text).replace("<!", f"<{ZERO_WIDTH_SPACE}!").replace("<@", f"<{ZERO_WIDTH_SPACE}@")
