"""A schema registry for tests: a real Apicurio on this machine, that can be stopped and started; and what stands before
one that asks for a password."""

from __future__ import annotations

import subprocess
import tarfile
import tempfile
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.gate import Answer, Request, a_gate
from tests.runs import until
from tests.sinks.receivers import a_free_port
from vigie.engines.spark.jars import kept
from vigie.engines.spark.java import java_home
from vigie.settings import read_settings

PINS = Path(__file__).parent / "pins"
API = "/apis/ccompat/v7"
JAVA_OPTIONS = ["-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]


class Server:
    """A registry with its schemas in a folder; `url` is how a client reaches it, and it stays."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._port = a_free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self.url = f"http://127.0.0.1:{self._port}{API}"
        cache = read_settings().cache
        self._java = java_home(cache)
        [archive] = kept("apicurio", "106 MB", cache, self._java, PINS)
        with tarfile.open(archive) as packed:
            packed.extractall(folder / "program", filter="data")

    def start(self) -> None:
        [program] = (self._folder / "program").glob("*-runner.jar")
        properties = [
            "-Dquarkus.http.host=127.0.0.1",
            f"-Dquarkus.http.port={self._port}",
            f"-Dapicurio.datasource.url=jdbc:h2:file:{self._folder / 'schemas'}",
        ]
        with (self._folder / "registry.log").open("ab") as log:
            self._process = subprocess.Popen(
                [str(self._java / "bin" / "java"), *JAVA_OPTIONS, *properties, "-jar", str(program)],
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self._folder,
            )
        until(self._answers)

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(30)
        self._process = None

    def put(self, subject: str, text: str) -> int:
        """Register a schema as another program would; its number."""
        answer = httpx.post(f"{self.url}/subjects/{subject}/versions", json={"schema": text, "schemaType": "AVRO"})
        return int(answer.raise_for_status().json()["id"])

    def promise_of(self, subject: str) -> str:
        return str(httpx.get(f"{self.url}/config/{subject}").raise_for_status().json()["compatibilityLevel"])

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self._folder / "registry.log").read_text()[-3_000:]
        try:
            return httpx.get(f"{self.url}/subjects").status_code == httpx.codes.OK
        except httpx.TransportError:
            return False


@contextmanager
def a_registry() -> Iterator[Server]:
    with tempfile.TemporaryDirectory(prefix="vigie-registry-") as folder:
        server = Server(Path(folder))
        server.start()
        try:
            yield server
        finally:
            server.stop()


@contextmanager
def behind_a_password(server: Server, user: str, password: str) -> Iterator[str]:
    """Where the registry is reached by who says this name and password, and by nobody else."""
    wanted = "Basic " + b64encode(f"{user}:{password}".encode()).decode()

    def decide(request: Request) -> Answer | None:
        if request.headers.get("Authorization") == wanted:
            return None
        return Answer(401, b'{"error_code": 401, "message": "Unauthorized"}')

    with a_gate(decide, server.url.removesuffix(API)) as address:
        yield f"{address}{API}"
