"""What a pipeline hands over on paper: which have a report, and how it is written where a person wants it."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

from vigie.disk import write_whole
from vigie.errors import BadSetting, RequestError

if TYPE_CHECKING:
    from vigie.lake import Lake
    from vigie.language import Language
    from vigie.settings import Settings

# The module of each shipped pipeline that writes its papers.
MODULES = {"flights": "vigie.flights.papers"}

Say = Callable[[str], None]


class Papers(Protocol):
    """What such a module offers."""

    def report(self, lake: Lake, settings: Settings, language: Language, say: Say) -> bytes:
        """The report on a lake as PDF, from the lake's own tables. Says on the way what takes long."""
        ...

    def handin(self, lake: Lake, settings: Settings, language: Language, folder: Path, say: Say) -> list[str]:
        """Gather in a folder what the pipeline's document wants to be handed in; what is missing, in sentences."""
        ...


def papers_of(pipeline: str) -> Papers:
    """RequestError for a pipeline that writes none."""
    if pipeline not in MODULES:
        raise RequestError(
            f"pipeline '{pipeline}' has no report", do=f"These have one: {', '.join(MODULES)}. vigie report flights"
        )
    return cast(Papers, importlib.import_module(MODULES[pipeline]))


def check_file(path: Path) -> None:
    """BadSetting when a file cannot be written there, before anything is done for it."""
    if path.is_dir():
        raise BadSetting("that is a folder", where=str(path), do="Name a file: --out report.pdf")
    if path.exists() and not path.is_file():
        raise BadSetting("that is no file that could be replaced", where=str(path), do="Name a file: --out report.pdf")
    _check_writable(path.absolute().parent)


def check_folder(path: Path) -> None:
    """BadSetting when nothing can be written into a folder of that name."""
    if path.exists() and not path.is_dir():
        raise BadSetting("that is a file", where=str(path), do="Name a folder: --out handin")
    _check_writable(path.absolute())


def write(path: Path, content: bytes) -> None:
    """The file, whole or not at all; one that is there is replaced."""
    try:
        write_whole(path, content)
    except OSError as problem:
        raise _not_written(path, problem) from problem


def _check_writable(folder: Path) -> None:
    there = next(each for each in (folder, *folder.parents) if each.exists())
    if not there.is_dir():
        raise BadSetting("that is a file, and no folder", where=str(there), do="Name another place with --out.")
    if not os.access(there, os.W_OK | os.X_OK):
        raise BadSetting("that folder may not be written", where=str(there), do="Name another place with --out.")


def _not_written(path: Path, problem: OSError) -> BadSetting:
    return BadSetting(f"it cannot be written: {problem.strerror}", where=str(path), do="Name another place with --out.")
