"""A live feed with a budget: how many credits it may spend, in how long, and what a person is told of it."""

from __future__ import annotations

import logging
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from vigie.cli import app
from vigie.errors import BadSetting
from vigie.feed import LiveOptions
from vigie.flights.credits import Budget, Credits
from vigie.flights.opensky import live

from .opensky_server import OpenSkyServer, Reply
from .test_opensky import START, Hands, a_user, anonymous, hands, opensky, pauses

__all__ = ["hands", "opensky"]  # fixtures

HALF_AN_HOUR, HOUR, DAY = 1_800.0, 3_600.0, 86_400.0


def run_to_the_end(server: OpenSkyServer, hands: Hands, options: LiveOptions, *, user: bool = False) -> None:
    """A feed that nobody stops."""
    settings = a_user(server) if user else anonymous(server)
    for _ in live(settings, threading.Event(), options, clock=hands.clock, jitter=lambda: 0.0):
        assert hands.now < START + 2 * DAY


@pytest.mark.parametrize(
    ("options", "polls", "pace"),
    [
        # 400 credits are 133 polls of 3.
        (LiveOptions(seconds=HALF_AN_HOUR), 133, HALF_AN_HOUR / 133),
        (LiveOptions(seconds=HOUR), 133, HOUR / 133),
        (LiveOptions(seconds=HALF_AN_HOUR, credits=90), 30, 60.0),
        (LiveOptions(seconds=600, credits=400), 60, 10.0),
        (LiveOptions(credits=30), 10, DAY / 10),
        (LiveOptions(seconds=HOUR, credits=5), 1, 0.0),
        (LiveOptions(seconds=HOUR, credits=30, interval=20.0), 10, 20.0),
        (LiveOptions(seconds=100, interval=20.0), 5, 20.0),
    ],
)
def test_a_budget_is_spread_over_its_time_and_then_the_feed_ends(
    options: LiveOptions, polls: int, pace: float, opensky: OpenSkyServer, hands: Hands
) -> None:
    run_to_the_end(opensky, hands, options)

    assert len(opensky.polls()) == polls
    assert pauses(opensky) == pytest.approx([pace] * (polls - 1), abs=0.01)


def test_five_minutes_with_an_account_are_polled_as_often_as_opensky_s_answers_change(
    opensky: OpenSkyServer, hands: Hands
) -> None:
    opensky.credits_left = 4_000

    run_to_the_end(opensky, hands, LiveOptions(seconds=HOUR / 12), user=True)

    assert pauses(opensky) == [5.0] * 59


def test_the_pace_slows_down_where_others_have_spent_some_of_the_credits(opensky: OpenSkyServer, hands: Hands) -> None:
    opensky.credits_left = 103  # another program had the rest

    run_to_the_end(opensky, hands, LiveOptions(seconds=HOUR))

    assert len(opensky.polls()) == 34
    assert pauses(opensky) == pytest.approx([HOUR / 34] * 33, abs=0.01)
    assert opensky.credits_left == 1


def test_the_time_of_a_setback_is_made_up_for(opensky: OpenSkyServer, hands: Hands) -> None:
    refused = Reply(429, headers={"Retry-After": "900"})
    opensky.next_states.append(refused)

    run_to_the_end(opensky, hands, LiveOptions(seconds=HALF_AN_HOUR, credits=90))

    assert pauses(opensky) == [900.0] + [30.0] * 29


def test_a_pause_that_opensky_asks_for_ends_with_the_feed(opensky: OpenSkyServer, hands: Hands) -> None:
    opensky.next_states.append(Reply(429, headers={"Retry-After": "86400"}))

    run_to_the_end(opensky, hands, LiveOptions(seconds=HALF_AN_HOUR))

    assert len(opensky.polls()) == 1
    assert hands.now == pytest.approx(START + HALF_AN_HOUR, abs=1)


def test_what_it_will_spend_is_told_at_the_start_and_what_is_left_as_it_goes(
    opensky: OpenSkyServer, hands: Hands, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)

    run_to_the_end(opensky, hands, LiveOptions(seconds=HALF_AN_HOUR, credits=9))

    told = [record.getMessage() for record in caplog.records if record.name == "vigie.flights.pace"]
    assert told == [
        f"asking {opensky.url}/api every 600 s for 30 min; 3 polls at 3 credits spend 9 of 9",
        "1 aircraft at 2026-09-21T14:13:20+00:00; 3 of 9 credits spent, 30 min to go, 397 left; next poll in 600 s",
        "1 aircraft at 2026-09-21T14:23:20+00:00; 6 of 9 credits spent, 20 min to go, 394 left; next poll in 600 s",
        "1 aircraft at 2026-09-21T14:33:20+00:00; 9 of 9 credits spent, 10 min to go, 391 left",
        "no further poll is within the budget: 9 of 9 credits are spent",
    ]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (LiveOptions(credits=2), "2 credits are not enough for one poll, which costs 3"),
        (LiveOptions(credits=401), "401 credits are more than OpenSky gives in that time, 400"),
        (LiveOptions(credits=801, seconds=2 * DAY), "801 credits are more than OpenSky gives in that time, 800"),
    ],
)
def test_a_budget_that_cannot_be_is_refused(options: LiveOptions, says: str, opensky: OpenSkyServer) -> None:
    with pytest.raises(BadSetting, match=says):
        live(anonymous(opensky), threading.Event(), options)


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["flights", "--credits", "30"], "only a live feed of OpenSky takes it (--credits)"),
        (["flights", "--for", "30m"], "only a live feed of OpenSky takes it (--for)"),
        (["activity", "recent_changes", "--live", "--for", "30m"], "only a live feed of OpenSky takes it (--for)"),
        (["activity", "recent_changes", "--live", "--credits", "3"], "only a live feed of OpenSky takes it"),
        (["flights", "--live", "--credits", "0"], "0 is too little (--credits)"),
        (["flights", "--live", "--credits", "2"], "2 credits are not enough for one poll, which costs 3"),
        (["flights", "--live", "--for", "0s"], "0 is too little (--for)"),
        (["flights", "--live", "--for", "soon"], "(--for)"),
    ],
)
def test_a_budget_is_for_a_live_feed_of_opensky_alone_and_else_exit_2(
    flags: list[str], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("VIGIE_OPENSKY_CLIENT_ID", raising=False)
    monkeypatch.delenv("VIGIE_OPENSKY_CLIENT_SECRET", raising=False)

    shown = CliRunner().invoke(app, ["feed", *flags, "--lake", f"{tmp_path}/lake"])

    assert shown.exit_code == 2
    assert says in " ".join(shown.stderr.split())


@given(
    credits=st.integers(4, 400),
    seconds=st.floats(60, 3 * DAY),
    cost=st.integers(1, 4),
    a_day=st.sampled_from([400, 4_000]),
)
def test_a_budget_is_never_overspent(credits: int, seconds: float, cost: int, a_day: int) -> None:
    budget = Budget(Credits(cost, a_day, 10.0), seconds, credits)

    interval = budget.interval(seconds, 0)

    assert interval >= 10.0
    assert budget.polls * cost <= credits
    assert budget.polls * interval >= seconds or interval == 10.0 or budget.polls * interval == pytest.approx(seconds)
