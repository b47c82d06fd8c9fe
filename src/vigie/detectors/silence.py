"""A key that is no longer heard of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from vigie.detectors.judgement import no_span
from vigie.duration import parse_duration


@dataclass(frozen=True, slots=True)
class Silent:
    """Fires when nothing was heard of a key for `after`, also when nothing is heard of any other; it is over with
    its next reading."""

    after: str = "10 minutes"

    @property
    def columns(self) -> tuple[str, ...]:
        return ()

    @property
    def judgement(self) -> None:
        """There is no reading to judge."""
        return None

    @property
    def span(self) -> timedelta:
        return parse_duration(self.after)

    def problems(self) -> Iterator[str]:
        yield from no_span("after", self.after)

    def says(self, value: float, _threshold: float) -> str:
        return f"no reading for {value / 60:.3g} minutes"
