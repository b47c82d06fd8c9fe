"""Messages as files in a folder: a file appears when it is whole, and never changes after."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

from vigie.address import Inbox
from vigie.disk import full, is_full
from vigie.errors import BadAddress, RunFailed
from vigie.outlets import Message, check_one_line

FILE_ROWS = 10_000
FILE_BYTES = 8 * 1024 * 1024
# Just under a second: live ticks come a second apart, give or take, and should not wait for one another.
FILE_SECONDS = 0.9
EPOCH = datetime.fromtimestamp(0, UTC)


class InboxOutlet:
    """Gathers messages and puts them in the folder as `TIME-FEED.jsonl`, one a line; names sort by time.

    A file is written under a hidden name, flushed to the disk and renamed. Whoever lists the folder sees
    whole files only, even when the feed is killed; what such a feed leaves under its hidden name is not read.
    """

    def __init__(self, address: Inbox, now: Callable[[], float]) -> None:
        self.delivered = 0
        self._address = address
        self._now = now
        self._feed = uuid4().hex[:16]  # so that feeds that share a folder cannot choose the same name
        self._hidden = address.folder / f".{self._feed}.partial"
        self._lines: list[bytes] = []
        self._bytes = 0
        self._published_at = float("-inf")
        self._named_at = 0
        try:
            address.folder.mkdir(parents=True, exist_ok=True)
            _write_durably(self._hidden, b"\n")
            self._hidden.unlink()
        except OSError as problem:
            if is_full(problem):
                raise full(address.folder, do="Make room there, and start the feed again.") from problem
            raise BadAddress(
                f"the inbox cannot be written: {problem.strerror}",
                where=str(address),
                do="Name a folder that you may write to, on a disk with room.",
            ) from problem

    def send(self, messages: Sequence[Message]) -> int:
        for _, value in messages:
            check_one_line(value, self._address)
            if self._lines and self._bytes + len(value) >= FILE_BYTES:
                self._publish()
            self._lines.append(value)
            self._bytes += len(value) + 1
            if len(self._lines) >= FILE_ROWS:
                self._publish()
        return len(messages)

    def tend(self) -> None:
        # A clock that was set back must not hold a file for longer than one that goes on.
        if not 0 <= self._now() - self._published_at < FILE_SECONDS:
            self._publish()

    def finish(self) -> int:
        self._publish()
        return 0

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._hidden.unlink(missing_ok=True)

    def _publish(self) -> None:
        if not self._lines:
            return
        folder = self._address.folder
        try:
            _write_durably(self._hidden, b"\n".join(self._lines) + b"\n")
            self._hidden.rename(folder / self._next_name())
            _flush_folder(folder)
        except OSError as problem:
            if is_full(problem):
                rest = f"the {self.delivered:,} messages that are in the inbox are whole."
                raise full(folder, do=f"Make room there, and feed the rest: {rest}") from problem
            raise RunFailed(
                f"the inbox can no longer be written: {problem.strerror}; it has {self.delivered:,} messages",
                where=str(self._address),
                do="Mend the folder and its permissions, and feed the rest. Every file in the inbox is whole.",
            ) from problem
        self.delivered += len(self._lines)
        self._lines, self._bytes = [], 0
        self._published_at = self._now()

    def _next_name(self) -> str:
        # In whole microseconds, each later than the last, even when the clock stands still or is set back.
        self._named_at = max(self._named_at + 1, int(self._now() * 1_000_000))
        return f"{EPOCH + timedelta(microseconds=self._named_at):%Y%m%dT%H%M%S.%fZ}-{self._feed}.jsonl"


def _write_durably(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _flush_folder(folder: Path) -> None:
    """Make the new name itself survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
