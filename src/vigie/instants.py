"""Instants as microseconds after 1970, and back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def instant(micros: int | None) -> datetime | None:
    """The instant that is so many microseconds after 1970; none for none."""
    return None if micros is None else EPOCH + timedelta(microseconds=micros)


def micros(instant: datetime) -> int:
    """How many microseconds after 1970 an instant is."""
    return (instant - EPOCH) // timedelta(microseconds=1)
