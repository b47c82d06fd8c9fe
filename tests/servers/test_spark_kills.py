"""A run on Spark that is killed, or whose server or executor is, leaves the lake of an undisturbed one."""

from __future__ import annotations

import random
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from tests.reference import compare, compare_lakes
from tests.runs import Job, after_some_commits, an_inbox, killed_at_random, simulated
from tests.servers.spark_cluster import a_cluster
from tests.tier import nightly

A_FILE = 200  # messages
FEW = "0", "10000"  # messages that are judged by the run itself: none, or all of these
SERVER, EXECUTOR = "SparkConnectServer", "CoarseGrainedExecutorBackend"

pytestmark = [nightly, pytest.mark.timeout(3_600)]


def inbox(folder: Path, messages: list[bytes], files: int) -> str:
    return f"inbox:{an_inbox(folder, *[messages[at * A_FILE : (at + 1) * A_FILE] for at in range(files)])}"


def whole(folder: Path, address: str) -> list[str]:
    """What sets the lake apart from the embedded engine's, and from what an independent computation makes of it."""
    for name, engine in (("lake", "spark"), ("undisturbed", "embedded")):
        code, _, complained = Job(str(folder / name), address, engine=engine).finish(600)
        assert code == 0, complained
    return [*compare(folder / "lake"), *compare_lakes(folder / "undisturbed", folder / "lake")]


def test_a_run_that_is_killed_at_twenty_moments_loses_and_doubles_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    messages, chance = simulated(20 * A_FILE), random.Random(20)

    for number in range(1, 21):
        monkeypatch.setenv("VIGIE_SPARK_FEW", chance.choice(FEW))
        address = inbox(tmp_path / "inbox", messages, number)
        killed_at_random(Job(str(tmp_path / "lake"), address, engine="spark"), chance, with_children=False)

    assert whole(tmp_path, address) == []


def java(words: str, among: list[psutil.Process]) -> Iterator[psutil.Process]:
    for process in among:
        with suppress(psutil.NoSuchProcess):
            if process.name() == "java" and any(words in word for word in process.cmdline()):
                yield process


def test_a_run_whose_server_is_killed_at_twenty_moments_goes_on_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    messages, chance, killed = simulated(20 * A_FILE), random.Random(21), 0

    for number in range(1, 21):
        monkeypatch.setenv("VIGIE_SPARK_FEW", chance.choice(FEW))
        address = inbox(tmp_path / "inbox", messages, number)
        process = Job(str(tmp_path / "lake"), address, engine="spark").start()
        after_some_commits(process, chance)
        for server in java(SERVER, psutil.Process(process.pid).children(recursive=True)):
            server.send_signal(signal.SIGKILL)
            killed += 1
        _, complained = process.communicate(timeout=600)
        assert process.returncode == 0, complained

    assert killed >= 15
    assert whole(tmp_path, address) == []


def test_a_run_whose_executor_is_killed_at_ten_moments_goes_on_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    messages, chance, killed = simulated(10 * A_FILE), random.Random(22), 0
    monkeypatch.setenv("VIGIE_CORES", "2")
    monkeypatch.setenv("VIGIE_SPARK_FEW", "0")

    with a_cluster(tmp_path / "work") as master:
        monkeypatch.setenv("VIGIE_SPARK_MASTER", master)
        for number in range(1, 11):
            address = inbox(tmp_path / "inbox", messages, number)
            process = Job(str(tmp_path / "lake"), address, engine="spark").start()
            after_some_commits(process, chance)
            for executor in java(EXECUTOR, psutil.Process().children(recursive=True)):
                executor.send_signal(signal.SIGKILL)
                killed += 1
            _, complained = process.communicate(timeout=600)
            assert process.returncode == 0, complained
    monkeypatch.delenv("VIGIE_SPARK_MASTER")

    assert killed >= 7
    assert whole(tmp_path, address) == []
