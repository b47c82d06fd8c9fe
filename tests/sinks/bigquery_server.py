"""A stand-in for BigQuery: a web server that answers for jobs as its REST interface does, over a DuckDB.

It knows what the sink asks of it: a dataset, tables, jobs of SQL, resumable uploads, jobs by their id,
a 409 for an id that is there. It can be told to fail, before it does what it was asked or after, and to be slow.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import duckdb
import sqlglot

PROJECT, DATASET = "a-project", "monitoring_datalake"
ROOT = f"/bigquery/v2/projects/{PROJECT}"
Answer = tuple[int, dict[str, Any]]


@dataclass
class Fault:
    """What becomes of the next request whose `METHOD path` matches: a status, or with 0 a connection that is cut.

    `after` is set when the server does what it was asked, and only its answer is lost.
    """

    matches: str
    status: int = 503
    reason: str = "backendError"
    after: bool = False


@dataclass
class Failure:
    """How the next job of a kind ends, which is begun and then fails."""

    kind: str
    reason: str
    message: str = "it could not be done"


@dataclass
class Server:
    """`jobs` are those that were begun, by their ids, and `asked` is every request."""

    endpoint: str = ""
    jobs: dict[str, dict[str, Any]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    looks_until_done: int = 0
    folder: Path = Path()

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._uploads: dict[str, dict[str, Any]] = {}
        self._tables: dict[str, dict[str, Any]] = {}
        self._looks: dict[str, int] = {}
        self._database = duckdb.connect()
        self._database.execute("SET TimeZone = 'UTC'")
        self._database.execute(f"ATTACH ':memory:' AS \"{PROJECT}\"")
        self._database.execute(f'CREATE SCHEMA "{PROJECT}"."{DATASET}"')

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        """What a table holds, in DuckDB's SQL."""
        with self._lock:
            self._database.execute(f'USE "{PROJECT}"."{DATASET}"')
            return self._database.execute(sql).fetchall()

    def close(self) -> None:
        self._database.close()

    def done(self, kind: str) -> list[str]:
        """The ids of the jobs of a kind that were begun, in their order."""
        return [name for name, job in self.jobs.items() if kind in job["configuration"]]

    def answer(self, method: str, path: str, query: dict[str, list[str]], body: bytes) -> Answer:
        with self._lock:
            return self._routed(method, path, query, body)

    def _routed(self, method: str, path: str, query: dict[str, list[str]], body: bytes) -> Answer:
        parts = path.removeprefix(f"{ROOT}/").split("/")
        match method, parts:
            case _ if path.startswith("/upload/"):
                answer = self._upload(method, query, body)
            case "GET", ["datasets", name]:
                reference = {"projectId": PROJECT, "datasetId": name}
                found = {"datasetReference": reference, "location": "EU"}
                missing = _error(404, "notFound", f"Not found: Dataset {name}")
                answer = (200, found) if name == DATASET else missing
            case "POST", ["datasets", _, "tables"]:
                answer = self._table(json.loads(body))
            case "GET", ["datasets", _, "tables", table] if table in self._tables:
                answer = 200, self._tables[table]
            case "DELETE", ["datasets", _, "tables", table]:
                self._database.execute(f"DROP TABLE IF EXISTS {_place(table)}")
                answer = 204, {}
            case "POST", ["jobs"]:
                answer = self._begun(json.loads(body))
            case "GET", ["jobs", name]:
                answer = self._looked_at(name)
            case _:
                answer = _error(404, "notFound", f"{method} {path}")
        return answer

    def _table(self, resource: dict[str, Any]) -> Answer:
        name = resource["tableReference"]["tableId"]
        columns = ", ".join(f"`{each['name']}` {each['type']}" for each in resource["schema"]["fields"])
        try:
            self._database.execute(_duckdb(f"CREATE TABLE `{PROJECT}.{DATASET}.{name}` ({columns})"))
        except duckdb.CatalogException:
            return _error(409, "duplicate", f"Already Exists: Table {name}")
        self._tables[name] = resource
        return 200, resource

    def _upload(self, method: str, query: dict[str, list[str]], body: bytes) -> Answer:
        if method == "PUT":
            upload = self._uploads[query["upload_id"][0]]
            return self._begun(upload, body)
        assert query["uploadType"] == ["resumable"]
        name = str(len(self._uploads))
        self._uploads[name] = json.loads(body)
        return 200, {"upload_id": name}

    def _begun(self, job: dict[str, Any], content: bytes = b"") -> Answer:
        name = job["jobReference"]["jobId"]
        if name in self.jobs:
            return _error(409, "duplicate", f"Already Exists: Job {PROJECT}:EU.{name}")
        job["status"] = {"state": "DONE"}
        job["configuration"]["jobType"] = kind = "LOAD" if "load" in job["configuration"] else "QUERY"
        job["jobReference"] |= {"projectId": PROJECT, "location": "EU"}
        self.jobs[name] = job
        failure = next((each for each in self.failures if each.kind == kind), None)
        if failure is not None and (kind == "LOAD" or "MERGE" in job["configuration"]["query"]["query"]):
            self.failures.remove(failure)
            job["status"]["errorResult"] = {"reason": failure.reason, "message": failure.message}
        else:
            self._run(job, content)
        return 200, self._shown(name)

    def _run(self, job: dict[str, Any], content: bytes) -> None:
        try:
            if content:
                load = job["configuration"]["load"]
                assert (load["sourceFormat"], load["writeDisposition"]) == ("PARQUET", "WRITE_TRUNCATE")
                place = _place(load["destinationTable"]["tableId"])
                file = self.folder / "uploaded.parquet"
                file.write_bytes(content)
                columns = ", ".join(f'"{each["name"]}"' for each in load["schema"]["fields"])
                self._database.execute(f"DELETE FROM {place}")
                self._database.execute(f"INSERT INTO {place} SELECT {columns} FROM read_parquet('{file}')")
            else:
                self._database.execute(_duckdb(job["configuration"]["query"]["query"]))
        except duckdb.ConstraintException as problem:
            job["status"]["errorResult"] = {"reason": "invalid", "message": str(problem)}
        except duckdb.CatalogException as problem:
            job["status"]["errorResult"] = {"reason": "notFound", "message": str(problem)}
        except duckdb.Error as problem:
            job["status"]["errorResult"] = {"reason": "invalidQuery", "message": str(problem)}

    def _looked_at(self, name: str) -> Answer:
        if name not in self.jobs:
            return _error(404, "notFound", f"Not found: Job {PROJECT}:EU.{name}")
        self._looks[name] = self._looks.get(name, 0) + 1
        return 200, self._shown(name)

    def _shown(self, name: str) -> dict[str, Any]:
        if self._looks.get(name, 0) < self.looks_until_done:
            return self.jobs[name] | {"status": {"state": "RUNNING"}}
        return self.jobs[name]


@contextmanager
def a_server(folder: Path) -> Iterator[Server]:
    server = Server(folder=folder)
    web = ThreadingHTTPServer(("127.0.0.1", 0), _handler(server))
    server.endpoint = f"http://127.0.0.1:{web.server_address[1]}"
    thread = threading.Thread(target=web.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        web.shutdown()
        web.server_close()
        thread.join()
        server.close()


def _handler(server: Server) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def respond(self) -> None:
            url = urlsplit(self.path)
            asked = f"{self.command} {url.path.removeprefix(ROOT)}?{url.query}"
            body = self._body()
            server.asked.append(asked)
            fault = next((each for each in server.faults if re.search(each.matches, asked)), None)
            if fault is not None:
                server.faults.remove(fault)
            if fault is None or fault.after:
                status, said = server.answer(self.command, url.path, parse_qs(url.query), body)
            if fault is not None and not fault.status:
                self.close_connection = True
                return
            if fault is not None:
                status, said = _error(fault.status, fault.reason, "a fault that the test asked for")
            self._send(status, said)

        do_GET = do_POST = do_PUT = do_DELETE = respond

        def _body(self) -> bytes:
            return self.rfile.read(int(self.headers.get("Content-Length", "0")))

        def _send(self, status: int, said: dict[str, Any]) -> None:
            text = json.dumps(said).encode() if status != 204 else b""
            self.send_response(status)
            if "upload_id" in said:
                place = f"{server.endpoint}/upload{ROOT}/jobs?uploadType=resumable&upload_id={said['upload_id']}"
                self.send_header("Location", place)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: Any) -> None:
            pass

    return Handler


def _error(status: int, reason: str, message: str) -> Answer:
    return status, {"error": {"code": status, "message": message, "errors": [{"reason": reason, "message": message}]}}


def _place(table: str) -> str:
    return f'"{PROJECT}"."{DATASET}"."{table}"'


def _duckdb(sql: str) -> str:
    [statement] = sqlglot.transpile(sql, read="bigquery", write="duckdb", unsupported_level=sqlglot.ErrorLevel.IGNORE)
    return statement
