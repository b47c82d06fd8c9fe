"""Small mistakes made in a module's text, one at a time: each is a mutant, and a test should see it."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from os.path import commonprefix
from types import CodeType
from typing import Any

COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult,
    ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd,
}  # fmt: skip
# What is as easily written, and is another thing.
MISTAKEN = {
    "min": "max", "max": "min", "minimum": "maximum", "maximum": "minimum", "bool_or": "bool_and",
    "bool_and": "bool_or", "collect_set": "collect_list", "count_distinct": "count", "stddev_samp": "stddev_pop",
    "desc": "asc", "lag": "lead", "lead": "lag",
}  # fmt: skip
DROPPED = {"where", "filter", "orderBy", "otherwise", "when"}

NUMBER = re.compile(r"(?<![\w.])\d+(?:\.\d+)?(?!\w)")
SQL = re.compile(r"\b(?:AND|OR|IS NOT|IS|BETWEEN|NOT IN|IN|SELECT|WHERE|ORDER BY|INTERVAL)\b|[<>=]")
SQL_MISTAKES = (
    (re.compile(r"(?<![<>=])>(?![<>=])"), ">="),
    (re.compile(r">="), ">"),
    (re.compile(r"(?<![<>=])<(?![<>=])"), "<="),
    (re.compile(r"<="), "<"),
    (re.compile(r"(?<![<>=])=(?![<>=])"), "<>"),
    (re.compile(r"<>"), "="),
    (re.compile(r"\bIS NOT NULL\b"), "IS NULL"),
    (re.compile(r"\b(?<!BETWEEN )(?<!BETWEEN -)AND\b"), "OR"),
    (re.compile(r"\bOR\b"), "AND"),
    (re.compile(r" DESC\b"), ""),
    (re.compile(r"\bTRUE\b"), "FALSE"),
    (re.compile(r"\bmax\("), "min("),
)
PART = re.compile(r"\s+AND\s+")


@dataclass(frozen=True, slots=True)
class Mutant:
    """A module with one mistake in it, on this line of it, `within` the body of a function or method, or of none."""

    line: int
    was: str
    now: str
    code: CodeType
    within: str = ""


def mutants(source: str, file: str, *, names: bool) -> Iterator[Mutant]:
    """Every mutant of a module; with `names` also those in which a text that is a name is another."""
    tree = ast.parse(source)
    bodies = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    for node, change, undo in _changes(tree, names):
        was = ast.unparse(node)
        changed = change()
        now = ast.unparse(changed)
        ast.fix_missing_locations(tree)
        within = next((body.name for body in bodies if body.lineno < node.lineno <= (body.end_lineno or 0)), "")
        yield Mutant(node.lineno, *_apart(was, now), compile(tree, file, "exec"), within)
        undo()


Change = tuple[ast.expr | ast.stmt, Callable[[], ast.AST], Callable[[], object]]


def _changes(tree: ast.Module, names: bool) -> Iterator[Change]:
    for parent, field, at, node in _places(tree):
        for new in _instead(node, names):
            yield _swap(parent, field, at, node, new)
        if isinstance(node, ast.Set) or (isinstance(node, ast.Tuple | ast.List) and isinstance(node.ctx, ast.Load)):
            yield from (_without(node, [node.elts], i) for i in range(len(node.elts)))
        if isinstance(node, ast.Dict):
            yield from (_without(node, [node.keys, node.values], i) for i in range(len(node.keys)))


def _places(node: ast.AST) -> Iterator[tuple[ast.AST, str, int | None, ast.expr | ast.stmt]]:
    """Every expression and statement that does something: no annotation, docstring or import."""
    for field, value in ast.iter_fields(node):
        if field in {"annotation", "returns", "type_params"}:
            continue
        for at, child in enumerate(value) if isinstance(value, list) else [(None, value)]:
            if not isinstance(child, ast.AST) or isinstance(child, ast.Import | ast.ImportFrom):
                continue
            if isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant):
                continue
            if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
                continue
            if isinstance(child, ast.Call) and ast.unparse(child.func) in {"dataclass", "TypeVar"}:
                continue
            if isinstance(child, ast.Assign) and ast.unparse(child.targets[0]) == "__all__":
                continue
            if isinstance(child, ast.expr | ast.stmt):
                yield node, field, at, child
            yield from _places(child)


def _instead(node: ast.expr | ast.stmt, names: bool) -> Iterator[ast.expr | ast.stmt]:
    """What may stand there by mistake."""
    match node:
        case ast.Constant(value=bool(value)):
            yield ast.Constant(not value)
        case ast.Constant(value=int() | float() as number):
            yield from map(ast.Constant, _other_numbers(number))
        case ast.Constant(value=str(text)):
            yield from map(ast.Constant, dict.fromkeys(_other_texts(text, names)))
        case ast.Compare(left=left, ops=[op], comparators=right) if type(op) in COMPARISONS:
            yield ast.Compare(left, [COMPARISONS[type(op)]()], right)
        case ast.BoolOp(op=op, values=values):
            yield ast.BoolOp(ast.Or() if isinstance(op, ast.And) else ast.And(), values)
        case ast.BinOp(left=left, op=op, right=last) if type(op) in OPERATORS:
            yield ast.BinOp(left, OPERATORS[type(op)](), last)
        case ast.UnaryOp(op=ast.Not() | ast.Invert() | ast.USub(), operand=operand):
            yield operand
        case ast.Attribute(value=of, attr=name, ctx=context) if name in MISTAKEN:
            yield ast.Attribute(of, MISTAKEN[name], context)
        case ast.Call(func=ast.Attribute(value=ast.Call() | ast.Name(id="rows") as chain, attr=name)) if (
            name in DROPPED
        ):
            yield chain
        case ast.Expr(value=ast.Call() | ast.YieldFrom()):
            yield ast.Pass()


def _other_numbers(number: float) -> Iterator[float]:
    """A little more, and a lot."""
    yield number + 1 if isinstance(number, int) else number + number / 1000 if number else 0.001
    if number not in {0, 1}:
        yield number * 2


def _other_texts(text: str, names: bool) -> Iterator[str]:
    """Other numbers in it, other comparisons when it is SQL, and a part of a condition less; else another name."""
    found = list(NUMBER.finditer(text))
    for each in found:
        for other in _other_numbers(float(each[0]) if "." in each[0] else int(each[0])):
            yield text[: each.start()] + str(other) + text[each.end() :]
    is_sql = SQL.search(text) is not None
    if is_sql:
        for mistake, right in SQL_MISTAKES:
            for each in mistake.finditer(text):
                yield text[: each.start()] + right + text[each.end() :]
        parts = _conditions(text)
        if len(parts) > 1:
            yield from (" AND ".join(part for part in parts if part is not left_out) for left_out in parts)
    if names and not found and not is_sql and text:
        yield f"{text}_"


def _conditions(text: str) -> list[str]:
    """The parts of a condition that AND ties together, outside of brackets and of BETWEEN."""
    parts, depth, start = [], 0, 0
    for each in re.finditer(r"[()]|\s+AND\s+", text):
        if each[0] in "()":
            depth += 1 if each[0] == "(" else -1
        elif not depth and not re.search(r"BETWEEN\s+\S+$", text[start : each.start()]):
            parts.append(text[start : each.start()])
            start = each.end()
    return [*parts, text[start:]]


def _swap(parent: ast.AST, field: str, at: int | None, old: ast.expr | ast.stmt, new: ast.expr | ast.stmt) -> Change:
    ast.copy_location(new, old)

    def put(node: ast.AST) -> ast.AST:
        if at is None:
            setattr(parent, field, node)
        else:
            getattr(parent, field)[at] = node
        return node

    return old, lambda: put(new), lambda: put(old)


def _without(node: ast.expr, lists: Sequence[list[Any]], at: int) -> Change:
    taken: list[object] = []

    def take() -> ast.AST:
        taken[:] = [each.pop(at) for each in lists]
        return node

    def give_back() -> None:
        for each, one in zip(lists, taken, strict=True):
            each.insert(at, one)

    return node, take, give_back


def _apart(was: str, now: str) -> tuple[str, str]:
    """Of two long texts what tells them apart, and a little around it."""
    before = len(commonprefix([was, now]))
    after = len(commonprefix([was[before:][::-1], now[before:][::-1]]))
    start, end = max(0, before - 30), max(0, after - 30)
    return was[start : len(was) - end], now[start : len(now) - end]
