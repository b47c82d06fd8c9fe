"""Decimals from text: what JSON and SQL write as a number, and nothing else that Python would read as one."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

# Python takes `1_000`, digits of every script, blanks around, and words for what is no number.
NUMERAL = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")


class Numeral(Decimal):
    """A decimal as msgspec reads it with the hooks of this module: from a number, every digit of it, or from text."""


def decimal_of(text: str) -> Decimal:
    """The number that a text spells; ValueError when it spells none."""
    if not NUMERAL.fullmatch(text):
        raise ValueError("the text spells no number")
    try:
        return Decimal(text)
    except InvalidOperation as problem:
        raise ValueError("a number with such an exponent cannot be held") from problem


def numeral(kind: type, value: object) -> Numeral:
    """The hook for values of a type that msgspec does not know."""
    if kind is not Numeral or isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise ValueError("it is no number")
    return Numeral(decimal_of(value) if isinstance(value, str) else value)


def json_decoder(kind: Any) -> msgspec.json.Decoder[Any]:
    """A reader of JSON in which a Numeral may stand."""
    return msgspec.json.Decoder(kind, dec_hook=numeral, float_hook=decimal_of)
