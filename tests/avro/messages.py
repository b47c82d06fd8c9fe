"""Schemas for the tests, and messages that fastavro, and not we, wrote by them."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
from fastavro import parse_schema, schemaless_writer

from vigie.avro.reading import decoder

INSTANT = pa.timestamp("us", tz="UTC")
EVENT: dict[str, Any] = {
    "type": "record",
    "name": "Event",
    "namespace": "shop",
    "fields": [
        {"name": "event_id", "type": "string"},
        {"name": "user_id", "type": "string"},
        {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "is_bot", "type": "boolean"},
        {"name": "version", "type": "int"},
    ],
}
REFERRER = {"name": "referrer", "type": "string", "default": ""}
V1 = json.dumps(EVENT)
V2 = json.dumps({**EVENT, "fields": [*EVENT["fields"], REFERRER]})
V3 = json.dumps({**EVENT, "fields": [*EVENT["fields"], REFERRER, {"name": "country", "type": "string"}]})
DDL = "event_id STRING, user_id STRING, at TIMESTAMP, is_bot BOOLEAN, version INT, referrer STRING"
COLUMNS = pa.schema(
    [
        ("event_id", pa.string()),
        ("user_id", pa.string()),
        ("at", INSTANT),
        ("is_bot", pa.bool_()),
        ("version", pa.int32()),
        ("referrer", pa.string()),
    ]
)
NOON = datetime(2025, 6, 1, 12, tzinfo=UTC)


def an_event(**fields: Any) -> dict[str, Any]:
    return {"event_id": "e1", "user_id": "ada", "at": NOON, "is_bot": False, "version": 1, **fields}


def framed(text: str, row: Any, number: int = 1) -> bytes:
    """What a producer of Confluent's sends for this row."""
    out = io.BytesIO(b"\0" + number.to_bytes(4, "big"))
    out.seek(0, io.SEEK_END)
    schemaless_writer(out, parse_schema(json.loads(text)), row)
    return out.getvalue()


def a_schema(kind: Any) -> str:
    """A record with one field of this type, `it`, between two others by which is seen that it ended where it should."""
    return json.dumps(
        {
            "type": "record",
            "name": "One",
            "fields": [{"name": "before", "type": "int"}, {"name": "it", "type": kind}, {"name": "n", "type": "int"}],
        }
    )


def read(text: str, schema: pa.Schema, *messages: bytes | None) -> tuple[list[dict[str, Any]], list[str | None]]:
    """Rows as a table of these columns takes them from messages that name schema 1."""
    columns, rules = decoder(schema, {1: text})(pa.array(messages, pa.binary()))
    arrays = [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)]
    return pa.Table.from_arrays(arrays, schema=schema).to_pylist(), rules


def schema_file(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text)
    return path
