"""Sources whose server does not answer: they are asked again, and the others go on meanwhile."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field

from vigie.backoff import Clock
from vigie.errors import SourceAway

PATIENCE_S = 600.0  # that a server may be away: as long as a feed waits for it
AGAIN_AFTER_S = 5.0

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Away:
    """Which sources are away, since when, and when each is asked again."""

    clock: Clock = field(default_factory=Clock)
    _since: dict[str, float] = field(default_factory=dict)
    _due: dict[str, float] = field(default_factory=dict)

    def __bool__(self) -> bool:
        """Whether any is."""
        return bool(self._since)

    def is_waited_for(self, source: str) -> bool:
        return self.clock.time() < self._due.get(source, 0.0)

    def missed(self, source: str, problem: SourceAway) -> None:
        """Wait for it, or raise what it died of when it has been away for too long."""
        now = self.clock.time()
        left = self._since.setdefault(source, now) + PATIENCE_S - now
        if left <= 0:
            raise problem
        log.warning(
            "%s: %s. It is asked for again in %.0f s; given up in %.0f minutes. Nothing is lost.",
            source, problem.what, AGAIN_AFTER_S, left / 60,
        )  # fmt: skip
        self._due[source] = now + AGAIN_AFTER_S

    def answered(self, source: str) -> None:
        if self._since.pop(source, None) is not None:
            self._due.pop(source, None)
            log.info("%s answers again.", source)
