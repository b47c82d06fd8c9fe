"""Row by row: broken, late by how far its own partition had come before it, a repeat, or accepted."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import polars as pl

from .messages import Report, read

SECOND = 1_000_000  # instants are whole microseconds here: Python's datetime ends where Spark's does not
MINUTE = 60 * SECOND
LATE_BY = 6 * MINUTE

IN_1990 = 631_152_000  # 1990-01-01T00:00:00Z

FIRST_SECOND = -62_135_596_800  # 0001-01-01T00:00:00Z
LAST_SECOND = 253_402_300_799  # 9999-12-31T23:59:59Z

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
ORIGIN = ["topic", "partition", "offset", "file", "line"]


@dataclass
class Judgement:
    """What became of each row of bronze, in the order of `bronze`; of the accepted ones, their reports."""

    bronze: pl.DataFrame
    verdicts: list[str] = field(default_factory=list)
    rules: list[list[str]] = field(default_factory=list)
    accepted: list[Report] = field(default_factory=list)
    seen_until: list[int | None] = field(default_factory=list)  # of the accepted ones, by row
    come: dict[int | None, int] = field(default_factory=dict)  # how far each partition has, by row

    def rows(self) -> pl.DataFrame:
        """Bronze with its verdicts."""
        return self.bronze.with_columns(
            pl.Series("verdict", self.verdicts, pl.String),
            pl.Series("rules", self.rules, pl.List(pl.String)),
        )


def event_time(report: Report) -> int | None:
    """When the position was measured, in microseconds, where that is an instant that Spark can hold."""
    seconds: int | None = report.get("time_position")
    if seconds is None or not FIRST_SECOND <= seconds <= LAST_SECOND:
        return None
    return seconds * SECOND


def is_on_earth(report: Report) -> bool:
    """Whether what is said of the place can be; what is not said breaks another rule."""
    latitude, longitude = report.get("latitude"), report.get("longitude")
    return (latitude is None or abs(latitude) <= 90) and (longitude is None or abs(longitude) <= 180)


def is_visible(text: str | None) -> bool:
    """Whether there is anything to see in a text: no blanks alone, of whatever kind, nor what has no width."""
    return any(unicodedata.category(letter) not in {"Zs", "Zl", "Zp", "Cc", "Cf"} for letter in text or "")


def broken_rules(report: Report, received_at: int) -> list[str]:
    """Every rule that is not TRUE of a report, in the order in which rules are named."""
    at = event_time(report)
    holds = {
        "has a key": is_visible(report.get("icao24")),
        "has an event time": at is not None,
        "has a position": report.get("latitude") is not None and report.get("longitude") is not None,
        "is on Earth": is_on_earth(report),
        "is not from before 1990": at is None or at >= IN_1990 * SECOND,
        "is not from the future": at is not None and at <= received_at + MINUTE,
    }
    return [rule for rule, held in holds.items() if not held]


def judge(bronze: pl.DataFrame) -> Judgement:
    """Each batch in ascending order, and in each the rows by where they came from.

    A partition of Kafka is a sequence, and a folder is one. A report's event time is part of its key, so a row that is
    not late can only repeat rows that are within `LATE_BY` too: every key ever accepted may be kept here, without a
    limit.
    """
    judgement = Judgement(bronze.sort("batch", *ORIGIN))
    seen: set[tuple[str, int]] = set()
    come = judgement.come
    columns = (judgement.bronze[name] for name in ("value", "received_at", "partition"))
    for value, received, partition in zip(*columns, strict=True):
        received_at = int((received - EPOCH) / timedelta(microseconds=1))
        report, until = read(value), come.get(partition)
        rules = [report] if isinstance(report, str) else broken_rules(report, received_at)
        judgement.rules.append(rules)
        verdict = _verdict(report, rules, None if until is None else until - LATE_BY, seen)
        judgement.verdicts.append(verdict)
        if isinstance(report, str) or verdict == "broken":
            continue
        at = report["time_position"] * SECOND
        come[partition] = at if until is None else max(until, at)
        if verdict == "accepted":
            judgement.accepted.append(report)
            judgement.seen_until.append(until)
            seen.add((report["icao24"], report["time_position"]))
    return judgement


def _verdict(report: Report | str, rules: list[str], late_before: int | None, seen: set[tuple[str, int]]) -> str:
    if rules or isinstance(report, str):
        return "broken"
    at = event_time(report)
    if late_before is not None and at is not None and at < late_before:
        return "late"
    if (report["icao24"], report["time_position"]) in seen:
        return "repeat"
    return "accepted"
