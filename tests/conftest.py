"""One Spark for all tests that need one, and one sail, each set as its engine sets it."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from bench.classic import BRIEF
from tests.sail import a_sail

if TYPE_CHECKING:
    from pyspark.sql import SparkSession
    from pyspark.sql.connect.session import SparkSession as Connected

# A test's Java lives for seconds: its second compiler would cost more than it gives. Runs in processes inherit it.
os.environ.setdefault("SPARK_SUBMIT_OPTS", BRIEF)


@pytest.fixture(scope="session")
def spark() -> Iterator[SparkSession]:
    from bench import classic
    from vigie.settings import Settings

    started = classic.start(Settings(), "tests")
    yield started
    started.stop()


@pytest.fixture(scope="session")
def _embedded() -> Iterator[Connected]:
    from vigie.engines.connected import LOOKS_AT_CALLERS, opened

    with _port_of_a_sail() as port:
        yield opened(f"sc://127.0.0.1:{port}", {LOOKS_AT_CALLERS: "false"})


@contextmanager
def _port_of_a_sail() -> Iterator[int]:
    """The port of one that is there already, or of one of our own."""
    if running := os.environ.get("VIGIE_TESTS_SAIL"):
        yield int(running)
        return
    with a_sail() as port:
        yield port


@pytest.fixture
def sail(_embedded: Connected) -> Iterator[Connected]:
    """What the embedded engine evaluates declared functions with. While a test has it, columns are of this client."""
    from vigie.engines.connected import connected

    with connected(_embedded) as session:
        yield session


@pytest.fixture(autouse=True)
def _the_log_as_it_was() -> Iterator[None]:
    """A command sets up the log of its process, which tests share."""
    log = logging.getLogger("vigie")
    before = log.handlers, log.level, log.propagate
    yield
    log.handlers, log.level, log.propagate = before
