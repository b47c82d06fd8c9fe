"""Every detector says of every reading of a random stream what the plain reference says of it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.detectors.readings import CONDITIONS, RULES, said, series
from tests.reference.detectors import Reading, Said, judge
from vigie.detectors import Silent

JUDGED = [name for name, rule in RULES.items() if not isinstance(rule, Silent)]


@pytest.mark.parametrize("name", JUDGED)
@settings(max_examples=60, deadline=None)
@given(one=series("a"), other=series("b", most=5))
def test_what_it_says_is_what_the_reference_says(name: str, one: list[Reading], other: list[Reading]) -> None:
    rule = RULES[name]
    readings = [*one, *other]

    found = said(rule, readings)

    expected = [
        judge(rule, [r for r in readings if r.key == reading.key and r.at < reading.at], reading, CONDITIONS)
        for reading in readings
    ]
    assert [(s.fires, s.clears) for s in found] == [(s.fires, s.clears) for s in expected]
    assert [(s.value, s.threshold) for s in found if s.fires] == [shown(s) for s in expected if s.fires]


def shown(said: Said) -> object:
    return pytest.approx(said.value, rel=1e-9), pytest.approx(said.threshold, rel=1e-9)


@settings(max_examples=30, deadline=None)
@given(readings=series("a"), data=st.data())
def test_what_is_said_of_a_reading_does_not_hang_on_what_comes_after_it(
    readings: list[Reading], data: st.DataObject
) -> None:
    rule = RULES[data.draw(st.sampled_from(JUDGED))]
    until = data.draw(st.integers(1, len(readings)))

    found = said(rule, readings[:until])

    assert [(s.fires, s.clears) for s in found] == [(s.fires, s.clears) for s in said(rule, readings)[:until]]
