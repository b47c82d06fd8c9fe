"""Declared functions called as if one session of Spark's Connect client were all that there is in this process."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from pyspark.sql.connect.session import SparkSession

BY_CONNECT = "SPARK_CONNECT_MODE_ENABLED"  # tells the functions of PySpark whose columns to make


class Session(SparkSession):
    """A session that ends without a word. The client's own says goodbye whenever garbage is collected, and waits for a
    lock which the same thread may hold at that moment: for ever."""

    def __del__(self) -> None:
        """Whoever opened it ends the server."""


@contextmanager
def connected(session: SparkSession) -> Iterator[SparkSession]:
    """This session is the active one until it is left: a function asks whoever is (the type of a UDF, say), and the
    client itself goes on with the first that there ever was in a thread, though its server be gone."""
    was_mode, was_active = os.environ.get(BY_CONNECT), getattr(SparkSession._active_session, "session", None)
    os.environ[BY_CONNECT], SparkSession._active_session.session = "1", session
    try:
        yield session
    finally:
        SparkSession._active_session.session = was_active
        if was_mode is None:
            del os.environ[BY_CONNECT]
        else:
            os.environ[BY_CONNECT] = was_mode
