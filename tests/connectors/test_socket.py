"""Lines over a socket: each is a message, and none costs more than its bytes."""

from __future__ import annotations

import json
import socket
import threading
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vigie.address import Tcp
from vigie.connectors.lines import CUT, LONGEST_LINE, Lines
from vigie.connectors.socket import Receiver


class Metered(bytes):
    """Bytes that count how many of them are searched for the end of a line."""

    searched = 0

    def split(self, end: Any = None, most: Any = -1) -> list[bytes]:
        Metered.searched += len(self)
        return super().split(end, most)


def received(folder: Path, *chunks: bytes) -> list[bytes]:
    """The messages that are in the inbox after a sender sent this and closed."""

    def send() -> None:
        connection, _ = listener.accept()
        with connection:
            for chunk in chunks:
                connection.sendall(chunk)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        sender = threading.Thread(target=send)
        sender.start()
        with Receiver(Tcp("127.0.0.1", listener.getsockname()[1]), folder, until_it_closes=True):
            sender.join()
    return b"".join(file.read_bytes() for file in sorted(folder.glob("*.jsonl"))).splitlines()


def test_a_line_without_end_is_one_message_that_is_cut_off_and_no_json(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    megabyte = b" " * 1_000_000
    tracemalloc.start()

    messages = received(tmp_path, b"{}\n{}", *[megabyte] * 40, b"\n{}\n")

    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert [message[:2] for message in messages] == [b"{}"] * 3
    assert [len(message) for message in messages] == [2, LONGEST_LINE + len(CUT % LONGEST_LINE), 2]
    assert peak < 5 * LONGEST_LINE, "the line, the message that it becomes, and the file of it"
    with pytest.raises(ValueError, match="Extra data"):
        json.loads(messages[1])
    assert "a line of more than 16,777,216 bytes" in caplog.text


def test_each_byte_is_searched_once_however_long_a_line_is() -> None:
    lines = Lines(lambda _: None)
    Metered.searched = 0

    for _ in range(10_000):
        lines.of(Metered(b"a" * 100))

    assert Metered.searched == 1_000_000
    assert lines.last() == [b"a" * 1_000_000]


@given(st.lists(st.text("ab\n").map(str.encode)), st.integers(1, 5))
def test_lines_are_the_same_however_they_were_sent(chunks: list[bytes], longest: int) -> None:
    lines = Lines(lambda _: None, longest)

    got = [line for chunk in chunks for line in lines.of(chunk)] + lines.last()

    *whole, rest = b"".join(chunks).split(b"\n")
    wanted = [*whole, rest] if rest else whole
    assert [line[:longest] for line in got] == [line[:longest] for line in wanted]
    assert [b"cut this line off" in line for line in got] == [len(line) > longest for line in wanted]
