"""A collection of MongoDB, at the address that VIGIE_MONGO holds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from vigie.errors import BadSetting
from vigie.sinks import Columns, NotNow, Refused, places, several
from vigie.sinks.dead_letters import letter
from vigie.sinks.documents import Bulk, Document, Fault, Form, Rows, as_text, written

if TYPE_CHECKING:
    from pyarrow import RecordBatch, RecordBatchReader
    from pydantic import SecretStr
    from pymongo.database import Database

    from vigie.contracts import Surroundings

CONNECTION: dict[str, Any] = {
    "appname": "vigie",
    "serverSelectionTimeoutMS": 5_000,
    "connectTimeoutMS": 5_000,
    "socketTimeoutMS": 30_000,
}
MAJORITY_WITHIN_MS = 20_000

# https://github.com/mongodb/mongo/blob/master/src/mongo/base/error_codes.yml
DUPLICATE_KEY = 11_000
PASSING = frozenset({6, 7, 24, 46, 50, 64, 89, 91, 112, 134, 189, 202, 262})
PASSING |= {9_001, 10_107, 11_600, 11_602, 13_435, 13_436}
RIGHTS = frozenset({13, 18, 8_000})
INDEXES = frozenset({67, 85, 86, 197})
THE_SERVER_S = RIGHTS | INDEXES | {14_031, 26, 73, 166}  # what one document is not to blame for: a full disk, a view


@dataclass(frozen=True, slots=True)
class Mongo:
    """Each row as a document of a collection, one for each value of the columns `id`; the first that comes stays.

    `_id` is the value of `id`, or an object of them when there are several. A repeat changes nothing. What MongoDB
    refuses goes to another collection, `dead_letters` (the collection's name and `_dead_letters`, unless said), with
    the reason. `indexes` are columns, or several together, that readers look documents up by: made once.
    """

    collection: str
    id: Columns
    indexes: tuple[Columns, ...] = ()
    dead_letters: str = ""
    every: str | None = None
    module: ClassVar[str] = "pymongo"
    extra: ClassVar[str] = "mongo"

    @property
    def columns(self) -> tuple[str, ...]:
        return (*several(self.id), *(name for names in self.indexes for name in several(names)))

    def missing(self, around: Surroundings) -> str:
        return "" if around.settings.mongo else "VIGIE_MONGO is not set"

    def opened(self, around: Surroundings) -> MongoCollection:
        assert around.settings.mongo is not None
        letters = self.dead_letters or f"{self.collection}_dead_letters"
        key = several(self.id)
        place = Place(around.settings.mongo, self.collection, letters, Rows(key))
        return MongoCollection(place, key, tuple(map(several, self.indexes)))


class MongoCollection:
    """The collection, over a connection for each batch."""

    def __init__(self, place: Place, key: tuple[str, ...], indexes: tuple[tuple[str, ...], ...]) -> None:
        self._place = place
        self._key = key
        self._indexes = indexes
        self._is_ready = False
        check(place.address)

    def write(self, rows: RecordBatchReader, _batch: int) -> None:
        if not self._is_ready:
            self._prepare(rows.schema.names)
        places.write(rows, self._place)

    def _prepare(self, columns: Sequence[str]) -> None:
        named = {name for names in (self._key, *self._indexes) for name in names}
        if strange := sorted(named - set(columns)):
            raise Refused(
                f"Mongo('{self._place.collection}') names '{strange[0]}', which is no column of the table",
                where=self._place.collection,
                do=f"Name one of: {', '.join(columns)}.",
            )
        self._place.make(self._indexes)
        self._is_ready = True


@dataclass(frozen=True, slots=True)
class Place:
    """Where documents go, and those that are refused."""

    address: SecretStr
    collection: str
    letters: str
    form: Form
    server: ClassVar[str] = "MongoDB"

    def fill(self, batches: Iterable[RecordBatch]) -> Iterator[str]:
        with self.database() as database:
            for batch in batches:
                yield from self._filled(database, self.form.bulk(batch))

    def make(self, indexes: tuple[tuple[str, ...], ...]) -> None:
        """Make indexes that are not there."""
        from pymongo import IndexModel

        if indexes:
            with self.database() as database:
                database[self.collection].create_indexes([IndexModel(list(names)) for names in indexes])

    @contextmanager
    def database(self) -> Iterator[Database[Document]]:
        """The database that the address names; whatever MongoDB says of what is done there, as an error of ours."""
        from pymongo import MongoClient, WriteConcern, errors

        try:
            with MongoClient[Document](self.address.get_secret_value(), **CONNECTION) as client:
                concern = WriteConcern("majority", wtimeout=MAJORITY_WITHIN_MS)
                yield client.get_default_database(write_concern=concern)
        except (errors.ConnectionFailure, errors.WriteConcernError, errors.ExecutionTimeout) as problem:
            raise NotNow(f"MongoDB is away: {_said(problem)}") from None
        except errors.PyMongoError as problem:
            code = getattr(problem, "code", None)
            if code in PASSING:
                raise NotNow(f"MongoDB: {_said(problem)}") from None
            raise Refused(
                f"MongoDB refused a batch: {_said(problem)}", where=self.collection, do=_remedy(code)
            ) from None

    def _filled(self, database: Database[Document], bulk: Bulk) -> Iterator[str]:
        refused = _inserted(database, self.collection, bulk)
        if refused:
            letters = [letter(self.collection, as_text(document), reason) for document, reason in refused]
            if unwritten := _inserted(database, self.letters, written(letters)):
                raise Refused(
                    f"MongoDB refused a document, and then a dead letter: {unwritten[0][1]}",
                    where=self.letters,
                    do=f"Mend what it says of the collection {self.letters}, and start again: the batch is delivered "
                    "again.",
                )
        yield from (reason for _, reason in refused)


def _inserted(database: Database[Document], collection: str, bulk: Bulk) -> list[Fault]:
    """Put in what is not there yet; the documents that can never be put in."""
    from pymongo.errors import BulkWriteError

    if bulk.forms:
        try:
            database[collection].insert_many(bulk.forms, ordered=False)
        except BulkWriteError as problem:
            return [*bulk.refused, *judged(bulk.sound, problem.details, collection)]
    return bulk.refused


def judged(rows: list[Document], details: Any, collection: str) -> Iterator[Fault]:
    """What the server says of the documents of a bulk; NotNow or Refused when it is not about them."""
    for problem in details["writeConcernErrors"]:
        raise NotNow(f"MongoDB has not yet put a batch where it is safe: {problem.get('errmsg')}")
    for problem in details["writeErrors"]:
        code, said = problem["code"], str(problem["errmsg"])
        if code in PASSING:
            raise NotNow(f"MongoDB: {said}")
        if code in THE_SERVER_S:
            raise Refused(f"MongoDB refused a batch: {said}", where=collection, do=_remedy(code))
        if code == DUPLICATE_KEY and _is_of_the_id(problem):
            continue
        yield rows[problem["index"]], f"{said} ({code})"


def _is_of_the_id(problem: Any) -> bool:
    """Whether it is `_id` that is there already, and not what another unique index is about.

    Old servers do not name the key apart from the text, and after a megabyte of texts none has any.
    """
    if "keyPattern" in problem:
        return list(problem["keyPattern"]) == ["_id"]
    return not problem["errmsg"] or "_id_" in problem["errmsg"]


def check(address: SecretStr) -> None:
    """BadSetting for an address that no client could use, or that names no database."""
    from pymongo import MongoClient
    from pymongo.errors import PyMongoError

    try:
        with MongoClient[Document](address.get_secret_value(), connect=False) as client:
            client.get_default_database()
    except (PyMongoError, ValueError):
        raise BadSetting(  # not from what was raised, which repeats a part of the address
            "it is not an address of MongoDB that names a database",
            where="VIGIE_MONGO",
            do="Write VIGIE_MONGO as mongodb://user:password@host:27017/database.",
        ) from None


def _said(problem: Exception) -> str:
    """What MongoDB or its client says, without the state of the whole cluster that follows it."""
    details = getattr(problem, "details", None) or {}
    said = str(details.get("errmsg") or problem)
    for rest in (" (configured timeouts", ", Timeout:", ", full error:"):
        said = said.partition(rest)[0]
    return said or type(problem).__name__


def _remedy(code: int | None) -> str:
    if code in RIGHTS:
        return "Look at the name and the password in VIGIE_MONGO, and at what that user may write to."
    if code in INDEXES:
        return "Drop the index that is there, or take it out of `indexes`."
    return "Mend what it says and start again: the batch is delivered again."
