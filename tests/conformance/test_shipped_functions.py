"""Every silver and gold function that comes with Vigie gives the same on both engines."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from tests.conformance.compare import Verdict, beside
from tests.conformance.plain import plain
from tests.models import a_stump
from tests.runs import GARBAGE, ROOT
from vigie.arrow_types import INSTANT, arrow_schema
from vigie.core.engine import Engine
from vigie.core.ingest.parsing import parsed_schema, parser
from vigie.core.ingest.shaping import shaped
from vigie.feed import Simulation
from vigie.forest import Predictor
from vigie.graph import Gold, Graph, Silver, Source, Table
from vigie.models import Trained
from vigie.pipeline import load

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

PIPELINES = ("flights", "sensors", "activity", str(ROOT / "examples/temperatures/pipeline.py"))
ORIGIN = pa.schema([("partition_id", pa.string()), ("row", pa.int64())])
START = 1_763_683_200.0  # a midnight
RECEIVED = datetime(2027, 1, 1, tzinfo=UTC)  # after all of them
MESSAGES = 4_000
MODEL = Trained("report", 4, 0.5, Predictor.of(a_stump("velocity_kmh", 500, [0.0, 1.0, 0.0], [0.9, 0.0, 0.1])))

pytestmark = pytest.mark.timeout(600)


@dataclass(frozen=True)
class Asked:
    """A function of a pipeline, and the tables that it reads."""

    pipeline: str
    table: Table

    def __str__(self) -> str:
        return f"{Path(self.pipeline).parent.name or self.pipeline} {self.table.table}"


@cache
def graph_of(pipeline: str) -> Graph:
    return load(pipeline).graph()


def every_function() -> Iterator[Asked]:
    for name in PIPELINES:
        graph = graph_of(name)
        yield from (Asked(name, table) for table in graph.tables())


@cache
def messages_of(pipeline: str, source: Source) -> pa.Table:
    """What its simulator sends, with faults, and all kinds of garbage; an example has messages of its own."""
    if source.simulated is None:
        files = sorted(Path(pipeline).parent.glob("inbox/*.jsonl"))
        values = [line for file in files for line in file.read_bytes().splitlines()]
    else:
        ticks = source.simulated(Simulation(START, keys=60, interval=30.0, seed=5, faults=0.05))
        values = list(islice((value for tick in ticks for _, value in tick.messages), MESSAGES))
    values += [value for kind, value in GARBAGE.items() if kind != "too long"]
    at = pa.repeat(pa.scalar(RECEIVED, INSTANT), len(values))
    return pa.table(
        {"value": pa.array(values, pa.binary()), "received_at": at, "partition_id": ["0"] * len(values),
         "row": pa.array(range(len(values)), pa.int64())}
    )  # fmt: skip


@cache
def parsed(pipeline: str, source: Source) -> pa.Table:
    fields = arrow_schema(source.schema)
    batches = list(parser(fields, tuple(ORIGIN.names))(messages_of(pipeline, source).to_batches()))
    return pa.Table.from_batches(batches).cast(parsed_schema(fields, ORIGIN))


class Inputs:
    """What the tables of a pipeline read, as the embedded engine makes it."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._made: dict[tuple[str, str], pa.Table] = {}

    def of(self, asked: Asked) -> list[pa.Table]:
        graph = graph_of(asked.pipeline)
        if isinstance(asked.table, Silver):
            return [parsed(asked.pipeline, graph.source_of(asked.table))]
        there = [graph.read_by(asked.table), *(graph.find(each) for each in asked.table.beside)]
        return [self._rows(Asked(asked.pipeline, table)) for table in there if isinstance(table, Silver | Gold)]

    def _rows(self, asked: Asked) -> pa.Table:
        """Its good rows, one of each that are known by the same."""
        at = asked.pipeline, asked.table.table
        if at not in self._made:
            made = self._engine.evaluate(function_of(asked), *self.of(asked))
            self._made[at] = _good(asked.table, made) if isinstance(asked.table, Silver) else made
        return self._made[at]


def _good(table: Silver, made: pa.Table) -> pa.Table:
    good = made.filter(pc.equal(pc.list_value_length(made["_rules"]), 0)).select(arrow_schema(table.schema).names)
    if not table.unique:
        return good
    numbered = good.append_column("_at", pa.array(range(good.num_rows)))
    return good.take(numbered.group_by(list(table.unique)).aggregate([("_at", "min")])["_at_min"])


def function_of(asked: Asked) -> Callable[..., DataFrame]:
    table = asked.table
    if isinstance(table, Silver):
        source = graph_of(asked.pipeline).source_of(table)
        return partial(shaped, table, source)
    return partial(table.function, model=MODEL) if table.model is not None else table.function


@pytest.fixture(scope="module")
def inputs(embedded: Engine) -> Inputs:
    return Inputs(embedded)


@pytest.mark.parametrize("asked", list(every_function()), ids=str)
def test_a_function_gives_the_same_on_both_engines(
    embedded: Engine, spark: Engine, inputs: Inputs, asked: Asked
) -> None:
    given, function = inputs.of(asked), function_of(asked)

    answers = [plain(engine.evaluate(function, *given)) for engine in (spark, embedded)]

    verdict, where = beside(*answers, in_order=False)
    assert verdict.is_held, where
    assert answers[0].num_rows > 0, "nothing was compared"


def planted(function: Callable[..., Any], was: str, becomes: str) -> Callable[..., Any]:
    """A copy of a function with a mistake in it."""
    text = inspect.getsource(function)
    text = textwrap.dedent(text[text.index("def ") :])
    assert text.count(was) == 1, f"'{was}' stands {text.count(was)} times in {function.__name__}"
    names = dict(function.__globals__)
    exec(text.replace(was, becomes), names)
    return cast("Callable[..., Any]", names[function.__name__])


@pytest.mark.parametrize(
    ("name", "was", "becomes"),
    [
        ("gold/movements", '"before.event_timestamp") / 1e6', '"before.event_timestamp") / 1e6 - 1e-3'),
        ("gold/sensors/alerts_by_type", "F.collect_set(", "F.collect_list("),
        ("gold/activity/top_pages", 'F.desc("events"), "page"', 'F.desc("events"), F.desc("page")'),
    ],
    ids=["a millisecond", "repeats that count", "the order of equals"],
)
def test_a_difference_that_is_planted_in_a_copy_of_a_function_is_found(
    embedded: Engine, spark: Engine, inputs: Inputs, name: str, was: str, becomes: str
) -> None:
    [asked] = [each for each in every_function() if each.table.table == name]
    given, function = inputs.of(asked), asked.table.function

    differs, where = beside(
        plain(spark.evaluate(planted(function, was, becomes), *given)),
        plain(embedded.evaluate(function, *given)),
        in_order=False,
    )

    assert (differs, bool(where)) == (Verdict.DIFFERS, True)
