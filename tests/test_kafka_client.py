"""What Kafka's client writes to the log while a broker is away: once a minute, in plain words."""

from __future__ import annotations

import logging

import pytest

from vigie.outlets.kafka import OnceAMinute

REFUSED = (
    "FAIL [vigie-feed#producer-2] [thrd:localhost:9092/bootstrap]: localhost:9092/1: "
    "Connect to ipv4#127.0.0.1:9092 failed: Connection refused (after 0ms in state CONNECT)"
)


def a_line(text: str = REFUSED, level: int = logging.ERROR) -> logging.LogRecord:
    return logging.LogRecord("client", level, __file__, 1, text, None, None)


def test_of_the_same_again_and_again_one_line_a_minute_is_said_with_how_many_there_were() -> None:
    now = [0.0]
    once = OnceAMinute(lambda: now[0])
    said: list[str] = []

    for second in range(150):
        now[0] = float(second)
        line = a_line()
        if once.filter(line):
            said.append(line.getMessage())

    plain = "Kafka's client: Connect to ipv4#127.0.0.1:9092 failed: Connection refused (after 0ms in state CONNECT)"
    assert said == [plain, f"{plain} (59 lines like it since the last)", f"{plain} (59 lines like it since the last)"]


@pytest.mark.parametrize("level", [logging.DEBUG])
def test_what_only_debug_shows_is_all_there(level: int) -> None:
    once = OnceAMinute(lambda: 0.0)

    assert all(once.filter(a_line(level=level)) for _ in range(5))


def test_a_line_without_the_client_s_own_marks_and_with_a_percent_stays_as_it_is() -> None:
    line = a_line("100 % of brokers are down")

    assert OnceAMinute().filter(line)
    assert line.getMessage() == "Kafka's client: 100 % of brokers are down"
