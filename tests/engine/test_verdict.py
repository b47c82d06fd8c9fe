"""What becomes of a row: the engine's judgement against a few cases, and against plain Python."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyspark.sql import functions as F

from vigie.core.ingest.shaping import shaped as shaped_rows
from vigie.engine import shaping, verdict
from vigie.engine.tables import spark_schema
from vigie.errors import BadDeclaration, RunFailed
from vigie.graph import Place, Silver, Source
from vigie.pipeline import SHIPPED, load

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

PLACE = Place("pipeline.py", 7)
SOURCE = Source("words", "k STRING, n BIGINT, at TIMESTAMP", "k", PLACE)
PARSED = """k STRING, n BIGINT, at TIMESTAMP, received_at TIMESTAMP,
    _origin STRUCT<file: STRING, line: BIGINT>, _broken STRING"""
NOON = datetime(2025, 6, 1, 12, tzinfo=UTC)
EXPECT = {"is small": "n < 100", "is even": "n % 2 = 0"}
KEYS_KNOWN = pa.schema([("u0", pa.string()), ("u1", pa.int64())])


def a_table(function: Callable[[DataFrame], DataFrame] = lambda rows: rows, **changed: Any) -> Silver:
    declared: dict[str, Any] = {
        "schema": SOURCE.schema,
        "event_time": "at",
        "late_by": "6 minutes",
        "unique": ("k", "n"),
        "expect": EXPECT,
    }
    return Silver("numbers", function, SOURCE, **{**declared, **changed}, place=PLACE)


@dataclass(frozen=True)
class Row:
    """A parsed message, at the `line` of file `file`."""

    k: str | None = "a"
    n: int | None = 2
    at: datetime | None = NOON
    line: int = 1
    file: str = "f"
    broken: str | None = None

    def values(self) -> tuple[object, ...]:
        return self.k, self.n, self.at, NOON, (self.file, self.line), self.broken


def the_verdicts(
    spark: SparkSession,
    rows: Iterable[Row],
    *,
    table: Silver | None = None,
    late_before: datetime | None = None,
    known: Collection[tuple[str | None, int | None]] = (),
) -> dict[tuple[str, int], tuple[str, list[str]]]:
    """What became of each row, and the rules it broke, by its origin."""
    table = table or a_table()
    told = the_told(spark, rows, table)
    before = pa.table({"u0": [k for k, _ in known], "u1": [n for _, n in known]}, KEYS_KNOWN)
    judged = verdict.judged(told, late_before, lambda _spans: before.to_reader())
    found: dict[tuple[str, int], tuple[str, list[str]]] = {
        place: ("accepted", []) for place in zip(told["o0"].to_pylist(), told["o1"].to_pylist(), strict=True)
    }
    assert len(found) == told.num_rows == judged.read
    for word, rows_of in (("broken", judged.broken), ("late", judged.late), ("repeat", judged.repeats)):
        for row in rows_of.to_pylist():
            assert found[row["o0"], row["o1"]][0] == "accepted", "one verdict a row"
            found[row["o0"], row["o1"]] = (word, row.get("rules", []))
    assert judged.accepted == words(found).count("accepted")
    left_out = told.take(judged.left_out).select(["o0", "o1"]).to_pylist()
    assert {(row["o0"], row["o1"]) for row in left_out} == {
        place for place, (word, _) in found.items() if word != "accepted"
    }
    return found


def the_told(spark: SparkSession, rows: Iterable[Row], table: Silver) -> pa.Table:
    """What Spark tells of these rows."""
    parsed, entered = shaping.observed(spark.createDataFrame([row.values() for row in rows], PARSED))
    asked, left = shaping.told(table, shaped_rows(table, SOURCE, parsed), ("file", "line"))
    told = asked.toArrow()
    shaping.none_lost(table, entered, left)
    return told


def words(verdicts: Mapping[Any, tuple[str, list[str]]]) -> list[str]:
    """The verdicts alone, in the order of where the rows came from."""
    return [word for _, (word, _) in sorted(verdicts.items())]


def test_a_broken_row_names_every_rule_it_breaks_in_their_order(spark: SparkSession) -> None:
    rows = [
        Row(k=None, at=None, n=101, line=1),
        Row(n=None, line=2),
        Row(n=3, line=3),
        Row(broken="is valid JSON", k=None, n=None, at=None, line=4),
    ]

    judged = the_verdicts(spark, rows)

    assert words(judged) == ["broken"] * 4
    assert judged["f", 1][1] == ["has a key", "has an event time", "is small", "is even"]
    assert judged["f", 2][1] == ["is small", "is even"], "a rule holds only when it is TRUE"
    assert judged["f", 3][1] == ["is even"]
    assert judged["f", 4][1] == ["is valid JSON"], "what could not be parsed was never asked the others"


BLANKS = [
    "",
    " ",
    " \t\r\n",
    "\u00a0",
    "\u2003\u3000",
    "\u2028",
    "\u200b",
    "\ufeff",
    "\u200d\u2060",
    "\u00ad",
    "\x00",
    "\x1b",
]
SHOWN_KEYS = ["0", " a ", "\u00a0a", "-", "null", "\U0001f600", "é", "e\u0301", "\u200b1"]


@pytest.mark.parametrize("name", SHIPPED)
def test_a_key_that_shows_nothing_is_none_in_every_pipeline(spark: SparkSession, name: str) -> None:
    graph = load(name).graph()
    for table in graph.silver:
        source = next(source for source in graph.sources if source is table.reads)
        nulls = spark.createDataFrame([(key,) for key in (*BLANKS, *SHOWN_KEYS, None)], f"{source.key} STRING")
        others = [
            F.lit(None).cast(field.dataType).alias(field.name)
            for field in spark_schema(source.schema).fields
            if field.name != source.key
        ]
        rows = nulls.select("*", *others, F.current_timestamp().alias("received_at"), F.expr("NULL AS _broken"))
        shaped = shaped_rows(table, source, rows.withColumn("_origin", F.struct(F.col(str(source.key)).alias("of"))))

        broke = {row["of"]: row["_rules"] for row in shaped.select("_origin.of", "_rules").collect()}

        assert {key for key, rules in broke.items() if "has a key" in rules} == {*BLANKS, None}


def test_a_key_that_is_a_number_is_never_blank(spark: SparkSession) -> None:
    source = Source("words", SOURCE.schema, "n", PLACE)
    rows = spark.createDataFrame([Row(n=0).values(), Row(n=None, line=2).values()], PARSED)

    shaped = shaped_rows(a_table(expect={}), source, rows).orderBy("_origin.line")

    assert [row["_rules"] for row in shaped.collect()] == [[], ["has a key"]]


def test_an_instant_that_other_readers_cannot_hold_is_none(spark: SparkSession) -> None:
    far = a_table(lambda rows: rows.withColumn("at", F.timestamp_seconds(F.lit(10**12))))

    judged = the_verdicts(spark, [Row()], table=far)

    assert judged["f", 1] == ("broken", ["has an event time"])


def test_a_row_is_late_from_just_before_the_limit_on(spark: SparkSession) -> None:
    rows = [Row(line=1), Row(n=4, at=NOON - timedelta(microseconds=1), line=2)]

    judged = the_verdicts(spark, rows, late_before=NOON)

    assert words(judged) == ["accepted", "late"]


def test_a_row_that_is_broken_and_late_and_a_repeat_is_broken(spark: SparkSession) -> None:
    rows = [Row(n=3, at=NOON - timedelta(hours=1))]

    judged = the_verdicts(spark, rows, late_before=NOON, known=[("a", 3)])

    assert judged["f", 1] == ("broken", ["is even"])


def test_a_row_that_is_late_and_a_repeat_is_late(spark: SparkSession) -> None:
    rows = [Row(at=NOON - timedelta(hours=1))]

    judged = the_verdicts(spark, rows, late_before=NOON, known=[("a", 2)])

    assert words(judged) == ["late"]


def test_the_first_by_origin_is_accepted_and_the_others_repeat_it(spark: SparkSession) -> None:
    rows = [Row(file="g", line=1), Row(file="f", line=10), Row(file="f", line=9), Row(n=4, file="h", line=1)]

    judged = the_verdicts(spark, rows)

    accepted = {origin for origin, (word, _) in judged.items() if word == "accepted"}
    assert accepted == {("f", 9), ("h", 1)}
    assert len(judged) == 4


def test_what_was_accepted_before_makes_the_first_of_a_batch_a_repeat(spark: SparkSession) -> None:
    judged = the_verdicts(
        spark, [Row(line=1), Row(n=4, line=2)], late_before=NOON - timedelta(hours=1), known=[("a", 2)]
    )

    assert words(judged) == ["repeat", "accepted"]


def test_a_broken_or_late_row_is_not_what_a_good_one_repeats(spark: SparkSession) -> None:
    rule = a_table(expect={"is on the dot": "second(at) = 0"})
    rows = [
        Row(at=NOON + timedelta(seconds=1), line=1),
        Row(at=NOON - timedelta(hours=1), line=2),
        Row(line=3),
    ]

    judged = the_verdicts(spark, rows, table=rule, late_before=NOON)

    assert words(judged) == ["broken", "late", "accepted"]


def test_two_nulls_in_a_unique_column_are_the_same_key(spark: SparkSession) -> None:
    anything = a_table(expect={})
    rows = [Row(n=None, line=1), Row(n=None, line=2), Row(n=0, line=3), Row(k="b", n=None, line=4)]

    judged = the_verdicts(spark, rows, table=anything, late_before=NOON - timedelta(hours=1), known=[("b", None)])

    assert words(judged) == ["accepted", "repeat", "accepted", "repeat"]


def test_without_unique_columns_nothing_is_a_repeat(spark: SparkSession) -> None:
    judged = the_verdicts(spark, [Row(line=1), Row(line=2)], table=a_table(unique=()))

    assert words(judged) == ["accepted", "accepted"]


def test_a_function_that_owes_a_column_is_refused_by_name(spark: SparkSession) -> None:
    owing = a_table(lambda rows: rows.drop("n", "at"))

    with pytest.raises(BadDeclaration, match=r"silver table 'numbers' \(pipeline.py:7\) owes n, at"):
        the_verdicts(spark, [Row()], table=owing)


def test_a_function_that_gives_another_type_is_refused_by_name(spark: SparkSession) -> None:
    strange = a_table(lambda rows: rows.withColumn("n", F.array("n")))

    with pytest.raises(BadDeclaration, match="'numbers'.* another type than its schema says"):
        the_verdicts(spark, [Row()], table=strange)


def test_a_function_that_loses_where_a_row_came_from_is_refused_by_name(spark: SparkSession) -> None:
    forgetful = a_table(lambda rows: rows.select("k", "n", "at"))

    with pytest.raises(BadDeclaration, match="'numbers'.* lost the columns that say where a row came from"):
        the_verdicts(spark, [Row()], table=forgetful)


ROWS = [Row(n=n, line=n) for n in range(4)]


@pytest.mark.parametrize(
    ("function", "says"),
    [
        (lambda rows: rows.where("n > 0"), "was given 4 rows and gave back 3"),
        (lambda rows: rows.union(rows), "was given 4 rows and gave back 8"),
        (
            lambda rows: rows.where("n > 0").union(rows.where("n = 1")),
            "was given 4 rows and gave back 4, not the same ones",
        ),
    ],
    ids=["drops", "multiplies", "swaps"],
)
def test_a_function_that_does_not_give_a_row_for_each_is_stopped_by_name(
    spark: SparkSession, function: Callable[[DataFrame], DataFrame], says: str
) -> None:
    table = a_table(function)

    with pytest.raises(RunFailed, match=f"silver table 'numbers' {says}"):
        the_told(spark, ROWS, table)


def test_the_counts_of_a_batch_are_of_its_rows_and_not_of_what_was_there_before(spark: SparkSession) -> None:
    table = a_table()
    given_rows = [
        *(Row(n=n, line=n) for n in range(2, 7)),
        Row(line=7),
        Row(n=8, at=NOON + timedelta(minutes=1), line=8),
        Row(n=10, at=NOON - timedelta(hours=2), line=9),
    ]
    known = pa.table({"u0": ["a", "b", "c"], "u1": [4, 6, 8]}, KEYS_KNOWN)

    found = verdict.judged(
        the_told(spark, given_rows, table), NOON - timedelta(hours=1), lambda _spans: known.to_reader()
    )

    assert (found.read, found.accepted, found.newest) == (8, 3, NOON + timedelta(minutes=1))
    assert (found.broken.num_rows, found.late.num_rows, found.repeats.num_rows) == (2, 1, 2)


def by_hand(rows: list[Row], late_before: datetime | None, known: set[tuple[str | None, int | None]]) -> list[str]:
    """The verdicts as the design words them, one row after the other."""
    seen = set(known) if late_before else set()
    found = []
    for row in sorted(rows, key=lambda row: (row.file, row.line)):
        small, even = row.n is not None and row.n < 100, row.n is not None and row.n % 2 == 0
        if row.broken or not row.k or row.at is None or not small or not even:
            found.append("broken")
        elif late_before and row.at < late_before:
            found.append("late")
        elif (row.k, row.n) in seen:
            found.append("repeat")
        else:
            seen.add((row.k, row.n))
            found.append("accepted")
    return found


KEYS, NUMBERS = st.sampled_from(["a", "b", "", None]), st.sampled_from([0, 2, 3, 4, 100, None])
TIMES = st.none() | st.integers(-3, 3).map(lambda minutes: NOON + timedelta(minutes=minutes))
PLACES = st.permutations(list(itertools.product(["f", "g", "ff"], range(1, 15))))


@st.composite
def many_rows(draw: st.DrawFn) -> list[Row]:
    places = draw(PLACES)
    drawn = st.tuples(KEYS, NUMBERS, TIMES, st.sampled_from([None, None, None, "is valid JSON"]))
    return [
        Row(*values[:3], line=line, file=file, broken=values[3])
        for (file, line), values in zip(places, draw(st.lists(drawn, min_size=20, max_size=42)), strict=False)
    ]


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=many_rows(),
    late_before=st.none() | st.just(NOON),
    known=st.sets(st.tuples(KEYS, NUMBERS), max_size=4),
)
def test_every_row_is_judged_as_by_hand_in_whatever_order_they_come(
    spark: SparkSession, rows: list[Row], late_before: datetime | None, known: set[Any]
) -> None:
    judged = the_verdicts(spark, rows, late_before=late_before, known=known)

    assert words(judged) == by_hand(rows, late_before, known)
