"""The plan that Spark's Connect client makes of a declared function, without any server: nothing is evaluated.

A plan is all that a function asks for, so that can be looked through before anything starts. A function that asks about
its rows while it is called (`rows.columns`) cannot be looked through so: only an engine could answer it.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NoReturn

from pyspark.sql.connect.client import SparkConnectClient
from pyspark.sql.connect.client.core import ConfigResult
from pyspark.sql.connect.dataframe import DataFrame
from pyspark.sql.connect.session import SparkSession
from pyspark.sql.pandas.types import from_arrow_schema

from vigie.arrow_types import arrow_schema

if TYPE_CHECKING:
    from google.protobuf.message import Message

NOWHERE = "sc://127.0.0.1:1"  # it is never called
BY_CONNECT = "SPARK_CONNECT_MODE_ENABLED"  # tells the functions of PySpark whose columns to make


class NeedsEngine(Exception):
    """The function asks something that only an engine can answer."""


class Nobody(SparkConnectClient):
    """A client on its own: settings have no values, and nothing is known of any rows."""

    def config(self, operation: Any) -> ConfigResult:  # noqa: ARG002
        return ConfigResult(pairs=[("", None)], warnings=[])

    def _analyze(self, method: str, **asked: Any) -> Any:
        if method == "ddl_parse":  # the type of a UDF
            [field] = from_arrow_schema(arrow_schema(f"value {asked['ddl_string']}"))
            return SimpleNamespace(parsed=field.dataType)
        raise NeedsEngine(method)

    def _execute_and_fetch_as_iterator(self, *asked: Any, **more: Any) -> NoReturn:  # noqa: ARG002
        raise NeedsEngine("rows")


def plan(function: Callable[..., Any], tables: int) -> Message:
    """What a function of so many tables asks for; NeedsEngine when that cannot be known."""
    with _as_if_connected() as session:
        made = function(*(session.read.format("arrow").load(f"table{number}") for number in range(tables)))
        if not isinstance(made, DataFrame):
            raise NeedsEngine(type(made).__name__)
        return made._plan.to_proto(session.client)


@contextmanager
def _as_if_connected() -> Iterator[SparkSession]:
    """A session that functions take for the active one, for the time of one look."""
    session, was_mode = _session(), os.environ.get(BY_CONNECT)
    was_active = getattr(SparkSession._active_session, "session", None)
    os.environ[BY_CONNECT], SparkSession._active_session.session = "1", session
    try:
        yield session
    finally:
        SparkSession._active_session.session = was_active
        if was_mode is None:
            del os.environ[BY_CONNECT]
        else:
            os.environ[BY_CONNECT] = was_mode


@functools.cache
def _session() -> SparkSession:
    session = SparkSession(NOWHERE)
    session._client = Nobody(NOWHERE)
    return session
