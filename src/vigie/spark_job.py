"""What a Spark job of one's own takes from Vigie: a session, messages judged as the silver rows of a declared pipeline,
and sinks.

For files that `spark-submit` runs and a person reads: what they read, how long they wait for late rows and where they
write is Structured Streaming, in the open. `vigie run` needs none of this.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vigie.arrow_types import arrow_schema
from vigie.contracts import RemoteSink, Surroundings
from vigie.core.delivery import ROWS_AT_ONCE
from vigie.core.delivery_id import delivery_id
from vigie.core.gold.windows import flat
from vigie.core.ingest import parsing
from vigie.core.ingest.shaping import shaped
from vigie.disk import write_whole
from vigie.engines import connected
from vigie.engines.spark import server
from vigie.engines.spark.jars import jars
from vigie.engines.spark.java import java_home
from vigie.errors import RequestError
from vigie.graph import Silver
from vigie.settings import Settings, read_settings

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from vigie.avro.registry import Registry
    from vigie.graph import Function
    from vigie.pipeline import Pipeline

__all__ = ["delivered", "flat", "goes_on", "judged", "keep_to", "session"]

ON_THIS_MACHINE = {name: server.HERE[name] for name in ("spark.driver.bindAddress", "spark.driver.host")}
ON_THIS_MACHINE["spark.ui.enabled"] = "false"
# What transformWithState asks for; the checkpoint of a query keeps to it.
STATE = {
    "spark.sql.streaming.stateStore.providerClass": "org.apache.spark.sql.execution.streaming.state."
    "RocksDBStateStoreProvider"
}
LOOK_EVERY_S = 1
KAFKA = "org/apache/spark/sql/kafka010/KafkaSourceProvider.class"


def session(name: str) -> SparkSession:
    """The session that `spark-submit` started, set as declared functions want it; on loopback alone and with few
    partitions where no cluster was named.

    `--packages` brings the Kafka source. Where it did not, the jars that Vigie has fetched do.
    """
    from pyspark import SparkConf
    from pyspark.sql import SparkSession

    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    is_local = (SparkConf().get("spark.master") or "local").startswith("local")
    own = connected.SETTINGS | server.INSTANTS | STATE
    if is_local:
        own |= ON_THIS_MACHINE | {"spark.sql.shuffle.partitions": str(os.cpu_count() or 2)}
    builder = SparkSession.builder.appName(name)
    for key, value in own.items():
        builder = builder.config(key, value)
    spark = builder.getOrCreate()
    spark.sparkContext.setLogLevel("WARN")
    java: Any = spark.sparkContext._jvm
    loader = java.java.lang.Thread.currentThread().getContextClassLoader()
    if loader.getResource(KAFKA) is None:
        cache = read_settings().cache
        fetched = jars(cache, java_home(cache))
        for jar in fetched:  # as `spark-submit --jars` does it: all threads see it, that which keeps metrics too
            loader.addURL(java.java.io.File(str(jar)).toURI().toURL())
        if not is_local:
            spark.sql(f"ADD JARS {' '.join(repr(str(jar)) for jar in fetched)}")  # and executors elsewhere
    return spark


def judged(messages: DataFrame, pipeline: Pipeline, silver: Function, registry: Registry | None = None) -> DataFrame:
    """Messages (`value`, `received_at`) as rows of a silver table, and the `_rules` that each of them breaks.

    They are parsed, shaped and judged by what the pipeline declares. Whether a row is late, or a repeat, is not known
    of it alone: the query says so, by `withWatermark` and `dropDuplicatesWithinWatermark`. With a registry, messages
    are framed Avro, each by the schema that it names.
    """
    from pyspark.sql.pandas.types import from_arrow_schema
    from pyspark.sql.types import StructType

    graph = pipeline.graph()
    table = graph.find(silver)
    assert isinstance(table, Silver), f"{silver} is no silver table of {graph.name}"
    source = graph.source_of(table)
    fields = arrow_schema(source.schema)
    origin = StructType([messages.schema["value"]])
    parsed = from_arrow_schema(fields).add("received_at", "timestamp").add("_origin", origin).add("_broken", "string")
    avro = None if registry is None else partial(_avro, fields, registry)
    parse = parsing.parser(fields, ("value",), avro)
    return shaped(table, source, messages.select("value", "received_at").mapInArrow(parse, parsed))


def _avro(columns: Any, registry: Registry) -> Callable[..., Any]:
    from vigie.avro.reading import decoder

    return decoder(columns, Asked(registry))


class Asked(Mapping[int, str]):
    """The schemas of a registry by their numbers, each asked for when a message first names it: a new version flows on
    without a restart."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._known: dict[int, str] = {}

    def __getitem__(self, number: int) -> str:
        if number not in self._known:
            text = self._registry.schema(number)
            if text is None:
                raise KeyError(number)
            self._known[number] = text
        return self._known[number]

    def __iter__(self) -> Iterator[int]:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)


def delivered(sink: RemoteSink, settings: Settings, checkpoint: Path) -> Callable[[DataFrame, int], None]:
    """For `foreachBatch`: each batch to a sink, as Arrow, and so through this process.

    `checkpoint` is the query's folder. What the sink names after its delivery has another name in a query begun anew.
    """
    writer = sink.opened(Surroundings(settings, delivery=delivery_id(checkpoint.name, checkpoint)))
    return lambda rows, batch: writer.write(rows.toArrow().to_reader(max_chunksize=ROWS_AT_ONCE), batch)


def goes_on(spark: SparkSession, stop: threading.Event) -> None:
    """Wait until somebody asks it to stop; what a query fails with is raised.

    Ctrl-C reaches Java as well, which may be gone by the time that it is asked again. Queries go on from their
    checkpoints.
    """
    try:
        while not stop.is_set():
            spark.streams.awaitAnyTermination(LOOK_EVERY_S)
    except Exception:
        if not stop.wait(LOOK_EVERY_S):
            raise


def keep_to(address: str, checkpoints: Path) -> None:
    """Note where a job's messages come from; RequestError when its checkpoints were begun with another address.

    Spark would go on with the offsets of the one in the other, or skip the first batches of what is there.
    """
    note = checkpoints / "reads"
    if not note.exists():
        checkpoints.mkdir(parents=True, exist_ok=True)
        write_whole(note, address)
    elif (before := note.read_text()) != address:
        raise RequestError(
            f"these checkpoints were begun with {before}, not {address}",
            where=str(checkpoints),
            do="Read on from there, or name another folder with --into.",
        )
