"""What a declared function asks an engine for, read from the plan that the Connect client made of it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import sqlglot
from sqlglot import Token, exp
from sqlglot.errors import SqlglotError

from vigie.core.engine import Cut
from vigie.duration import parse_duration

if TYPE_CHECKING:
    from google.protobuf.message import Message
    from pyspark.sql import DataFrame

# Steps that give the columns they are given.
SAME_COLUMNS = {
    "limit", "offset", "tail", "deduplicate", "repartition", "hint", "subquery_alias", "sample", "with_watermark",
    "drop_na", "fill_na", "replace", "filter", "sort", "repartition_by_expression",
}  # fmt: skip
CALLED_WITHOUT_BRACKETS = {"current_timestamp", "current_date", "localtimestamp", "current_user"}
# What SQL has before a bracket and is no function.
NO_FUNCTIONS = {
    "ALL",
    "AND",
    "ANY",
    "AS",
    "BETWEEN",
    "BY",
    "CASE",
    "DECIMAL",
    "ELSE",
    "EXCEPT",
    "EXISTS",
    "FILTER",
    "FROM",
    "IN",
    "INTERSECT",
    "JOIN",
    "LATERAL",
    "NOT",
    "ON",
    "OR",
    "OVER",
    "SELECT",
    "SETS",
    "THEN",
    "UNION",
    "USING",
    "VALUES",
    "WHEN",
    "WHERE",
    "WITH",
}


def cut_into(plan: Message) -> list[Cut]:
    """The windows that it cuts time into; none when that is not written down for one of them."""
    try:
        return [_cut(spans) for _, *spans in _windows(plan)]
    except (ValueError, SqlglotError):
        return []


def cut_by(plan: Message) -> set[str]:
    """The columns that it cuts into windows, where one is named."""
    try:
        return {column for column, *_ in _windows(plan) if column}
    except SqlglotError:
        return set()


def _cut(spans: Sequence[str]) -> Cut:
    """By the arguments of `window` after the time: the length, and it may be how often and from when."""
    length, *others = map(parse_duration, spans)
    return Cut(length, *(others or [length]))


def plan_of(frame: DataFrame) -> Message:
    from pyspark.sql.connect.dataframe import DataFrame as OfConnect

    assert isinstance(frame, OfConnect)
    return frame._plan.to_proto(frame._session.client)


def calls(plan: Message) -> set[str]:
    """The names of all functions that it calls, operators among them, in small letters."""
    found: set[str] = set()
    for field, value in _all(plan):
        if field.name == "unresolved_function":
            found.add(value.function_name.lower())
        elif field.name == "expression_string":
            found |= calls_in_sql(value.expression)
        elif field.name == "sql" and hasattr(value, "query"):
            found |= calls_in_sql(value.query)
        elif field.name == "sort" and not value.is_global:
            found.add("sortWithinPartitions")
    return found


def calls_in_sql(text: str) -> set[str]:
    """The names of the functions that Spark's SQL calls, as they are written, in small letters."""
    try:
        tokens = sqlglot.tokenize(text, dialect="spark")
    except SqlglotError:  # the engine says what is wrong with it
        return set()
    named = {one.text.lower() for one, next_one in pairwise(tokens) if next_one.text == "(" and _may_be_called(one)}
    return named | {one.text.lower() for one in tokens if one.text.lower() in CALLED_WITHOUT_BRACKETS}


def _may_be_called(token: Token) -> bool:
    return bool(re.fullmatch(r"[a-z_]\w*", token.text, re.IGNORECASE)) and token.text.upper() not in NO_FUNCTIONS


def _windows(plan: Message) -> Iterator[list[str]]:
    """What each call of `window` is given: the name of a column, and spans; nothing where it is another thing."""
    for field, value in _all(plan):
        if field.name == "unresolved_function" and value.function_name == "window":
            time, *spans = value.arguments
            column = time.unresolved_attribute.unparsed_identifier.replace("`", "")
            yield [column, *(span.literal.string for span in spans)]
        if field.name == "expression_string":
            yield from _windows_in_sql(value.expression)


def _all(message: Message) -> Iterator[tuple[Any, Any]]:
    """Every field that is set, with its value, however deep."""
    for field, value in message.ListFields():
        for part in _parts(field, value):
            yield field, part
            yield from _all(part)


def _parts(field: Any, value: Any) -> Iterator[Message]:
    if field.type != field.TYPE_MESSAGE:
        return
    if field.message_type.GetOptions().map_entry:
        yield from (each for each in value.values() if hasattr(each, "ListFields"))
    elif field.is_repeated:
        yield from value
    else:
        yield value


def _windows_in_sql(text: str) -> Iterator[list[str]]:
    for call in sqlglot.parse_one(text, dialect="spark").find_all(exp.Anonymous, exp.Func):
        if call.sql_name().lower() == "window" or getattr(call, "name", "").lower() == "window":
            arguments = call.expressions or list(call.args.values())
            yield [each.name for each in arguments]
