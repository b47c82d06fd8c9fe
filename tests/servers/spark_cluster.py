"""A standalone cluster of Spark on this machine: a master, and a worker with two cores."""

from __future__ import annotations

import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyspark

from tests.runs import until
from vigie import tied
from vigie.engines.spark.java import java_home
from vigie.settings import read_settings

HOME = Path(pyspark.__file__).parent
MASTER, WORKER = (f"org.apache.spark.deploy.{name}" for name in ("master.Master", "worker.Worker"))


@contextmanager
def a_cluster(folder: Path) -> Iterator[str]:
    """The address of its master; the worker has registered there, and works in a folder."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address, here = f"spark://127.0.0.1:{port}", ["--host", "127.0.0.1", "--webui-port", "0"]
    java = java_home(read_settings().cache)
    around = ["/usr/bin/env", f"JAVA_HOME={java}", f"SPARK_HOME={HOME}", "SPARK_LOCAL_IP=127.0.0.1"]
    start = [*around, str(HOME / "bin/spark-class")]
    with tempfile.NamedTemporaryFile() as of_master, tempfile.NamedTemporaryFile() as of_worker:
        master = tied.started("master", [*start, MASTER, *here, "--port", str(port)], of_master)
        worker = tied.started(
            "worker",
            [*start, WORKER, *here, "--cores", "2", "--memory", "1g", "--work-dir", str(folder), address],
            of_worker,
        )
        try:
            until(lambda: b"Registering worker" in Path(of_master.name).read_bytes())
            yield address
        finally:
            tied.ended(worker, 10)
            tied.ended(master, 10)
