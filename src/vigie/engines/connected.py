"""Declared functions called as if one session of Spark's Connect client were all that there is in this process."""

from __future__ import annotations

import atexit
import os
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import grpc
from pyspark.sql.connect.client import DefaultChannelBuilder
from pyspark.sql.connect.session import SparkSession

from vigie.engines.own_code import take_along

BY_CONNECT = "SPARK_CONNECT_MODE_ENABLED"  # tells the functions of PySpark whose columns to make

# What cannot be divided or cast is null, on every engine, and no row stops a batch.
SETTINGS = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.ansi.enabled": "false",
}
LOOKS_AT_CALLERS = "spark.python.sql.dataFrameDebugging.enabled"  # at each call: a server's own setting
AWAY = re.compile("UNAVAILABLE|Socket closed|Connection refused")
# A server that was started anew, or has forgotten a session that was quiet for an hour.
GONE = re.compile(r"\[INVALID_HANDLE\.|\[NO_ACTIVE_SESSION\]|Received incorrect (server side )?session id")

OF_THE_CONNECTION = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED, grpc.StatusCode.DEADLINE_EXCEEDED}


class _Mode:
    """Columns are of the Connect client for as long as any thread is at work with it: the switch is the process's."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._at_work = 0
        self._before: str | None = None

    def on(self) -> None:
        with self._lock:
            if not self._at_work:
                self._before = os.environ.get(BY_CONNECT)
                os.environ[BY_CONNECT] = "1"
            self._at_work += 1

    def off(self) -> None:
        with self._lock:
            self._at_work -= 1
            if self._at_work:
                return
            if self._before is None:
                del os.environ[BY_CONNECT]
            else:
                os.environ[BY_CONNECT] = self._before


_mode = _Mode()


class Deadline(grpc.UnaryStreamClientInterceptor, grpc.UnaryUnaryClientInterceptor):  # type: ignore[misc]
    """An end to waiting for a server that hangs. An answer may take longer: Spark cuts it into calls of two minutes at
    the most, and is asked for the rest."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def intercept_unary_stream(self, go: Callable[..., Any], details: Any, request: Any) -> Any:
        return go(details._replace(timeout=self._seconds), request)

    intercept_unary_unary = intercept_unary_stream


class Session(SparkSession):
    """A session that asks once, and ends without a word. The client's own says goodbye whenever garbage is collected,
    and waits for a lock which the same thread may hold at that moment: for ever. As the process ends it asks a server
    that may be gone to forget its models, again and again for ten minutes."""

    def __init__(self, address: str, deadline: Deadline | None = None) -> None:
        channel = DefaultChannelBuilder(address)
        if deadline is not None:
            channel.add_interceptor(deadline)
        super().__init__(channel)
        self.client.set_retry_policies([])
        atexit.unregister(self.client._cleanup_ml_cache)
        self.ends: Callable[[], None] = lambda: None  # what stops with it

    def stop(self) -> None:
        super().stop()
        self.ends()

    def __del__(self) -> None:
        """Whoever opened it ends the server."""


def opened(address: str, settings: Mapping[str, str], deadline: Deadline | None = None) -> Session:
    """A session as declared functions want it."""
    session = Session(address, deadline)
    for name, value in (SETTINGS | dict(settings)).items():
        session.conf.set(name, value)
    return session


@contextmanager
def connected(session: SparkSession) -> Iterator[SparkSession]:
    """This session is the active one until it is left: a function asks whoever is (the type of a UDF, say), and the
    client itself goes on with the first that there ever was in a thread, though its server be gone."""
    was_active = getattr(SparkSession._active_session, "session", None)  # in this thread
    SparkSession._active_session.session = session
    take_along()
    _mode.on()
    try:
        yield session
    finally:
        _mode.off()
        SparkSession._active_session.session = was_active


def is_of_the_connection(problem: BaseException) -> bool:
    """Whether nobody was there to answer, or nobody who knows of this session: gRPC says so by its status, and by words
    where it has none; what a server says of its own accord may have any words."""
    chain = list(_chain(problem))
    if any(GONE.search(str(each)) for each in chain):
        return True
    if statuses := _statuses(problem):
        return bool(OF_THE_CONNECTION & statuses)
    return any(AWAY.search(str(each)) for each in chain)


def ran_out_of_time(problem: BaseException) -> bool:
    """Whether somebody is there who does not answer."""
    return grpc.StatusCode.DEADLINE_EXCEEDED in _statuses(problem)


def _statuses(problem: BaseException) -> set[grpc.StatusCode]:
    calls = [each for each in _chain(problem) if isinstance(each, grpc.RpcError) and isinstance(each, grpc.Call)]
    return {each.code() for each in calls}


def _chain(problem: BaseException | None) -> Iterator[BaseException]:
    while problem is not None:
        yield problem
        problem = problem.__cause__ or problem.__context__
