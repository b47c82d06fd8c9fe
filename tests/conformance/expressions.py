"""Everything that is tried: each an expression over the rows, under the name of the function that it tries."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from types import ModuleType

from pyspark.sql import Column, Window
from pyspark.sql.connect.functions import builtin as connected
from pyspark.sql.connect.window import Window as ConnectedWindow

from tests.conformance import many_rows, operators, scalars, times
from tests.conformance.rows import SCHEMA

FROM = ("n", "i", "c", "x", "y", "m", "s", "b", "t", "d", "num", "day")
TO = (
    "string",
    "boolean",
    "tinyint",
    "smallint",
    "int",
    "bigint",
    "float",
    "double",
    "decimal(12,3)",
    "timestamp",
    "date",
)

# What Spark refuses to cast.
_NO_DATE = {(start, "date") for start in ("n", "i", "c", "x", "y", "m", "b")}
NO_CAST = {
    "cast": _NO_DATE,
    "try_cast": _NO_DATE | {("b", "timestamp"), ("t", "boolean")} | {("d", to) for to in TO[1:9]},
}


class Kind(Enum):
    """How an expression is selected."""

    SCALAR = "a value for each row"
    AGGREGATE = "a value for each group"
    GENERATOR = "several rows for each row"
    FRAME = "rows of its own"


@dataclass(frozen=True)
class Trial:
    """One expression of SQL or of Python, or one of the frames of `operators`; `sql` is the same in SQL, which Spark
    answers instead."""

    name: str
    text: str
    kind: Kind
    is_python: bool = False
    sql: str | None = None

    def __str__(self) -> str:
        return f"{self.text} (Python)" if self.is_python else self.text


def trials() -> list[Trial]:
    """All of them: calls in SQL, the same calls by PySpark's functions where they are plain, operators and frames."""
    scalar = (scalars.NUMBERS, scalars.CONDITIONS, scalars.TEXT, times.TIMES, times.COLLECTIONS)
    found = [
        *(trial for table in scalar for trial in _calls(table, Kind.SCALAR)),
        *_calls(many_rows.AGGREGATES, Kind.AGGREGATE),
        *_calls(many_rows.GENERATORS, Kind.GENERATOR),
    ]
    found += [as_python for trial in found for as_python in _by_function(trial)]
    found += _calls(many_rows.WINDOWS, Kind.SCALAR)
    found += [Trial(name, text, Kind.SCALAR) for name, texts in operators.SYNTAX.items() for text in _parts(texts)]
    found += [
        Trial(name, text, Kind.SCALAR, True) for name, texts in operators.COLUMNS.items() for text in _parts(texts)
    ]
    found += [Trial(name.partition(" ")[0], name, Kind.FRAME) for name in operators.FRAMES]
    for name in ("cast", "try_cast"):
        pairs = [(start, end) for start in FROM for end in TO if (start, end) not in NO_CAST[name]]
        found += [Trial(name, f"{name}({start} as {end})", Kind.SCALAR) for start, end in pairs]
    return found


def _parts(texts: str) -> Iterator[str]:
    yield from (text.strip() for text in re.split(r";\s|\n", texts) if text.strip())


def _calls(texts: str, kind: Kind) -> list[Trial]:
    return [Trial(_name(text), text, kind) for text in _parts(texts)]


def _name(text: str) -> str:
    """The function that stands first, or within what only puts its answer in order or in a shape."""
    found = re.match(r"(?:(?:array_sort|size)\((?=(?:collect|array_agg)\w*\())?(\w+)", text)
    assert found, text
    return found[1].lower()


def _by_function(trial: Trial) -> Iterator[Trial]:
    """The same call as PySpark writes it, where SQL happens to read as Python and PySpark has the function."""
    for constant in ("F.lit", ""):
        try:
            text = ast.unparse(_InPython(constant).visit(ast.parse(trial.text, mode="eval")))
            evaluated(text)
        except (SyntaxError, TypeError, ValueError, NameError, AttributeError):
            continue
        yield Trial(trial.name, text, trial.kind, is_python=True, sql=trial.text)
        return


class _InPython(ast.NodeTransformer):
    """Names that are called become PySpark's functions, and constants that are handed to them become columns where
    there is a function for it."""

    def __init__(self, constant: str) -> None:
        self.constant = constant

    def visit_Call(self, node: ast.Call) -> ast.AST:
        if not isinstance(node.func, ast.Name):
            raise SyntaxError("not a plain call")
        function = ast.parse(f"F.{node.func.id}", mode="eval").body
        return ast.Call(function, [self._argument(each) for each in node.args], [])

    def _argument(self, node: ast.expr) -> ast.expr:
        if not isinstance(node, ast.Constant) or not self.constant:
            visited = self.visit(node)
            assert isinstance(visited, ast.expr)
            return visited
        return ast.Call(ast.parse(self.constant, mode="eval").body, [node], [])


def evaluated(text: str, functions: ModuleType = connected) -> Column:
    """The column that it makes, by the functions of Spark Connect (which need no session) or by those of a session."""
    used = set(re.findall(r"\w+", text))
    names: dict[str, object] = {name: functions.col(name) for name in SCHEMA.names if name in used}
    windows = ConnectedWindow if functions is connected else Window
    names |= {"F": functions, "Window": windows}
    if used & {"G", "W", "R"}:
        group = windows.partitionBy("g")
        names |= {"G": group, "W": group.orderBy("id")}
        names["R"] = group.orderBy(functions.unix_micros("t")).rangeBetween(-86_400_000_000, 0)
    column = eval(text, names)
    assert isinstance(column, Column)
    return column
