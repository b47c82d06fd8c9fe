"""Every message of a source, in a collection of MongoDB at the address that VIGIE_MONGO holds: a raw lake."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from vigie.sinks import Columns, places, several
from vigie.sinks.messages import Messages
from vigie.sinks.mongo import Place, check

if TYPE_CHECKING:
    from pyarrow import RecordBatchReader

    from vigie.contracts import SchemasOf, Surroundings, Writer


@dataclass(frozen=True, slots=True)
class MongoMessages:
    """Each message that reached bronze as a document, once: decoded, with every field that it was written with.

    `_id` is the message's own `id` (`meta.id` is a field within another), and else the place where it stood; the first
    that comes stays, and a repeat changes nothing. `_vigie` says where it stood, when it was received and, of Avro, the
    number of its schema; of a message that cannot be decoded, or has no form in BSON, why (`broken`, `refused`) and its
    bytes (`value`). The rest is as for `Mongo`; `indexes` may name fields within others, too.
    """

    collection: str
    id: str
    indexes: tuple[Columns, ...] = ()
    dead_letters: str = ""
    every: str | None = None
    module: ClassVar[str] = "pymongo"
    extra: ClassVar[str] = "mongo"

    def problems(self) -> Iterator[str]:
        if not all(self.id.split(".")):
            yield f"'{self.id}' is no field, nor one within another as in 'meta.id'"

    def missing(self, around: Surroundings) -> str:
        return "" if around.settings.mongo else "VIGIE_MONGO is not set"

    def opened_for_messages(self, around: Surroundings, schemas: SchemasOf) -> Writer:
        assert around.settings.mongo is not None
        check(around.settings.mongo)
        letters = self.dead_letters or f"{self.collection}_dead_letters"
        form = Messages(tuple(self.id.split(".")), None)
        place = Place(around.settings.mongo, self.collection, letters, form)
        return MessageWriter(place, form, schemas, tuple(map(several, self.indexes)))


class MessageWriter:
    """Decodes the messages and writes them, as rows of a table are written."""

    def __init__(self, place: Place, form: Messages, schemas: SchemasOf, indexes: tuple[tuple[str, ...], ...]) -> None:
        self._place = place
        self._form = form
        self._schemas = schemas
        self._indexes = indexes
        self._is_ready = False

    def write(self, rows: RecordBatchReader, batch: int) -> None:
        messages = rows.read_all()  # none is decoded before it is known by which schemas all of them are
        form = replace(self._form, known=self._schemas(messages, batch))
        if not self._is_ready:
            self._place.make(self._indexes)
            self._is_ready = True
        places.write(messages.to_batches(), replace(self._place, form=form))
