"""A small pipeline over Avro, for the tests: events of a shop, on Kafka or as lines."""

from __future__ import annotations

from pyspark.sql import DataFrame

from tests.avro.messages import DDL
from vigie import Pipeline

shop = Pipeline("shop")
events_raw = shop.source("events_raw", schema=DDL, key="user_id", format="avro")


@shop.silver(
    "events", reads=events_raw, schema=DDL, event_time="at", late_by="10 minutes", unique="event_id",
    expect={"has a version": "version IN (1, 2)"},
)  # fmt: skip
def events(rows: DataFrame) -> DataFrame:
    """One event of one user."""
    return rows
