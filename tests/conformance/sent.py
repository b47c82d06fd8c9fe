"""The names of functions that the Spark Connect client writes in a plan: `isNotNull` for a method, `-` for a minus."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from pyspark.sql.connect.column import Column

from tests.conformance.expressions import Trial, evaluated

if TYPE_CHECKING:
    from google.protobuf.message import Message


def sent(trial: Trial) -> set[str]:
    """Those of an expression in Python, in lower case."""
    column: Any = evaluated(trial.text)
    assert isinstance(column, Column)
    no_session: Any = None  # which is asked for the type of a UDF alone
    return {name.lower() for name in _names(column._expr.to_plan(no_session))}


def _names(message: Message) -> Iterator[str]:
    for field, value in message.ListFields():
        if field.name == "unresolved_function":
            yield value.function_name
        if field.type == field.TYPE_MESSAGE and not field.message_type.GetOptions().map_entry:
            for part in value if field.is_repeated else (value,):
                yield from _names(part)
