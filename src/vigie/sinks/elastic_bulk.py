"""Documents put into Elasticsearch some at a time, and what is said of each."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from vigie.sinks import NotNow, Refused
from vigie.sinks.dead_letters import letter
from vigie.sinks.elastic_cluster import ANY_REFUSAL, Cluster, Login, reason, remedy

if TYPE_CHECKING:
    from pyarrow import RecordBatch

AT_ONCE = 5 * 1024 * 1024  # bytes of a request
TOO_LARGE = 413
THERE_ALREADY = 409
# Answered with 400 too, though it is the index that cannot take any, or none that can be made.
NOT_OF_THE_DOCUMENT = frozenset({"index_closed_exception", "validation_exception"})
BULK = "/_bulk?filter_path=errors,items.*.status,items.*.error"


class Line(NamedTuple):
    """A document: the index it goes into, its id, and itself as JSON. Without an index it belongs nowhere."""

    into: str | None
    id: str
    row: str

    def written(self) -> bytes:
        action = json.dumps({"create": {"_index": self.into, "_id": self.id}})
        return f"{action}\n{self.row}\n".encode()


Fault = tuple[Line, str]  # a document and why it was refused


@dataclass(frozen=True, slots=True)
class Place:
    """Where documents go, and those that are refused."""

    login: Login
    server: str
    collection: str
    letters: str

    def fill(self, batches: Iterable[RecordBatch]) -> Iterator[str]:
        with Cluster(self.login, self.server) as cluster:
            for batch in batches:
                lines = [Line(*row) for row in zip(*(column.to_pylist() for column in batch.columns), strict=True)]
                refused = list(put(cluster, lines))
                self._keep(cluster, refused)
                yield from (why for _, why in refused)

    def _keep(self, cluster: Cluster, refused: list[Fault]) -> None:
        letters = []
        for line, why in refused:
            kept = letter(self.collection, line.row, why)
            kept["refused_at"] = kept["refused_at"].isoformat()
            letters.append(Line(self.letters, kept.pop("_id"), json.dumps(kept)))
        for _, why in put(cluster, letters):
            raise Refused(
                f"{self.server} refused a document, and then a dead letter: {why}",
                where=self.letters,
                do=f"Mend what it says of the index {self.letters}, and start again: the batch is delivered again.",
            )


def put(cluster: Cluster, lines: list[Line]) -> Iterator[Fault]:
    """Put in what is not there yet, as much at once as a request takes; the documents that can never be put in."""
    size, waiting = 0, list[Line]()
    for line in lines:
        if line.into is None:
            yield line, "the column that its index is named after is null"
            continue
        length = len(line.written())
        if waiting and size + length > AT_ONCE:
            yield from _request(cluster, waiting)
            size, waiting = 0, []
        size += length
        waiting.append(line)
    if waiting:
        yield from _request(cluster, waiting)


def _request(cluster: Cluster, lines: list[Line]) -> Iterator[Fault]:
    body = b"".join(line.written() for line in lines)
    answer = cluster.ask("POST", BULK, body, lines=True, expected=(TOO_LARGE,))
    if answer.status == TOO_LARGE and len(lines) > 1:
        middle = len(lines) // 2
        yield from _request(cluster, lines[:middle])
        yield from _request(cluster, lines[middle:])
    elif answer.status == TOO_LARGE:
        yield lines[0], f"it is too large: {len(body):,} bytes"
    elif answer.body["errors"]:
        yield from judged(lines, answer.body["items"], cluster.product)


def judged(lines: list[Line], items: list[Any], server: str) -> Iterator[Fault]:
    """What the server says of each document; NotNow or Refused when it is not about the document."""
    for line, item in zip(lines, items, strict=True):
        status, said = item["create"]["status"], reason(item["create"])
        if status not in ANY_REFUSAL or status == THERE_ALREADY:
            continue
        if status == 429 or status >= 500:
            raise NotNow(f"{server} cannot take it now: {said} ({status})")
        if status != 400:  # no right, no index and none may be made, one that may not be written to
            raise Refused(f"{server} refused a batch: {said} ({status})", where=str(line.into), do=remedy(status))
        if item["create"]["error"]["type"] in NOT_OF_THE_DOCUMENT:
            raise Refused(f"{server} refused a batch: {said} ({status})", where=str(line.into), do=remedy(status))
        yield line, said
