"""One input gives one answer, in whatever batches it is taken, however its partitions interleave, over restarts."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from deltalake import DeltaTable
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.core.loops import begun
from tests.core.partitions import Partitions, Take
from tests.tier import by_night
from vigie import Last, Pipeline
from vigie.core.ledger import Entry
from vigie.engines.embedded.engine import Embedded

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
LONG_AGO = datetime(2026, 6, 1, 14, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
SILVER_WAITS, COUNTS_WAIT, SLIDES_WAIT, PAIRS_WAIT = 6 * MINUTE, 2 * MINUTE, 4 * MINUTE, 1 * MINUTE

stoves = Pipeline("stoves")
source = stoves.source("heat", schema="id STRING, t TIMESTAMP, c DOUBLE", key="id")


@stoves.silver(
    "readings",
    reads=source,
    schema="id STRING, t TIMESTAMP, c DOUBLE",
    event_time="t",
    late_by="6 minutes",
    unique=("id", "t"),
    expect={"is warm": "c > 0"},
)
def readings(rows: DataFrame) -> DataFrame:
    return rows


@stoves.gold("counts", reads=readings, late_by="2 minutes")
def counts(rows: DataFrame) -> DataFrame:
    from pyspark.sql import functions as F

    return rows.groupBy(F.window("t", "1 minute"), "id").agg(F.count("*").alias("n"), F.max("c").alias("max_c"))


@stoves.gold("slides", reads=readings, late_by="4 minutes")
def slides(rows: DataFrame) -> DataFrame:
    from pyspark.sql import functions as F

    return rows.groupBy(F.window("t", "5 minutes", "1 minute")).agg(F.count("*").alias("n"))


@stoves.gold("pairs", reads=readings, late_by="1 minute", looks_back="3 minutes")
def pairs(rows: DataFrame) -> DataFrame:
    """Each reading beside the one before it of the same stove, three minutes earlier at most."""
    from pyspark.sql import Window
    from pyspark.sql import functions as F

    before = F.lag("t").over(Window.partitionBy("id").orderBy("t"))
    close = F.when(before >= F.col("t") - F.expr("INTERVAL 3 MINUTES"), before)
    return rows.select("id", "t", close.alias("before"))


@stoves.gold("carried", reads=readings, late_by="1 minute", looks_back=Last(1, of="id", within="3 minutes"))
def carried(rows: DataFrame) -> DataFrame:
    """The same, given no more of what was before than the last reading of each stove."""
    return pairs(rows)


@stoves.gold("last", reads=readings, latest_by="id")
def last(rows: DataFrame) -> DataFrame:
    return rows.select("id", "t", "c")


@dataclass(frozen=True)
class Message:
    partition: int
    offset: int
    key: str
    at: datetime
    warmth: float
    text: bytes | None = None

    @property
    def value(self) -> bytes:
        if self.text is not None:
            return self.text
        return json.dumps({"id": self.key, "t": self.at.isoformat(), "c": self.warmth}).encode()


def a_partition(chance: random.Random, number: int, size: int, received: datetime) -> list[Message]:
    """A key is in one partition; its time goes on, and back, and far back, and ahead; some messages are broken."""
    at, made = NOON + chance.randrange(300) * timedelta(seconds=1), list[Message]()
    for offset in range(size):
        at += timedelta(seconds=chance.choice([0, 1, 5, 20, 60]))
        behind = timedelta(seconds=chance.choice([0] * 12 + [30, 90, 150, 400, 1_000, 5_000]))
        moment = at - behind if chance.random() > 0.02 else received + chance.choice([2, 300]) * MINUTE
        text = chance.choice([b"{", b"", b"\xff", b'{"id": 5}']) if chance.random() < 0.04 else None
        warmth = -1.0 if chance.random() < 0.04 else float(chance.randrange(1, 40))
        made.append(Message(number, offset, f"k{number}-{chance.randrange(3)}", moment, warmth, text))
        if chance.random() < 0.05:
            made.append(Message(number, offset, made[-1].key, made[-1].at, 7.0))
    return [Message(m.partition, offset, m.key, m.at, m.warmth, m.text) for offset, m in enumerate(made)]


class One:
    """The answer of whoever takes the messages one by one, partition by partition."""

    def __init__(self, partitions: list[list[Message]], received: datetime) -> None:
        self.received = received
        self.accepted: list[tuple[Message, datetime | None]] = []
        self.quarantined: list[tuple[int, int]] = []
        self.late: list[tuple[int, int]] = []
        self.repeats = 0
        newest = []
        for messages in partitions:
            reached: datetime | None = None
            for message in messages:
                reached = self._told(message, reached)
            newest.append(reached)
        if received == LONG_AGO:  # read to their ends, all of them are idle
            self.least = max((each for each in newest if each is not None), default=None)
        else:
            spoken = [each for each, held in zip(newest, partitions, strict=True) if held]
            self.least = None if None in spoken else min((each for each in spoken if each), default=None)

    def _told(self, message: Message, reached: datetime | None) -> datetime | None:
        place = message.partition, message.offset
        if message.text is not None or message.warmth <= 0:
            self.quarantined.append(place)
            return reached
        is_credible = message.at <= self.received + MINUTE
        after = max(reached or message.at, message.at) if is_credible else reached
        if reached is not None and message.at < reached - SILVER_WAITS:
            self.late.append(place)
        elif any(each.key == message.key and abs(each.at - message.at) <= timedelta() for each, _ in self.accepted):
            self.repeats += 1
        else:
            self.accepted.append((message, reached))
        return after

    def in_time(self, waits: timedelta) -> list[Message]:
        return [each for each, reached in self.accepted if reached is None or each.at >= reached - waits]

    def counts(self) -> set[tuple[Any, ...]]:
        found: dict[tuple[datetime, str], list[float]] = {}
        for each in self.in_time(COUNTS_WAIT):
            found.setdefault((_minute(each.at), each.key), []).append(each.warmth)
        return {
            (start, key, len(warm), max(warm))
            for (start, key), warm in found.items()
            if self.least is not None and start + MINUTE <= self.least - COUNTS_WAIT
        }

    def slides(self) -> set[tuple[Any, ...]]:
        found: dict[datetime, int] = {}
        for each in self.in_time(SLIDES_WAIT):
            for back in range(5):
                start = _minute(each.at) - back * MINUTE
                found[start] = found.get(start, 0) + 1
        closed = (self.least or datetime.min.replace(tzinfo=UTC)) - SLIDES_WAIT if self.least else None
        return {(start, n) for start, n in found.items() if closed and start + 5 * MINUTE <= closed}

    def pairs(self) -> set[tuple[Any, ...]]:
        found: set[tuple[Any, ...]] = set()
        if self.least is None:
            return found
        by_key: dict[str, list[datetime]] = {}
        for each in self.in_time(PAIRS_WAIT):
            by_key.setdefault(each.key, []).append(each.at)
        for key, moments in by_key.items():
            moments.sort()
            for before, at in zip([None, *moments], moments, strict=False):
                if at < self.least - PAIRS_WAIT:
                    found.add((key, at, before if before and at - before <= 3 * MINUTE else None))
        return found

    def last(self) -> set[tuple[Any, ...]]:
        newest: dict[str, Message] = {}
        for each, _ in self.accepted:
            if each.key not in newest or each.at > newest[each.key].at:
                newest[each.key] = each
        return {(each.key, each.at) for each in newest.values()}


def _minute(at: datetime) -> datetime:
    return at.replace(second=0, microsecond=0)


def taken(  # noqa: PLR0913
    lake: Path,
    engine: Embedded,
    partitions: list[list[Message]],
    received: datetime,
    take: Take,
    restarts: random.Random | None,
) -> list[Entry]:
    """All of it, in the batches that `take` makes; now and then it begins again from what is in the lake."""
    source = Partitions([[(each.value, received) for each in messages] for messages in partitions], take)
    entries: list[Entry] = []

    loop = begun(lake, engine, stoves, source, entries)
    while loop.ingest() or loop.follow():
        if restarts is not None and restarts.random() < 0.3:
            loop = begun(lake, engine, stoves, source, entries)
        if restarts is not None and restarts.random() < 0.5:
            loop.follow(in_turn=restarts.random() < 0.5)
    return entries


def table(lake: Path, name: str) -> pl.DataFrame:
    found = pl.from_arrow(DeltaTable(lake / name).to_pyarrow_table())
    assert isinstance(found, pl.DataFrame)
    return found


def held(lake: Path, name: str, *columns: str) -> list[tuple[Any, ...]]:
    return sorted(table(lake, name).select(columns).rows(), key=str)


CUTS = {"all at once": 0, "some": 40, "few": 9}
KEYS = {
    "gold/counts": ("window_start", "id", "n", "max_c"),
    "gold/slides": ("window_start", "n"),
    "gold/pairs": ("id", "t", "before"),
    "gold/carried": ("id", "t", "before"),
    "gold/last": ("id", "t"),
}
WAITS = {"counts": COUNTS_WAIT, "slides": SLIDES_WAIT, "pairs": PAIRS_WAIT, "carried": PAIRS_WAIT}
PARTS = ("read", "accepted", "quarantined", "duplicate", "late")


def totals(entries: list[Entry], address: str) -> list[int]:
    return [sum(getattr(entry, part) or 0 for entry in entries if entry.table == address) for part in PARTS]


@pytest.mark.timeout(by_night(1_800, few=300))
@pytest.mark.parametrize("most", CUTS.values(), ids=CUTS)
@settings(
    max_examples=by_night(40, few=4),
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.generate],  # each example is many batches: too dear to shrink
)
@given(seed=st.integers(0, 2**32), how_many=st.sampled_from([1, 2, 5]), has_empty=st.booleans(), is_old=st.booleans())
def test_tables_and_ledger_are_what_one_by_one_gives(  # noqa: PLR0913
    engine: Embedded,
    tmp_path_factory: pytest.TempPathFactory,
    most: int,
    seed: int,
    how_many: int,
    has_empty: bool,
    is_old: bool,
) -> None:
    chance, received = random.Random(seed), LONG_AGO if is_old else datetime.now(UTC)
    partitions = [a_partition(chance, number, chance.choice([20, 60]), received) for number in range(how_many)]
    partitions += [[]] if has_empty else []
    lake = tmp_path_factory.mktemp("lake")

    def take(left: list[int]) -> list[int]:
        return [chance.randrange(most + 1) if most else each for each in left]

    entries = taken(lake, engine, partitions, received, take, random.Random(seed + 1) if most else None)

    wanted = One(partitions, received)
    silver = [(m.key, m.at, m.warmth, reached) for m, reached in wanted.accepted]
    assert held(lake, "silver/readings", "id", "t", "c", "seen_until") == sorted(silver, key=str)
    assert held(lake, "quarantine/stoves", "partition", "offset") == sorted(wanted.quarantined, key=str)
    assert held(lake, "late/stoves", "partition", "offset") == sorted(wanted.late, key=str)
    gold = dict(
        zip(KEYS, (wanted.counts(), wanted.slides(), wanted.pairs(), wanted.pairs(), wanted.last()), strict=True)
    )
    for address, columns in KEYS.items():
        assert held(lake, address, *columns) == sorted(gold[address], key=str), address
    judged = [len(wanted.accepted), len(wanted.quarantined), wanted.repeats, len(wanted.late)]
    assert totals(entries, "silver/readings") == [sum(map(len, partitions)), *judged]
    for address, waits in WAITS.items():
        late = len(wanted.accepted) - len(wanted.in_time(waits))
        assert totals(entries, f"gold/{address}")[0::4] == [len(wanted.accepted), late], address
