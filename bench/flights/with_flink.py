"""The same three tables with Flink SQL: one job of three INSERTs, whose Parquet files are committed to Delta.

There is no connector of Delta for this Flink, so it writes files, and those that a checkpoint has finished are added to
the tables from here. The topic is read twice, because a message that it parses is not handed over as it came.

Run as `python -m bench.flights.with_flink SERVERS TOPIC FOLDER JARS`, with the jars of pins/flink.xml.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pyarrow as pa
from deltalake import DeltaTable
from deltalake.transaction import AddAction, RemoveAction
from pyflink.common import Configuration
from pyflink.table import EnvironmentSettings, TableEnvironment

from bench.began import begin
from bench.flights.schemas import SCHEMAS
from bench.flights.tables import BRONZE, GOLD, SILVER, WINDOW_S, WINDOWS_LATE_BY_S

CORES = "2"
HEAP = "-Xmx1200m"  # as much as Spark's
CHECKPOINT_EVERY = "5 s"
LOOKS_EVERY_S = 0.2

TOPIC = """WITH ('connector' = 'kafka', 'topic' = '{topic}', 'properties.bootstrap.servers' = '{servers}',
    'properties.group.id' = 'bench', 'scan.startup.mode' = 'earliest-offset', 'scan.bounded.mode' = 'latest-offset',
    {format})"""
RAW = """CREATE TABLE messages (`key` BYTES, `value` BYTES, `topic` STRING METADATA VIRTUAL,
    `partition` INT METADATA VIRTUAL, `offset` BIGINT METADATA VIRTUAL,
    `timestamp` TIMESTAMP_LTZ(3) METADATA VIRTUAL) """
AS_THEY_CAME = """'key.format' = 'raw', 'key.fields' = 'key', 'value.format' = 'raw',
    'value.fields-include' = 'EXCEPT_KEY'"""
# A watermark of each partition, held back by the slowest.
VECTORS = f"""CREATE TABLE vectors (icao24 STRING, time_position BIGINT, callsign STRING, origin_country STRING,
    longitude DOUBLE, latitude DOUBLE, baro_altitude DOUBLE, on_ground BOOLEAN, velocity DOUBLE, true_track DOUBLE,
    vertical_rate DOUBLE, squawk STRING, category INT,
    event_timestamp AS TO_TIMESTAMP_LTZ(time_position, 0), came_at AS PROCTIME(),
    WATERMARK FOR event_timestamp AS event_timestamp - INTERVAL '{WINDOWS_LATE_BY_S}' SECOND(3)) """
AS_JSON = "'format' = 'json', 'json.ignore-parse-errors' = 'true'"
REPORTS = """CREATE VIEW reports AS SELECT icao24, time_position, event_timestamp, TRIM(callsign) AS callsign,
    origin_country, latitude, longitude, baro_altitude AS altitude_meters,
    velocity * CAST(3.6 AS DOUBLE) AS velocity_kmh,
    vertical_rate AS vertical_rate_ms, true_track AS heading_deg, on_ground, category, squawk,
    CASE WHEN on_ground THEN 'GROUND' WHEN vertical_rate > 2.5 AND baro_altitude < 1000 THEN 'TAKEOFF'
        WHEN vertical_rate > 2.5 THEN 'CLIMB' WHEN vertical_rate < -2.5 THEN 'DESCENT' ELSE 'CRUISE' END
        AS flight_phase,
    CASE WHEN category BETWEEN 2 AND 3 THEN 'Light' WHEN category BETWEEN 4 AND 6 THEN 'Heavy'
        WHEN category BETWEEN 7 AND 20 THEN 'Other' END AS aircraft_class
    FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY icao24, time_position ORDER BY came_at) AS number FROM vectors
        WHERE latitude IS NOT NULL AND longitude IS NOT NULL) WHERE number = 1"""
WINDOWS = f"""INSERT INTO gold SELECT CAST(window_start AS TIMESTAMP(6)), CAST(window_end AS TIMESTAMP(6)),
    flight_phase, COUNT(DISTINCT icao24), AVG(altitude_meters), AVG(velocity_kmh)
    FROM TABLE(TUMBLE(TABLE reports, DESCRIPTOR(event_timestamp), INTERVAL '{WINDOW_S}' SECOND))
    GROUP BY window_start, window_end, flight_phase"""
TYPES = {
    "bool": "BOOLEAN",
    "int32": "INT",
    "int64": "BIGINT",
    "double": "DOUBLE",
    "string": "STRING",
    "binary": "BYTES",
}
SINKS = {"bronze": BRONZE, "silver": SILVER, "gold": GOLD}


def sink(name: str, path: Path, schema: pa.Schema) -> str:
    columns = ", ".join(f"`{column.name}` {TYPES.get(str(column.type), 'TIMESTAMP(6)')}" for column in schema)
    return f"""CREATE TABLE {name} ({columns}) WITH ('connector' = 'filesystem', 'path' = '{path.as_uri()}',
        'format' = 'parquet', 'parquet.compression' = 'SNAPPY', 'parquet.write.int64.timestamp' = 'true',
        'parquet.timestamp.time.unit' = 'micros', 'parquet.utc-timezone' = 'true')"""


class Committed:
    """A table of Delta over the files that Flink finishes."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self._path, self._schema = path, schema
        self._known: set[str] = set()
        DeltaTable.create(str(path), schema)

    def look(self) -> None:
        """Commit what has been finished since."""
        new = sorted(file for file in self._path.glob("part-*") if file.name not in self._known)
        if not new:
            return
        actions: list[AddAction | RemoveAction] = [
            AddAction(each.name, each.stat().st_size, {}, int(each.stat().st_mtime * 1_000), True, "{}") for each in new
        ]
        DeltaTable(str(self._path)).create_write_transaction(actions, "append", self._schema)
        self._known |= {each.name for each in new}


def environment(folder: Path, jars: str) -> TableEnvironment:
    os.environ |= {"JDK_JAVA_OPTIONS": HEAP, "FLINK_LOG_DIR": str(folder)}
    settings = Configuration()
    for key, value in {
        "pipeline.jars": ";".join(Path(jar).as_uri() for jar in jars.split(os.pathsep)),
        "parallelism.default": CORES,
        "execution.checkpointing.interval": CHECKPOINT_EVERY,
        "restart-strategy.type": "none",
        "table.local-time-zone": "UTC",
        "table.exec.state.ttl": "10 min",
    }.items():
        settings.set_string(key, value)
    return TableEnvironment.create(
        EnvironmentSettings.new_instance().in_streaming_mode().with_configuration(settings).build()
    )


def main(servers: str, topic: str, folder: Path, jars: str) -> None:
    folder.mkdir(parents=True)
    flink = environment(folder, jars)
    flink.execute_sql(RAW + TOPIC.format(topic=topic, servers=servers, format=AS_THEY_CAME))
    flink.execute_sql(VECTORS + TOPIC.format(topic=topic, servers=servers, format=AS_JSON))
    flink.execute_sql(REPORTS)
    for name, table in SINKS.items():
        flink.execute_sql(sink(name, folder / table, SCHEMAS[table]))
    job = flink.create_statement_set()
    job.add_insert_sql(
        "INSERT INTO bronze SELECT `key`, `value`, `topic`, `partition`, `offset`, CAST(`timestamp` AS TIMESTAMP(6)), "
        "CAST(CURRENT_TIMESTAMP AS TIMESTAMP(6)) FROM messages"
    )
    columns = ", ".join(
        f"CAST({name} AS TIMESTAMP(6))" if name == "event_timestamp" else name for name in SCHEMAS[SILVER].names
    )
    job.add_insert_sql(f"INSERT INTO silver SELECT {columns} FROM reports")
    job.add_insert_sql(WINDOWS)
    tables = [Committed(folder / table, SCHEMAS[table]) for table in SINKS.values()]
    begin(folder)
    running = job.execute().get_job_client()
    assert running is not None
    done = running.get_job_execution_result()
    while not done.done():
        time.sleep(LOOKS_EVERY_S)
        for committed in tables:
            committed.look()
    done.result()
    for committed in tables:
        committed.look()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]), sys.argv[4])
