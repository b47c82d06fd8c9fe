"""One message of the feed, read as strictly as RFC 8259 and the schema of a state vector say."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

Report = dict[str, Any]

IS_JSON = "is valid JSON"
MATCHES = "matches the schema"

# Python refuses to read integers of more than 4,300 digits; no column holds one, so any huge number will do.
READABLE_DIGITS = 4_000


def _integer(text: str) -> int:
    return int(text) if len(text) <= READABLE_DIGITS else int(f"{text[0]}{'9' * (READABLE_DIGITS - 1)}")


def _no_number(text: str) -> None:
    raise ValueError(f"{text} is no JSON")


_DECODER = json.JSONDecoder(parse_int=_integer, parse_constant=_no_number)


def parsed(value: bytes | None) -> object:
    """The one JSON value that these bytes are; ValueError when they are not one."""
    if value is None:
        raise ValueError("a message without a value")
    # `decode` of the decoder allows nothing but JSON's own whitespace around the value.
    try:
        return _DECODER.decode(value.decode("utf-8", "strict"))
    except RecursionError as error:
        raise ValueError("nested deeper than a parser can go") from error


# A bool is an int to Python and a number is none to JSON: hence types, not isinstance.
def _is_bigint(value: object) -> bool:
    return type(value) is int and -(2**63) <= value < 2**63


def _is_int(value: object) -> bool:
    return type(value) is int and -(2**31) <= value < 2**31


def _is_double(value: object) -> bool:
    if type(value) is int:
        try:
            float(value)
        except OverflowError:
            return False
        return True
    return type(value) is float and math.isfinite(value)


def _is_boolean(value: object) -> bool:
    return type(value) is bool


def _is_string(value: object) -> bool:
    if type(value) is not str:
        return False
    try:
        value.encode()
    except UnicodeEncodeError:  # "\ud800" alone: JSON's grammar allows it, and no UTF-8 column can hold it
        return False
    return True


def _is_int_array(value: object) -> bool:
    return type(value) is list and all(item is None or _is_int(item) for item in value)


STATE_VECTOR: dict[str, Callable[[object], bool]] = {
    "time": _is_bigint,
    "icao24": _is_string,
    "callsign": _is_string,
    "origin_country": _is_string,
    "time_position": _is_bigint,
    "last_contact": _is_bigint,
    "longitude": _is_double,
    "latitude": _is_double,
    "baro_altitude": _is_double,
    "on_ground": _is_boolean,
    "velocity": _is_double,
    "true_track": _is_double,
    "vertical_rate": _is_double,
    "sensors": _is_int_array,
    "geo_altitude": _is_double,
    "squawk": _is_string,
    "spi": _is_boolean,
    "position_source": _is_int,
    "category": _is_int,
}


def read(value: bytes | None) -> Report | str:
    """The report in a message, or the name of the rule that stands in the way of there being one."""
    try:
        message = parsed(value)
    except ValueError:
        return IS_JSON
    if not isinstance(message, dict):
        return MATCHES
    for field, fits in STATE_VECTOR.items():
        found = message.get(field)
        if found is not None and not fits(found):
            return MATCHES
    return message
