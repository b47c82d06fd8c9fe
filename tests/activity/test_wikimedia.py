"""The live client of EventStreams against a server that behaves as EventStreams does."""

from __future__ import annotations

import json
import logging
import random
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.activity.event_streams import EventStreams, Reply, a_change, a_wild_frame, frame, place
from vigie.activity.sse import LONGEST_FRAME, Frame, Frames
from vigie.activity.wikimedia import live
from vigie.address import Inbox
from vigie.backoff import Clock, Setback
from vigie.errors import BadSetting, RunFailed, VigieError
from vigie.feed import LiveOptions, Pace, Tick, feed
from vigie.settings import Settings

EVENTS = 300
CONTACT = "lookout@example.org"


@pytest.fixture
def streams() -> Iterator[EventStreams]:
    with EventStreams([a_change(number) for number in range(EVENTS)]).running() as server:
        yield server


def of(streams: EventStreams) -> Settings:
    return Settings(_env_file=None, wikimedia_url=streams.url, contact=CONTACT)  # type: ignore[call-arg]


class Waits:
    """A clock whose pauses are over at once, and kept."""

    def __init__(self) -> None:
        self.pauses: list[float] = []

    def clock(self) -> Clock:
        return Clock(time.time, lambda _, seconds: self.pauses.append(seconds))


def heard(
    streams: EventStreams, count: int, waits: Waits | None = None, patience: float = 10.0
) -> list[tuple[bytes | None, bytes]]:
    """The first so many messages."""
    stop, found = threading.Event(), []
    deadline = time.monotonic() + 60
    ticks = live(of(streams), stop, clock=(waits or Waits()).clock(), jitter=lambda: 0.0, patience=patience)
    for tick in ticks:
        found += tick.messages
        if len(found) >= count:
            stop.set()
        assert time.monotonic() < deadline, f"{len(found)} of {count}"
    return found


def numbers(found: list[tuple[bytes | None, bytes]]) -> list[int]:
    return [json.loads(value)["timestamp"] - 1_763_683_200 for _, value in found]


# Events out of bytes


@settings(deadline=None, max_examples=200)
@given(data=st.data())
def test_events_are_the_same_wherever_their_bytes_are_cut(data: st.DataObject) -> None:
    events = [a_change(number) for number in range(4)]
    content = b"\xef\xbb\xbf" + b"".join(a_wild_frame(number, event) for number, event in enumerate(events))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(content)), max_size=30)))

    frames = Frames()
    pieces = [content[start:end] for start, end in zip([0, *cuts], [*cuts, len(content)], strict=True)]
    found = [one for piece in pieces for one in frames.take(piece)]

    assert [one.id for one in found] == [place(number) for number in range(4)]
    assert [json.loads(one.data) for one in found] == [json.loads(event) for event in events]


def test_events_come_byte_by_byte_too() -> None:
    content = b"".join(a_wild_frame(number, a_change(number)) for number in range(20))

    frames = Frames()
    found = [one for byte in content for one in frames.take(bytes([byte]))]

    assert [one.id for one in found] == [place(number) for number in range(20)]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"data: a\n\n", [Frame(b"", b"a")]),
        (b"data:a\n\ndata\n\n", [Frame(b"", b"a"), Frame(b"", b"")]),
        (b"id: 1\ndata: a\n\ndata: b\n\n", [Frame(b"1", b"a"), Frame(b"1", b"b")]),
        (b"id: 1\n\ndata: b\n\n", [Frame(b"1", b"b")]),
        (b"id: 1\x00\ndata: a\n\n", [Frame(b"", b"a")]),
        (b"data:  a\ndata: b\n\n", [Frame(b"", b" a\nb")]),
        (b": nothing\n\n\r\n\r\r", []),
        (b"id: 1\ndata: a\n", []),
        (b"other: x\nid: 2\ndata: a\n\nid: 3\ndata: never ended", [Frame(b"2", b"a")]),
    ],
)
def test_events_are_read_as_the_standard_says(content: bytes, expected: list[Frame]) -> None:
    assert list(Frames().take(content)) == expected


def test_an_event_without_an_end_is_given_up() -> None:
    frames, other = Frames(), Frames()

    with pytest.raises(Setback, match="more than 16 MiB"):
        for _ in range(LONGEST_FRAME // (1 << 20) + 1):
            list(frames.take(b"data: " + b"x" * (1 << 20)))
    with pytest.raises(Setback, match="more than 16 MiB"):
        for _ in range(LONGEST_FRAME // (1 << 20) + 1):
            list(other.take(b"data: " + b"x" * (1 << 20) + b"\n"))


# The client


def test_every_event_arrives_once_in_order_under_its_title_as_it_was_sent(streams: EventStreams) -> None:
    found = heard(streams, EVENTS)

    assert [value for _, value in found] == streams.events
    assert [key for key, _ in found] == [json.loads(value)["title"].encode() for _, value in found]
    [request] = streams.requests
    assert request.last_id is None and request.since is None
    assert request.agent.startswith("vigie/") and f"({CONTACT})" in request.agent


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("shape", [frame, a_wild_frame])
def test_a_connection_that_ends_anywhere_is_made_again_and_nothing_is_missed_or_doubled(
    streams: EventStreams, seed: int, shape: object
) -> None:
    draw = random.Random(seed)
    streams.frame = shape  # type: ignore[assignment]
    streams.cuts.extend(draw.randint(0, 9_000) for _ in range(25))
    streams.goes_back = draw.choice([0, 0, 3])

    found = heard(streams, EVENTS)

    assert numbers(found) == list(range(EVENTS))
    assert len(streams.requests) > 10


def test_a_connection_goes_on_behind_the_last_event_that_was_whole_and_says_its_id_as_it_was(
    streams: EventStreams,
) -> None:
    start = len(b":ok\n\n") + sum(len(frame(number, streams.events[number])) for number in range(5))
    # Of the sixth event the id has come, and half of its data.
    streams.cuts.append(start + 200)

    found = heard(streams, EVENTS)

    assert [request.last_id for request in streams.requests] == [None, place(4)]
    assert numbers(found) == list(range(EVENTS))


def test_the_place_moves_on_only_when_the_feed_took_the_event(streams: EventStreams) -> None:
    stop = threading.Event()
    ticks = live(of(streams), stop, clock=Waits().clock(), jitter=lambda: 0.0)
    streams.cuts.append(len(streams.stream(None)))

    tick = next(tick for tick in ticks if tick.messages)
    # The tick is here and the feed has not asked for the next: nothing more is asked of the server.
    time_is_up = not streams.asked.acquire(timeout=5) or streams.asked.acquire(timeout=0.3)
    taken = list(tick.messages)
    for tick in ticks:
        taken += tick.messages
        if len(taken) >= EVENTS:
            stop.set()

    assert not time_is_up
    assert numbers(taken) == list(range(EVENTS))


def test_when_nothing_came_of_the_first_connection_the_next_asks_from_its_beginning(streams: EventStreams) -> None:
    streams.cuts.append(3)
    began = time.time()

    found = heard(streams, EVENTS)

    first, second = streams.requests
    assert first.since is None and second.last_id is None and second.since is not None
    assert abs(time.mktime(time.strptime(second.since, "%Y-%m-%dT%H:%M:%SZ")) - time.timezone - began) < 5
    assert numbers(found) == list(range(EVENTS))


def test_canaries_are_left_out(streams: EventStreams) -> None:
    canary = {"id": "canary-1", "domain": "canary", "stream": "mediawiki.recentchange"}
    streams.events[1] = a_change(1, meta=canary)

    assert numbers(heard(streams, EVENTS - 1)) == [0, *range(2, EVENTS)]


@pytest.mark.parametrize(
    ("params", "text"),
    [({"curid": 1, "auto": [1.5]}, '{"curid":1,"auto":[1.5]}'), ([], "[]"), ("as it is", "as it is"), (None, None)],
)
def test_the_parameters_of_a_log_become_text(streams: EventStreams, params: object, text: str | None) -> None:
    streams.events[0] = a_change(0, type="log", log_params=params)

    [(_, value), *_] = heard(streams, 1)

    assert json.loads(value) == {**json.loads(streams.events[0]), "log_params": text}


@pytest.mark.parametrize("garbage", [b"no JSON", b'{"meta": 3}', b'{"title": ["a"]}', b"\xff\xfe", b"[]", b"{}"])
def test_what_is_no_change_is_sent_on_for_silver_to_say_so(streams: EventStreams, garbage: bytes) -> None:
    streams.events[1] = garbage

    found = heard(streams, EVENTS)

    assert [value for _, value in found] == streams.events
    assert found[1][0] is None


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503])
def test_a_setback_is_waited_out_ever_longer(
    status: int, streams: EventStreams, caplog: pytest.LogCaptureFixture
) -> None:
    streams.replies.extend([Reply(status)] * 3)
    waits = Waits()

    found = heard(streams, EVENTS, waits)

    assert numbers(found) == list(range(EVENTS))
    assert waits.pauses == [0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5]  # 0.5, 1 and 2 s, half a second at a time
    assert str(status) in caplog.text and "setback 3 in a row" in caplog.text


def test_wikimedia_is_left_alone_as_long_as_it_asks(streams: EventStreams, caplog: pytest.LogCaptureFixture) -> None:
    streams.replies.append(Reply(429, {"Retry-After": "7"}))
    waits = Waits()

    heard(streams, EVENTS, waits)

    assert sum(waits.pauses) == 7
    assert "it was asked too often (429); next try in 7 s" in caplog.text


def test_a_redirect_is_followed_with_the_place_and_the_contact(streams: EventStreams) -> None:
    streams.cuts.append(2_000)
    first = heard(streams, 2)
    streams.replies.append(Reply(307, {"Location": streams.url}))

    assert numbers(first)[:2] == [0, 1]
    assert numbers(heard(streams, EVENTS)) == list(range(EVENTS))
    assert all(CONTACT in request.agent for request in streams.requests)


def test_a_server_that_says_nothing_at_all_is_left_and_asked_again(
    streams: EventStreams, caplog: pytest.LogCaptureFixture
) -> None:
    streams.alive = False
    streams.events, later = streams.events[:10], streams.events
    stop, found = threading.Event(), []

    for tick in live(of(streams), stop, clock=Waits().clock(), patience=0.3):
        found += tick.messages
        if len(streams.requests) == 2:
            streams.events = later
        if len(found) >= EVENTS:
            stop.set()

    assert numbers(found) == list(range(EVENTS))
    assert "it sent nothing for 0.3 s" in caplog.text


def test_a_server_that_sends_comments_alone_is_not_left(streams: EventStreams) -> None:
    stop, began = threading.Event(), time.monotonic()

    for _ in live(of(streams), stop, patience=0.3):
        if time.monotonic() - began > 1.5:
            stop.set()

    assert len(streams.requests) == 1


def test_a_quiet_stream_gives_the_feed_its_half_second(streams: EventStreams) -> None:
    streams.events = []
    stop, times = threading.Event(), [time.monotonic()]

    for tick in live(of(streams), stop):
        assert isinstance(tick, Tick) and tick.messages == []
        times.append(time.monotonic())
        if len(times) == 4:
            stop.set()

    assert max(after - before for before, after in zip(times, times[1:], strict=False)) < 1.5


def test_a_stop_ends_the_connection_and_its_thread(streams: EventStreams) -> None:
    stop = threading.Event()
    ticks = live(of(streams), stop)
    assert next(ticks) is not None

    stop.set()
    began = time.monotonic()

    assert sum(len(tick.messages) for tick in ticks) >= 0
    assert time.monotonic() - began < 1.5
    assert "wikimedia" not in [thread.name for thread in threading.enumerate() if thread.is_alive()]


def test_a_feed_that_is_slow_leaves_the_server_waiting_and_loses_nothing(streams: EventStreams) -> None:
    streams.events = [a_change(number) for number in range(5_000)]
    stop, found = threading.Event(), []

    for tick in live(of(streams), stop, clock=Waits().clock()):
        found += tick.messages
        assert len(tick.messages) <= 500
        if len(found) >= 5_000:
            stop.set()

    assert numbers(found) == list(range(5_000))


def test_the_feed_brings_them_to_an_inbox(streams: EventStreams, tmp_path: Path) -> None:
    streams.cuts.extend([5_000, 12_345])
    ticks = live(of(streams), threading.Event(), clock=Waits().clock(), jitter=lambda: 0.0)

    sent = feed(ticks, Inbox(tmp_path), pace=Pace(), stop=threading.Event(), progress=lambda _: None, rows=EVENTS)

    lines = [line for file in sorted(tmp_path.glob("*.jsonl")) for line in file.read_bytes().splitlines()]
    assert sent == EVENTS
    assert lines == streams.events


def test_a_connection_that_is_refused_is_tried_until_somebody_is_there(caplog: pytest.LogCaptureFixture) -> None:
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
    settings = Settings(_env_file=None, wikimedia_url=f"http://127.0.0.1:{port}/x", contact=CONTACT)  # type: ignore[call-arg]
    stop = threading.Event()

    for _ in live(settings, stop, clock=Waits().clock()):
        if caplog.text.count("the connection broke") == 3:
            stop.set()

    assert "setback 3 in a row" in caplog.text


@pytest.mark.parametrize(
    ("reply", "error", "says"),
    [
        (Reply(404), BadSetting, "there is no stream of events: the answer is 404"),
        (Reply(200, {"Content-Type": "text/html"}, b"<html>"), BadSetting, "the answer is 200, text/html"),
        (Reply(403), RunFailed, "refuses to serve this client"),
    ],
)
def test_what_waiting_does_not_mend_is_an_error_with_its_address(
    reply: Reply, error: type[VigieError], says: str, streams: EventStreams
) -> None:
    streams.replies.append(reply)

    with pytest.raises(error, match=says) as refused:
        heard(streams, 1)

    assert refused.value.where == streams.url
    assert "VIGIE_" in refused.value.do


def test_a_place_that_is_no_longer_taken_ends_the_feed_with_what_to_do(streams: EventStreams) -> None:
    streams.cuts.append(4_000)
    stop = threading.Event()
    ticks = live(of(streams), stop, clock=Waits().clock(), jitter=lambda: 0.0)
    assert next(tick for tick in ticks if tick.messages)
    streams.replies.append(Reply(400))

    with pytest.raises(RunFailed, match="no longer takes the place"):
        list(ticks)


def test_without_a_contact_wikimedia_is_not_asked(streams: EventStreams) -> None:
    settings = Settings(_env_file=None, wikimedia_url=streams.url)  # type: ignore[call-arg]

    with pytest.raises(BadSetting, match="serves nobody who cannot be reached.*VIGIE_CONTACT") as refused:
        live(settings, threading.Event())

    assert "e-mail" in refused.value.do
    assert streams.requests == []


def test_an_interval_is_refused(streams: EventStreams) -> None:
    with pytest.raises(BadSetting, match="as they are made"):
        live(of(streams), threading.Event(), LiveOptions(interval=10.0))


def test_a_backoff_is_forgotten_when_events_come_again(streams: EventStreams, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    streams.replies.extend([Reply(503), Reply(503)])
    streams.cuts.append(6_000)

    heard(streams, EVENTS)

    assert [text for text in ("setback 1", "setback 2", "setback 3") if text in caplog.text] == [
        "setback 1",
        "setback 2",
    ]
    assert caplog.text.count("setback 1 in a row") == 2
