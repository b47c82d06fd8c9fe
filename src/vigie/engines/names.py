"""Which columns there are at each step of a plan that the Connect client made, and which are named that are not there.

Where it cannot be told what there is (after a function of Python, or in a table whose columns are not declared),
nothing is said.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from vigie.engines.columns import Names, relations_below, small
from vigie.engines.plans import CALLED_WITHOUT_BRACKETS, SAME_COLUMNS

if TYPE_CHECKING:
    from google.protobuf.message import Message

ASKING = {"filter": "condition", "sort": "order", "repartition_by_expression": "partition_exprs"}
PART = re.compile(r"`((?:[^`]|``)+)`|([^.`]+)")
LEFT_ALONE = {"JOIN_TYPE_LEFT_SEMI", "JOIN_TYPE_LEFT_ANTI"}


@dataclass(frozen=True, slots=True)
class Unknown:
    """A column that is named where it is not, and those that are there."""

    name: str
    there: Names


@dataclass(frozen=True, slots=True)
class _Rows:
    """The columns of a step, if they can be told; and all that there were in it and below, which a condition or an
    order may still name."""

    columns: Names | None
    ever: Names = Names()


def unknown(plan: Message, tables: Mapping[str, pa.Schema]) -> list[Unknown]:
    """The columns that a plan over these tables names where they are not, each once."""
    reading = _Reading({path: small(schema.names) for path, schema in tables.items()})
    relation: Any = plan
    reading.rows(relation.root)
    return list({each.name: each for each in reading.found}.values())


@dataclass
class _Reading:
    tables: Mapping[str, Names]
    found: list[Unknown] = field(default_factory=list)

    def rows(self, relation: Any) -> _Rows:
        kind = relation.WhichOneof("rel_type")
        this = getattr(relation, kind)
        if kind == "read":
            there = self.tables.get(this.data_source.paths[0]) if this.data_source.paths else None
            return _Rows(there, there or Names())
        if kind in SAME_COLUMNS:
            below = self.rows(this.input)
            if kind in ASKING and below.columns is not None:
                self._look(getattr(this, ASKING[kind]), below.columns | below.ever, below.columns)
            return below
        step: Callable[[Any], _Rows] | None = getattr(self, f"_{kind}", None)
        return step(this) if step is not None else self._unsaid(this)

    def _project(self, this: Any) -> _Rows:
        return self._made(this, this.expressions)

    def _aggregate(self, this: Any) -> _Rows:
        made = self._made(this, [*this.grouping_expressions, *this.aggregate_expressions])
        return _Rows(None) if this.HasField("pivot") else made

    def _made(self, this: Any, expressions: Iterable[Any]) -> _Rows:
        below = self.rows(this.input)
        if below.columns is None:
            return _Rows(None)
        named = [_named(each, below.columns) for each in expressions]
        own = Names(name for names in named if names for name in names)
        self._look(expressions, below.columns | own - _plain(expressions), below.columns)  # one may build on another
        return _Rows(None if None in named else own, below.ever | own)

    def _with_columns(self, this: Any) -> _Rows:
        below = self.rows(this.input)
        if below.columns is None:
            return below
        own = small(name for alias in this.aliases for name in alias.name)
        self._look(this.aliases, below.columns | own, below.columns)
        return _Rows(below.columns | own, below.ever | own)

    def _with_columns_renamed(self, this: Any) -> _Rows:
        below = self.rows(this.input)
        renamed = dict(this.rename_columns_map) | {each.col_name: each.new_col_name for each in this.renames}
        if below.columns is None:
            return below
        columns = (below.columns - small(renamed)) | small(renamed.values())
        return _Rows(columns, below.ever | columns)

    def _drop(self, this: Any) -> _Rows:
        below = self.rows(this.input)
        if below.columns is None:
            return below
        gone = [*this.column_names, *(name for each in this.columns for name in _bare(each))]
        return _Rows(below.columns - small(gone), below.ever)

    def _join(self, this: Any) -> _Rows:
        left, right = self.rows(this.left), self.rows(this.right)
        if left.columns is None or right.columns is None:
            return _Rows(None)
        both = left.columns | right.columns
        self._look([this.join_condition], both, both)
        is_left_alone = this.JoinType.Name(this.join_type) in LEFT_ALONE
        return _Rows(left.columns if is_left_alone else both, left.ever | right.ever)

    def _set_op(self, this: Any) -> _Rows:
        left, right = self.rows(this.left_input), self.rows(this.right_input)
        if not this.allow_missing_columns or left.columns is None:
            return left
        return _Rows(None if right.columns is None else left.columns | right.columns, left.ever | right.ever)

    def _unsaid(self, this: Any) -> _Rows:
        for each in relations_below(this):
            self.rows(each)
        return _Rows(None)

    def _look(self, expressions: Iterable[Any], allowed: Names, there: Names) -> None:
        for expression in expressions if not hasattr(expressions, "ListFields") else [expressions]:
            for parts in _asked(expression):
                known = any(part in allowed for part in parts[:2])  # a column and its field, or a table and its column
                if not known and not parts[0].startswith("_"):
                    self.found.append(Unknown(".".join(parts), there))


def _plain(expressions: Iterable[Any]) -> Names:
    """The columns that are asked for as they are."""
    asked = [each.unresolved_attribute for each in expressions if each.HasField("unresolved_attribute")]
    return Names(name for each in asked for name in _parts(each.unparsed_identifier)[-1:])


def _named(expression: Any, there: Names) -> Names | None:
    """The names of the columns that an expression gives; none where they are for the engine to say."""
    kind = expression.WhichOneof("expr_type")
    this = getattr(expression, kind)
    if kind == "alias":
        return small(this.name)
    if kind == "unresolved_attribute":
        return Names(_parts(this.unparsed_identifier)[-1:])
    if kind == "unresolved_star" and not this.HasField("unparsed_target"):
        return there
    if kind == "unresolved_function" and this.function_name == "window":
        return Names({"window"})
    if kind == "expression_string" and isinstance(parsed := _parsed(this.expression), exp.Alias | exp.Column):
        return None if parsed.is_star else small([parsed.alias_or_name])
    return None


def _bare(column: Any) -> list[str]:
    """The name of a column that is dropped, unless it is that of one step among several of that name."""
    attribute = column.unresolved_attribute
    return [] if attribute.HasField("plan_id") else [attribute.unparsed_identifier.replace("`", "")]


def _asked(message: Any) -> Iterator[list[str]]:
    """The columns that an expression names, each by its parts."""
    name = message.DESCRIPTOR.name
    if name == "UnresolvedAttribute":
        if not message.HasField("plan_id"):  # else it is a column of a step that was pointed at
            yield _parts(message.unparsed_identifier)
    elif name == "ExpressionString":
        yield from _asked_in_sql(_parsed(message.expression))
    elif name not in {"Relation", "LazyExpression", "SubqueryExpression"}:
        for each, value in message.ListFields():
            if each.type == each.TYPE_MESSAGE and not each.message_type.GetOptions().map_entry:
                for part in value if each.is_repeated else [value]:
                    yield from _asked(part)


def _asked_in_sql(parsed: exp.Expr | None) -> Iterator[list[str]]:
    """But for what asks other tables, or names the rows of a function as it likes."""
    if parsed is None or parsed.find(exp.Query, exp.Lambda):
        return
    for column in parsed.find_all(exp.Column):
        if not column.is_star and column.name.lower() not in CALLED_WITHOUT_BRACKETS:
            yield [part.name.lower() for part in column.parts]


def _parsed(text: str) -> exp.Expr | None:
    try:
        return sqlglot.parse_one(text, dialect="spark")
    except SqlglotError:  # the engine says what is wrong with it
        return None


def _parts(identifier: str) -> list[str]:
    """Those of `a.b`; a name in backticks may hold a dot, or a backtick that is written twice."""
    return [(quoted.replace("``", "`") or plain).lower() for quoted, plain in PART.findall(identifier)]
