"""What a person asks of Spark is refused in a sentence before Java starts, where it can be."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from vigie.engines.spark.engine import started
from vigie.engines.spark.server import Server
from vigie.errors import BadSetting
from vigie.settings import Settings


@pytest.mark.parametrize("master", ["", "local[", "local[two]", "spark://", "http://host:8080", "mesos://host:5050"])
def test_what_is_no_master_is_refused(master: str) -> None:
    with pytest.raises(BadSetting, match=r"is no Spark master.*--master.*\n.*local\[4\]"):
        started(Server(Settings(), master))


def test_a_master_of_spark_s_own_that_is_away_is_not_waited_for() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and nobody listens
        nobody = f"spark://127.0.0.1:{taken.getsockname()[1]}"

        with pytest.raises(BadSetting, match="no Spark master answers at spark://127.0.0.1"):
            started(Server(Settings(), nobody))


def test_a_folder_that_holds_no_spark_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARK_HOME", str(tmp_path))

    with pytest.raises(BadSetting, match=f"there is no Spark there.*SPARK_HOME={tmp_path}"):
        started(Server(Settings()))


def test_why_java_ended_is_said_with_what_a_person_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HADOOP_CONF_DIR", "YARN_CONF_DIR"):
        monkeypatch.delenv(name, raising=False)

    with pytest.raises(BadSetting, match="Spark ended before it listened: .*HADOOP_CONF_DIR.*--master yarn"):
        started(Server(Settings(), "yarn"))
