"""Which columns of its tables a declared function needs, read from the plan that the Connect client made of it.

What stands above a `select` or an aggregation sees what that gives; so it is enough to look at what lies between a
table and the first of them. Where anything lies between that may look at every column, all of them are needed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import sqlglot
from sqlglot import TokenType
from sqlglot.errors import SqlglotError

if TYPE_CHECKING:
    from google.protobuf.message import Message

Names = frozenset[str]  # in small letters, as Spark tells columns apart
PASSING = {"limit", "offset", "subquery_alias", "hint", "repartition"}  # what they are given
LOOKING = {
    "filter": ("condition",), "sort": ("order",), "repartition_by_expression": ("partition_exprs",),
    "with_columns": ("aliases",), "drop": ("columns",),
}  # fmt: skip
CLOSING = {
    "project": ("expressions",),
    "aggregate": ("grouping_expressions", "aggregate_expressions", "pivot", "grouping_sets"),
}

ROWS_OF_ITS_OWN = {"local_relation", "range"}


class EveryColumn(Exception):
    """A function may need them all."""


def needed(plan: Message) -> dict[str, Names]:
    """The names that are asked of each table, by its path or name; EveryColumn where it cannot be told.

    Among them may be some that are no columns of it.
    """
    found: dict[str, Names] = {}
    for path, names in _of(plan.root, None):
        found[path] = found.get(path, Names()) | names
    return found


def of_each(asked: Mapping[str, Names], tables: Mapping[str, pa.Schema]) -> list[list[str]]:
    """The columns of these tables that are among the names which are asked of each, in their order."""
    wanted = [(asked.get(name, Names()), schema) for name, schema in tables.items()]
    return [[column for column in schema.names if column.lower() in names] for names, schema in wanted]


def _of(relation: Any, asked: Names | None) -> Iterator[tuple[str, Names]]:
    """What is asked of the tables below, when what is above asks for these columns of this; none means all."""
    kind = relation.WhichOneof("rel_type")
    this = getattr(relation, kind)
    if kind == "read":
        if asked is None:
            raise EveryColumn
        yield this.data_source.paths[0] if this.data_source.paths else this.named_table.unparsed_identifier, asked
    elif kind in PASSING:
        yield from _of(this.input, asked)
    elif kind in LOOKING:
        more = _named(this, LOOKING[kind]) | (small(this.column_names) if kind == "drop" else Names())
        yield from _of(this.input, _with(asked, more))
    elif kind in CLOSING:
        yield from _of(this.input, _named(this, CLOSING[kind]))
    elif kind == "deduplicate" and this.column_names:
        yield from _of(this.input, _with(asked, small(this.column_names)))
    elif kind == "join":
        both = _with(asked, _named(this, ("join_condition",)) | small(this.using_columns))
        yield from _of(this.left, both)
        yield from _of(this.right, both)
    elif found := relations_below(this):
        for each in found:
            yield from _of(each, None)
    elif kind not in ROWS_OF_ITS_OWN:
        raise EveryColumn


def relations_below(relation: Any) -> list[Any]:
    return [
        each
        for field, value in relation.ListFields()
        if field.message_type is not None and field.message_type.name == "Relation"
        for each in (value if field.is_repeated else [value])
    ]


def _with(asked: Names | None, more: Names) -> Names | None:
    return None if asked is None else asked | more


def _named(relation: Any, fields: Iterable[str]) -> Names:
    values = [getattr(relation, field) for field in fields]
    expressions = [each for value in values for each in ([value] if hasattr(value, "ListFields") else value)]
    return Names(name for expression in expressions for name in _in(expression))


def _in(message: Any) -> Iterator[str]:
    """The names of columns in an expression, and now and then another."""
    name = message.DESCRIPTOR.name
    if name in {"UnresolvedStar", "UnresolvedRegex"}:
        raise EveryColumn
    if name == "UnresolvedAttribute":
        yield from small(message.unparsed_identifier.replace("`", "").split("."))
    elif name == "ExpressionString":
        yield from _in_sql(message.expression)
    elif name == "UnresolvedFunction" and message.function_name == "count" and not message.is_distinct:
        yield from _counted(message.arguments)
    else:
        for field, value in message.ListFields():
            if field.type == field.TYPE_MESSAGE and not field.message_type.GetOptions().map_entry:
                for part in value if field.is_repeated else [value]:
                    yield from _in(part)


def _counted(arguments: Iterable[Any]) -> Iterator[str]:
    """Rows are counted by a star without a look at any column."""
    for argument in arguments:
        if not argument.HasField("unresolved_star"):
            yield from _in(argument)


def _in_sql(text: str) -> Iterator[str]:
    try:
        tokens = sqlglot.tokenize(text, dialect="spark")
    except SqlglotError:  # the engine says what is wrong with it
        raise EveryColumn from None
    if any(token.token_type is TokenType.STAR for token in tokens):
        raise EveryColumn
    yield from small(token.text for token in tokens)


def small(names: Iterable[str]) -> Names:
    return Names(name.lower() for name in names)
