"""What a silver function makes of a row, and which rules that breaks; of the verdicts on a row the first that fits."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from pyspark.sql import functions as F

from tests.core.loops import run
from tests.core.numbers import a_number, numbers, rows
from tests.core.partitions import Partitions
from vigie import Pipeline
from vigie.arrow_types import arrow_schema
from vigie.core.engine import Engine
from vigie.core.ingest.parsing import parsed_schema
from vigie.core.ingest.shaping import shaped
from vigie.core.ledger import Entry
from vigie.errors import BadDeclaration, RunFailed
from vigie.graph import Place, Silver, Source
from vigie.pipeline import SHIPPED, load

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

PLACE = Place("pipeline.py", 7)
SOURCE = Source("words", "k STRING, n BIGINT, at TIMESTAMP", "k", PLACE)
NOON = datetime(2025, 6, 1, 12, tzinfo=UTC)
EXPECT = {"is small": "n < 100", "is even": "n % 2 = 0"}
ORIGIN = pa.schema([("file", pa.string()), ("line", pa.int64())])


def a_table(function: Callable[[DataFrame], DataFrame] = lambda rows: rows, **changed: Any) -> Silver:
    declared: dict[str, Any] = {"event_time": "at", "late_by": "6 minutes", "unique": ("k", "n"), "expect": EXPECT}
    return Silver("numbers", function, SOURCE, SOURCE.schema, **{**declared, **changed}, place=PLACE)


def parsed(source: Source, messages: Iterable[dict[str, Any]]) -> pa.Table:
    """Messages as they are parsed: what is not said of one is null, but for where it stood and when it came."""
    fields = parsed_schema(arrow_schema(source.schema), ORIGIN)
    told = [
        {"received_at": NOON, "_origin": {"file": "f", "line": line}, **message}
        for line, message in enumerate(messages, 1)
    ]
    return pa.Table.from_pylist(told, fields)


def a_message(k: str | None = "a", n: int | None = 2, at: datetime | None = NOON, **more: Any) -> dict[str, Any]:
    return {"k": k, "n": n, "at": at, **more}


def broken_by(
    engine: Engine, *messages: dict[str, Any], table: Silver | None = None, source: Source = SOURCE
) -> list[list[str]]:
    """The rules that each message breaks, in the order of the messages."""
    made = engine.evaluate(partial(shaped, table or a_table(), source), parsed(source, messages))
    found = sorted(made.select(["_origin", "_rules"]).to_pylist(), key=lambda row: row["_origin"]["line"])
    assert len(found) == len(messages)
    return [row["_rules"] for row in found]


def test_a_broken_row_names_every_rule_it_breaks_in_their_order(engine: Engine) -> None:
    nothing_at_all = a_message(k=None, at=None, n=101)
    unread = a_message(k=None, n=None, at=None, _broken="is valid JSON")

    found = broken_by(engine, nothing_at_all, a_message(n=None), a_message(n=3), unread, a_message())

    assert found == [
        ["has a key", "has an event time", "is small", "is even"],
        ["is small", "is even"],  # a rule holds only when it is TRUE
        ["is even"],
        ["is valid JSON"],  # what could not be parsed was never asked the others
        [],
    ]


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
def test_a_key_that_shows_nothing_is_none_in_every_pipeline(engine: Engine, name: str) -> None:
    graph = load(name).graph()
    for table in graph.silver:
        source = next(source for source in graph.sources if source is table.reads)
        keys = [*BLANKS, *SHOWN_KEYS, None]

        found = broken_by(engine, *({str(source.key): key} for key in keys), table=table, source=source)

        without = {key for key, rules in zip(keys, found, strict=True) if "has a key" in rules}
        assert without == {*BLANKS, None}


def test_a_key_that_is_a_number_is_never_blank(engine: Engine) -> None:
    source = Source("words", SOURCE.schema, "n", PLACE)

    found = broken_by(engine, a_message(n=0), a_message(n=None), table=a_table(expect={}), source=source)

    assert found == [[], ["has a key"]]


def test_an_instant_that_other_readers_cannot_hold_is_none(engine: Engine) -> None:
    far = a_table(lambda rows: rows.withColumn("at", F.timestamp_seconds(F.lit(10**12))))

    assert broken_by(engine, a_message(), table=far) == [["has an event time"]]


@pytest.mark.parametrize(
    ("function", "says"),
    [
        (lambda rows: rows.drop("n", "at"), r"silver table 'numbers' \(pipeline.py:7\) owes n, at"),
        (lambda rows: rows.withColumn("n", F.array("n")), "'numbers'.* another type than its schema says"),
        (lambda rows: rows.select("k", "n", "at"), "'numbers'.* lost the columns that say where a row came from"),
    ],
    ids=["owes", "another type", "no origin"],
)
def test_a_function_that_does_not_keep_to_its_declaration_is_refused_by_name(
    engine: Engine, function: Callable[[DataFrame], DataFrame], says: str
) -> None:
    with pytest.raises(BadDeclaration, match=says):
        broken_by(engine, table=a_table(function))


def test_a_rule_that_is_no_condition_is_refused_by_name(engine: Engine) -> None:
    odd = a_table(expect={"is small": "n < 100", "is odd": "no_such_column % 2 = 1"})

    with pytest.raises(BadDeclaration, match="the rule 'is odd' of silver table 'numbers'") as problem:
        broken_by(engine, table=odd)
    assert "no_such_column % 2 = 1" in problem.value.do


def taken(engine: Engine, lake: Path, pipeline: Pipeline, *batches: list[bytes]) -> list[Entry]:
    """Take these messages, all of one partition, in these batches; what the ledger was told of silver."""
    sizes = iter([len(batch) for batch in batches])
    messages = [(message, NOON + timedelta(hours=1)) for batch in batches for message in batch]
    told = run(lake, engine, pipeline, Partitions([messages], lambda _left: [next(sizes)]))
    return [entry for entry in told if entry.table.startswith("silver/") and entry.read]


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
    engine: Engine, tmp_path: Path, function: Callable[[DataFrame], DataFrame], says: str
) -> None:
    pipeline = numbers(lambda rows: function(rows.withColumn("at", rows.t.cast("timestamp"))))

    with pytest.raises(RunFailed, match=f"silver table 'even' {says}"):
        taken(engine, tmp_path, pipeline, [a_number(n, n) for n in range(4)])


def test_a_row_that_is_broken_and_late_and_a_repeat_is_broken_and_one_that_is_late_and_a_repeat_late(
    engine: Engine, tmp_path: Path
) -> None:
    first = [a_number(2, 0), a_number(4, 600)]

    [_, entry] = taken(engine, tmp_path, numbers(), first, [a_number(3, 0), a_number(2, 0), a_number(6, 600)])

    assert (entry.accepted, entry.quarantined, entry.late, entry.duplicate) == (0, 1, 1, 1)
    assert [row["rules"] for row in rows(tmp_path, "quarantine/numbers")] == [["is even"]]
    assert [row["value"] for row in rows(tmp_path, "late/numbers")] == [a_number(2, 0)]


def test_a_broken_row_is_not_what_a_good_one_repeats(engine: Engine, tmp_path: Path) -> None:
    [entry] = taken(engine, tmp_path, numbers(), [a_number(3, 0), a_number(2, 0), a_number(4, 0)])

    assert (entry.accepted, entry.quarantined, entry.duplicate) == (1, 1, 1)
    assert [row["n"] for row in rows(tmp_path, "silver/even")] == [2]


def test_two_nulls_in_a_unique_column_are_the_same_key_in_one_batch_and_over_batches(
    engine: Engine, tmp_path: Path
) -> None:
    pipeline = Pipeline("words")
    source = pipeline.source("raw", schema="k STRING, n BIGINT, at TIMESTAMP", key="k")
    pipeline.silver(
        "told", reads=source, schema=source.schema, event_time="at", late_by="6 minutes", unique=("k", "n")
    )(lambda rows: rows)

    def a_word(k: str, n: int | None, at: int) -> bytes:
        return json.dumps({"k": k, "n": n, "at": f"2025-06-01T12:00:{at:02}Z"}).encode()

    entries = taken(
        engine,
        tmp_path,
        pipeline,
        [a_word("a", None, 1), a_word("a", None, 2), a_word("a", 0, 3), a_word("b", None, 4)],
        [a_word("b", None, 5), a_word("a", 0, 6), a_word("c", None, 7)],
    )

    assert [(entry.accepted, entry.duplicate) for entry in entries] == [(3, 1), (1, 2)]
