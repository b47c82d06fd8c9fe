"""The programs that Vigie is measured beside are good ones: strict, and right where messages are not."""

from __future__ import annotations

import polars as pl
import pytest

from bench.flights.messages import START, messages
from bench.flights.reports import report_of
from bench.flights.tables import SILVER_COLUMNS
from bench.flights.with_polars import Silver, Windows, decoded, typed

BROKEN = [b"", b"no JSON", b"[1]", b'{"icao24": "a"}{"icao24": "b"}', b'{"latitude": NaN}', b"\xff"]


def sent(count: int) -> list[bytes]:
    return [value for _, value in messages(count)]


def batch(values: list[bytes]) -> pl.DataFrame:
    return pl.DataFrame({"value": pl.Series(values, dtype=pl.Binary)})


@pytest.mark.parametrize("message", BROKEN)
def test_a_broken_message_stands_alone(message: bytes) -> None:
    values = [*sent(5), message, *sent(3)]

    vectors = decoded(batch(values)["value"])

    assert vectors.is_null().to_list() == [False] * 5 + [True] + [False] * 3
    assert report_of(message) is None


def test_a_message_is_the_same_report_for_frameworks_and_for_polars() -> None:
    values = sent(400)

    made = typed(decoded(batch(values)["value"]).struct.unnest())

    rows = [report for value in values if (report := report_of(value))]
    by_row = pl.DataFrame(rows, schema=dict.fromkeys(SILVER_COLUMNS), orient="row", infer_schema_length=None)
    instants = pl.col("event_timestamp").cast(pl.Datetime("us", "UTC"))
    assert by_row.with_columns(instants).cast(made.schema).equals(made)


def test_repeats_are_removed_within_a_batch_and_across_batches() -> None:
    silver = Silver()
    values = sent(8)  # each fourth is a repeat

    first, second = silver.of(batch(values)), silver.of(batch(values))

    assert (len(first), len(second)) == (6, 0)


def test_a_report_that_comes_too_late_is_dropped() -> None:
    silver = Silver()
    [early] = sent(1)
    late_by = early.replace(str(START).encode(), str(START + 361).encode())

    assert len(silver.of(batch([late_by]))) == 1
    assert silver.of(batch([early])).is_empty()


def test_a_window_is_given_once_when_it_is_over() -> None:
    silver, windows = Silver(), Windows()
    given = []
    for at in range(0, 60_000, 12_000):
        reports = silver.of(batch(sent(60_000)[at : at + 12_000]))
        given.append(windows.over(reports, silver.newest))

    starts = pl.concat(given)["window_start"].dt.epoch("s").unique().to_list()
    assert starts == [START]
    assert sum(not each.is_empty() for each in given) == 1
