"""Declared functions called as if one session of Spark's Connect client were all that there is in this process."""

from __future__ import annotations

import atexit
import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from pyspark.sql.connect.session import SparkSession

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


class Session(SparkSession):
    """A session that asks once, and ends without a word. The client's own says goodbye whenever garbage is collected,
    and waits for a lock which the same thread may hold at that moment: for ever. As the process ends it asks a server
    that may be gone to forget its models, again and again for ten minutes."""

    def __init__(self, address: str) -> None:
        super().__init__(address)
        self.client.set_retry_policies([])
        atexit.unregister(self.client._cleanup_ml_cache)

    def __del__(self) -> None:
        """Whoever opened it ends the server."""


def opened(address: str, **settings: str) -> Session:
    """A session as declared functions want it."""
    session = Session(address)
    for name, value in (SETTINGS | settings).items():
        session.conf.set(name, value)
    return session


@contextmanager
def connected(session: SparkSession) -> Iterator[SparkSession]:
    """This session is the active one until it is left: a function asks whoever is (the type of a UDF, say), and the
    client itself goes on with the first that there ever was in a thread, though its server be gone."""
    was_active = getattr(SparkSession._active_session, "session", None)  # in this thread
    SparkSession._active_session.session = session
    _mode.on()
    try:
        yield session
    finally:
        _mode.off()
        SparkSession._active_session.session = was_active


def is_of_the_connection(problem: BaseException) -> bool:
    """Whether nobody was there to answer, or nobody who knows of this session: gRPC says so by its status, and by words
    where it has none; what a server says of its own accord may have any words."""
    import grpc

    chain = list(_chain(problem))
    if any(GONE.search(str(each)) for each in chain):
        return True
    statuses = [each.code() for each in chain if isinstance(each, grpc.RpcError) and isinstance(each, grpc.Call)]
    if statuses:
        return bool({grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED} & {*statuses})
    return any(AWAY.search(str(each)) for each in chain)


def _chain(problem: BaseException | None) -> Iterator[BaseException]:
    while problem is not None:
        yield problem
        problem = problem.__cause__ or problem.__context__
