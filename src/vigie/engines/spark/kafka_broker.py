"""A real Kafka on this machine: one node, on loopback, that lives no longer than the program around it."""

from __future__ import annotations

import fcntl
import os
import random
import socket
import struct
import subprocess
import time
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self
from uuid import uuid4

from vigie.errors import BadAddress, BadSetting, VigieError
from vigie.extras import install_extra
from vigie.listening import trouble
from vigie.tied import ended, started

HOST = "127.0.0.1"
# Below those that systems give to outgoing connections, one of which could take a port while Java starts.
QUIET_PORTS = range(20_000, 32_000)
PORT = "port"  # the file that holds it
START_LIMIT = 90.0  # seconds; a first start takes 6, on a machine that is busy with Spark three times that
STOP_LIMIT = 20.0
TOPIC_LIMIT = 30.0
TAIL = 15  # lines of the log that an error shows

# One node: nothing is copied. One partition for internal topics makes the first reader's wait shorter.
PROPERTIES = """\
process.roles=broker,controller
node.id=1
listeners=PLAINTEXT://{host}:{port},CONTROLLER://{host}:{controller}
advertised.listeners=PLAINTEXT://{host}:{port}
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
controller.quorum.voters=1@{host}:{controller}
log.dirs={data}
num.partitions=2
message.max.bytes=12582912
replica.fetch.max.bytes=12582912
default.replication.factor=1
min.insync.replicas=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=1
group.initial.rebalance.delay.ms=0
"""


class Broker:
    """A broker with its data in `folder`: entered again on the same folder, it has the same topics.

    Entering it returns when it answers; leaving it stops it. `port` 0 is the port that the folder's broker had before,
    so that whoever writes to it finds it again, or at first one that is free.
    """

    def __init__(self, folder: Path, java: Path, jars: Sequence[Path], port: int = 0) -> None:
        self.folder = folder.resolve()
        self.log = self.folder / "broker.log"
        self.port = port
        self._java = str(java / "bin" / "java")
        self._classpath = os.pathsep.join(map(str, jars))
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def servers(self) -> str:
        """What a client is told: host and port."""
        return f"{HOST}:{self.port}"

    def create_topic(self, name: str, partitions: int = 2) -> None:
        """Make a topic, unless a run before this one did; a reader that starts before any feed finds it."""
        try:
            from confluent_kafka import KafkaError, KafkaException
            from confluent_kafka.admin import AdminClient, NewTopic
        except ImportError as problem:
            raise BadSetting(
                "the Kafka client is not installed",
                where="confluent-kafka",
                do=install_extra("kafka", "confluent-kafka"),
            ) from problem
        admin = AdminClient({"bootstrap.servers": self.servers, "log_level": 0})
        [made] = admin.create_topics([NewTopic(name, partitions)], operation_timeout=TOPIC_LIMIT).values()
        try:
            made.result(TOPIC_LIMIT)
        except KafkaException as problem:
            error = problem.args[0]
            if error.code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise self._failed(f"the topic '{name}' could not be made: {error.str()}") from problem

    def __enter__(self) -> Self:
        self._refuse_a_second()
        self.port, controller = _ports(self.port or self._kept_port())
        properties = self._written(controller)
        self._format(properties)
        command = [self._java, "-Xmx512m", "-XX:+UseSerialGC", "-Dlog4j2.level=WARN", "-cp", self._classpath]
        with self.log.open("wb") as log:
            self._process = started("broker", [*command, "kafka.Kafka", str(properties)], log)
        try:
            self._wait()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def _refuse_a_second(self) -> None:
        """Kafka holds this lock and would refuse too, but only after seconds, and over the other's log."""
        with suppress(FileNotFoundError), (self.folder / "data" / ".lock").open("r+b") as lock:
            try:
                fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as problem:
                raise BadSetting(
                    "a broker is running on this folder already",
                    where=str(self.folder),
                    do="Stop the program that started it, or name another folder.",
                ) from problem

    def _kept_port(self) -> int:
        with suppress(FileNotFoundError, ValueError):
            return int((self.folder / PORT).read_text())
        return 0

    def _written(self, controller: int) -> Path:
        """The folder with the properties of this start: ports may be others than the last time."""
        properties = self.folder / "server.properties"
        data = str(self.folder / "data").replace("\\", "\\\\")
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            (self.folder / PORT).write_text(f"{self.port}\n")
            properties.write_text(PROPERTIES.format(host=HOST, port=self.port, controller=controller, data=data))
        except OSError as problem:
            raise VigieError(
                f"the broker's folder cannot be written: {problem.strerror}",
                where=str(self.folder),
                do="Name a folder that you may write to, on a disk with space.",
            ) from problem
        return properties

    def _format(self, properties: Path) -> None:
        if (self.folder / "data" / "meta.properties").exists():
            return
        cluster = urlsafe_b64encode(uuid4().bytes).decode().rstrip("=")
        tool = [
            "kafka.tools.StorageTool",
            "format",
            "--ignore-formatted",
            f"--cluster-id={cluster}",  # as one word: an id may begin with a dash
            "-c",
            str(properties),
        ]
        options = ["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", self._classpath]
        with self.log.open("wb") as log:
            answer = subprocess.run(
                [self._java, *options, *tool],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                check=False,
            )
        if answer.returncode:
            raise self._failed("the broker's storage could not be formatted")

    def _wait(self) -> None:
        deadline = time.monotonic() + START_LIMIT
        while not _answers(self.port):
            if self._process is None or self._process.poll() is not None:
                raise self._failed("the broker ended while it started")
            if time.monotonic() > deadline:
                raise self._failed(f"the broker did not answer within {START_LIMIT:.0f} seconds")
            time.sleep(0.05)

    def _stop(self) -> None:
        process = self._process
        if process is None:
            return
        self._process = None
        ended(process, STOP_LIMIT)

    def _failed(self, what: str) -> VigieError:
        lines = self.log.read_text(errors="replace").splitlines()
        reasons = [line for line in lines if line.strip() and not line.startswith("\tat ")]
        said = "".join(f"\n  {line}" for line in reasons[-TAIL:])
        return VigieError(what, where=self.servers, do=f"The end of its log, {self.log}, says why:{said}")


def _ports(wanted: int) -> tuple[int, int]:
    """The port of the broker and one for its controller, both free a moment ago."""
    free = (port for port in random.sample(QUIET_PORTS, len(QUIET_PORTS)) if not trouble(HOST, port))
    if not wanted:
        return next(free), next(free)
    problem = trouble(HOST, wanted)
    if problem:
        raise BadAddress(
            f"port {wanted} cannot be used: {problem.strerror}",
            where=f"{HOST}:{wanted}",
            do="Stop what listens there, or name another port with --kafka-port: it is kept for this lake, and whoever "
            "writes to it has to be told.",
        ) from problem
    return wanted, next(free)


def _answers(port: int) -> bool:
    """Whether a broker says which requests it knows: ApiVersions is the one request that asks for nothing."""
    key, version, correlation, no_client = 18, 0, 1, -1
    request = struct.pack(">hhih", key, version, correlation, no_client)
    try:
        with socket.create_connection((HOST, port), timeout=2) as connection:
            connection.sendall(struct.pack(">i", len(request)) + request)
            with connection.makefile("rb") as reader:
                answer = reader.read(10)
    except OSError:
        return False
    return len(answer) == 10 and struct.unpack(">iih", answer)[1:] == (correlation, 0)
