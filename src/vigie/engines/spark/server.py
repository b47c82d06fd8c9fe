"""A Spark Connect server that lives no longer than whoever started it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import IO

from vigie import tied
from vigie.engines.connected import LOOKS_AT_CALLERS
from vigie.engines.spark.jars import jars
from vigie.engines.spark.java import java_home
from vigie.errors import BadSetting, RunFailed
from vigie.extras import need_spark
from vigie.settings import Settings

MAIN = "org.apache.spark.sql.connect.service.SparkConnectServer"
STARTS_WITHIN_S = 120.0
STOPS_WITHIN_S = 10.0
LOOK_EVERY_S = 0.05
LINES_SHOWN = 3

# Measured on two cores: see docs/decisions/0008-spark-settings.md.
SETTINGS = {
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
    "spark.databricks.delta.snapshotPartitions": "1",
    # Spark's own default is a form of instant that other readers cannot hold.
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
    "spark.sql.adaptive.enabled": "false",
    "spark.sql.execution.arrow.maxRecordsPerBatch": "10000",
    "spark.sql.inMemoryColumnarStorage.compressed": "false",
    "spark.python.daemon.module": "vigie.engines.spark.python_daemon",
    LOOKS_AT_CALLERS: "false",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
}


@dataclass(slots=True)
class Server:
    """One that is started from the Spark that is installed beside us, with a master."""

    settings: Settings
    master: str | None = None
    _process: subprocess.Popen[bytes] | None = None
    _said: IO[bytes] = field(init=False)

    def start(self) -> str:
        """Where it listens, once it does; RunFailed when it ends before, or takes too long."""
        need_spark()
        port = _free_port()
        java = java_home(self.settings.cache)
        needed = jars(self.settings.cache, java)
        command = [str(_spark() / "bin" / "spark-submit"), "--class", MAIN, "--name", "vigie"]
        for name, value in self._conf(port, needed).items():
            command += ["--conf", f"{name}={value}"]
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 (for as long as it runs)
        around = {
            "JAVA_HOME": str(java), "SPARK_HOME": str(_spark()), "PYSPARK_PYTHON": sys.executable,
            "PYSPARK_DRIVER_PYTHON": sys.executable, "SPARK_LOCAL_IP": os.environ.get("SPARK_LOCAL_IP", "127.0.0.1"),
        }  # fmt: skip
        self._process = tied.started(
            "spark",
            ["/usr/bin/env", *(f"{name}={value}" for name, value in around.items()), *command, "spark-internal"],
            self._said,
        )
        self._wait(port)
        return f"sc://127.0.0.1:{port}"

    def _conf(self, port: int, needed: list[Path]) -> Mapping[str, str]:
        cores = self.settings.cores or os.cpu_count() or 2
        options = f"-Dlog4j2.configurationFile={Path(__file__).parent / 'log4j2.properties'} -XX:+UseParallelGC"
        return SETTINGS | {
            "spark.master": self.master or f"local[{cores}]",
            "spark.connect.grpc.binding.address": "127.0.0.1",
            "spark.connect.grpc.binding.port": str(port),
            "spark.sql.shuffle.partitions": str(cores),
            "spark.default.parallelism": str(cores),
            "spark.driver.memory": self.settings.driver_memory or "1200m",
            "spark.driver.extraClassPath": os.pathsep.join(map(str, needed)),
            "spark.driver.extraJavaOptions": f"{options} -XX:MetaspaceSize=256m",
            "spark.jars": ",".join(map(str, needed)),
            "spark.sql.warehouse.dir": str(Path(tempfile.gettempdir()) / "vigie-warehouse"),
        }

    def _wait(self, port: int) -> None:
        assert self._process is not None
        began = time.monotonic()
        while time.monotonic() - began < STARTS_WITHIN_S:
            if self._process.poll() is not None:
                raise self._not_started("ended before it listened")
            with socket.socket() as trying:
                if trying.connect_ex(("127.0.0.1", port)) == 0:
                    return
            time.sleep(LOOK_EVERY_S)
        raise self._not_started(f"did not listen within {STARTS_WITHIN_S:.0f} s")

    def _not_started(self, what: str) -> RunFailed:
        self._said.seek(0)
        lines = [line.strip() for line in self._said.read().decode(errors="replace").splitlines() if line.strip()]
        self.stop()
        return RunFailed(f"Spark {what}: {' / '.join(lines[-LINES_SHOWN:]) or 'it does not say why'}")

    @property
    def is_alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def stop(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            tied.ended(process, STOPS_WITHIN_S)
            self._said.close()


def _spark() -> Path:
    """The Spark that is installed as a package of Python, or that SPARK_HOME names."""
    if named := os.environ.get("SPARK_HOME"):
        if not (Path(named) / "bin" / "spark-submit").exists():
            raise BadSetting("there is no Spark there", where=f"SPARK_HOME={named}", do="Name its folder, or unset it.")
        return Path(named)
    spec = find_spec("pyspark")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent


def _free_port() -> int:
    with socket.socket() as trying:
        trying.bind(("127.0.0.1", 0))
        return int(trying.getsockname()[1])
