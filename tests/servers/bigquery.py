"""bqemulator, a stand-in for BigQuery: a program from the registry of packages, in an environment of its own.

It is not BigQuery: DuckDB runs the SQL, jobs are done when they are answered, and a load is given an id of its own.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from google.auth.credentials import AnonymousCredentials
from google.cloud.bigquery import Client
from requests import ConnectionError as Away

from tests.runs import until
from tests.sinks.receivers import a_free_port
from vigie.settings import Settings
from vigie.sinks.bigquery_jobs import ONCE

HOUSE = Path(__file__).parents[2]
PROJECT, DATASET = "a-project", "monitoring_datalake"
# Its functions on maps need an extension of DuckDB that no registry of packages has. No table here holds a map.
START = """
from bqemulator.cli import main
from bqemulator.storage.engine import DuckDBEngine

DuckDBEngine._load_spatial = lambda engine: None
main()
"""


class Emulator:
    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        options = {"api_endpoint": endpoint}
        self.client = Client(PROJECT, AnonymousCredentials(), client_options=options)  # type: ignore[no-untyped-call]

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        return [row.values() for row in self.client.query(sql).result()]

    def make_dataset(self) -> bool:
        try:
            self.client.create_dataset(DATASET, exists_ok=True, retry=ONCE, timeout=5)
        except Away:
            return False
        return True


@contextmanager
def an_emulator() -> Iterator[Emulator]:
    own = os.environ | {"VIGIE_CACHE": str(Settings().cache)}
    made = subprocess.run(["make", "--silent", "environment-bqemulator"], cwd=HOUSE, env=own, check=False)
    assert made.returncode == 0
    port = a_free_port()
    command = [str(HOUSE / ".venv-bqemulator/bin/python"), "-c", START, "start"]
    command += ["--rest-port", str(port), "--grpc-port", "0", "--ephemeral", "--project", PROJECT]
    own["BQEMU_ENABLE_FORMAT_EXTENSIONS"] = "false"
    process = subprocess.Popen(command, env=own, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    emulator = Emulator(f"http://127.0.0.1:{port}")
    try:
        until(emulator.make_dataset)
        yield emulator
    finally:
        emulator.client.close()  # type: ignore[no-untyped-call]
        process.terminate()
        process.wait(30)
