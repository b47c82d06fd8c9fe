"""A Spark cluster that reads a real Kafka with executors that have no Vigie: the lake of the embedded engine."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.reference import compare_lakes
from tests.runs import Job, simulated
from tests.servers.kafka import Messages, keyed, send
from tests.servers.spark_cluster import a_cluster
from tests.servers.test_flights_survive import GARBAGE_NOT_LONG
from tests.tier import nightly
from vigie.engines.spark.kafka_broker import Broker
from vigie.lake import Lake, rows

# What is installed, but for what lies somewhere else and is pointed to from there, as this checkout is.
WITHOUT_US = '#!/bin/sh\nPYTHONPATH="$PYTHONPATH:{installed}" exec {python} -S "$@"\n'


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with a_cluster(tmp_path_factory.mktemp("cluster")) as master:
        yield master


@nightly
@pytest.mark.timeout(900)
def test_executors_that_lack_vigie_are_given_it_and_fill_the_lake_that_the_embedded_engine_fills(
    broker: Broker, cluster: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = tmp_path / "python"
    [installed] = [place for place in sys.path if place.endswith("site-packages")]
    python.write_text(WITHOUT_US.format(installed=installed, python=sys.executable))
    python.chmod(0o755)
    assert os.system(f"{python} -c 'import pyarrow' && ! {python} -c 'import vigie.core' 2>/dev/null") == 0
    garbage: Messages = [(b"\xff\x00", value) for value in GARBAGE_NOT_LONG]
    address = send(broker, "clustered", [*keyed(simulated(3_000)), *garbage, (None, None)], 3)
    monkeypatch.setenv("PYSPARK_PYTHON", str(python))
    monkeypatch.setenv("VIGIE_CORES", "2")
    monkeypatch.setenv("VIGIE_SPARK_FEW", "0")

    for name, master in (("embedded", ""), ("spark", cluster)):
        monkeypatch.setenv("VIGIE_SPARK_MASTER", master)
        job = Job(str(tmp_path / name), address, messages_a_batch=2_000, idle_s=0, engine="spark" if master else name)
        code, _, complained = job.finish(800)
        assert code == 0, complained

    assert compare_lakes(tmp_path / "embedded", tmp_path / "spark") == []
    assert {row["engine"] for row in rows(Lake(tmp_path / "spark").ledger("flights"))} == {"spark"}
    assert {row["partition"] for row in rows(Lake(tmp_path / "spark").bronze("flights_raw"))} == {0, 1, 2}
