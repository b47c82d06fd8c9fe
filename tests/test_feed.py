"""What a feed sends is what arrives: to an inbox, to Kafka, over a socket, at the pace that was asked for."""

from __future__ import annotations

import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vigie.address import Address, Inbox, Tcp
from vigie.errors import BadAddress, RunFailed
from vigie.feed import Pace, Progress, Tick, feed
from vigie.outlets import inbox
from vigie.outlets.tcp import TcpOutlet

AT_ONCE = Pace(real_time=False)
BODY = st.binary(max_size=40).filter(lambda value: b"\n" not in value)


class TurnedClock:
    """A clock that only waiting turns; `at_each_wait` sees it."""

    def __init__(self, now: float, at_each_wait: Callable[[float], None] = lambda _: None) -> None:
        self._now = now
        self._at_each_wait = at_each_wait

    def now(self) -> float:
        return self._now

    def wait(self, seconds: float, stop: threading.Event) -> None:
        if not stop.is_set():
            self._now += seconds
            self._at_each_wait(self._now)


def sent(
    ticks: Iterable[Tick],
    to: Address,
    pace: Pace = AT_ONCE,
    rows: int | None = None,
    stop: threading.Event | None = None,
    progress: Callable[[Progress], None] = lambda _: None,
) -> int:
    return feed(ticks, to, pace=pace, rows=rows, stop=stop or threading.Event(), progress=progress)


def ticks_of(values: Iterable[bytes], size: int = 7, start: float = 0.0) -> Iterator[Tick]:
    """A tick a second with `size` messages each."""
    tick: list[tuple[bytes | None, bytes]] = []
    at = start
    for value in values:
        tick.append((b"key", value))
        if len(tick) == size:
            yield Tick(at, tick)
            tick, at = [], at + 1
    yield Tick(at, tick)


def numbers(count: int) -> list[bytes]:
    return [b'{"n":%d}' % number for number in range(count)]


def files_in(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.jsonl"))


def lines_in(folder: Path) -> list[bytes]:
    return [line for file in files_in(folder) for line in file.read_bytes().split(b"\n")[:-1]]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


def connected(port: int) -> socket.socket:
    deadline = time.monotonic() + 10
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=10)
        except ConnectionRefusedError:
            assert time.monotonic() < deadline
            time.sleep(0.01)


# The inbox


@settings(max_examples=50, deadline=None)
@given(st.lists(st.lists(BODY, max_size=9), max_size=9), st.none() | st.integers(0, 60), st.integers(1, 5))
def test_an_inbox_has_every_message_in_order_however_ticks_and_files_split_them(
    groups: list[list[bytes]], rows: int | None, file_rows: int
) -> None:
    ticks = [Tick(float(at), [(None, value) for value in group]) for at, group in enumerate(groups)]
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(inbox, "FILE_ROWS", file_rows)

        count = sent(ticks, Inbox(Path(folder)), rows=rows)

        expected = [value for group in groups for value in group][:rows]
        assert lines_in(Path(folder)) == expected
        assert count == len(expected)
        assert all(file.read_bytes().count(b"\n") <= file_rows for file in files_in(Path(folder)))


def test_the_folder_of_an_inbox_is_made_and_its_files_are_bounded_in_rows(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"

    count = sent(ticks_of(numbers(25_001), 900), Inbox(folder), rows=25_000)

    assert count == 25_000
    assert [file.read_bytes().count(b"\n") for file in files_in(folder)] == [10_000, 10_000, 5_000]
    assert list(folder.glob(".*")) == []


def test_the_files_of_an_inbox_are_bounded_in_bytes_but_a_large_message_passes(tmp_path: Path) -> None:
    values = [b"x" * 3_000_000, b"y" * 6_000_000, b"z" * 10_000_000, b"{}"]

    sent(ticks_of(values), Inbox(tmp_path))

    assert lines_in(tmp_path) == values
    assert len(files_in(tmp_path)) == 4


def test_two_feeds_in_one_inbox_and_a_clock_that_stands_still_never_share_a_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox, "FILE_ROWS", 1)
    still = Pace(real_time=False, clock=TurnedClock(1_000_000.0))

    for _ in range(2):
        sent(ticks_of(numbers(20)), Inbox(tmp_path), pace=still)

    assert len(files_in(tmp_path)) == 40
    assert sorted(lines_in(tmp_path)) == sorted(numbers(20) * 2)


def test_files_of_a_later_run_sort_behind_those_of_an_earlier_one(tmp_path: Path) -> None:
    for now, value in [(1_000_000.0, b"first"), (1_000_000.5, b"second"), (2_000_000_000.0, b"third")]:
        sent(ticks_of([value]), Inbox(tmp_path), pace=Pace(real_time=False, clock=TurnedClock(now)))

    assert lines_in(tmp_path) == [b"first", b"second", b"third"]


def test_a_live_inbox_shows_each_second_at_once(tmp_path: Path) -> None:
    seen: dict[float, int] = {}
    clock = TurnedClock(100.0, lambda now: seen.update({now: len(lines_in(tmp_path))}))

    sent(ticks_of(numbers(40), 10, start=100.0), Inbox(tmp_path), pace=Pace(clock=clock))

    assert {now: seen[now] for now in (101.0, 102.0, 103.0)} == {101.0: 10, 102.0: 20, 103.0: 30}
    assert len(files_in(tmp_path)) == 4


def test_a_line_feed_in_a_message_is_refused_for_an_inbox_and_what_came_before_is_there(
    tmp_path: Path,
) -> None:
    with pytest.raises(RunFailed, match="a message of 4 bytes contains a line feed"):
        sent(ticks_of([b"one", b"two", b"a\nbc", b"no"]), Inbox(tmp_path))

    assert lines_in(tmp_path) == [b"one", b"two"]


def test_a_source_that_fails_leaves_what_it_gave_in_the_inbox(tmp_path: Path) -> None:
    def failing() -> Iterator[Tick]:
        yield Tick(0.0, [(None, b"given")])
        raise ValueError("the source is broken")

    with pytest.raises(ValueError, match="the source is broken"):
        sent(failing(), Inbox(tmp_path))

    assert lines_in(tmp_path) == [b"given"]


def test_an_inbox_that_cannot_be_written_is_refused_before_the_first_tick(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    asked = []

    def ticks() -> Iterator[Tick]:
        asked.append(1)
        yield Tick(0.0, [])

    with pytest.raises(BadAddress, match="the inbox cannot be written: Not a directory") as refused:
        sent(ticks(), Inbox(tmp_path / "file" / "inbox"))

    assert refused.value.exit_code == 2
    assert asked == []


FILLING = """
import resource, sys, threading
from pathlib import Path
from vigie.address import Inbox
from vigie.errors import RunFailed
from vigie.feed import Pace, Tick, feed

resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
ticks = [Tick(0.0, [(None, b"x" * 9)] * 10_000), Tick(1.0, [(None, b"y" * 99)] * 10_000)]
try:
    feed(ticks, Inbox(Path(sys.argv[1])), pace=Pace(real_time=False), stop=threading.Event(), progress=id)
except RunFailed as failed:
    sys.exit(str(failed))
"""


def test_a_disk_that_takes_no_more_is_told_with_the_number_that_arrived_and_no_half_file(
    tmp_path: Path,
) -> None:
    filled = subprocess.run([sys.executable, "-c", FILLING, tmp_path], capture_output=True, text=True, check=False)

    assert "the inbox can no longer be written: File too large; it has 10,000 messages" in filled.stderr
    assert "Traceback" not in filled.stderr
    assert [file.stat().st_size for file in tmp_path.iterdir()] == [100_000]


ENDLESS = """
import itertools, sys, threading
from pathlib import Path
from vigie.address import Inbox
from vigie.feed import Pace, Tick, feed

count = itertools.count()
ticks = (Tick(0.0, [(None, b'{"n":%d}' % next(count)) for _ in range(3_000)]) for _ in itertools.repeat(0))
feed(ticks, Inbox(Path(sys.argv[1])), pace=Pace(real_time=False), stop=threading.Event(), progress=id)
"""


@pytest.mark.parametrize("files", [1, 4, 9])
def test_a_feed_that_is_killed_leaves_only_whole_files_with_whole_lines(tmp_path: Path, files: int) -> None:
    with subprocess.Popen([sys.executable, "-c", ENDLESS, tmp_path]) as endless:
        deadline = time.monotonic() + 60
        while len(files_in(tmp_path)) < files:
            assert time.monotonic() < deadline and endless.poll() is None
        os.kill(endless.pid, signal.SIGKILL)

    assert all(file.read_bytes().endswith(b"\n") for file in files_in(tmp_path))
    lines = lines_in(tmp_path)
    assert [json.loads(line)["n"] for line in lines] == list(range(len(lines)))
    assert len(lines) == 10_000 * len(files_in(tmp_path))


# Pace and stop


def test_ticks_of_the_past_go_at_once_and_those_of_the_future_when_the_clock_reaches_them(
    tmp_path: Path,
) -> None:
    clock = TurnedClock(1_000.0)
    gone_at = []

    def watched() -> Iterator[Tick]:
        for at in (400.0, 990.0, 1_000.0, 1_003.0, 1_010.5):
            yield Tick(at, [(None, b"x")])
            gone_at.append(clock.now())

    count = sent(watched(), Inbox(tmp_path), pace=Pace(clock=clock))

    assert count == 5
    assert gone_at == [1_000.0, 1_000.0, 1_000.0, 1_003.0, 1_010.5]


@settings(max_examples=30, deadline=None)
@given(st.floats(0.5, 5_000), st.integers(1, 300), st.integers(1, 400))
def test_a_rate_is_kept_and_is_reached(rate: float, count: int, size: int) -> None:
    clock = TurnedClock(50.0)
    with tempfile.TemporaryDirectory() as folder:
        sent(ticks_of([b"x"] * count, size), Inbox(Path(folder)), pace=Pace(rate=rate, clock=clock))

    took = clock.now() - 50.0
    slice_of_one_blink = max(1.0, rate * 0.25)
    assert count <= rate * took + 2 * slice_of_one_blink + 1e-6
    assert took <= max(count / rate, count // size) + 1e-6


def test_stop_interrupts_a_wait_and_what_was_taken_is_delivered(tmp_path: Path) -> None:
    stop = threading.Event()
    clock = TurnedClock(0.0, lambda now: stop.set() if now >= 100 else None)
    ticks = [Tick(0.0, [(None, b"taken")]), Tick(1_000_000.0, [(None, b"not yet due")])]

    count = sent(ticks, Inbox(tmp_path), pace=Pace(clock=clock), stop=stop)

    assert count == 1
    assert lines_in(tmp_path) == [b"taken"]
    assert clock.now() < 101


def test_stop_ends_an_endless_source_in_the_middle_of_a_tick(tmp_path: Path) -> None:
    stop = threading.Event()
    clock = TurnedClock(0.0, lambda now: stop.set() if now >= 10 else None)

    count = sent(
        ticks_of(numbers(1_000_000), 1_000_000),
        Inbox(tmp_path),
        pace=Pace(rate=100, clock=clock),
        stop=stop,
    )

    assert 1_000 <= count <= 1_050
    assert lines_in(tmp_path) == numbers(count)


def test_no_tick_is_asked_for_that_rows_do_not_need(tmp_path: Path) -> None:
    def ticks() -> Iterator[Tick]:
        yield Tick(0.0, [(None, b"a"), (None, b"b")])
        raise AssertionError("a tick too many")

    assert sent(ticks(), Inbox(tmp_path), rows=2) == 2
    assert sent(ticks(), Inbox(tmp_path), rows=0) == 0


def test_progress_comes_twice_a_second_at_most_with_rate_and_lag_and_once_at_the_end(tmp_path: Path) -> None:
    clock = TurnedClock(1_000.0)
    reports: list[tuple[float, Progress]] = []

    sent(
        ticks_of(numbers(2_000), 10, start=990.0),
        Inbox(tmp_path),
        pace=Pace(clock=clock),
        progress=lambda report: reports.append((clock.now(), report)),
    )

    gaps = [later - earlier for (earlier, _), (later, _) in itertools.pairwise(reports[:-1])]
    assert min(gaps) >= 0.5
    assert max(gaps) <= 1.0
    at, middle = reports[len(reports) // 2]
    assert middle.rate == pytest.approx(10, rel=0.25)
    assert middle.lag < 1.0 < at - 1_000.0
    assert middle.outlet == f"inbox:{tmp_path}"
    assert reports[-1][1].sent == 2_000


# The socket


def test_a_socket_sends_one_message_a_line_to_whom_connects(tmp_path: Path) -> None:
    port = free_port()
    counts: list[int] = []
    feeding = threading.Thread(
        target=lambda: counts.append(sent(ticks_of(numbers(50_000), 777), Tcp("127.0.0.1", port)))
    )
    feeding.start()

    with connected(port) as client, client.makefile("rb") as reader:
        received = reader.read().split(b"\n")
    feeding.join(30)

    assert received == [*numbers(50_000), b""]
    assert counts == [50_000]


def test_a_client_that_goes_away_loses_what_was_in_flight_and_the_next_goes_on(tmp_path: Path) -> None:
    port = free_port()
    counts: list[int] = []
    feeding = threading.Thread(
        target=lambda: counts.append(sent(ticks_of(numbers(400_000), 5_000), Tcp("127.0.0.1", port)))
    )
    feeding.start()

    with connected(port) as first, first.makefile("rb") as reader:
        beginning = [next(reader) for _ in range(1_000)]
    with connected(port) as second, second.makefile("rb") as reader:
        end = reader.read().split(b"\n")[:-1]
    feeding.join(30)

    assert beginning == [line + b"\n" for line in numbers(1_000)]
    assert end == numbers(400_000)[-len(end) :]
    assert 1 <= len(end) <= 399_000


def test_a_client_that_does_not_read_holds_the_feed_back_and_stop_still_ends_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("vigie.feed.FINISH_SECONDS", 0.5)
    port, stop, asked = free_port(), threading.Event(), []
    problems: list[RunFailed] = []

    def endless() -> Iterator[Tick]:
        while True:
            asked.append(1)
            yield Tick(0.0, [(None, b"x" * 1_000)] * 1_000)

    def run() -> None:
        try:
            sent(endless(), Tcp("127.0.0.1", port), stop=stop)
        except RunFailed as problem:
            problems.append(problem)

    feeding = threading.Thread(target=run)
    feeding.start()
    with connected(port):
        stalled = 0
        while stalled < 4:
            before = len(asked)
            time.sleep(0.25)
            stalled = stalled + 1 if asked and len(asked) == before else 0
        assert len(asked) < 100
        stop.set()
        feeding.join(10)

    assert not feeding.is_alive()
    assert [problem.what.split(":")[0] for problem in problems] in (
        [],
        ["1 messages were taken but not delivered"],
    )


def test_a_line_that_a_slow_client_has_half_of_is_completed_and_not_sent_twice() -> None:
    port = free_port()
    messages = [(None, b"%d" % (number % 10) * 3_000_000) for number in range(10)]
    received: list[bytes] = []

    with closing(TcpOutlet(Tcp("127.0.0.1", port))) as outlet, connected(port) as client:
        taken = 0
        while step := outlet.send(messages[taken:]):
            taken += step
        assert outlet.finish() == 1
        reading = threading.Thread(target=lambda: received.append(client.makefile("rb").read()))
        reading.start()
        while taken < len(messages):
            taken += outlet.send(messages[taken:])
        while outlet.finish():
            pass
        assert outlet.delivered == len(messages)
    reading.join(10)

    assert received[0].split(b"\n") == [*(value for _, value in messages), b""]


def test_a_client_that_leaves_when_it_has_read_everything_costs_nothing() -> None:
    port = free_port()
    with closing(TcpOutlet(Tcp("127.0.0.1", port))) as outlet:
        for value in (b"for the first", b"for the second", b"for the third"):
            with connected(port) as client, client.makefile("rb") as reader:
                assert outlet.send([(None, value)]) == 1
                assert next(reader) == value + b"\n"

        assert outlet.delivered == 3


def test_stop_ends_a_feed_that_nobody_connected_to() -> None:
    stop = threading.Event()
    timer = threading.Timer(0.1, stop.set)
    timer.start()

    assert sent(ticks_of(numbers(10)), Tcp("127.0.0.1", free_port()), stop=stop) == 0


def test_a_port_in_use_is_refused_by_its_number() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]

        with pytest.raises(BadAddress, match=f"cannot listen on port {port} of '127.0.0.1'") as refused:
            sent([], Tcp("127.0.0.1", port))

    assert refused.value.exit_code == 2
