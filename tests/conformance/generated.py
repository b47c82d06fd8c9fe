"""Pipelines and their messages, drawn from a seed; and what DuckDB makes of the same messages, taken one by one."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import TYPE_CHECKING, Any, Final

import duckdb
import pyarrow as pa

from tests.conformance.phrases import GROUPS, ROWS, RULES, WITHIN, Phrase
from vigie import Last, Pipeline
from vigie.detectors import Above

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

NOON: Final = datetime(2026, 6, 1, 12, tzinfo=UTC)
RECEIVED: Final = NOON + timedelta(days=1)  # so long ago that whoever runs this finds no partition busy
MINUTE: Final = timedelta(minutes=1)
SILVER: Final = "silver/readings"

FIELDS: Final = (
    "id STRING, t TIMESTAMP, n BIGINT, c INT, y DOUBLE, s STRING, b BOOLEAN, d DATE, a ARRAY<INT>, w ARRAY<STRING>, "
    "r STRUCT<p: INT, q: STRING>"
)
KINDS: Final = pa.schema(
    {
        "partition": pa.int32(), "offset": pa.int64(), "id": pa.string(), "t": pa.timestamp("us", "UTC"),
        "n": pa.int64(), "c": pa.int32(), "y": pa.float64(), "s": pa.string(), "b": pa.bool_(), "d": pa.date32(),
        "a": pa.list_(pa.int32()), "w": pa.list_(pa.string()), "r": pa.struct([("p", pa.int32()), ("q", pa.string())]),
    }
)  # fmt: skip
CHOSEN: Final = pa.schema({"partition": pa.int32(), "offset": pa.int64(), "seen": pa.timestamp("us", "UTC")})
KEPT: Final = tuple(name for name in KINDS.names if name not in {"partition", "offset"})

# Without letters that grow when they are written large, which DuckDB keeps as they are.
TEXTS: Final = (
    "", " ", "a", "Abc", "ABC", "  padded  ", "o'neil-smith", "été à Nîmes", "日本語", "naïve 🙂", "a,b,,c", "x=1&y=2",
    "100%_sure", "Building B, Floor -2", "zzzzzzzz", "tab\there", "e\u0301",
)  # fmt: skip
NUMBERS: Final = (0.0, -0.0, 0.1, 1e-7, -3.25, 12_345_678.9, 1e100, 1e-300)
LONGS: Final = (0, -1, 2**31, -(2**31), 2**53 - 1, -(10**15), 1_700_000_000)

Row = dict[str, Any]
Rows = list[tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class Windows:
    """A table of windows: how long each is, how often one begins, for whom, and what is asked of it."""

    name: str
    waits: timedelta
    length: timedelta
    every: timedelta
    by: tuple[str, ...]
    asks: tuple[Phrase, ...]
    at_least: int

    def declare(self, pipeline: Pipeline, reads: Any) -> None:
        def function(rows: DataFrame) -> DataFrame:
            from pyspark.sql import functions as F

            window = F.window("t", _span(self.length), _span(self.every))
            asked = [F.expr(phrase.spark).alias(f"g{at}") for at, phrase in enumerate(self.asks)]
            made = rows.groupBy(window, *self.by).agg(F.count("*").alias("rows"), *asked)
            return made.where(F.col("rows") >= self.at_least)

        pipeline.gold(self.name, reads=reads, late_by=_span(self.waits))(function)

    @property
    def columns(self) -> tuple[str, ...]:
        return ("window_start", *self.by, "rows", *(f"g{at}" for at in range(len(self.asks))))

    def query(self, least: str) -> str:
        """Of the rows `settled`: every window that ended so long before `least`."""
        asked = ", ".join(f"{phrase.duckdb} AS g{at}" for at, phrase in enumerate(self.asks))
        by = "".join(f", {each}" for each in self.by)
        length, every = self.length // MINUTE, self.every // MINUTE
        return f"""
            WITH begins AS (
                SELECT *, unnest(generate_series(0, {length // every - 1})) AS back FROM settled
            ), placed AS (
                SELECT *, time_bucket(INTERVAL {every} MINUTE, t) - back * INTERVAL {every} MINUTE AS window_start
                FROM begins
            )
            SELECT window_start{by}, count(*) AS rows, {asked} FROM placed
            WHERE window_start + INTERVAL {length} MINUTE <= {least} - INTERVAL {self.waits // MINUTE} MINUTE
            GROUP BY window_start{by} HAVING count(*) >= {self.at_least}
        """


@dataclass(frozen=True, slots=True)
class Beside:
    """A table whose rows look at earlier ones of their id."""

    name: str
    waits: timedelta
    span: timedelta
    asks: tuple[Phrase, ...]
    last: int  # so many rows of an id are enough; 0 for all of the span

    def declare(self, pipeline: Pipeline, reads: Any) -> None:
        micros = self.span // timedelta(microseconds=1)
        one = "(partition by id order by t)"
        near = f"(partition by id order by unix_micros(t) range between {micros} preceding and current row)"

        def function(rows: DataFrame) -> DataFrame:
            texts = [phrase.spark.format(one=one, near=near) for phrase in self.asks]
            return rows.selectExpr("id", "t", *(f"{text} AS g{at}" for at, text in enumerate(texts)))

        back = Last(self.last, of="id", within=_span(self.span)) if self.last else _span(self.span)
        pipeline.gold(self.name, reads=reads, late_by=_span(self.waits), looks_back=back)(function)

    @property
    def columns(self) -> tuple[str, ...]:
        return ("id", "t", *(f"g{at}" for at in range(len(self.asks))))

    def query(self, least: str) -> str:
        by_id, back = "PARTITION BY id ORDER BY t", f"INTERVAL {self.span // MINUTE} MINUTE"
        one, near = f"({by_id})", f"({by_id} RANGE BETWEEN {back} PRECEDING AND CURRENT ROW)"
        asked = ", ".join(f"{phrase.duckdb.format(one=one, near=near)} AS g{at}" for at, phrase in enumerate(self.asks))
        closed = f"t < {least} - INTERVAL {self.waits // MINUTE} MINUTE"
        return f"SELECT * FROM (SELECT id, t, {asked} FROM settled WHERE {closed})"


@dataclass(frozen=True, slots=True)
class Latest:
    """The newest row of each id."""

    name: str
    waits: timedelta = timedelta()

    def declare(self, pipeline: Pipeline, reads: Any) -> None:
        def function(rows: DataFrame) -> DataFrame:
            return rows.select(*self.columns)

        pipeline.gold(self.name, reads=reads, latest_by="id")(function)

    columns = ("id", "t", "c", "y", "s")

    def query(self, _least: str) -> str:
        is_newest = "row_number() OVER (PARTITION BY id ORDER BY t DESC) = 1"
        return f"SELECT {', '.join(self.columns)} FROM accepted QUALIFY {is_newest}"


Table = Windows | Beside | Latest


@dataclass(frozen=True, slots=True)
class Made:
    """A pipeline, and messages for it: of each partition, as they come."""

    columns: tuple[Phrase, ...]
    rules: tuple[Phrase, ...]
    waits: timedelta
    gold: tuple[Table, ...]
    limit: Above
    partitions: Sequence[Sequence[bytes]]

    def pipeline(self) -> Pipeline:
        """As Vigie is told of it."""
        made = Pipeline("generated")
        source = made.source("messages", schema=FIELDS, key="id")
        declared = ", ".join([FIELDS, *(f"e{at} {phrase.type}" for at, phrase in enumerate(self.columns))])

        @made.silver(
            "readings",
            reads=source,
            schema=declared,
            event_time="t",
            late_by=_span(self.waits),
            unique=("id", "t"),
            expect={f"rule {at}": rule.spark for at, rule in enumerate(self.rules)},
        )
        def readings(rows: DataFrame) -> DataFrame:
            asked = (f"{phrase.spark} AS e{at}" for at, phrase in enumerate(self.columns))
            return rows.selectExpr("*", *asked)

        for table in self.gold:
            table.declare(made, readings)
        made.watch(readings, key="id").alert("HIGH", self.limit)
        return made


@dataclass(slots=True)
class Expected:
    """What must come of it, whoever works it out."""

    silver: Rows
    quarantined: Rows
    late: Rows
    gold: Mapping[str, Rows]
    totals: Mapping[str, list[int]]  # of each table in the ledger: read, accepted, quarantined, duplicate, late
    alerts: Rows = field(default_factory=list)


def drawn(seed: int) -> Made:
    chance = Random(seed)
    waits = chance.choice([1, 3, 6]) * MINUTE
    return Made(
        columns=tuple(chance.sample(ROWS, 6)),
        rules=tuple(chance.sample(RULES, 2)),
        waits=waits,
        gold=(
            _windows(chance, "tumbling", waits, chance.choice([1, 2, 5]), 1),
            _windows(chance, "sliding", waits, chance.choice([1, 2]), chance.choice([2, 5])),
            _beside(chance, waits),
            Latest("latest"),
        ),
        limit=Above("y", 200.0, clears_at=50.0),
        partitions=[_messages(chance, number) for number in range(chance.choice([1, 2, 3]))],
    )


def _windows(chance: Random, name: str, waits: timedelta, every: int, times: int) -> Windows:
    return Windows(
        name,
        min(waits, chance.choice([0, 1, 2]) * MINUTE),
        every * times * MINUTE,
        every * MINUTE,
        chance.choice([(), ("id",), ("b",), ("id", "c")]),
        tuple(chance.sample(GROUPS, 5)),
        chance.choice([1, 1, 2]),
    )


def _beside(chance: Random, waits: timedelta) -> Beside:
    last = chance.choice([0, 0, 2])
    asks = [phrase for phrase in WITHIN if not last or "{near}" not in phrase.spark]
    return Beside("beside", min(waits, MINUTE), 10 * MINUTE, tuple(chance.sample(asks, 3)), last)


def _messages(chance: Random, partition: int) -> list[bytes]:
    """Time goes on, and back, and far back, and ahead of the clock; some come twice, and some are broken."""
    at, made = NOON + timedelta(seconds=chance.randrange(300)), list[bytes]()
    for _ in range(chance.choice([0, 25, 60])):
        at += timedelta(seconds=chance.choice([0, 1, 5, 20, 60]), microseconds=chance.choice([0, 0, 1, 250_000]))
        behind = timedelta(seconds=chance.choice([0] * 12 + [30, 90, 150, 400, 1_000, 5_000]))
        moment = at - behind if chance.random() > 0.02 else RECEIVED + 2 * MINUTE
        made.append(json.dumps(_fields(chance, f"k{partition}-{chance.randrange(3)}", moment)).encode())
        if chance.random() < 0.05:
            made.append(chance.choice([b"{", b"", b"\xff", b'{"id": 5}', b'{"id": "k", "t": null, "c": 1.5}']))
        if chance.random() < 0.08:
            made.append(chance.choice(made))
    return made


def _fields(chance: Random, key: str, moment: datetime) -> Row:
    def often(value: Any) -> Any:
        return None if chance.random() < 0.1 else value

    fields = {
        "n": often(chance.choice(LONGS) if chance.random() < 0.3 else chance.randint(-10_000, 10_000)),
        "c": often(chance.randint(0, 9)),
        "y": often(chance.choice(NUMBERS) if chance.random() < 0.15 else round(chance.uniform(-550, 500), 3)),
        "s": often(chance.choice(TEXTS)),
        "b": often(chance.random() < 0.5),
        "d": often(str(date(1970, 1, 1) + timedelta(days=chance.randint(-800, 24_000)))),
        "a": often([often(chance.randint(-3, 6)) for _ in range(chance.randrange(5))]),
        "w": often([often(chance.choice(TEXTS)) for _ in range(chance.randrange(4))]),
        "r": often({"p": often(chance.randint(0, 9)), "q": often(chance.choice(TEXTS))}),
    }
    return {"id": key, "t": moment.isoformat(), **{name: value for name, value in fields.items() if value is not None}}


def expected(made: Made) -> Expected:
    """One row after the other, partition by partition; conditions, columns and tables are DuckDB's."""
    with duckdb.connect() as database:
        database.execute("SET TimeZone = 'UTC'")
        return _Reckoning(made, database).told()


class Walk:
    """Who takes the rows that are whole, one after the other, and knows how far each partition has come."""

    def __init__(self, waits: timedelta) -> None:
        self.accepted: list[Row] = []
        self.late: Rows = []
        self.repeats = 0
        self._waits = waits
        self._reached: dict[int, datetime] = {}
        self._known: set[tuple[str, datetime]] = set()

    def meet(self, row: Row) -> None:
        partition, at = row["partition"], row["t"]
        before = self._reached.get(partition)
        if at <= RECEIVED + MINUTE:
            self._reached[partition] = max(before or at, at)
        if before is not None and at < before - self._waits:
            self.late.append((partition, row["offset"]))
        elif (row["id"], at) in self._known:
            self.repeats += 1
        else:
            self._known.add((row["id"], at))
            self.accepted.append({"partition": partition, "offset": row["offset"], "seen": before})

    @property
    def newest(self) -> datetime | None:
        return max(self._reached.values(), default=None)


class _Reckoning:
    def __init__(self, made: Made, database: duckdb.DuckDBPyConnection) -> None:
        self.made, self.database = made, database

    def told(self) -> Expected:
        made = self.made
        said = {
            (partition, offset): _parsed(message)
            for partition, messages in enumerate(made.partitions)
            for offset, message in enumerate(messages)
        }
        rows = [{"partition": partition, "offset": offset, **row} for (partition, offset), row in said.items() if row]
        self._take("parsed", rows, KINDS)
        refused = self._refused() | {place for place, row in said.items() if row is None}
        walk = Walk(made.waits)
        for row in rows:
            if (row["partition"], row["offset"]) not in refused:
                walk.meet(row)
        self._take("chosen", walk.accepted, CHOSEN)
        self.database.execute(
            'CREATE TABLE accepted AS SELECT p.*, seen FROM parsed p JOIN chosen USING (partition, "offset")'
        )
        asked = ", ".join(f"{phrase.duckdb} AS e{at}" for at, phrase in enumerate(made.columns))
        silver = self._rows(f"SELECT {', '.join(KEPT)}, seen, {asked} FROM accepted")
        count = len(walk.accepted)
        totals = {SILVER: [len(said), count, len(refused), walk.repeats, len(walk.late)]}
        least = "NULL::TIMESTAMPTZ" if walk.newest is None else f"TIMESTAMPTZ '{walk.newest.isoformat()}'"
        gold = {}
        for table in made.gold:
            in_time = self._settle(table.waits)
            gold[table.name] = self._rows(table.query(least))
            if not isinstance(table, Latest):  # which takes what is late for others, too
                totals[f"gold/{table.name}"] = [count, count - in_time]
        return Expected(silver, sorted(refused), walk.late, gold, totals, self._alerts(walk.accepted))

    def _take(self, name: str, rows: list[Row], schema: pa.Schema) -> None:
        self.database.register("given", pa.Table.from_pylist(rows, schema))
        self.database.execute(f"CREATE TABLE {name} AS SELECT * FROM given")

    def _rows(self, query: str) -> Rows:
        return self.database.execute(query).fetchall()

    def _refused(self) -> set[tuple[int, int]]:
        holds = " AND ".join(f"({rule.duckdb}) IS TRUE" for rule in self.made.rules)
        return set(self._rows(f'SELECT partition, "offset" FROM parsed WHERE NOT ({holds})'))

    def _settle(self, waits: timedelta) -> int:
        """The rows that came in time for who waits so long; how many."""
        self.database.execute(
            "CREATE OR REPLACE TABLE settled AS SELECT * FROM accepted "
            f"WHERE seen IS NULL OR t >= seen - INTERVAL {waits // MINUTE} MINUTE"
        )
        [(count,)] = self._rows("SELECT count(*) FROM settled")
        return int(count)

    def _alerts(self, accepted: Iterable[Row]) -> Rows:
        """For whom, when it opened and when it was over; what was overtaken ends nothing that began after it."""
        said = {
            (partition, offset): (key, at, value)
            for partition, offset, key, at, value in self._rows('SELECT partition, "offset", id, t, y FROM accepted')
        }
        since: dict[str, datetime] = {}
        found: Rows = []
        for row in accepted:
            key, at, value = said[row["partition"], row["offset"]]
            if value is None:
                continue
            if key not in since and value > self.made.limit.limit:
                since[key] = at
            elif key in since and at >= since[key] and value <= self.made.limit.clears_at:
                found.append((key, since.pop(key), at))
        return [*found, *((key, at, None) for key, at in since.items())]


def _parsed(message: bytes) -> Row | None:
    """What a message says, by its schema; None where it does not keep to it, or says not whom or when it is about."""
    try:
        said = json.loads(message)
    except ValueError:
        return None
    if not isinstance(said.get("id"), str) or not isinstance(said.get("t"), str):
        return None
    days = {"d": date.fromisoformat(said["d"])} if "d" in said else {}
    return {**said, **days, "t": datetime.fromisoformat(said["t"])}


def _span(of: timedelta) -> str:
    return f"{of // timedelta(seconds=1)} seconds"
