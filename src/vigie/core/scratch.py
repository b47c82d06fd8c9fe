"""A database in memory, for what is reckoned of a batch: one for the process, since to set one up takes longer than
most batches do."""

from __future__ import annotations

import functools
from tempfile import gettempdir

import duckdb


def database() -> duckdb.DuckDBPyConnection:
    """A connection of its own, which sees no table of another; whoever asks closes it."""
    return _of_the_process().cursor()


@functools.cache
def _of_the_process() -> duckdb.DuckDBPyConnection:
    return duckdb.connect(config={"memory_limit": "1GB", "temp_directory": gettempdir()})
