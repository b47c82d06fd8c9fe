"""The plan that Spark's Connect client makes of a declared function, without any server: nothing is evaluated.

A plan is all that a function asks for, so that can be looked through before anything starts. A function that asks about
its rows while it is called (`rows.columns`) cannot be looked through so: only an engine could answer it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NoReturn

from pyspark.sql.connect.client import SparkConnectClient
from pyspark.sql.connect.client.core import ConfigResult
from pyspark.sql.connect.dataframe import DataFrame
from pyspark.sql.connect.session import SparkSession
from pyspark.sql.pandas.types import from_arrow_schema

from vigie.arrow_types import arrow_schema
from vigie.engines.connected import Session, connected

if TYPE_CHECKING:
    from google.protobuf.message import Message
    from pyspark.sql.connect.proto import Command

NOWHERE = "sc://127.0.0.1:1"  # it is never called


class NeedsEngine(Exception):
    """The function asks something that only an engine can answer."""


class Nobody(SparkConnectClient):
    """A client on its own: settings have their defaults, and nothing is known of any rows."""

    def config(self, operation: Any) -> ConfigResult:
        defaults = [(pair.key, pair.value) for pair in operation.get_with_default.pairs]
        return ConfigResult(pairs=defaults or [("", None)], warnings=[])

    def _analyze(self, method: str, **asked: Any) -> Any:
        if method == "ddl_parse":  # the type of a UDF
            [field] = from_arrow_schema(arrow_schema(f"value {asked['ddl_string']}"))
            return SimpleNamespace(parsed=field.dataType)
        raise NeedsEngine(method)

    def execute_command(self, command: Command, observations: Any = None) -> Any:  # noqa: ARG002
        """SQL is a part of the plan, and nothing else is done."""
        if not command.HasField("sql_command"):
            raise NeedsEngine("a command")
        return None, {"sql_command_result": command.sql_command.input}, None

    def _cleanup_ml_cache(self) -> None:
        """There is nobody to tell that this program ends."""

    def _execute_and_fetch_as_iterator(self, *asked: Any, **more: Any) -> NoReturn:  # noqa: ARG002
        raise NeedsEngine("rows")


def plan(function: Callable[..., Any], tables: int) -> Message:
    """What a function of so many tables asks for; NeedsEngine when that cannot be known."""
    with connected(_session()) as session:
        made = function(*(session.read.format("arrow").load(f"table{number}") for number in range(tables)))
        if not isinstance(made, DataFrame):
            raise NeedsEngine(type(made).__name__)
        return made._plan.to_proto(session.client)


class Unconnected(Session):
    """A session of nobody's."""

    def __init__(self) -> None:
        self._client = Nobody(NOWHERE)
        self._session_id = self._client._session_id
        self.release_session_on_close = False


@functools.cache
def _session() -> SparkSession:
    return Unconnected()
