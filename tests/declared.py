"""What a pipeline declares, held to what was asked for: its rules are judged by DuckDB on rows written by hand."""

from __future__ import annotations

from functools import cache
from typing import Any

import duckdb
import pyarrow as pa
import sqlglot

from vigie.graph import Graph, Rule, Silver, name_of


@cache
def database() -> duckdb.DuckDBPyConnection:
    opened = duckdb.connect()
    opened.execute("SET TimeZone = 'UTC'")
    return opened


@cache
def in_duckdb(rule: str) -> str:
    return sqlglot.transpile(rule, "spark", "duckdb")[0]


def broken(table: Silver, row: dict[str, Any]) -> list[str]:
    """The rules of a table that a row breaks: those that are not TRUE of it."""
    rules = ", ".join(f"({in_duckdb(rule)})" for rule in table.expect.values())
    database().register("rows", pa.Table.from_pylist([row]))
    [held] = database().execute(f"SELECT {rules} FROM rows").fetchall()
    return [name for name, holds in zip(table.expect, held, strict=True) if holds is not True]


def the_rule(graph: Graph, name: str) -> Rule:
    [found] = [rule for watch in graph.watches for rule in watch.rules if rule.name == name]
    return found


def silver_tables(graph: Graph) -> dict[str, tuple[object, ...]]:
    """Of each what it reads, its event time, watermark and key."""
    return {table.name: (name_of(table.reads), table.event_time, table.late_by, table.unique) for table in graph.silver}


def gold_tables(graph: Graph) -> dict[str, tuple[object, ...]]:
    """Of each what it reads, its watermark, how far it looks back, and whose newest row it has."""
    return {
        table.name: (name_of(table.reads), table.late_by, table.looks_back, table.latest_by) for table in graph.gold
    }
