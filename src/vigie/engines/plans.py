"""What a declared function asks an engine for, read from the plan that the Connect client made of it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import sqlglot
from sqlglot import exp

from vigie.duration import parse_duration

if TYPE_CHECKING:
    from google.protobuf.message import Message
    from pyspark.sql import DataFrame

LENGTH = 1  # the place among the arguments of `window` where its length stands


def windows(frame: DataFrame) -> list[timedelta]:
    """How long the windows are that it cuts time into."""
    from pyspark.sql.connect.dataframe import DataFrame as OfConnect

    assert isinstance(frame, OfConnect)
    plan = frame._plan.to_proto(frame._session.client)
    return [parse_duration(text) for text in _lengths(plan)]


def _lengths(message: Message) -> Iterator[str]:
    for field, value in message.ListFields():
        if field.name == "unresolved_function" and value.function_name == "window":
            yield from (argument.literal.string for argument in value.arguments[LENGTH : LENGTH + 1])
        if field.name == "expression_string":
            yield from _lengths_in_sql(value.expression)
        for part in _parts(field, value):
            yield from _lengths(part)


def _parts(field: Any, value: Any) -> Iterator[Message]:
    if field.type != field.TYPE_MESSAGE:
        return
    if field.message_type.GetOptions().map_entry:
        yield from (each for each in value.values() if hasattr(each, "ListFields"))
    elif field.is_repeated:
        yield from value
    else:
        yield value


def _lengths_in_sql(text: str) -> Iterator[str]:
    for call in sqlglot.parse_one(text, dialect="spark").find_all(exp.Anonymous, exp.Func):
        if call.sql_name().lower() == "window" or getattr(call, "name", "").lower() == "window":
            arguments = call.expressions or list(call.args.values())
            yield from (each.name for each in arguments[LENGTH : LENGTH + 1])
