"""How the command line meets a person: failures in plain words, logs on standard error, a clean stop."""

from __future__ import annotations

import errno
import functools
import inspect
import logging
import os
import shutil
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import StrEnum
from io import TextIOWrapper
from pathlib import Path
from tempfile import gettempdir
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, get_type_hints

import typer

from vigie.disk import full, is_full
from vigie.errors import VigieError
from vigie.oneline import harmless
from vigie.redaction import without_secrets

if TYPE_CHECKING:
    from vigie.feed import Progress

SAY_EVERY_S = 10.0
STOPPING = "Stopping: what has begun is finished first. A second Ctrl-C ends it at once, and loses nothing either."
INTERRUPTED = 130
NOT_WRITTEN = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF})

log = logging.getLogger(__name__)


class LogFormat(StrEnum):
    TEXT = "text"
    JSON = "json"


Debug = Annotated[bool, typer.Option("--debug", help="Show stack traces and every log.")]
Logs = Annotated[LogFormat, typer.Option("--log-format", help="How logs on standard error are written.")]


def command(function: Callable[..., None]) -> Callable[..., None]:
    """A command that takes `--debug` and `--log-format` too, and whose failures say what to do.

    Exit code 0: done, also after a stop that was asked for. 1: it failed while running. 2: the request was
    wrong, and nothing was done.
    """

    @functools.wraps(function)
    def told(debug: bool = False, log_format: LogFormat = LogFormat.TEXT, **arguments: Any) -> None:
        _log(log_format, debug)
        code = _code(functools.partial(function, **arguments), debug)
        if code:
            raise typer.Exit(code)

    # Typer reads the signature, which `wraps` copies with annotations that are still text.
    hints = get_type_hints(function, include_extras=True)
    given = [
        parameter.replace(annotation=hints[name], kind=inspect.Parameter.KEYWORD_ONLY)
        for name, parameter in inspect.signature(function).parameters.items()
    ]
    own = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=kind)
        for name, kind, default in (("debug", Debug, False), ("log_format", Logs, LogFormat.TEXT))
    ]
    told.__signature__ = inspect.Signature([*given, *own])  # type: ignore[attr-defined]
    told.__annotations__ = {parameter.name: parameter.annotation for parameter in (*given, *own)}
    return told


def _code(act: Callable[[], None], debug: bool) -> int:
    """The exit code of what was asked for, once its failure was told."""
    try:
        act()
        sys.stdout.flush()
    except VigieError as problem:
        _tell(str(problem), debug)
        return problem.exit_code
    except BrokenPipeError:
        _give_up_output()  # whoever read it has had enough (`| head`)
    except (typer.Exit, typer.Abort, typer.BadParameter):
        raise
    except KeyboardInterrupt:
        _tell("Stopped before it was done.", debug)
        return INTERRUPTED
    except Exception as problem:
        # A file of ours has a name, and whoever writes it says so; standard output has none.
        if isinstance(problem, OSError) and problem.filename is None and problem.errno in NOT_WRITTEN:
            _give_up_output()
            _tell(f"the output could not be written: {problem.strerror}\nSend it to where there is room.", debug)
            return 1
        if is_full(problem):
            place = problem.filename if isinstance(problem, OSError) else None
            full_disk = full(place or os.getcwd(), gettempdir())
            _tell(str(full_disk), debug)
            return full_disk.exit_code
        more = "" if debug else "\nThis was not foreseen: run it again with --debug for the whole trace."
        _tell(f"{type(problem).__name__}: {problem}{more}", debug)
        return 1
    return 0


def able_to_say_anything() -> None:
    """Have what was closed go nowhere, and letters that an output does not have be spelled out."""
    sys.stdout, sys.stderr = (stream or open(os.devnull, "w") for stream in (sys.stdout, sys.stderr))  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def leave(ending: SystemExit) -> NoReturn:
    """End the process now that all is said and written.

    Python's own way out takes DuckDB and Arrow apart while threads of theirs live: it wrote pages about what they
    leaked behind the last sentence, and now and then died of it with 134.
    """
    code = ending.code if isinstance(ending.code, int) else 1 if ending.code else 0
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:
        code = code or 1
    os._exit(code)


def _give_up_output() -> None:
    """Python must not write to it again at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _tell(text: str, debug: bool) -> None:
    if in_json():
        log.error("%s", text, exc_info=debug)
        return
    if debug:
        sys.stderr.write(harmless(without_secrets(traceback.format_exc())))
    sys.stderr.write(f"{harmless(text)}\n")


def put(text: object) -> None:
    """What a person asked for, in words, on standard output."""
    sys.stdout.write(f"{harmless(str(text))}\n")


def say(text: str) -> None:
    """What a person is told beside the result; a line of the log where that is read by programs."""
    if in_json():
        log.info("%s", text.strip())
    else:
        sys.stderr.write(f"{harmless(text)}\n")


def in_json() -> bool:
    """Whether all that goes to standard error is a JSON object a line."""
    return any(isinstance(handler.formatter, _JsonLines) for handler in logging.getLogger("vigie").handlers)


class _JsonLines(logging.Formatter):
    """A line is an object. What was logged with `extra={"fields": ...}` is in it beside the text."""

    def format(self, record: logging.LogRecord) -> str:
        from vigie.listing import encoded

        said = {
            "at": datetime.fromtimestamp(record.created, UTC),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": without_secrets(record.getMessage()),
        }
        if record.exc_info:
            said["trace"] = without_secrets(self.formatException(record.exc_info))
        return encoded(said | getattr(record, "fields", {}))


class _Lines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return "\n".join(f"{at} {line}" for line in harmless(without_secrets(super().format(record))).splitlines())


def _log(form: LogFormat, debug: bool) -> None:
    to_stderr = logging.StreamHandler()
    to_stderr.setFormatter(_JsonLines() if form is LogFormat.JSON else _Lines())
    logger = logging.getLogger("vigie")
    logger.handlers = [to_stderr]
    logger.setLevel(logging.DEBUG if debug else logging.INFO)
    logger.propagate = False
    if not debug:
        logging.getLogger().addHandler(logging.NullHandler())  # py4j says there, at length, that Ctrl-C was pressed


@contextmanager
def lines_above() -> Iterator[None]:
    """While a picture is drawn in place, lines of the log go where standard error goes now: above it."""
    handlers = [each for each in logging.getLogger("vigie").handlers if isinstance(each, logging.StreamHandler)]
    before = [(handler, handler.setStream(sys.stderr)) for handler in handlers]
    try:
        yield
    finally:
        for handler, stream in before:
            if stream is not None:
                handler.setStream(stream)


def typed() -> str:
    """What whoever reads this types to have Vigie do something: its name, or its path where no shell would find it."""
    own = Path(sys.argv[0])
    return "vigie" if own.name != "vigie" or shutil.which("vigie") else os.path.relpath(own)


def stop_when_asked(saying: str = "") -> threading.Event:
    """An event that Ctrl-C or SIGTERM sets, after this was said. A second Ctrl-C ends the process at once."""
    stop = threading.Event()
    is_heard = False

    def told() -> None:
        stop.set()
        if saying:
            log.info("%s", saying)

    def asked(_number: int, _frame: object) -> None:
        nonlocal is_heard
        if is_heard or stop.is_set():
            os._exit(INTERRUPTED)
        is_heard = True
        # By another thread: this one may hold the event's lock at this very moment, and would wait for itself.
        threading.Thread(target=told, name="stop").start()

    signal.signal(signal.SIGINT, asked)
    signal.signal(signal.SIGTERM, asked)
    return stop


def meter() -> Callable[[Progress], None]:
    """Says on standard error how far a feed is: in place at a terminal, else a line every ten seconds."""
    last = time.monotonic()

    def show(progress: Progress) -> None:
        nonlocal last
        text = f"{progress.sent:,} messages to {progress.outlet}, {progress.rate:,.0f} a second"
        if progress.lag >= 1:
            text += f", {progress.lag:,.0f} s behind"
        if sys.stderr.isatty() and not in_json():
            sys.stderr.write(f"\r\x1b[K{text}")
            sys.stderr.flush()
        elif time.monotonic() - last >= SAY_EVERY_S:
            last = time.monotonic()
            log.info(text)

    return show
