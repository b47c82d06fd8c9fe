"""A row that a silver function raises on stands alone in quarantine, with the error; the rest goes on."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from deltalake import DeltaTable

from tests.core.loops import run
from tests.core.partitions import Partitions
from vigie import Pipeline
from vigie.core.engine import Engine
from vigie.engines.embedded.engine import Embedded
from vigie.errors import RunFailed

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
stoves = Pipeline("stoves")
heat = stoves.source("heat", schema="id STRING, t TIMESTAMP, n INT", key="id")


@stoves.silver("shares", reads=heat, schema="id STRING, t TIMESTAMP, share DOUBLE, lucky INT", event_time="t")
def shares(rows: DataFrame) -> DataFrame:
    from pyspark.sql import functions as F

    @F.udf("int")
    def lucky(n):  # type: ignore[no-untyped-def]
        if n == 13:
            raise ValueError("unlucky")
        return n

    beyond = F.when(F.col("n") == 0, 7).otherwise(1)  # of a list of one
    return rows.withColumns({"share": F.element_at(F.array(F.lit(0.5)), beyond), "lucky": lucky("n")})


def of(values: list[bytes]) -> Partitions:
    return Partitions([[(value, NOON + timedelta(hours=1)) for value in values]], lambda left: left)


def a_message(at: int, n: int | None) -> bytes:
    return json.dumps({"id": "a", "t": (NOON + timedelta(seconds=at)).isoformat(), "n": n}).encode()


def test_poison_rows_are_found_among_the_others_and_named_with_the_error(engine: Engine, tmp_path: Path) -> None:
    chance = random.Random(3)
    deadly = [0, 13] if isinstance(engine, Embedded) else [13]  # Spark gives null beyond the end of a list
    poison = {at: chance.choice(deadly) for at in chance.sample(range(300), 4)}
    values = [a_message(at, poison.get(at, at + 20)) for at in range(300)]
    values[7] = b"{"
    poison.pop(7, None)

    silver = run(tmp_path, engine, stoves, of(values))[1]

    assert (silver.read, silver.accepted, silver.quarantined) == (300, 299 - len(poison), 1 + len(poison))
    aside = {
        row["offset"]: row["rules"] for row in DeltaTable(tmp_path / "quarantine/stoves").to_pyarrow_table().to_pylist()
    }
    assert aside.pop(7) == ["is valid JSON"]
    assert {at: rules[0] for at, rules in aside.items()} == dict.fromkeys(poison, "cannot be computed")
    for at, rules in aside.items():
        assert "unlucky" in rules[1] if poison[at] == 13 else "out of bounds" in rules[1]


def test_a_function_that_can_never_be_computed_is_refused_before_anything_is_read(
    engine: Embedded, tmp_path: Path
) -> None:
    odd = Pipeline("odd")
    source = odd.source("heat", schema="id STRING, t TIMESTAMP, n INT", key="id")

    @odd.silver("none", reads=source, schema="id STRING, t TIMESTAMP, x INT", event_time="t")
    def none(rows: DataFrame) -> DataFrame:
        from pyspark.sql import functions as F

        return rows.withColumn("x", F.expr("no_such_function(n)"))

    with pytest.raises(RunFailed, match="no_such_function"):
        run(tmp_path, engine, odd, of([a_message(0, 1)]))
    assert not (tmp_path / "bronze/heat").exists() or DeltaTable(tmp_path / "bronze/heat").version() == 0
