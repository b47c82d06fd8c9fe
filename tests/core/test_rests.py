"""While messages come, a gold table rests after a batch, the longer the longer that took."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from vigie.core import loop
from vigie.core.engine import EngineDied
from vigie.core.ledger import Entry
from vigie.core.loop import Loop


@dataclass
class Clock:
    now: float = 0.0

    def monotonic(self) -> float:
        return self.now


@dataclass
class Table:
    """One whose batches take so many seconds, while it has any."""

    table: str
    seconds: float
    clock: Clock
    left: int = 1
    steps: int = 0
    waits: str = field(default="", init=False)

    def is_due(self) -> bool:
        return True

    def step(self) -> list[Entry] | None:
        self.steps += 1
        if not self.left:
            return None
        self.left -= 1
        self.clock.now += self.seconds
        return [Entry(self.table, self.table, 0, 1)]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    turned = Clock()
    monkeypatch.setattr(loop, "time", turned)
    return turned


def a_loop(*tables: Any) -> Loop:
    nothing: Callable[[Any], None] = lambda _said: None  # noqa: E731
    return Loop([], tables, nothing, nothing, nothing)


def test_a_table_that_took_long_rests_nine_times_as_long_and_others_go_on(clock: Clock) -> None:
    far, near = Table("far", 2.0, clock, left=5), Table("near", 0.0, clock, left=5)
    of_both = a_loop(far, near)

    assert of_both.follow(in_turn=True)
    assert of_both.rests() == 0.0, "the near one is due again"
    assert of_both.follow(in_turn=True)
    assert (far.steps, near.steps) == (1, 2)

    clock.now = 19.9
    of_both.follow(in_turn=True)
    assert (far.steps, near.steps) == (1, 3)

    clock.now = 20.0
    of_both.follow(in_turn=True)
    assert (far.steps, near.steps) == (2, 4)


def test_no_table_rests_for_longer_than_half_a_minute(clock: Clock) -> None:
    far = Table("far", 60.0, clock, left=5)
    of_one = a_loop(far)

    assert of_one.follow(in_turn=True)

    assert of_one.rests() == 30.0


def test_what_was_lost_with_an_engine_that_died_is_not_rested_for(clock: Clock) -> None:
    far = Table("far", 1.0, clock)

    step, deaths = far.step, [100.0]

    def dies_once() -> list[Entry] | None:
        if not deaths:
            return step()
        clock.now += deaths.pop()
        raise EngineDied("it went away")

    far.step = dies_once  # type: ignore[method-assign]
    of_one = a_loop(far)

    assert of_one.follow(in_turn=True)

    assert of_one.rests() == 9.0


def test_a_table_with_nothing_to_do_does_not_rest(clock: Clock) -> None:
    idle = Table("idle", 2.0, clock, left=0)
    of_one = a_loop(idle)

    assert not of_one.follow(in_turn=True)
    assert of_one.rests() is None


def test_no_table_rests_when_all_that_is_there_is_to_go_through(clock: Clock) -> None:
    far = Table("far", 2.0, clock, left=3)
    of_one = a_loop(far)

    while of_one.follow():
        pass

    assert (far.steps, far.left) == (4, 0)
