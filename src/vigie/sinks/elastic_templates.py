"""How Elasticsearch is to keep the rows of a table: their fields, the template of its indices, how long they live."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import pyarrow as pa

from vigie.arrow_types import spark_name

Json = dict[str, Any]

PRIORITY = 200  # above 100, that of the templates which Elasticsearch brings
LONGEST_MONTH = timedelta(days=31)
LONGEST_TERM = 8_191  # characters: a term of Lucene has 32,766 bytes, and a character at most four
KINDS = {
    "boolean": "boolean",
    "tinyint": "byte",
    "smallint": "short",
    "int": "integer",
    "bigint": "long",
    "float": "float",
    "double": "double",
    "binary": "binary",
    "date": "date",
    "timestamp": "date",
    "timestamp_ntz": "date",
}
MADE = {"made_by": "vigie"}
SETTINGS: Json = {"number_of_shards": 1, "auto_expand_replicas": "0-1"}


def fields(schema: Iterable[pa.Field]) -> Json:
    """The fields of a document, for the columns of a row."""
    return {field.name: _kind(field.type) for field in schema}


def template(index: str, properties: Json, *, is_cut: bool, policy: str = "") -> Json:
    """The template of a table's index; or when it is cut by months, of its indices, which are found under its name."""
    settings = dict(SETTINGS)
    if policy:
        # The age of an index is that of the month in its name, and not of the day on which it was made.
        settings |= {"lifecycle.name": policy, "lifecycle.parse_origination_date": True}
    inner: Json = {"settings": {"index": settings}, "mappings": {"dynamic": False, "properties": properties}}
    if is_cut:
        inner["aliases"] = {index: {}}
    pattern = f"{index}-*" if is_cut else index
    return {"index_patterns": [pattern], "priority": PRIORITY, "template": inner, "_meta": MADE}


def template_of_letters(index: str) -> Json:
    """The template of the index that holds what was refused."""
    properties = {
        "collection": {"type": "keyword"},
        "reason": {"type": "text"},
        "row": {"enabled": False},
        "characters": {"type": "long"},
        "refused_at": {"type": "date"},
    }
    return template(index, properties, is_cut=False)


def lifecycle(keep: timedelta) -> Json:
    """A policy of Elasticsearch: an index is deleted once the last row of its month is older than `keep`."""
    phases = {
        "hot": {"min_age": "0ms", "actions": {"set_priority": {"priority": 50}}},
        "delete": {"min_age": _age(keep), "actions": {"delete": {}}},
    }
    return {"policy": {"_meta": MADE, "phases": phases}}


def state_management(index: str, keep: timedelta) -> Json:
    """The same for OpenSearch, which takes an index to be as old as the day on which it was made."""
    due = {"state_name": "deleted", "conditions": {"min_index_age": _age(keep)}}
    states = [
        {"name": "kept", "actions": [], "transitions": [due]},
        {"name": "deleted", "actions": [{"delete": {}}], "transitions": []},
    ]
    return {
        "policy": {
            "description": f"Months of {index} that vigie delivers",
            "default_state": "kept",
            "states": states,
            "ism_template": [{"index_patterns": [f"{index}-*"], "priority": PRIORITY}],
        }
    }


def _age(keep: timedelta) -> str:
    return f"{int((keep + LONGEST_MONTH).total_seconds())}s"


def _kind(kind: pa.DataType) -> Json:
    if pa.types.is_struct(kind):
        return {"properties": fields(kind)}
    if pa.types.is_map(kind):  # each key would become a field, and an index has room for a thousand
        return {"type": "object", "enabled": False}
    if pa.types.is_nested(kind):  # any field may hold several
        return _kind(kind.value_type)
    if pa.types.is_decimal(kind):
        return {"type": "double"}
    name = KINDS.get(spark_name(kind))
    return {"type": name} if name else {"type": "keyword", "ignore_above": LONGEST_TERM}
