"""An index of Elasticsearch, or of OpenSearch, at the address that VIGIE_ELASTIC holds."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Any, ClassVar

import pyarrow as pa
import pyarrow.compute as pc

from vigie.arrow_json import MICROS, objects
from vigie.arrow_text import texts
from vigie.arrow_types import spark_name
from vigie.duration import parse_duration
from vigie.sinks import Columns, Refused, places, several
from vigie.sinks.elastic_bulk import Place
from vigie.sinks.elastic_cluster import ELASTICSEARCH, Cluster, Login
from vigie.sinks.elastic_templates import fields, lifecycle, state_management, template, template_of_letters

if TYPE_CHECKING:
    from vigie.contracts import Surroundings

NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,199}")
LONGEST_ID = 512  # bytes
MOMENTS = ("timestamp", "timestamp_ntz", "date")

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Elastic:
    """Each row as a document of an index, one for each value of the columns `id`; the first that comes stays.

    `_id` is those columns as an object of JSON. The first of them that is an instant or a day cuts the index by
    months: `flight-phases-2026.11.01` holds November, and `flight-phases` finds all. A month is deleted when its last
    row is older than `keep`; with None, and where no column of `id` is an instant, nothing ever is. What is refused
    goes to another index, `dead_letters` (the index's name and `_dead_letters`, unless said), with the reason.
    """

    index: str
    id: Columns
    keep: str | None = "365 days"
    dead_letters: str = ""
    every: str | None = None
    module: ClassVar[str] = "elasticsearch"
    extra: ClassVar[str] = "elastic"

    def problems(self) -> Iterator[str]:
        """What is wrong with what it was given."""
        for name in (self.index, *([self.dead_letters] if self.dead_letters else [])):
            if not (isinstance(name, str) and NAME.fullmatch(name)):
                yield (
                    f"{name!r} is no name of an index: write small letters, digits, '-', '_' and '.', at most 200, a "
                    "letter or a digit first"
                )
        if self.index == self.letters:
            yield "what is refused cannot go to the index that refuses it"
        if not self.columns or not all(isinstance(column, str) and column for column in self.columns):
            yield "id is the name of a column, or the names of some"
        try:
            if self.keep is not None and not parse_duration(self.keep):
                yield "keep is a span of time, and longer than nothing"
        except (TypeError, ValueError) as problem:
            yield f"keep: {problem}"

    def missing(self, around: Surroundings) -> str:
        return "" if around.settings.elastic else "VIGIE_ELASTIC is not set"

    def opened(self, around: Surroundings) -> ElasticIndex:
        keep = None if self.keep is None else parse_duration(self.keep)
        return ElasticIndex(self, keep, Login.of(around.settings))

    @property
    def columns(self) -> tuple[str, ...]:
        return several(self.id)

    @property
    def letters(self) -> str:
        return self.dead_letters or f"{self.index}_dead_letters"


class ElasticIndex:
    """The index, over a connection for each batch."""

    def __init__(self, sink: Elastic, keep: timedelta | None, login: Login) -> None:
        self._sink = sink
        self._keep = keep
        self._login = login
        self._place: Place | None = None

    def write(self, rows: pa.RecordBatchReader, _batch: int) -> None:
        cut_by = self._cut_by(rows.schema)
        if self._place is None:
            self._place = self._prepared(rows.schema, cut_by)
        lines = (documents(part, self._sink.index, self._sink.columns, cut_by) for part in rows)
        places.write(lines, self._place)

    def _cut_by(self, schema: pa.Schema) -> str:
        """The column after whose month the index of a row is named; none when no column of its id is a moment.

        As it is one of the id's, a row that comes again goes to the same index, where its id is known.
        """
        kinds = {field.name: spark_name(field.type) for field in schema}
        if strange := [name for name in self._sink.columns if name not in kinds]:
            raise Refused(
                f"Elastic('{self._sink.index}') names '{strange[0]}', which is no column of the table",
                where=self._sink.index,
                do=f"Name one of: {', '.join(kinds)}.",
            )
        return next((name for name in self._sink.columns if kinds[name] in MOMENTS), "")

    def _prepared(self, schema: pa.Schema, cut_by: str) -> Place:
        """What must be there before the first document: how indices are to be made, and how long they live."""
        name, letters, properties = self._sink.index, self._sink.letters, fields(schema)
        with Cluster(self._login) as cluster:
            product = cluster.recognise()
            policy = self._policy(cluster) if cut_by and self._keep else ""
            shape = template(name, properties, is_cut=bool(cut_by), policy=policy)
            cluster.ask("PUT", f"/_index_template/vigie-{name}", shape)
            cluster.ask("PUT", f"/_index_template/vigie-{letters}", template_of_letters(letters))
            self._widen(cluster, f"{name}-*" if cut_by else name, properties)
        return Place(self._login, product, name, letters)

    def _policy(self, cluster: Cluster) -> str:
        """Say how long the months are kept; what a template calls that, which is nothing in OpenSearch."""
        assert self._keep is not None
        name = f"vigie-{self._sink.index}"
        if cluster.product == ELASTICSEARCH:
            if cluster.put(f"/_ilm/policy/{name}", lifecycle(self._keep)):
                return name
        else:
            path = f"/_plugins/_ism/policies/{name}"
            found = cluster.ask("GET", path, expected=(400, 404))
            if found.status < 300:
                path += f"?if_seq_no={found.body['_seq_no']}&if_primary_term={found.body['_primary_term']}"
            if cluster.put(path, state_management(self._sink.index, self._keep)):
                return ""
        log.warning("%s: this %s takes no lifecycle, so nothing is deleted after %s",
                    self._sink.index, cluster.product, self._sink.keep)  # fmt: skip
        return ""

    def _widen(self, cluster: Cluster, indices: str, properties: dict[str, Any]) -> None:
        """Give the indices that are there the fields that came since; a template counts for new ones alone."""
        path = f"/{indices}/_mapping?allow_no_indices=true&ignore_unavailable=true"
        cluster.ask("PUT", path, {"properties": properties}, expected=(404,))


def documents(rows: pa.RecordBatch, index: str, key: tuple[str, ...], cut_by: str) -> pa.RecordBatch:
    """Each row as its index, its id and itself as JSON."""
    days = texts(rows.column(cut_by)).to_pylist() if cut_by else []
    into = [None if day is None else f"{index}-{_month(day)}" for day in days] if cut_by else [index] * len(rows)
    ids = [_short(id) for id in objects(rows.select(list(key)), MICROS).to_pylist()]
    sent = pa.record_batch([_sendable(column) for column in rows.columns], names=rows.schema.names)
    return pa.record_batch([into, ids, objects(sent, MICROS)], names=["index", "id", "row"])


def _month(day: str) -> str:
    """The first of its month, of a day or an instant."""
    year, month, _ = day.rsplit("-", 2)
    return f"{year}.{month}.01"


def _short(id: str) -> str:
    """The id, or what stands for it where Elasticsearch would not take it."""
    written = id.encode()
    return sha256(written).hexdigest() if len(written) > LONGEST_ID else id


def _sendable(column: pa.Array) -> pa.Array:
    """The column; numbers that JSON has no form for are null."""
    return pc.if_else(pc.is_finite(column), column, None) if pa.types.is_floating(column.type) else column
