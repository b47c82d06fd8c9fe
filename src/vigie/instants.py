"""Instants as microseconds after 1970, and back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

MICROSECOND = timedelta(microseconds=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FIRST = -62_135_596_800_000_000  # microseconds: the first instant that has a name, of the year 1
# Of the year 9999. Far beyond it no engine can count in microseconds: Spark stops at its last instant, and sail begins
# anew, so that any number may become a date of today.
LAST_SECOND = 253_402_300_799


def instant(micros: int | None) -> datetime | None:
    """The instant that is so many microseconds after 1970; none for none."""
    return None if micros is None else EPOCH + micros * MICROSECOND


def micros(instant: datetime) -> int:
    """How many microseconds after 1970 an instant is."""
    return (instant - EPOCH) // MICROSECOND
