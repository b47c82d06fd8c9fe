"""The OpenSky client against a server that behaves as OpenSky does; time is turned, never slept."""

from __future__ import annotations

import json
import logging
import socket
import threading
from collections.abc import Iterator
from time import tzset
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vigie.backoff import Setback
from vigie.errors import BadSetting, RunFailed, VigieError
from vigie.feed import LiveOptions, Tick
from vigie.flights.credits import Credits, cost_of
from vigie.flights.opensky import FIELDS, Clock, live
from vigie.flights.states import read
from vigie.settings import Box, Settings

from .opensky_server import CLIENT_ID, LIFE, SECRET, OpenSkyServer, Reply, a_vector

START = 1_790_000_000.0
ANONYMOUS_PACE, USER_PACE = 648.0, 64.8  # seconds: 86,400 s · 3 credits / 400 and 4,000


class Hands:
    """A clock that goes on when it is waited for, and when a test turns it."""

    def __init__(self) -> None:
        self.now = START
        self.clock = Clock(time=lambda: self.now, wait=self.wait)

    def wait(self, stop: threading.Event, seconds: float) -> None:
        if not stop.is_set():
            self.now += seconds


@pytest.fixture
def hands() -> Hands:
    return Hands()


@pytest.fixture
def opensky(hands: Hands) -> Iterator[OpenSkyServer]:
    with OpenSkyServer(lambda: hands.now).running() as server:
        yield server


def anonymous(server: OpenSkyServer, **others: Any) -> Settings:
    urls = {"opensky_url": f"{server.url}/api", "opensky_token_url": f"{server.url}/token"}
    account = {"opensky_client_id": None, "opensky_client_secret": None}
    return Settings(**({"_env_file": None} | urls | account | others))


def a_user(server: OpenSkyServer, secret: str = SECRET) -> Settings:
    return anonymous(server, opensky_client_id=CLIENT_ID, opensky_client_secret=secret)


def listen(settings: Settings, hands: Hands, answers: int = 1, **options: Any) -> list[Tick]:
    """The first ticks with messages; the source is then stopped, and must end by itself."""
    stop = threading.Event()
    heard = []
    for tick in live(settings, stop, clock=hands.clock, jitter=lambda: 0.0, **options):
        if tick.messages:
            heard.append(tick)
        if len(heard) == answers:
            stop.set()
    return heard


def pauses(server: OpenSkyServer) -> list[float]:
    """The seconds between each poll and the next."""
    times = [poll.at for poll in server.polls()]
    return [round(later - earlier, 6) for earlier, later in zip(times, times[1:], strict=False)]


def test_each_aircraft_in_the_box_is_a_message_with_opensky_s_names_and_the_answer_s_time(
    opensky: OpenSkyServer, hands: Hands
) -> None:
    opensky.states = [a_vector("39de4f"), a_vector("4ca7b3", sensors=[3, 5])]

    [tick] = listen(anonymous(opensky), hands)

    assert tick.at == START
    assert [key for key, _ in tick.messages] == [b"39de4f", b"4ca7b3"]
    assert [json.loads(value) for _, value in tick.messages] == [
        dict(zip(FIELDS, [int(START), *vector], strict=True)) for vector in opensky.states
    ]
    assert not any(b"\n" in value for _, value in tick.messages)
    [poll] = opensky.polls()
    box = {"lamin": "41.3", "lamax": "51.2", "lomin": "-5.2", "lomax": "9.6"}
    assert poll.query == {"extended": "1", **box}
    assert poll.authorization is None


def test_a_vector_of_17_fields_has_no_category(opensky: OpenSkyServer, hands: Hands) -> None:
    opensky.states = [a_vector()[:17]]

    [tick] = listen(anonymous(opensky), hands)

    assert list(json.loads(tick.messages[0][1])) == list(FIELDS[:-1])


def test_nulls_everywhere_are_sent_as_nulls_and_without_a_key(opensky: OpenSkyServer, hands: Hands) -> None:
    opensky.states = [[None] * 18]

    [tick] = listen(anonymous(opensky), hands)

    [(key, value)] = tick.messages
    assert key is None
    assert json.loads(value) == dict.fromkeys(FIELDS) | {"time": int(START)}


def test_no_states_are_no_messages_and_no_trouble(
    opensky: OpenSkyServer, hands: Hands, caplog: pytest.LogCaptureFixture
) -> None:
    nobody = Reply(body=b'{"time": 1790000000, "states": null}')
    opensky.next_states.append(nobody)

    [tick] = listen(anonymous(opensky), hands)

    assert pauses(opensky) == [ANONYMOUS_PACE]
    assert len(tick.messages) == 1
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


def test_numbers_keep_the_digits_that_opensky_wrote(opensky: OpenSkyServer, hands: Hands) -> None:
    digits = b'{"time": 7, "states": [["39de4f", 48.10, 1e400, 123456789012345678901234567890]]}'
    opensky.next_states.append(Reply(body=digits))

    [tick] = listen(anonymous(opensky), hands)

    sent = b'"callsign":48.10,"origin_country":1e400,"time_position":123456789012345678901234567890}'
    assert tick.messages[0][1].endswith(sent)


def test_what_is_no_vector_is_sent_on_counted_and_told(
    opensky: OpenSkyServer, hands: Hands, caplog: pytest.LogCaptureFixture
) -> None:
    opensky.states = [a_vector(), [*a_vector(), "new", "fields"], ["39de4f", "SHORT"], [], 5, None, {"a": 1}]

    [tick] = listen(anonymous(opensky), hands)

    values = [json.loads(value) for _, value in tick.messages]
    assert values[0] == values[1]
    assert values[2:] == [
        {"time": int(START), "icao24": "39de4f", "callsign": "SHORT"},
        {"time": int(START)},
        5,
        None,
        {"a": 1},
    ]
    assert "6 state vectors are not as documented (6 so far)" in caplog.text


def test_a_repeated_position_is_sent_again(opensky: OpenSkyServer, hands: Hands) -> None:
    first, second = listen(anonymous(opensky), hands, answers=2)

    same = [json.loads(tick.messages[0][1])["time_position"] for tick in (first, second)]
    assert same == [1_790_000_000] * 2


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>Bad Gateway</html>",
        b'{"time": 1790000000, "states": [["39de4f", ',
        b'{"time": 1790000000, "states": [[NaN]]}',
        b'{"time": 1790000000}',
        b'{"time": "noon", "states": []}',
        b'{"time": 1790000000, "states": "none"}',
        b'[["39de4f"]]',
        b"\x00\xff\xfe",
        b"[" * 100_000,
    ],
)
def test_a_malformed_answer_is_told_and_asked_for_again(
    body: bytes, opensky: OpenSkyServer, hands: Hands, caplog: pytest.LogCaptureFixture
) -> None:
    opensky.next_states.append(Reply(body=body))

    [tick] = listen(anonymous(opensky), hands)

    assert len(tick.messages) == 1
    assert "its answer is malformed" in caplog.text
    assert pauses(opensky) == [5.0]


@given(st.binary(max_size=200) | st.recursive(st.none() | st.integers() | st.text(), st.lists).map(json.dumps))
def test_no_answer_at_all_can_break_the_client(garbage: bytes | str) -> None:
    body = garbage if isinstance(garbage, bytes) else f'{{"time": 1, "states": [{garbage}]}}'.encode()
    try:
        answer = read(body, None)
    except Setback:
        return

    assert len(answer.messages) == 1


def test_without_an_interval_the_credits_of_a_day_last_a_day(opensky: OpenSkyServer, hands: Hands) -> None:
    listen(anonymous(opensky), hands, answers=3)

    assert pauses(opensky) == [ANONYMOUS_PACE] * 2


def test_the_interval_that_a_person_chooses_is_kept(opensky: OpenSkyServer, hands: Hands) -> None:
    listen(anonymous(opensky), hands, answers=3, options=LiveOptions(interval=10.0))

    assert pauses(opensky) == [10.0, 10.0]


def test_the_time_that_an_answer_took_is_part_of_the_interval(opensky: OpenSkyServer, hands: Hands) -> None:
    def four_seconds_pass() -> None:
        hands.now += 4

    opensky.next_states.append(Reply(body=b'{"time":1,"states":[[]]}', before=four_seconds_pass))

    listen(anonymous(opensky), hands, answers=2, options=LiveOptions(interval=10.0))

    assert pauses(opensky) == [10.0]


@pytest.mark.parametrize("interval", [0.0, 9.9, -1.0, float("nan")])
def test_an_interval_below_opensky_s_resolution_is_refused(interval: float, opensky: OpenSkyServer) -> None:
    with pytest.raises(BadSetting, match=r"without an account .--interval.\nWrite --interval 10s or more"):
        live(anonymous(opensky), threading.Event(), LiveOptions(interval))

    assert opensky.requests == []


def test_a_user_is_asked_for_by_a_token_that_serves_many_polls(opensky: OpenSkyServer, hands: Hands) -> None:
    opensky.needs_token, opensky.credits_left = True, 4_000

    listen(a_user(opensky), hands, answers=5)

    assert len(opensky.grants()) == 1
    assert {poll.authorization for poll in opensky.polls()} == {"Bearer token.number-1"}
    assert pauses(opensky) == [USER_PACE] * 4


def test_who_has_more_credits_than_a_user_is_polled_for_more_often(opensky: OpenSkyServer, hands: Hands) -> None:
    opensky.credits_left = 8_000

    listen(a_user(opensky), hands, answers=2)

    assert pauses(opensky) == [USER_PACE / 2]


def test_a_token_is_renewed_before_it_ends(opensky: OpenSkyServer, hands: Hands) -> None:
    opensky.needs_token, opensky.credits_left = True, 4_000

    listen(a_user(opensky), hands, answers=60)

    first, second, *_ = opensky.grants()
    assert LIFE - 60 - USER_PACE <= second.at - first.at < LIFE
    assert len(opensky.polls()) == 60  # no poll met a 401


def test_a_token_that_opensky_no_longer_takes_is_renewed_at_once(opensky: OpenSkyServer, hands: Hands) -> None:
    opensky.needs_token = True
    opensky.next_states.append(Reply(401))

    listen(a_user(opensky), hands)

    authorizations = [poll.authorization for poll in opensky.polls()]
    assert authorizations == ["Bearer token.number-1", "Bearer token.number-2"]
    assert pauses(opensky) == [0.0]


def test_a_second_401_is_for_a_person_to_mend(opensky: OpenSkyServer, hands: Hands) -> None:
    opensky.next_states += [Reply(401), Reply(401)]

    with pytest.raises(BadSetting, match="does not take this client id and secret"):
        listen(a_user(opensky), hands)

    assert len(opensky.polls()) == 2


def test_a_wrong_secret_is_an_error_that_does_not_tell_it(
    opensky: OpenSkyServer, hands: Hands, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)

    with pytest.raises(BadSetting, match="VIGIE_OPENSKY_CLIENT_SECRET") as refused:
        listen(a_user(opensky, secret="wrong-and-still-secret"), hands)

    assert "wrong-and-still-secret" not in str(refused.value) + repr(refused.value) + caplog.text
    assert opensky.polls() == []


def test_no_secret_and_no_token_is_ever_logged(
    opensky: OpenSkyServer, hands: Hands, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    opensky.next_tokens.append(Reply(body=b'{"access_token": "token.number-0\\nwith a line"}'))
    opensky.next_states += [Reply(401), Reply(500), Reply(429)]

    listen(a_user(opensky), hands)

    assert "holds no token" in caplog.text
    assert SECRET not in caplog.text
    assert "token.number" not in caplog.text


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503])
def test_a_setback_of_the_token_server_is_waited_out(status: int, opensky: OpenSkyServer, hands: Hands) -> None:
    opensky.next_tokens.append(Reply(status))

    listen(a_user(opensky), hands)

    first, second = opensky.grants()
    assert second.at - first.at == 5.0


@pytest.mark.parametrize("name", ["X-Rate-Limit-Retry-After-Seconds", "Retry-After"])
def test_after_a_429_opensky_is_left_alone_as_long_as_it_says(
    name: str, opensky: OpenSkyServer, hands: Hands, caplog: pytest.LogCaptureFixture
) -> None:
    opensky.next_states.append(Reply(429, headers={name: "3601"}))

    listen(anonymous(opensky), hands)

    assert pauses(opensky) == [3_601.0]
    assert "no credits are left (429); next try in 3601 s" in caplog.text


# START is Monday 2026-09-21 14:13:20; the three forms are those of RFC 9110, 5.6.7.
@pytest.mark.parametrize(
    "told", ["Mon, 21 Sep 2026 15:13:21 GMT", "Monday, 21-Sep-26 15:13:21 GMT", "Mon Sep 21 15:13:21 2026"]
)
@pytest.mark.parametrize("name", ["X-Rate-Limit-Retry-After-Seconds", "Retry-After"])
def test_after_a_429_opensky_is_left_alone_until_the_date_that_it_says(
    name: str, told: str, opensky: OpenSkyServer, hands: Hands, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")  # a date without a zone is no local one
    tzset()
    opensky.next_states.append(Reply(429, headers={name: told}))

    listen(anonymous(opensky), hands)
    monkeypatch.undo()
    tzset()

    assert pauses(opensky) == [3_601.0]


def test_a_date_far_ahead_is_waited_for_one_day_at_most(opensky: OpenSkyServer, hands: Hands) -> None:
    opensky.next_states.append(Reply(429, headers={"Retry-After": "Fri, 31 Dec 9999 23:59:59 GMT"}))

    listen(anonymous(opensky), hands)

    assert pauses(opensky) == [86_400.0]


def test_nonsense_in_one_header_leaves_the_other_its_say(opensky: OpenSkyServer, hands: Hands) -> None:
    opensky.next_states.append(Reply(429, headers={"X-Rate-Limit-Retry-After-Seconds": "soon", "Retry-After": "17"}))

    listen(anonymous(opensky), hands)

    assert pauses(opensky) == [17.0]


@pytest.mark.parametrize(
    "told",
    ["", "soon", "-5", "0", "nan", "inf", "Mon, 21 Sep 2026 14:13:20 GMT", "Thu, 99 Foo 2026 25:61:61 GMT", "1, 2"],
)
def test_a_429_that_does_not_say_how_long_is_backed_off_from(told: str, opensky: OpenSkyServer, hands: Hands) -> None:
    opensky.next_states += [Reply(429, headers={"X-Rate-Limit-Retry-After-Seconds": told})] * 2

    listen(anonymous(opensky), hands)

    assert pauses(opensky) == [5.0, 10.0]


def test_an_answer_makes_earlier_setbacks_forgotten(opensky: OpenSkyServer, hands: Hands) -> None:
    opensky.next_states += [Reply(503), Reply(503), Reply(body=b'{"time":1,"states":[[]]}'), Reply(503)]

    listen(anonymous(opensky), hands, answers=2)

    assert pauses(opensky) == [5.0, 10.0, ANONYMOUS_PACE, 5.0]


def test_setbacks_are_backed_off_from_ever_longer_up_to_five_minutes(opensky: OpenSkyServer, hands: Hands) -> None:
    opensky.next_states += [Reply(503)] * 8

    listen(anonymous(opensky), hands)

    assert pauses(opensky) == [5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 300.0, 300.0]


def test_jitter_shortens_a_pause_by_up_to_half(opensky: OpenSkyServer, hands: Hands) -> None:
    opensky.next_states += [Reply(503), Reply(503)]
    stop = threading.Event()

    for tick in live(anonymous(opensky), stop, clock=hands.clock, jitter=iter([1.0, 0.5]).__next__):
        if tick.messages:
            stop.set()

    assert pauses(opensky) == [2.5, 7.5]


def test_a_server_that_does_not_answer_is_given_up_and_asked_again(
    opensky: OpenSkyServer, hands: Hands, caplog: pytest.LogCaptureFixture
) -> None:
    never = threading.Event()
    opensky.next_states.append(Reply(before=never.wait))

    [tick] = listen(anonymous(opensky), hands, patience=0.2)
    never.set()

    assert len(tick.messages) == 1
    assert "it did not answer in time" in caplog.text


def test_a_server_that_drips_is_given_up(
    opensky: OpenSkyServer, hands: Hands, caplog: pytest.LogCaptureFixture
) -> None:
    def ten_seconds_pass() -> None:
        hands.now += 10

    opensky.next_states.append(Reply(body=b"{" + b" " * 100, between_bytes=ten_seconds_pass))

    [tick] = listen(anonymous(opensky), hands)

    assert len(tick.messages) == 1
    assert "it took more than 30 s to answer" in caplog.text


def test_a_connection_that_is_refused_is_tried_until_somebody_is_there(
    opensky: OpenSkyServer, hands: Hands, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
    settings = anonymous(opensky, opensky_url=f"http://127.0.0.1:{port}/api")
    stop = threading.Event()

    for _ in live(settings, stop, clock=hands.clock, jitter=lambda: 0.0):
        if caplog.text.count("it cannot be reached") == 3:
            stop.set()

    assert START + 15.0 <= hands.now <= START + 35.5


@pytest.mark.parametrize(("status", "error"), [(404, BadSetting), (302, BadSetting), (403, RunFailed)])
def test_what_waiting_does_not_mend_is_an_error_with_its_address(
    status: int, error: type[VigieError], opensky: OpenSkyServer, hands: Hands
) -> None:
    opensky.next_states.append(Reply(status))

    with pytest.raises(error, match=f"{status}") as refused:
        listen(anonymous(opensky), hands)

    assert refused.value.where == f"{opensky.url}/api/states/all"
    assert "VIGIE_OPENSKY_" in refused.value.do


def test_a_source_that_pauses_still_gives_the_feed_its_half_second(opensky: OpenSkyServer, hands: Hands) -> None:
    stop = threading.Event()
    times = []
    for tick in live(anonymous(opensky), stop, options=LiveOptions(interval=10.0), clock=hands.clock):
        times.append(tick.at)
        if len(opensky.polls()) == 3:
            stop.set()

    gaps = [later - earlier for earlier, later in zip(times, times[1:], strict=False)]
    assert times[-1] >= START + 20
    assert max(gaps) <= 0.5


def test_a_stop_ends_a_long_pause_at_once(opensky: OpenSkyServer) -> None:
    opensky.next_states.append(Reply(429, headers={"X-Rate-Limit-Retry-After-Seconds": "86400"}))
    stop, pausing = threading.Event(), threading.Event()
    waits = []

    def wait(event: threading.Event, seconds: float) -> None:
        pausing.set()
        waits.append(event.wait(seconds))

    listener = threading.Thread(target=lambda: [*live(anonymous(opensky), stop, clock=Clock(wait=wait))])
    listener.start()
    assert pausing.wait(10)
    stop.set()
    listener.join(10)

    assert not listener.is_alive()
    assert waits.count(True) <= 1  # the pause that the stop cut short, and none after it
    assert len(opensky.polls()) == 1


def test_a_stop_does_not_wait_for_a_slow_answer(opensky: OpenSkyServer) -> None:
    never, stop = threading.Event(), threading.Event()
    opensky.next_states.append(Reply(before=never.wait))

    listener = threading.Thread(target=lambda: [*live(anonymous(opensky), stop)])
    listener.start()
    assert opensky.asked.acquire(timeout=10)
    stop.set()
    listener.join(10)

    assert not listener.is_alive()
    never.set()


def test_a_source_that_is_stopped_before_it_starts_asks_nothing(opensky: OpenSkyServer, hands: Hands) -> None:
    stop = threading.Event()
    stop.set()

    assert [*live(anonymous(opensky), stop, clock=hands.clock)] == []
    assert opensky.requests == []


def test_pace_aircraft_and_credits_are_told(
    opensky: OpenSkyServer, hands: Hands, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)

    listen(anonymous(opensky), hands, options=LiveOptions(interval=10.0))

    assert "every 10 s; a poll costs 3 of 400 credits a day, so they last 0.4 h" in caplog.text
    assert "1 aircraft at 2026-09-21T14:13:20+00:00; 3 credits spent here, 397 left" in caplog.text


@pytest.mark.parametrize(
    ("box", "cost"),
    [
        (Box(45, 50, 0, 5), 1),
        (Box(45, 50, 0, 5.1), 2),
        (Box(40, 50, 0, 10), 2),
        (Box(40, 50, 0, 10.1), 3),
        (Box(41.3, 51.2, -5.2, 9.6), 3),
        (Box(30, 50, 0, 20), 3),
        (Box(30, 50, 0, 20.1), 4),
        (Box(-90, 90, -180, 180), 4),
    ],
)
def test_a_poll_costs_by_the_area_of_its_box(box: Box, cost: int) -> None:
    assert cost_of(box) == cost


@given(cost=st.integers(1, 4), a_day=st.sampled_from([400, 4_000, 8_000]), resolution=st.sampled_from([5.0, 10.0]))
def test_a_day_of_polls_never_costs_more_than_a_day_s_credits(cost: int, a_day: int, resolution: float) -> None:
    credit = Credits(cost, a_day, resolution)

    assert credit.lasting_interval >= resolution
    assert 86_400 / credit.lasting_interval * cost <= a_day * 1.000001
    assert credit.lasts(credit.lasting_interval) >= 86_400 * 0.999999
