"""How a detector judges readings, and what is wrong with its settings."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta

from vigie import ddl
from vigie.detectors.readings import LARGEST, Bools, Floats, Indices, Readings
from vigie.duration import parse_duration

LONGEST = timedelta(days=366)
MOST_READINGS = 100_000
TAKEN = ("key", "moment", "is_new", "heard_at")  # what the columns of readings are called beside their own


@dataclass(frozen=True, slots=True)
class Marks:
    """What a detector makes of new readings, which stand at `row`: where it fires and where it clears. A reading that
    is not there, or of which it does neither, leaves things as they are. `value` and `threshold` are what a person is
    shown."""

    row: Indices
    fires: Bools
    clears: Bools
    value: Floats
    threshold: Floats


@dataclass(frozen=True, slots=True)
class Needs:
    """So many readings in the span before one, or it cannot be judged."""

    readings: int
    over: timedelta


@dataclass(frozen=True, slots=True)
class Judgement:
    """How a detector judges: a function of readings, which have the `columns` it looks at as numbers, and of which
    it is known whether each of the `conditions` in SQL holds.

    The same function judges a stream batch by batch, a whole table in a backtest, and the readings of a single key
    when an alert is explained. `looks_back` is how far before a reading it looks: so much of the past is there.
    What `needs` more readings than a key has yet says nothing of it.
    """

    judge: Callable[[Readings], Marks]
    columns: tuple[str, ...] = ()
    conditions: tuple[str, ...] = ()
    looks_back: timedelta = timedelta()
    needs: Needs | None = None


def told_apart(value: float, other: float) -> tuple[str, str]:
    """Both in four digits, or in as many as it takes to see which is more."""
    for digits in range(4, 17):
        words = f"{value:.{digits}g}", f"{other:.{digits}g}"
        if value == other or words[0] != words[1]:
            break
    return words


def no_column(name: str) -> Iterator[str]:
    """What is wrong with the name of a column that is looked at."""
    if not isinstance(name, str) or not name:
        yield f"{name!r} is no column: give its name, as 'temperature_c'"
    elif name.lower() in TAKEN:
        yield f"a column that is looked at cannot be called '{name}': give it another name in the table"


def no_span(name: str, text: str) -> Iterator[str]:
    """What is wrong with a span that must be one, and more than nothing."""
    try:
        span = parse_duration(text)
    except ValueError as problem:
        yield f"{name}: {problem}"
        return
    if not span:
        yield f"{name} is nothing: give it a span, as '15 minutes'"
    elif span > LONGEST:
        yield f"{name} is {text}: a year is the most"


def no_condition(condition: object) -> Iterator[str]:
    """What is wrong with a condition in SQL that readings are held to."""
    if not isinstance(condition, str):
        yield f"{condition!r} is no condition: write it in SQL, as 'temperature_c > 30'"
        return
    try:
        columns = ddl.named_columns(ddl.condition(condition))
    except ddl.NotSql as problem:
        yield f"{condition!r} is not a condition in SQL: {problem}"
        return
    for column in columns:
        yield from no_column(column)
    if not columns:
        yield f"{condition!r} looks at no column: it holds always, or never"


def no_number(name: str, value: float) -> Iterator[str]:
    """What is wrong with what must be a number, and one that can be reckoned with."""
    if not _is_number(value):
        yield f"{name} is {value!r}: it must be a number"


def not_above(name: str, value: float, least: float) -> Iterator[str]:
    """What is wrong with a number that must be more than another."""
    if not _is_number(value) or not value > least:
        yield f"{name} is {value!r}: it must be a number above {least:g}"


def less_than(name: str, value: float, least: float) -> Iterator[str]:
    """What is wrong with a number that must be another or more."""
    if not _is_number(value) or value < least:
        yield f"{name} is {value!r}: it must be a number, and not less than {least:g}"


def no_count(name: str, value: int, least: int) -> Iterator[str]:
    """What is wrong with a number of readings."""
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= MOST_READINGS:
        yield f"{name} is {value!r}: it must be a whole number from {least} to {MOST_READINGS}"


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and -LARGEST <= value <= LARGEST
