"""Rows as JSON, and values as texts, are what Spark makes of the same rows."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.rows import texts_as_they_are
from tests.tier import by_night
from vigie.arrow_json import MICROS, MILLIS, objects, values
from vigie.arrow_text import mended, texts

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

INSTANT, CLOCK = pa.timestamp("us", "UTC"), pa.timestamp("us")
WITH_ALL_DIGITS = {
    "timestampFormat": "yyyy-MM-dd'T'HH:mm:ss.SSSSSSXXX",
    "timestampNTZFormat": "yyyy-MM-dd'T'HH:mm:ss.SSSSSS",
}
FORMATS: dict[int, dict[str, str]] = {MILLIS: {}, MICROS: WITH_ALL_DIGITS}


def whole(bits: int) -> st.SearchStrategy[int]:
    return st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


def fractions(width: Any) -> st.SearchStrategy[float]:
    """Numbers that Java writes plainly: before 19 it wrote more digits than are needed of some of the others."""
    plain = st.floats(0.0011, 9_999_999, width=64).map(lambda number: round(number, 4))
    return st.one_of(plain, plain.map(lambda number: -number), st.sampled_from([0.0, -0.0, *UNUSUAL])).filter(
        lambda number: width == 64 or abs(number) != 9_999_999
    )


UNUSUAL = (float("nan"), float("inf"), float("-inf"))
CHARACTERS = st.characters(exclude_categories=["Cs"])
STRINGS = st.text(st.one_of(CHARACTERS, st.sampled_from('"\\/\0\b\t\n\f\r\x1f\x7f\u2028é€😀')), max_size=12)
INSTANTS = st.datetimes(timezones=st.just(UTC))


def pairs(entries: dict[Any, Any]) -> list[tuple[Any, Any]]:
    return list(entries.items())


SIMPLE: list[tuple[pa.DataType, st.SearchStrategy[Any]]] = [
    (pa.bool_(), st.booleans()),
    (pa.int8(), whole(8)),
    (pa.int16(), whole(16)),
    (pa.int32(), whole(32)),
    (pa.int64(), whole(64)),
    (pa.float32(), fractions(32)),
    (pa.float64(), fractions(64)),
    (pa.decimal128(12, 3), st.decimals(-(10**8), 10**8, places=3)),
    (pa.decimal128(38, 18), st.decimals(-1, 1, places=18)),
    (pa.decimal128(38, 0), st.integers(-(10**38) + 1, 10**38 - 1).map(Decimal)),
    (pa.string(), STRINGS),
    (pa.binary(), st.binary(max_size=9)),
    (pa.date32(), st.dates()),
    (INSTANT, INSTANTS),
    (CLOCK, st.datetimes()),
]
NESTED: list[tuple[pa.DataType, st.SearchStrategy[Any]]] = [
    (pa.list_(pa.string()), st.lists(st.none() | STRINGS, max_size=3)),
    (pa.list_(pa.list_(INSTANT)), st.lists(st.none() | st.lists(st.none() | INSTANTS, max_size=2), max_size=3)),
    *((pa.map_(kind, pa.float64()), st.dictionaries(keys, st.none() | fractions(64), max_size=3).map(pairs))
      for kind, keys in [SIMPLE[at] for at in (0, 4, 7, 10, 12, 13)]),
    (pa.map_(pa.string(), pa.list_(pa.date32())),
     st.dictionaries(STRINGS, st.lists(st.dates(), max_size=2), max_size=2).map(pairs)),
    (pa.struct([(f'f "{at}"', kind) for at, (kind, _) in enumerate(SIMPLE)]),
     st.fixed_dictionaries({f'f "{at}"': st.none() | drawn for at, (_, drawn) in enumerate(SIMPLE)})),
    (pa.list_(pa.struct([("deeper", pa.struct([("n", pa.int8())]))])),
     st.lists(st.fixed_dictionaries({"deeper": st.none() | st.fixed_dictionaries({"n": whole(8)})}), max_size=2)),
]  # fmt: skip
COLUMNS = {f'c "{at}"': each for at, each in enumerate([*SIMPLE, *NESTED])}
SCHEMA = pa.schema([(name, kind) for name, (kind, _) in COLUMNS.items()])
ROWS = st.fixed_dictionaries({name: st.none() | drawn for name, (_, drawn) in COLUMNS.items()})


def as_spark_says(spark: SparkSession, table: pa.Table, digits: int) -> tuple[list[str], list[list[str | None]]]:
    """The rows as JSON, and each column as texts, in Spark's words."""
    from pyspark.sql import functions as F
    from pyspark.sql.pandas.types import from_arrow_schema

    rows = spark.createDataFrame(table, from_arrow_schema(table.schema, prefer_timestamp_ntz=True)).coalesce(1)
    kept = {"ignoreNullFields": "false"} | FORMATS[digits]
    cast = [F.col(f"`{name}`").cast("string").alias(f"t{at}") for at, name in enumerate(table.column_names)]
    found = rows.select(F.to_json(F.struct("*"), kept).alias("json"), *cast).collect()
    return [row["json"] for row in found], [list(row[1:]) for row in found]


def as_said_here(table: pa.Table, digits: int) -> tuple[list[str], list[list[str | None]]]:
    found: list[str] = []
    said: list[list[str | None]] = []
    for batch in table.to_batches(max_chunksize=7):
        found += objects(batch, digits).to_pylist()
        said += map(list, zip(*(texts(column).to_pylist() for column in batch.columns), strict=True))
    return found, said


@settings(max_examples=by_night(200, few=8), deadline=None, suppress_health_check=list(HealthCheck))
@given(rows=st.lists(ROWS, min_size=1, max_size=20), digits=st.sampled_from([MILLIS, MICROS]))
def test_rows_are_what_spark_makes_of_them(spark: SparkSession, rows: list[dict[str, Any]], digits: int) -> None:
    table = pa.Table.from_pylist(rows, SCHEMA)

    assert as_said_here(table, digits) == as_spark_says(spark, table, digits)


def test_every_type_is_what_spark_makes_of_it(spark: SparkSession) -> None:
    drawn: list[Any] = [
        True, -128, -32768, 7, 2**62, 0.1, 1e-300, Decimal("123456789.125"), Decimal("1E-18"), Decimal(10**37),
        'a "b"\\\0\x1f\u2028€😀', b"\x00\xff", date(2024, 2, 29), datetime(1969, 12, 31, 23, 59, 59, 999_999, UTC),
        datetime(1, 1, 1),
    ]  # fmt: skip
    kinds = [kind for kind, _ in SIMPLE]
    columns = {str(kind): pa.array([value, None], kind) for kind, value in zip(kinds, drawn, strict=True)}
    columns["many"] = pa.array([["x", None], []], pa.list_(pa.string()))
    columns["named"] = pa.array([[("k", 1.5)], None], pa.map_(pa.string(), pa.float64()))
    inside = pa.struct([("at", INSTANT), ("deeper", pa.struct([("n", pa.int8())]))])
    columns["inside"] = pa.array([{"at": datetime(2025, 6, 1, tzinfo=UTC), "deeper": None}, None], inside)
    table = pa.table(columns)

    for digits in (MILLIS, MICROS):
        assert as_said_here(table, digits) == as_spark_says(spark, table, digits)


def test_bytes_that_are_no_text_have_as_many_unreadable_characters_as_spark_gives_them(spark: SparkSession) -> None:
    seconds, thirds = b"\x00A\x7f\x80\x8f\x90\x9f\xa0\xbf\xc0\xed\xff", [b"", b"A", b"\x80", b"\xbf", b"\xed"]
    drawn = [bytes([first, second]) + third for first in range(128, 256) for second in seconds for third in thirds]
    table = pa.table({"bytes": pa.array(drawn, pa.binary())})

    said = [text for batch in table.to_batches() for text in texts(batch["bytes"]).to_pylist()]

    rows = spark.createDataFrame(table).coalesce(1)
    assert said == [row[0] for row in rows.selectExpr("CAST(bytes AS STRING)").collect()]


def test_moments_beyond_the_calendar_have_the_years_that_spark_gives_them(spark: SparkSession) -> None:
    micros = [2**62, 253_402_300_800_000_000, -62_167_219_200_000_001, -62_135_596_800_000_001, None, 0]
    days = [2_932_897, -719_529, -719_163, None, 40_000_000, 0]
    keys = pa.array([[(each, each)] for each in range(6)], pa.map_(INSTANT, pa.date32()))
    table = pa.table(
        {"at": pa.array(micros, INSTANT), "clock": pa.array(micros, CLOCK), "day": pa.array(days, pa.date32()),
         "map": keys}
    )  # fmt: skip
    rows = spark.createDataFrame([(at, day) for at, day in zip(micros, days, strict=True)], "at BIGINT, day INT")
    rows = rows.selectExpr(
        "timestamp_micros(at) AS at", "CAST(timestamp_micros(at) AS TIMESTAMP_NTZ) AS clock",
        "date_from_unix_date(day) AS day",
    ).coalesce(1)  # fmt: skip
    shown = rows.selectExpr(
        "to_json(struct(*), map('ignoreNullFields', 'false')) AS j", "CAST(at AS STRING)", "CAST(day AS STRING)"
    )

    found = shown.collect()

    batch = table.select(["at", "clock", "day"]).to_batches()[0]
    assert objects(batch).to_pylist() == [row[0] for row in found]
    assert texts(batch["at"]).to_pylist() == [row[1] for row in found]
    assert texts(batch["day"]).to_pylist() == [row[2] for row in found]
    assert values(table["map"].chunk(0)).to_pylist()[1] == '{"1":"1970-01-02"}'


@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    singles=st.lists(st.floats(width=32, allow_nan=False), min_size=50, max_size=50),
    doubles=st.lists(st.floats(allow_nan=False), min_size=50, max_size=50),
)
def test_a_number_with_an_exponent_is_the_same_number_as_spark_s(
    spark: SparkSession, singles: list[float], doubles: list[float]
) -> None:
    import numpy as np

    table = pa.table({"single": pa.array(singles, pa.float32()), "double": pa.array(doubles, pa.float64())})

    _, ours = as_said_here(table, MILLIS)

    _, theirs = as_spark_says(spark, table, MILLIS)
    form = re.compile(r"(-?\d\.\d+E-?\d+|-?\d+\.\d+|-?Infinity)")
    assert all(form.fullmatch(text or "") for row in ours for text in row)
    assert [np.float32(row[0]) for row in ours] == [np.float32(row[0]) for row in theirs]
    assert [float(row[1] or 0) for row in ours] == [float(row[1] or 0) for row in theirs]


@pytest.mark.parametrize(
    ("number", "text"),
    [(0.001, "0.001"), (9999999.0, "9999999.0"), (1e7, "1.0E7"), (-1.5e-7, "-1.5E-7"), (1e-300, "1.0E-300"),
     (2.2250738585072014e-308, "2.2250738585072014E-308"), (1.7976931348623157e308, "1.7976931348623157E308"),
     (-0.0, "-0.0")],
)  # fmt: skip
def test_numbers_have_an_exponent_where_java_gives_them_one(number: float, text: str) -> None:
    assert texts(pa.array([number])).to_pylist() == [text]


def test_a_text_that_is_no_utf_8_is_mended() -> None:
    broken = texts_as_they_are(b"a\xff", b"b")

    assert mended(broken).to_pylist() == ["a\ufffd", "b"]
    assert values(broken).to_pylist() == ['"a\ufffd"', '"b"']


@pytest.mark.parametrize("kind", [pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string())])
def test_other_forms_of_text_are_texts(kind: pa.DataType) -> None:
    batch = pa.record_batch({"k": pa.array(['"', None]).cast(kind)})

    assert objects(batch).to_pylist() == ['{"k":"\\""}', '{"k":null}']


def test_instants_of_another_zone_are_written_in_utc() -> None:
    noon = pa.array([datetime(2025, 6, 1, 12, tzinfo=UTC)], pa.timestamp("us", "Europe/Paris"))

    assert values(noon).to_pylist() == ['"2025-06-01T12:00:00.000Z"']
