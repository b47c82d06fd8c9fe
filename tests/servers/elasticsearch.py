"""Elasticsearch and OpenSearch for tests: real ones on this machine, each of one node, that can be stopped and started.

Elasticsearch is the distribution that its own makers test with, which lacks most modules, and asks who asks.
OpenSearch is put together from its libraries, without the plug-ins that its distribution adds, and asks nobody.
"""

from __future__ import annotations

import hashlib
import json
import os
import pwd
import re
import shutil
import signal
import subprocess
import tempfile
import zipfile
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pyspark
from py4j.java_gateway import GatewayParameters, JavaGateway, launch_gateway
from pydantic import SecretStr

from tests.runs import until
from tests.sinks.receivers import a_free_port
from vigie.engines.spark.jars import kept
from vigie.engines.spark.java import java_home
from vigie.settings import Settings

PINS = Path(__file__).parent / "pins"
ADMIN = ("admin", "an-admin-s-secret")
ACCOUNT = ("vigie", "a-secret")
PAGE = Path(__file__).parents[2] / "docs/elastic.md"
JAVA_OPTIONS = ["-Xms512m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]


class Server:
    """A server; `address` is how a client reaches it, and it stays. `account` is how Vigie says who it is."""

    product: str
    account: dict[str, Any]
    admin: tuple[str, str] | None

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = a_free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self.settings = {
            "cluster.name": "vigie",
            "node.name": "vigie",
            "discovery.type": "single-node",
            "network.host": "127.0.0.1",
            "http.port": str(self.port),
            "transport.port": str(a_free_port()),
            "path.data": str(folder / "data"),
            "cluster.routing.allocation.disk.threshold_enabled": "false",
        }

    def start(self) -> None:
        raise NotImplementedError

    def stop(self) -> None:
        """Every connection is cut; what was taken is kept."""
        raise NotImplementedError

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        answer = httpx.request(method, self.address + path, json=body, auth=self.admin, timeout=30)
        assert answer.is_success, answer.text
        return answer.json()

    def clear(self) -> None:
        """No index and no template, as at first."""
        for name in self.ask("GET", "/_all?expand_wildcards=open"):
            self.ask("DELETE", f"/{quote(name)}")
        for each in self.ask("GET", "/_index_template")["index_templates"]:
            if each["name"].startswith(("vigie-", "mine")):
                self.ask("DELETE", f"/_index_template/{each['name']}")

    def all(self, index: str) -> list[dict[str, Any]]:
        """Every document of an index, or of those under a name, in the order of its id."""
        self.ask("POST", f"/{index}/_refresh")
        query = {"size": 10_000, "seq_no_primary_term": True, "version": True}
        hits: list[dict[str, Any]] = self.ask("POST", f"/{index}/_search", query)["hits"]["hits"]
        return sorted(hits, key=lambda hit: str(hit["_id"]))

    def count(self, index: str) -> int:
        self.ask("POST", f"/{index}/_refresh?ignore_unavailable=true")
        return int(self.ask("GET", f"/{index}/_count?ignore_unavailable=true")["count"])

    def answers(self) -> bool:
        try:
            return httpx.get(f"{self.address}/_cluster/health", auth=self.admin).status_code == httpx.codes.OK
        except httpx.TransportError:
            return False


class Elasticsearch(Server):
    """It refuses to be root's, so root runs it as nobody."""

    product = "Elasticsearch"
    account = {"elastic_user": ACCOUNT[0], "elastic_password": SecretStr(ACCOUNT[1])}
    admin = ADMIN

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        cache = Settings().cache
        self._java = java_home(cache)
        self._process: subprocess.Popen[bytes] | None = None
        [archive] = kept("elasticsearch", "98 MB", cache, self._java, PINS)
        with zipfile.ZipFile(archive) as packed:
            packed.extractall(folder)
        [self._program] = folder.glob("elasticsearch-*")
        secured = {
            f"xpack.security.{part}.enabled": "false" for part in ("http.ssl", "transport.ssl", "autoconfiguration")
        }
        self.settings |= {"xpack.security.enabled": "true", "xpack.security.authc.api_key.enabled": "true", **secured}
        config = self._program / "config"
        config.joinpath("elasticsearch.yml").write_text(
            "\n".join(f"{n}: {value}" for n, value in self.settings.items())
        )
        config.joinpath("users").write_text("\n".join(f"{name}:{hashed(word)}" for name, word in (ADMIN, ACCOUNT)))
        config.joinpath("users_roles").write_text(f"superuser:{ADMIN[0]}\nvigie:{ACCOUNT[0]}\n")
        config.joinpath("roles.yml").write_text(role("vigie"))
        config.joinpath("jvm.options").write_text("\n".join([*JAVA_OPTIONS, "-Djava.io.tmpdir=${ES_TMPDIR}"]))
        (self._program / "bin" / "elasticsearch").chmod(0o755)
        (self._program / "bin" / "elasticsearch-env").chmod(0o755)
        self._user = "nobody" if os.geteuid() == 0 else None
        if self._user is not None:
            owner = pwd.getpwnam(self._user)
            for place in (folder, *folder.rglob("*")):
                os.chown(place, owner.pw_uid, owner.pw_gid)

    def start(self) -> None:
        with (self.folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                [str(self._program / "bin" / "elasticsearch")],
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self._program,
                env={"PATH": os.environ["PATH"], "ES_JAVA_HOME": str(self._java), "CLI_JAVA_OPTS": JAVA_OPTIONS[-1]},
                user=self._user,
                group=self._user and pwd.getpwnam(self._user).pw_gid,
                extra_groups=[] if self._user else None,
                start_new_session=True,
            )
        until(self._is_up)

    def stop(self) -> None:
        if self._process is not None and self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGTERM)
            self._process.wait(30)
        self._process = None

    def _is_up(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self.folder / "server.log").read_text()[-3_000:]
        return self.answers()


class OpenSearch(Server):
    """A node within a Java of its own."""

    product = "OpenSearch"
    account: dict[str, Any] = {}
    admin = None

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        cache = Settings().cache
        java = java_home(cache)
        jars = kept("opensearch", "45 MB", cache, java, PINS)
        [py4j] = (Path(pyspark.__file__).parent / "jars").glob("py4j-*.jar")
        self._node: Any = None
        port, token = launch_gateway(
            jarpath=str(py4j),
            classpath=":".join(str(jar) for jar in jars),
            javaopts=[*JAVA_OPTIONS, "-Dlog4j2.level=error"],
            java_path=str(java / "bin" / "java"),
            die_on_exit=True,
            enable_auth=True,
            redirect_stdout=subprocess.DEVNULL,
            redirect_stderr=subprocess.DEVNULL,
        )
        self._gateway = JavaGateway(gateway_parameters=GatewayParameters(port=port, auth_token=token))

    def start(self) -> None:
        jvm, settings = self._gateway.jvm, self._gateway.jvm.org.opensearch.common.settings.Settings.builder()
        for name, value in {
            **self.settings,
            "path.home": str(self.folder),
            "node.max_local_storage_nodes": "1",
        }.items():
            settings.put(name, value)
        plugins = jvm.java.util.ArrayList()
        kinds = jvm.java.lang.Class
        plugins.add(kinds.forName("org.opensearch.transport.Netty4Plugin"))
        environment = jvm.org.opensearch.env.Environment(settings.build(), None)
        # The constructor that takes plug-ins from the path of classes is there for tests, and is not public.
        [constructor] = [
            each
            for each in kinds.forName("org.opensearch.node.Node").getDeclaredConstructors()
            if each.getParameterCount() == 3
        ]
        constructor.setAccessible(True)
        given = self._gateway.new_array(jvm.Object, 3)
        given[0], given[1], given[2] = environment, plugins, True
        self._node = constructor.newInstance(given)
        self._node.start()
        until(self.answers)

    def stop(self) -> None:
        if self._node is not None:
            self._node.close()
        self._node = None

    def end(self) -> None:
        self.stop()
        self._gateway.shutdown()


def role(name: str) -> str:
    """The rights that the page says Vigie needs, for any index."""
    [text] = re.findall(r"^```json\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    rights = json.loads(text)
    privileges = ", ".join(rights["indices"][0]["privileges"])
    return (
        f"{name}:\n  cluster: [{', '.join(rights['cluster'])}]\n"
        f'  indices:\n    - names: ["*"]\n      privileges: [{privileges}]\n'
    )


def hashed(password: str) -> str:
    """A password as Elasticsearch keeps it in a file."""
    salt = os.urandom(32)
    key = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, 10_000, 32)
    return f"{{PBKDF2}}10000${b64encode(salt).decode()}${b64encode(key).decode()}"


@contextmanager
def an_elasticsearch() -> Iterator[Elasticsearch]:
    with a_folder() as folder:
        server = Elasticsearch(folder)
        try:
            server.start()
            yield server
        finally:
            server.stop()


@contextmanager
def an_opensearch() -> Iterator[OpenSearch]:
    with a_folder() as folder:
        server = OpenSearch(folder)
        try:
            server.start()
            yield server
        finally:
            server.end()


@contextmanager
def a_folder() -> Iterator[Path]:
    """A folder that nobody may enter, too; those of pytest are its user's alone."""
    folder = Path(tempfile.mkdtemp(prefix="vigie-search-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)
