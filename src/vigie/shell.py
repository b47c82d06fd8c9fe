"""A Spark session over the tables of a lake, for a shell or a notebook: without Java, or with all of Spark."""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from vigie import choosing
from vigie.lake import Lake
from vigie.settings import Settings, read_settings

if TYPE_CHECKING:
    from vigie.engines.connected import Session
    from vigie.engines.embedded.engine import Embedded
    from vigie.engines.spark.engine import Spark

LAYERS = ("bronze", "silver", "gold")

_kept: dict[str, tuple[Embedded | Spark, Session]] = {}


def spark(lake: str | Path | None = None, engine: str = "embedded") -> Session:
    """A Spark session in which each table of a lake has a name.

    The lake is `./lake`, or the one that VIGIE_LAKE names, unless given. The engine is one that `vigie run --engine`
    takes: `embedded` starts in a second and needs no Java; `spark` and `sc://host:port` have what Spark alone has, such
    as Structured Streaming and MLlib.

    A table is called by its last name, so `spark.table("flights_ml")` is `silver/flights_ml`; of two tables with one
    last name each has its whole name, with `_` for `/`. It is as it stands when it is asked. A second call gives back
    the same session and names the tables that have come since; `stop()` ends it.
    """
    settings = read_settings()
    place = Lake.at(settings.lake if lake is None else lake)
    if engine not in _kept:
        _kept[engine] = _opened(engine, settings)
    evaluator, session = _kept[engine]
    tables = [table for table in place.tables() if table.layer in LAYERS]
    namesakes = Counter(table.last_name for table in tables)
    for table in tables:
        name = table.last_name if namesakes[table.last_name] == 1 else str(table).replace("/", "_")
        evaluator.call(session, name, table.path)
    return session


def _opened(engine: str, settings: Settings) -> tuple[Embedded | Spark, Session]:
    """An engine, and a session of it. PySpark makes columns for such sessions until the last of them is stopped."""
    evaluator = choosing.engine(engine, None, settings)()
    from vigie.engines.connected import connected

    with ExitStack() as closing:
        closing.callback(evaluator.close)
        session = evaluator.own_session()
        closing.enter_context(connected(session))
        closing.callback(_kept.pop, engine)
        session.ends = closing.pop_all().close
    return evaluator, session
