"""How a detector judges: in SQL, over the readings of one key in the order of their time.

The same words are asked of a stream batch by batch, of a whole table in a backtest, and of a single key when an
alert is explained.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta

from vigie.duration import parse_duration

MICROSECOND = timedelta(microseconds=1)
LARGEST = 1e150  # the square of what is larger is no number any more
LONGEST = timedelta(days=3660)
MOST_READINGS = 100_000
TAKEN = ("key", "moment", "is_new", "heard_at")  # what the columns of readings are called beside their own


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a reading is held against.

    `fires` and `clears` are conditions; a reading of which neither holds leaves things as they are. `value` and
    `threshold` are what a person is shown. `steps` are worked out first, one after the other, and what follows names
    them as `{step}`. `looks_back` is how far before a reading the SQL looks: so much of the past is there to be seen.
    """

    fires: str
    clears: str
    value: str
    threshold: str
    steps: tuple[Mapping[str, str], ...] = ()
    looks_back: timedelta = timedelta()


PREVIOUS = "OVER (PARTITION BY key ORDER BY moment)"  # for lag()


def during(span: timedelta) -> str:
    """The readings of a span up to this one."""
    return f"OVER (PARTITION BY key ORDER BY moment RANGE BETWEEN {span // MICROSECOND} PRECEDING AND CURRENT ROW)"


def before(span: timedelta) -> str:
    """The readings of a span before this one, without it: what is usual must not be what is being judged."""
    return f"{during(span)[:-1]} EXCLUDE CURRENT ROW)"


def last(readings: int) -> str:
    """So many readings, and this is the last of them."""
    return f"OVER (PARTITION BY key ORDER BY moment ROWS BETWEEN {readings - 1} PRECEDING AND CURRENT ROW)"


def quoted(column: str) -> str:
    return '"' + column.replace('"', '""') + '"'


def number(column: str) -> str:
    """A column as a number. One that is no number, or beyond all measure, says as little as none at all."""
    value = f"CAST({quoted(column)} AS DOUBLE)"
    return f"CASE WHEN abs({value}) <= {exactly(LARGEST)} THEN {value} END"


def exactly(value: float) -> str:
    """A number as Python has it: SQL would read 0.1 as a decimal."""
    return f"CAST('{float(value)!r}' AS DOUBLE)"


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
        yield f"{name} is {text}: ten years are the most"


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
