"""The file that a pipeline is declared in, as a module: imported under a name of its own, and quietly."""

from __future__ import annotations

import difflib
import importlib.util
import io
import logging
import os
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import redirect_stdout
from importlib.machinery import PathFinder, all_suffixes
from pathlib import Path
from types import ModuleType

from vigie.errors import BadDeclaration

SHOWN = 200  # characters of what a file prints
# Often beside a pipeline, and now and then left behind by what is installed; no program imports them.
FREE = frozenset({"test", "tests"})

log = logging.getLogger(__name__)


def imported(path: Path) -> ModuleType:
    """The module; BadDeclaration says why there is none, and at which line.

    What lies beside the file can be imported by it. What it prints goes to the log: standard output has the result of
    a command, which a program may read.
    """
    _refuse_shadows(path.resolve().parent)
    name = f"vigie_pipeline_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    sys.path.insert(0, str(path.resolve().parent))
    printed = io.StringIO()
    try:
        with redirect_stdout(printed):
            spec.loader.exec_module(module)
    except SyntaxError as problem:
        raise BadDeclaration(
            f"this is not Python: {problem.msg}",
            where=path.name if problem.lineno is None else f"{path.name}:{problem.lineno}",
            do="Mend it.",
        ) from problem
    except (BadDeclaration, KeyboardInterrupt):
        raise
    except SystemExit as problem:
        raise BadDeclaration(
            "the file ends the program when it is imported",
            where=f"{path.name}:{_line_of(problem, path)}",
            do='Take that line out, or put it under `if __name__ == "__main__":`.',
        ) from problem
    except BaseException as problem:  # a test library's words for "skip me" are none of Exception's
        if _is_of_spark(problem):
            raise BadDeclaration(
                "Spark is asked for something while the file is imported, when there is none yet",
                where=f"{path.name}:{_line_of(problem, path)}",
                do="Make columns and UDFs within the functions of tables, which are called when there is an engine.",
            ) from problem
        raise BadDeclaration(
            f"the file cannot be imported: {type(problem).__name__}: {problem}",
            where=f"{path.name}:{_line_of(problem, path)}",
            do=f"Mend that line, or run the file with Python to see the whole trace.{_meant(problem)}",
        ) from problem
    finally:
        _tell(path, printed.getvalue())
    return module


def _tell(path: Path, printed: str) -> None:
    text = " ".join(printed.split())
    if text:
        cut = text if len(text) <= SHOWN else f"{text[:SHOWN]} ..."
        log.warning('%s prints when it is imported: "%s". Put that under `if __name__ == "__main__":`.', path.name, cut)


def _meant(problem: BaseException) -> str:
    """The name that is there, for one that was written otherwise."""
    known = dir(problem.obj) if isinstance(problem, AttributeError) and problem.name else []
    near = difflib.get_close_matches(str(getattr(problem, "name", "")), known, n=1)
    return f" Did you mean '{near[0]}'?" if near else ""


def _is_of_spark(problem: BaseException) -> bool:
    trace = problem.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    return trace is not None and str(trace.tb_frame.f_globals.get("__name__", "")).startswith("pyspark.")


def _line_of(problem: BaseException, path: Path) -> int:
    line, trace = 0, problem.__traceback__
    while trace:
        if Path(trace.tb_frame.f_code.co_filename).name == path.name:
            line = trace.tb_lineno
        trace = trace.tb_next
    return line


def _refuse_shadows(folder: Path) -> None:
    """BadDeclaration for files beside the pipeline that would be imported in place of Python's own modules or of
    installed ones, by Vigie and Spark too."""
    found = [f"{file.name} ({whose})" for name, file in _modules_in(folder) if (whose := _taken(name, file))]
    if found:
        raise BadDeclaration(
            f"beside the pipeline lies what would be imported in place of a module of that name: {', '.join(found)}",
            where=str(folder),
            do="Rename it, or move the pipeline to a folder of its own.",
        )


def _modules_in(folder: Path) -> Iterator[tuple[str, Path]]:
    for file in sorted(folder.iterdir()):
        suffix = next((suffix for suffix in all_suffixes() if file.name.endswith(suffix)), None)
        if suffix is not None:
            yield file.name.partition(".")[0], file
        elif os.path.isfile(file / "__init__.py"):  # False, and no error, for a folder that may not be looked into
            yield file.name, file


def _taken(name: str, file: Path) -> str:
    """Whose module has the name already, if it is another one."""
    if name in FREE:
        return ""
    if name in sys.stdlib_module_names:
        return "Python's own"
    spec = PathFinder.find_spec(name, [sysconfig.get_path("purelib"), sysconfig.get_path("platlib")])
    if spec is None or spec.origin is None or Path(spec.origin).resolve().is_relative_to(file.resolve()):
        return ""  # none, a folder that is no package, or the same file by another way
    return "installed"
