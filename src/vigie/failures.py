"""What the disk, and the libraries that read and write tables, say when they fail: in words that help a person."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import gettempdir

import duckdb
from deltalake.exceptions import DeltaError
from pyarrow import ArrowException

from vigie.disk import full, is_full
from vigie.errors import BadSetting, LakeDamaged, RunFailed, VigieError
from vigie.lake import PUT_BACK, Lake, in_a_line

NOT_ALLOWED = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST}


@contextmanager
def explained(lake: Lake) -> Iterator[None]:
    """Whatever is raised in here as an error of ours."""
    try:
        yield
    except VigieError:
        raise
    except (OSError, DeltaError, ArrowException, duckdb.Error) as problem:
        raise _explained(problem, lake) from problem


def _explained(problem: Exception, lake: Lake) -> VigieError:
    if is_full(problem):
        named = problem.filename if isinstance(problem, OSError) else None
        return full(named) if named else full(lake.root, gettempdir())
    if not isinstance(problem, OSError) or problem.filename is None:  # a reader of tables raised it
        said = f"a table cannot be read or written: {in_a_line(str(problem))}"
        return LakeDamaged(said, where=str(lake), do=PUT_BACK)
    where = os.fsdecode(problem.filename)
    if problem.errno in NOT_ALLOWED:
        return BadSetting(
            f"the lake cannot be written: {problem.strerror}", where=where, do="Name another folder with --lake."
        )
    return RunFailed(
        f"{problem.strerror or problem}",
        where=where,
        do="Mend that and start again: the run goes on where it stopped.",
    )
