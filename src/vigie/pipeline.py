"""What a person can declare: a pipeline, its sources, its tables and where they are delivered."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, TypeVar

from vigie.contracts import AlertSink, MessageSink, RemoteSink, Sink
from vigie.errors import BadDeclaration, RequestError
from vigie.graph import (
    AlertDelivery,
    Delivery,
    Detector,
    Function,
    Gold,
    Graph,
    Input,
    Last,
    Learning,
    Place,
    Quiet,
    Rule,
    Silver,
    Source,
    Watch,
)
from vigie.importing import imported
from vigie.question import Question

if TYPE_CHECKING:
    from vigie.feed import Simulate

F = TypeVar("F", bound=Function)
SHIPPED = ("flights", "sensors", "activity")


class Pipeline:
    """A declaration: nothing in it runs until `vigie run`.

    Tables are declared by decorating plain PySpark functions, which stay callable as they are.
    """

    def __init__(self, name: str) -> None:
        self.place = _caller()
        self.name = _text(name, "a pipeline's name", self.place)
        self._sources: list[Source] = []
        self._silver: list[Silver] = []
        self._gold: list[Gold] = []
        self._deliveries: list[Delivery] = []
        self._watches: list[Watching] = []
        self._learning: Learning | None = None
        self.questions: dict[str, Question] = {}

    def source(  # noqa: PLR0913  (each is a fact of what comes in, named where it is said)
        self,
        name: str,
        *,
        schema: str,
        key: str | None = None,
        simulated: Simulate | None = None,
        live: Function | None = None,
        context: bool = False,
        future: str = "1 minute",
        format: str = "json",
        registry: str | None = None,
        avro: str | Path | Sequence[str | Path] = (),
    ) -> Source:
        """Declare what comes in; it becomes the bronze table `bronze/NAME`, byte for byte.

        `schema` is the DDL of the JSON object that each message holds, and `key` the field that says whom
        it is about: a message without it, or with blanks for it, breaks the rule `has a key`. `simulated` and
        `live` bring messages for `vigie feed`.

        A source that is `context` changes slowly and says more of what the others bring: the weather, a
        calendar. It is looked at every ten seconds, need not be fed, and is never meant where a command
        names no source.

        A clock that is wrong must not make the rows of all others late: a message that is further ahead of when it
        was received than `future` moves no watermark. A rule of the table says whether it is accepted.

        With `format="avro"` messages on Kafka are Avro in Confluent's framing; lines of an inbox or a socket stay
        JSON. Fields are matched to the DDL by name. `registry` is the address of the schema registry, which is
        VIGIE_REGISTRY unless said. `avro` names the `.avsc` files of its schema, oldest version first, from the
        folder of the declaring file: the last is what `vigie feed` writes with.
        """
        place = _caller()
        _text(name, "a source's name", place)
        _text(schema, f"the schema of '{name}'", place)
        paths = (avro,) if isinstance(avro, str | Path) else tuple(avro)
        files = tuple(Path(place.file).parent / path for path in paths)
        source = Source(name, schema, key, place, simulated, live, context, format, registry, files, future)
        self._sources.append(source)
        return source

    def silver(  # noqa: PLR0913  (each is a promise of the table, named where it is made)
        self,
        name: str,
        *,
        reads: Input,
        schema: str,
        event_time: str | None = None,
        late_by: str | None = None,
        unique: str | Sequence[str] = (),
        expect: Mapping[str, str] | None = None,
    ) -> Callable[[F], F]:
        """Declare a table of good rows over a source.

        The function is given the source's fields and gives back one row for each row, with at least the
        columns of `schema`; it builds on the columns that it is given (`withColumns`), because each row's
        origin travels beside them. A message that could not be parsed reaches it as a row of nulls, and
        what it makes of that is thrown away.

        A row is broken (it cannot be parsed, or one of `expect` is not TRUE of it), else late (its
        `event_time` is more than `late_by` behind), else a repeat (its `unique` columns were seen within
        `late_by`), else it is accepted.
        """
        place = _caller()
        _text(name, "a table's name", place)
        _text(schema, f"the schema of '{name}'", place)

        def declare(function: F) -> F:
            self._silver.append(
                Silver(
                    name,
                    function,
                    reads,
                    schema,
                    event_time,
                    late_by,
                    (unique,) if isinstance(unique, str) else tuple(unique),
                    _rules(expect or {}, place),
                    place,
                )
            )
            return function

        return declare

    def gold(  # noqa: PLR0913  (each is a promise of the table, named where it is made)
        self,
        name: str,
        *,
        reads: Input,
        late_by: str | None = None,
        looks_back: str | Last | None = None,
        beside: Input | Sequence[Input] = (),
        latest_by: str | Sequence[str] = (),
        model: Learning | None = None,
    ) -> Callable[[F], F]:
        """Declare a table that follows from a silver table.

        Without `looks_back` the function is given the stream of rows with its watermark set, and a window
        appears when it ended `late_by` before the newest event. With `looks_back` it is given the rows
        whose time is settled (older than the newest event by `late_by`) together with those of the span
        before them, as a plain DataFrame on which any PySpark may be used; each of its rows carries the
        event time or a `window` no longer than `looks_back`, and appears once, when that is settled. A
        function that needs a row and the last before it of the same key, and not all of a long span, says
        `looks_back=Last(1, of="key", within="1 hour")`: it is given no more than those.

        `beside` names silver tables that a function that looks back is given too, each whole, as a further
        argument: what they hold at the moment when rows are settled. What comes to them later changes
        nothing that was given before.

        `model` is what `Pipeline.model` gave: a function that looks back is given the one that is in use, as its last
        argument, whose `predicted(rows)` adds what it takes each row for. The table begins once one was trained.

        With `latest_by` the table has one row for each value of those columns: the newest by event time of
        the rows that the function makes, each of one row of silver, in whatever order they came.
        """
        place = _caller()
        _text(name, "a table's name", place)
        latest = (latest_by,) if isinstance(latest_by, str) else tuple(latest_by)
        tables = tuple(beside) if isinstance(beside, list | tuple) else (beside,)
        last = looks_back if isinstance(looks_back, Last) else None
        span = looks_back.within if isinstance(looks_back, Last) else looks_back

        def declare(function: F) -> F:
            self._gold.append(Gold(name, function, reads, late_by, span, place, latest, tables, model, last))
            return function

        return declare

    def watch(self, table: Input, *, key: str) -> Watching:
        """Declare that a silver table is watched, one key at a time: a sensor, a user, an aircraft."""
        watching = Watching(table, key, _caller())
        self._watches.append(watching)
        return watching

    def deliver(self, table: Input, *, to: Sink | RemoteSink | MessageSink) -> None:
        """Send each new row of a table to a place outside the lake, too; of a source, each message as it came."""
        self._deliveries.append(Delivery(table, to, _caller()))

    def model(self, table: Input, *, learn: Function, kinds: Sequence[str]) -> Learning:
        """Declare a model that `vigie train` learns from a silver table.

        `learn` is given the table's rows and a `vigie.models.Pupil`, which says which of `kinds` is asked for, and
        gives back a `vigie.models.Learnt`.
        """
        self._learning = Learning(table, learn, tuple(kinds), _caller())
        return self._learning

    def question(self, function: F) -> F:
        """Declare a batch question: a function of the lake's tables, asked by `vigie ask`."""
        self.questions[function.__name__] = Question(function, _caller())
        return function

    def graph(self) -> Graph:
        """What has been declared so far."""
        return Graph(
            self.name,
            tuple(self._sources),
            tuple(self._silver),
            tuple(self._gold),
            tuple(self._deliveries),
            tuple(watching.declared() for watching in self._watches),
            self._learning,
        )


class Watching:
    """A table that is watched, and the rules it is held to."""

    def __init__(self, table: Input, key: str, place: Place) -> None:
        self._table = table
        self._key = key
        self._place = place
        self._rules: list[Rule] = []
        self._deliveries: list[AlertDelivery] = []
        self._quiet: Quiet | None = None

    def alert(self, name: str, detector: Detector, *, severity: str = "warning") -> None:
        """Declare what raises an alert. It opens when the detector fires for a key, and closes when it clears.

        Readings of a key are judged one by one, in the order in which they came. One that was overtaken by a newer one
        is judged by what was before it in time, and ends nothing that began after it.
        """
        place = _caller()
        self._rules.append(Rule(_text(name, "a rule's name", place), detector, severity, place))

    def deliver(self, *, to: AlertSink, at_least: str = "info") -> None:
        """Tell a place outside the lake of each alert that opens or closes, too, when it is `at_least` so severe; not
        of those that are suppressed.

        It is told at least once, however often the receiver or this process fails, and under one id. A sink whose
        settings are missing is off.
        """
        self._deliveries.append(AlertDelivery(to, at_least, _caller()))

    def quiet_during(
        self, table: Input, *, on: str, starts: str = "starts_at", ends: str = "ends_at", what: str = "what"
    ) -> None:
        """Declare spans of time, the rows of a silver table, in which alerts are marked and not raised: maintenance.

        A span holds for the keys whose rows have the same in the column `on` as the span's row. An alert that opens
        within one is kept with what was going on, and nobody is told; if it is still open when the span is over, it
        is raised then.
        """
        self._quiet = Quiet(table, on, starts, ends, what, _caller())

    def declared(self) -> Watch:
        return Watch(self._table, self._key, tuple(self._rules), self._place, tuple(self._deliveries), self._quiet)


def load(text: str) -> Pipeline:
    """The pipeline that a person named: one that ships with Vigie, or a Python file of their own."""
    if text in SHIPPED:
        return _only_pipeline(importlib.import_module(f"vigie.{text}.pipeline"), text)
    path = Path(text)
    if path.suffix != ".py":
        raise RequestError(
            f"there is no pipeline '{text}'",
            do=f"Name one that ships with Vigie ({', '.join(SHIPPED)}), or a file of your own: path/to/file.py.",
        )
    if not path.is_file():
        raise RequestError(f"there is no file '{text}'", do="Check the path, or look where you stand with `pwd`.")
    return _only_pipeline(imported(path), text)


def _only_pipeline(module: ModuleType, text: str) -> Pipeline:
    found = list({id(value): value for value in vars(module).values() if isinstance(value, Pipeline)}.values())
    if len(found) == 1:
        return found[0]
    raise BadDeclaration(
        "the file declares no pipeline" if not found else f"the file declares {len(found)} pipelines",
        where=text,
        do='Declare one: pipeline = Pipeline("name"). Put others into files of their own.',
    )


def _text(given: object, what: str, place: Place) -> str:
    if not isinstance(given, str):
        raise BadDeclaration(f"{what} is no text: {given!r}", where=str(place), do="Write it in quotes.")
    return given


def _rules(expect: Mapping[str, str], place: Place) -> dict[str, str]:
    if not isinstance(expect, Mapping):
        raise BadDeclaration(
            "expect holds rules without names", where=str(place), do='Name each: expect={"is positive": "value > 0"}.'
        )
    return dict(expect)


def _caller() -> Place:
    """The line outside this module that is being run: where the person declares."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename == __file__:
        frame = frame.f_back
    return Place(frame.f_code.co_filename, frame.f_lineno)
