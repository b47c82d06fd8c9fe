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
from vigie.feed import NOTHING_SAID, LiveOptions, Tick
from vigie.flights.credits import ANONYMOUS, DAY, FEEDER, USER, Budget, Credits, cost_of
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
    options: LiveOptions = NOTHING_SAID,
    *,
    clock: Clock | None = None,
    jitter: Callable[[], float] = random.random,
    patience: float = PATIENCE,
) -> Iterator[Tick]:
    """Every aircraft in the box at each poll, until `stop` is set, or the time or the credits that were given are over.

    Without an interval, `credits` (those of a day unless said) last for `seconds` (a day unless said): over France
    without an account a poll every 648 s, or one every 13.5 s for half an hour. With neither it never ends.

    OpenSky repeats a position for up to 15 s; repeats are sent on for silver to count. Setbacks are waited out, as
    long as OpenSky asks or ever longer with jitter. Raises VigieError when only a person can mend it.
    """
    user = settings.opensky_client_id is not None
    credit = Credits(cost_of(settings.opensky_box), USER if user else ANONYMOUS, 5.0 if user else 10.0)
    interval = options.interval
    if interval is not None and not interval >= credit.resolution:
        raise BadSetting(
            f"an interval of {interval:g} s would get each answer twice: OpenSky's change every "
            f"{credit.resolution:g} s {'for users' if user else 'without an account'}",
            where="--interval",
            do=f"Write --interval {credit.resolution:g}s or more, or leave it out: credits then last a day.",
        )
    pace = Pace(credit, interval, jitter, _budget(credit, options, FEEDER if user else ANONYMOUS))
    return _ticks(settings, stop, pace, clock or Clock(), patience)


def _budget(credit: Credits, options: LiveOptions, most_a_day: int) -> Budget | None:
    if options.credits is None and options.seconds is None:
        return None
    seconds = options.seconds or DAY
    most = int(most_a_day * max(1.0, seconds / DAY))
    if options.credits is not None and not credit.cost <= options.credits <= most:
        raise BadSetting(
            f"{options.credits} credits are not enough for one poll, which costs {credit.cost}"
            if options.credits < credit.cost
            else f"{options.credits} credits are more than OpenSky gives in that time, {most}",
            where="--credits",
            do=f"Write a number from {credit.cost} to {most}, or leave it out: a day's credits are then spent at most.",
        )
    return Budget(credit, seconds, options.credits)


def _ticks(settings: Settings, stop: Event, pace: Pace, clock: Clock, patience: float) -> Iterator[Tick]:
    from vigie.flights.states import States

    states = States(settings, patience, clock.time)
    pace.begin(settings.opensky_url, clock.time())
    try:
        while not stop.is_set() and not pace.is_over(clock.time()):
            began = clock.time()
            poll = yield from _aside(states.poll, stop, clock)
            if not poll.done():
                return
            try:
                answer = poll.result()
            except Setback as setback:
                pause = pace.after_setback(setback, clock.time())
            else:
                yield Tick(clock.time(), answer.messages)
                interval = pace.after(answer, began)
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
