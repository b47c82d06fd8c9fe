from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vigie.duration import parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("6 minutes", 360),
        ("5s", 5),
        ("500ms", 0.5),
        ("1 hour 30 minutes", 5400),
        ("INTERVAL 2 DAYS", 172_800),
        ("1.5h", 5400),
    ],
)
def test_spans_are_read_as_people_write_them(text: str, seconds: float) -> None:
    assert parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "soon", "5", "minutes", "6 minits", "-5s", "5s and more", "9" * 400 + "d"])
def test_what_is_no_span_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="span of time|spans? of time"):
        parse_duration(text)


@given(st.integers(0, 10_000), st.sampled_from(["second", "minute", "hour", "day"]))
def test_a_plural_is_the_same_span(count: int, unit: str) -> None:
    assert parse_duration(f"{count} {unit}s") == parse_duration(f"{count}{unit}")
