"""Messages as documents of BSON: decoded, whole, and where they stood; what cannot be decoded, byte for byte."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from vigie.avro.reading import FRAME, Record, number_in, record_reader
from vigie.graph import IS_JSON, MATCHES, PLACE
from vigie.sinks.documents import Bulk, Document, encoded, values_of

if TYPE_CHECKING:
    from pyarrow import RecordBatch

ABOUT = "_vigie"
DEEPEST = 100  # values within one another: MongoDB refuses a whole bulk for one that is deeper
DAY_MS = 86_400_000
LONG = range(-(2**63), 2**63)


@dataclass(frozen=True, slots=True)
class Messages:
    """The form of bronze: a document for each message, with its fields, and with where it stood under `_vigie`.

    `_id` is what the message has at the path `id`, where that is a text or a whole number, and else the place where it
    stood. `known` are the Avro schemas by which messages may have been written; none where they are JSON.
    """

    id: tuple[str, ...]
    known: Mapping[int, str] | None

    def bulk(self, batch: RecordBatch) -> Bulk:
        read = _json if self.known is None else record_reader(self.known, _meanings())
        named = [name for name in PLACE if name in batch.schema.names]
        columns = [values_of(batch.column(name)) for name in ("value", "received_at", *named)]
        bulk = Bulk([], [], [])
        for message, received_at, *stood in zip(*columns, strict=True):
            place = dict(zip(named, stood, strict=True))
            about = {**place, "received_at": received_at}
            if self.known is not None and message and len(message) >= FRAME and not message[0]:
                about["schema_number"] = number_in(message)
            self._take(bulk, message, read, place, about)
        return bulk

    def _take(
        self, bulk: Bulk, message: bytes | None, read: Callable[[bytes], Record | str], place: Record, about: Record
    ) -> None:
        said = read(message or b"")
        if isinstance(said, str):
            broken: Document = {"_id": place, ABOUT: {**about, "broken": said, "value": message}}
            bulk.take(broken, encoded(broken))
            return
        own = self._own_id(said)
        name = place if own is None else own
        document: Document = {"_id": name} | said | {"_id": name, ABOUT: about}
        if ABOUT in said or said.get("_id", own) != own:  # a field that has the name of one of ours
            document[ABOUT] = {**about, "value": message}
        form = f"it is deeper than {DEEPEST} values within one another" if _is_deep(said) else encoded(document)
        if isinstance(form, str):
            document = {"_id": document["_id"], ABOUT: {**about, "refused": form, "value": message}}
            form = encoded(document)
        bulk.take(document, form)

    def _own_id(self, said: Record) -> str | int | None:
        found: Any = said
        for name in self.id:
            found = found.get(name) if isinstance(found, dict) else None
        if isinstance(found, str):
            return found or None
        return found if type(found) is int and found in LONG else None


def _json(message: bytes) -> Document | str:
    """The object that a message holds, or the rule it breaks."""
    try:
        said = msgspec.json.decode(message.decode())
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return IS_JSON
    return said if isinstance(said, dict) else MATCHES


def _meanings() -> Mapping[str, Callable[[int], Any]]:
    """What BSON has for the logical types of Avro. Microseconds stay numbers: its instants would cut them off."""
    from bson.datetime_ms import DatetimeMS

    return {"long timestamp-millis": DatetimeMS, "int date": lambda days: DatetimeMS(days * DAY_MS)}


def _is_deep(said: Record) -> bool:
    """Whether more values lie within one another than MongoDB takes."""
    level: list[Any] = [said]
    for _ in range(DEEPEST):
        inner = [value for each in level for value in (each.values() if isinstance(each, dict) else each)]
        level = [value for value in inner if isinstance(value, dict | list)]
        if not level:
            return False
    return True
