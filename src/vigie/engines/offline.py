"""The plan that Spark's Connect client makes of a declared function, without any server: nothing is evaluated.

A plan is all that a function asks for, so that can be looked through before anything starts. Of the tables that it is
given the columns are known, if it asks for them while it is called (`rows.columns`); what has become of them by then,
and how many rows there are, only an engine could tell.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType, SimpleNamespace
from typing import TYPE_CHECKING, Any, NoReturn

import pyarrow as pa
from pyspark.sql.connect.client import SparkConnectClient
from pyspark.sql.connect.client.core import ConfigResult
from pyspark.sql.connect.dataframe import DataFrame
from pyspark.sql.pandas.types import from_arrow_schema
from pyspark.sql.types import DataType

from vigie import ddl
from vigie.arrow_types import arrow_schema
from vigie.engines.connected import Session, connected
from vigie.engines.plans import SAME_COLUMNS

if TYPE_CHECKING:
    from google.protobuf.message import Message
    from pyspark.sql.connect.proto import Command, Relation

NOWHERE = "sc://127.0.0.1:1"  # it is never called


class NeedsEngine(Exception):
    """The function asks something that only an engine can answer."""


class NotRows(Exception):
    """The function gives back what is no DataFrame."""


class Nobody(SparkConnectClient):
    """A client on its own: settings have their defaults, and of rows nothing is known but what `tables` says."""

    tables: Mapping[str, pa.Schema] = MappingProxyType({})

    def config(self, operation: Any) -> ConfigResult:
        defaults = [(pair.key, pair.value) for pair in operation.get_with_default.pairs]
        return ConfigResult(pairs=defaults or [("", None)], warnings=[])

    def _analyze(self, method: str, **asked: Any) -> Any:
        if method == "ddl_parse":
            return SimpleNamespace(parsed=_type(asked["ddl_string"]))
        if method == "schema":
            return SimpleNamespace(schema=from_arrow_schema(self._columns(asked["plan"].root)))
        raise NeedsEngine(method)

    def _columns(self, relation: Relation) -> pa.Schema:
        kind = relation.WhichOneof("rel_type")
        if kind in SAME_COLUMNS:
            return self._columns(getattr(relation, kind).input)
        table = relation.read.data_source.paths[0] if kind == "read" and relation.read.data_source.paths else ""
        if table not in self.tables:
            raise NeedsEngine("the columns of what it makes")
        return self.tables[table]

    def execute_command(self, command: Command, observations: Any = None) -> Any:  # noqa: ARG002
        """SQL is a part of the plan, and nothing else is done."""
        if not command.HasField("sql_command"):
            raise NeedsEngine("a command")
        return None, {"sql_command_result": command.sql_command.input}, None

    def _cleanup_ml_cache(self) -> None:
        """There is nobody to tell that this program ends."""

    def _execute_and_fetch_as_iterator(self, *asked: Any, **more: Any) -> NoReturn:  # noqa: ARG002
        raise NeedsEngine("rows")


def plan(function: Callable[..., Any], tables: Sequence[pa.Schema | None]) -> Message:
    """What a function of these tables asks for, whose columns may be unknown; NeedsEngine when that cannot be known,
    NotRows when it gives none."""
    session = _session()
    with connected(session):
        session._client.tables = known(tables)
        made = function(*(session.read.format("arrow").load(_name(at)) for at in range(len(tables))))
        if not isinstance(made, DataFrame):
            raise NotRows(type(made).__name__)
        return made._plan.to_proto(session.client)


def known(tables: Sequence[pa.Schema | None]) -> dict[str, pa.Schema]:
    """Those of them whose columns are known, by the names that they have in a plan."""
    return {_name(at): schema for at, schema in enumerate(tables) if schema is not None}


def _name(at: int) -> str:
    return f"table{at}"


class Unconnected(Session):
    """A session of nobody's."""

    _client: Nobody

    def __init__(self) -> None:
        self._client = Nobody(NOWHERE)
        self._session_id = self._client._session_id
        self.release_session_on_close = False


def _type(text: str) -> DataType:
    """The type of a UDF, or the columns that a function of Python gives."""
    try:
        return from_arrow_schema(arrow_schema(f"value {text}"))["value"].dataType
    except ddl.NotSql:
        return from_arrow_schema(arrow_schema(text))


@functools.cache
def _session() -> Unconnected:
    return Unconnected()
