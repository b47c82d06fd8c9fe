"""Live aircraft from OpenSky's REST API, polled no faster than a day's credits allow.

https://openskynetwork.github.io/opensky-api/rest.html

The logger `vigie.flights.pace` is told what happens: at INFO how often OpenSky is asked, and each poll with
its aircraft and the credits left; at WARNING each setback and each answer that is not as documented.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, wait
from dataclasses import dataclass
from threading import Event, Thread
from typing import TYPE_CHECKING

from vigie.backoff import Setback
from vigie.errors import BadSetting
from vigie.feed import Tick
from vigie.flights.credits import ANONYMOUS, USER, Credits, cost_of
from vigie.flights.pace import Pace

if TYPE_CHECKING:
    from vigie.flights.states import Answer
    from vigie.settings import Settings

STATE_VECTOR = """time BIGINT, icao24 STRING, callsign STRING, origin_country STRING, time_position BIGINT,
    last_contact BIGINT, longitude DOUBLE, latitude DOUBLE, baro_altitude DOUBLE, on_ground BOOLEAN,
    velocity DOUBLE, true_track DOUBLE, vertical_rate DOUBLE, sensors ARRAY<INT>, geo_altitude DOUBLE,
    squawk STRING, spi BOOLEAN, position_source INT, category INT"""

# In the order of OpenSky's vectors, after the answer's own time.
FIELDS = tuple(field.split()[0] for field in STATE_VECTOR.split(","))

PATIENCE = 15.0  # seconds
HEARTBEAT = 0.5  # seconds: what feed.py asks of a live source


@dataclass(frozen=True, slots=True)
class Clock:
    """Time as the feed lives it, which a test turns by hand."""

    time: Callable[[], float] = time.time
    wait: Callable[[Event, float], object] = Event.wait


def live(
    settings: Settings,
    stop: Event,
    interval: float | None = None,
    *,
    clock: Clock | None = None,
    jitter: Callable[[], float] = random.random,
    patience: float = PATIENCE,
) -> Iterator[Tick]:
    """Every aircraft in the box at each poll, until `stop` is set.

    `interval` is the time in seconds between two polls. Without one it is long enough for a day's credits to
    last a day: 648 s over France without an account, 64.8 s with one. OpenSky repeats a position for up to
    15 s; repeats are sent on for silver to count. Setbacks are waited out, as long as OpenSky asks or ever
    longer with jitter. Raises VigieError when only a person can mend it.
    """
    user = settings.opensky_client_id is not None
    credit = Credits(cost_of(settings.opensky_box), USER if user else ANONYMOUS, 5.0 if user else 10.0)
    if interval is not None and not interval >= credit.resolution:
        raise BadSetting(
            f"an interval of {interval:g} s would get each answer twice: OpenSky's change every "
            f"{credit.resolution:g} s {'for users' if user else 'without an account'}",
            where="--interval",
            do=f"Write --interval {credit.resolution:g}s or more, or leave it out: credits then last a day.",
        )
    return _ticks(settings, stop, Pace(credit, interval, jitter), clock or Clock(), patience)


def _ticks(settings: Settings, stop: Event, pace: Pace, clock: Clock, patience: float) -> Iterator[Tick]:
    from vigie.flights.states import States

    states = States(settings, patience, clock.time)
    pace.announce(settings.opensky_url)
    try:
        while not stop.is_set():
            began = clock.time()
            poll = yield from _aside(states.poll, stop, clock)
            if not poll.done():
                return
            try:
                answer = poll.result()
            except Setback as setback:
                pause = pace.after_setback(setback)
            else:
                yield Tick(clock.time(), answer.messages)
                interval = pace.after(answer)
                # Within the interval even when somebody sets the machine's clock back meanwhile.
                pause = min(interval, max(0.0, interval - (clock.time() - began)))
            yield from _pause(pause, stop, clock)
    finally:
        states.close()


def _aside(work: Callable[[], Answer], stop: Event, clock: Clock) -> Generator[Tick, None, Future[Answer]]:
    """Work in a thread of its own, so that the feed goes on and can stop while OpenSky is slow."""
    outcome: Future[Answer] = Future()

    def run() -> None:
        try:
            outcome.set_result(work())
        except BaseException as problem:  # it is raised again where the outcome is read
            outcome.set_exception(problem)

    # A daemon, so that a poll that was given up does not hold up the end of the program.
    Thread(target=run, name="opensky", daemon=True).start()
    while not wait([outcome], HEARTBEAT).done and not stop.is_set():
        yield Tick(clock.time(), [])
    return outcome


def _pause(seconds: float, stop: Event, clock: Clock) -> Iterator[Tick]:
    while seconds > 0 and not stop.is_set():
        clock.wait(stop, min(seconds, HEARTBEAT))
        seconds -= HEARTBEAT
        yield Tick(clock.time(), [])
