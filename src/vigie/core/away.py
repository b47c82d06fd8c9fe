"""Work whose server does not answer: it is asked again, and other work goes on meanwhile."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field

from vigie.backoff import Clock
from vigie.errors import VigieError

PATIENCE_S = 600.0  # that a server may be away: as long as a feed waits for it
AGAIN_AFTER_S = 5.0

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Away:
    """Whose server is away (a source's, or the engine of a table), since when, and when each is asked again."""

    clock: Clock = field(default_factory=Clock)
    _since: dict[str, float] = field(default_factory=dict)
    _due: dict[str, float] = field(default_factory=dict)

    def __bool__(self) -> bool:
        """Whether any is."""
        return bool(self._since)

    def is_waited_for(self, name: str) -> bool:
        return self.clock.time() < self._due.get(name, 0.0)

    def missed(self, name: str, problem: VigieError) -> None:
        """Wait for it, or raise what it died of when it has been away for too long."""
        now = self.clock.time()
        left = self._since.setdefault(name, now) + PATIENCE_S - now
        if left <= 0:
            raise problem
        log.warning(
            "%s: %s. It is asked for again in %.0f s; given up in %.0f minutes. Nothing is lost.",
            name, problem.what, AGAIN_AFTER_S, left / 60,
        )  # fmt: skip
        self._due[name] = now + AGAIN_AFTER_S

    def answered(self, name: str) -> None:
        if self._since.pop(name, None) is not None:
            self._due.pop(name, None)
            log.info("%s goes on.", name)
