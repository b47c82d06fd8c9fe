"""A disk that is full: known by what the machine and libraries say, and told in one way."""

from __future__ import annotations

import errno
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vigie.errors import BadSetting, VigieError

FULL = re.compile(r"No space left on device|Disk quota exceeded|os error (28|122)\b|Errno (28|122)\b", re.IGNORECASE)
MAKE_ROOM = "Make room there (vigie maintain deletes what is no longer needed) and start again: nothing is lost."


def is_full(problem: BaseException | str) -> bool:
    """Whether it failed for want of room; libraries say so in their text alone."""
    if isinstance(problem, OSError) and problem.errno in {errno.ENOSPC, errno.EDQUOT}:
        return True
    return FULL.search(str(problem)) is not None


@contextmanager
def written(*places: Path | str) -> Iterator[None]:
    """What fails in here for want of room, as the error that says so; these are the places that it writes to."""
    try:
        yield
    except VigieError:
        raise
    except Exception as problem:
        if is_full(problem):
            raise full(*places) from problem
        raise


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a small file, whole or not at all."""
    aside = path.with_name(f".{path.name}.tmp")
    with written(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        with aside.open("wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(aside, path)


def full(*places: Path | str, do: str = MAKE_ROOM) -> BadSetting:
    """The error that says so of the one of these places that has the least room."""
    least = min(map(_existing, places), key=lambda place: shutil.disk_usage(place).free)
    megabytes = shutil.disk_usage(least).free / 1e6
    return BadSetting(f"the disk is full: {megabytes:,.1f} MB are free", where=str(least), do=do)


def _existing(place: Path | str) -> Path:
    """The folder itself, or the nearest one above it that is there."""
    path = Path(place).absolute()
    return next(folder for folder in (path, *path.parents) if folder.exists())
