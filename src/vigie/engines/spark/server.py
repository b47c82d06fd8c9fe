"""A Spark Connect server that lives no longer than whoever started it."""

from __future__ import annotations

import logging
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from vigie import tied
from vigie.engines.connected import LOOKS_AT_CALLERS
from vigie.engines.spark import class_archive
from vigie.engines.spark.environment import spark_home
from vigie.engines.spark.jars import jars
from vigie.engines.spark.java import java_home
from vigie.errors import BadSetting, RunFailed
from vigie.settings import Settings

log = logging.getLogger(__name__)

LOOPBACK = "127.0.0.1"
MAIN = "org.apache.spark.sql.connect.service.SparkConnectServer"
STARTS_WITHIN_S = 120.0
STOPS_WITHIN_S = 10.0
# What a server that worked for so long has loaded is what servers load; to write it down takes it seconds.
HAS_WORKED_S, WRITES_WITHIN_S = 20.0, 60.0
LOOK_EVERY_S = 0.05
ANSWERS_WITHIN_S = 7.0

SETTINGS = {
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
    "spark.databricks.delta.snapshotPartitions": "1",
    "spark.sql.execution.arrow.maxRecordsPerBatch": "10000",
    "spark.sql.inMemoryColumnarStorage.compressed": "false",
    LOOKS_AT_CALLERS: "false",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
}
# Spark's own default is a form of instant that other readers cannot hold.
INSTANTS = {"spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS"}
# On one machine. Measured on two cores: see docs/decisions/0008-spark-settings.md.
HERE = {
    "spark.sql.adaptive.enabled": "false",
    "spark.python.daemon.module": "vigie.engines.spark.python_daemon",
    "spark.driver.bindAddress": LOOPBACK,
    "spark.driver.host": LOOPBACK,
}
QUIET = Path(__file__).parent / "log4j2.properties"
JAVA_OPTIONS = f"-Dlog4j2.configurationFile={QUIET} -XX:+UseParallelGC -XX:MetaspaceSize=256m"
MEMORY = "1200m"
CORES_OF_A_CLUSTER = 16  # unless VIGIE_CORES says; each part of a batch is work for one of them
MASTER = re.compile(r"local(\[(\d+|\*)(,\d+)?\])?|spark://[^/\s]+|yarn|k8s://\S+")


@dataclass(slots=True)
class Server:
    """One that is started from the Spark that is installed beside us, with a master."""

    settings: Settings
    master: str | None = None
    _process: subprocess.Popen[bytes] | None = None
    _said: IO[bytes] = field(init=False)
    _port: int = 0
    _start: class_archive.Start = field(init=False)
    _serves_since: float | None = None

    @property
    def address(self) -> str:
        return f"sc://{LOOPBACK}:{self._port}"

    @property
    def asked(self) -> str:
        """What a person wrote that asks for it."""
        return f"--master {self.master}" if self.master else "--engine spark"

    @property
    def is_here(self) -> bool:
        """Whether all of it runs on this machine, with the Python and the files that are here."""
        return self.master is None or self.master.startswith("local")

    def start(self) -> str:
        """Where it listens, once it does; RunFailed when it ends before, or takes too long."""
        home = spark_home(self.settings.cache)
        self._port = _free_port()
        java = java_home(self.settings.cache)
        needed = jars(self.settings.cache, java)
        command = [str(home / "bin" / "spark-submit"), "--class", MAIN, "--name", "vigie"]
        self._start = class_archive.start(java / "bin" / "java", JAVA_OPTIONS, home, needed, self.settings.cache)
        for name, value in self._conf(needed).items():
            command += ["--conf", f"{name}={value}"]
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 (for as long as it runs)
        python = sys.executable if self.is_here else os.environ.get("PYSPARK_PYTHON", sys.executable)
        around = {"JAVA_HOME": str(java), "SPARK_HOME": str(home), "PYSPARK_PYTHON": python}
        around["PYSPARK_DRIVER_PYTHON"] = sys.executable
        if self.is_here:
            around["SPARK_LOCAL_IP"] = os.environ.get("SPARK_LOCAL_IP", LOOPBACK)
        self._process = tied.started(
            "spark",
            ["/usr/bin/env", *(f"{name}={value}" for name, value in around.items()), *command, "spark-internal"],
            self._said,
        )
        self._wait()
        return self.address

    def look_for_the_master(self) -> None:
        """BadSetting for one that is none, and for one of Spark's own that is away: it would be waited for."""
        if self.master is None:
            return
        if MASTER.fullmatch(self.master) is None:
            raise BadSetting(
                f"'{self.master}' is no Spark master",
                where="--master",
                do="Write for example local[4], spark://host:7077, yarn or k8s://https://host:6443.",
            )
        places = self.master.removeprefix("spark://").split(",") if self.master.startswith("spark://") else []
        if places and not any(map(_answers, places)):
            raise BadSetting(f"no Spark master answers at {self.master}", where="--master", do="Start it first.")

    def _conf(self, needed: list[Path]) -> Mapping[str, str]:
        cores = self.settings.cores or os.cpu_count() or 2
        conf = SETTINGS | {
            "spark.master": self.master or f"local[{cores}]",
            "spark.connect.grpc.binding.address": LOOPBACK,
            "spark.connect.grpc.binding.port": str(self._port),
            "spark.driver.memory": self.settings.driver_memory or MEMORY,
            "spark.driver.extraClassPath": os.pathsep.join(map(str, needed)),
            "spark.driver.extraJavaOptions": self._start.options,
            "spark.jars": ",".join(map(str, needed)),
            "spark.sql.warehouse.dir": str(Path(tempfile.gettempdir()) / "vigie-warehouse"),
        }
        if self.is_here:
            return conf | HERE | {"spark.sql.shuffle.partitions": str(cores), "spark.default.parallelism": str(cores)}
        return conf | {"spark.sql.shuffle.partitions": str(self.settings.cores or CORES_OF_A_CLUSTER)}

    def _wait(self) -> None:
        assert self._process is not None
        began = time.monotonic()
        while time.monotonic() - began < STARTS_WITHIN_S:
            if self._process.poll() is not None:
                raise self._not_started("ended before it listened")
            if _answers(f"{LOOPBACK}:{self._port}"):
                self._serves_since = time.monotonic()
                return
            time.sleep(LOOK_EVERY_S)
        raise self._not_started(f"did not listen within {STARTS_WITHIN_S:.0f} s")

    def _not_started(self, what: str) -> RunFailed:
        self._said.seek(0)
        lines = [line.strip() for line in self._said.read().decode(errors="replace").splitlines() if line.strip()]
        self.stop()
        raised = [line for line in lines if re.search(r"(Exception|Error)\b.*: ", line)]
        return RunFailed(f"Spark {what}: {(raised or lines[-1:] or ['it does not say why'])[0]}")

    @property
    def is_alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def stop(self) -> None:
        process, self._process = self._process, None
        since, self._serves_since = self._serves_since, None
        if process is not None:
            has_worked = since is not None and time.monotonic() - since > HAS_WORKED_S and process.poll() is None
            keeps = has_worked and self._start.takes is not None
            if keeps:
                log.info("Spark writes down what it loaded, once, and starts faster from then on: up to a minute ...")
            ended_itself = tied.ended(process, WRITES_WITHIN_S if keeps else STOPS_WITHIN_S)
            (self._start.keep if keeps and ended_itself else self._start.drop)()
            self._said.close()


def _free_port() -> int:
    with socket.socket() as trying:
        trying.bind((LOOPBACK, 0))
        return int(trying.getsockname()[1])


def _answers(place: str) -> bool:
    host, _, port = place.rpartition(":")
    try:
        socket.create_connection((host, int(port)), ANSWERS_WITHIN_S).close()
    except (OSError, ValueError, OverflowError):
        return False
    return True
