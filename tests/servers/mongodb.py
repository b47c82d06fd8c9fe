"""A stand-in for MongoDB in tests: mongo-java-server, which speaks its protocol and can be stopped and started.

It is not MongoDB: one server, without users, that writes its documents to a file when it is stopped, or keeps them in
memory, and takes any write concern for fulfilled. No real one can be had from a registry of packages.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyspark
from py4j.java_gateway import GatewayParameters, JavaGateway, launch_gateway
from pymongo import MongoClient

from tests.sinks.receivers import a_free_port
from vigie.engines.spark.jars import kept
from vigie.engines.spark.java import java_home
from vigie.settings import Settings

PINS = Path(__file__).parent / "pins"
WIRE_VERSION = 13  # of MongoDB 5; without it, pymongo takes the server for one that is too old


class Server:
    """A server with its documents in a folder, if any; `address` is how a client reaches it."""

    def __init__(self, folder: Path | None, jvm: Any) -> None:
        self._file = folder and folder / "documents"
        self._jvm = jvm
        self._port = a_free_port()
        self._running: Any = None
        self.address = f"mongodb://127.0.0.1:{self._port}/lake"

    def start(self) -> None:
        mongo = self._jvm.de.bwaldvogel.mongo
        version = mongo.ServerVersion.MONGO_5_0
        wire = version.getClass().getDeclaredField("wireVersion")
        wire.setAccessible(True)
        wire.set(version, WIRE_VERSION)
        store = mongo.backend.h2.H2Backend(str(self._file)) if self._file else mongo.backend.memory.MemoryBackend()
        self._running = mongo.MongoServer(store.version(version))
        self._running.bind("127.0.0.1", self._port)

    def stop(self) -> None:
        """Every connection is cut; what was taken is kept."""
        if self._running is not None:
            self._running.shutdownNow()
        self._running = None

    def clear(self) -> None:
        with MongoClient[dict[str, Any]](self.address) as client:
            client.drop_database("lake")

    def count(self, collection: str) -> int:
        """How many documents there are, also while some are being written.

        `count_documents` is an aggregation, for which this server reads its list without a lock: it breaks when one
        is added meanwhile. The number it keeps beside the list is exact.
        """
        with MongoClient[dict[str, Any]](self.address) as client:
            return client.get_default_database()[collection].estimated_document_count()

    def all(self, collection: str) -> list[dict[str, Any]]:
        """Every document, in the order of its `_id` as text."""
        with MongoClient[dict[str, Any]](self.address, tz_aware=True) as client:
            return sorted(client.get_default_database()[collection].find(), key=lambda document: str(document["_id"]))

    def indexes(self, collection: str) -> list[list[tuple[str, Any]]]:
        with MongoClient[dict[str, Any]](self.address) as client:
            found = client.get_default_database()[collection].index_information().values()
            return [index["key"] for index in found]


@contextmanager
def a_server(folder: Path | None = None) -> Iterator[Server]:
    """A server that can be stopped and started when it has a folder; without one, a faster one."""
    settings = Settings()
    java = java_home(settings.cache)
    jars = kept("mongo", "6 MB", settings.cache, java, PINS)
    [py4j] = (Path(pyspark.__file__).parent / "jars").glob("py4j-*.jar")
    port, token = launch_gateway(
        jarpath=str(py4j),
        classpath=":".join(str(jar) for jar in jars),
        javaopts=["-Xmx4g", "-XX:+UseSerialGC"],
        java_path=str(java / "bin" / "java"),
        die_on_exit=True,
        enable_auth=True,
        redirect_stderr=subprocess.DEVNULL,
    )
    gateway = JavaGateway(gateway_parameters=GatewayParameters(port=port, auth_token=token))
    server = Server(folder, gateway.jvm)
    server.start()
    try:
        yield server
    finally:
        server.stop()
        gateway.shutdown()
