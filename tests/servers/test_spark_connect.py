"""The loop over a real Spark Connect server: the tables, the ledger and the alerts of the embedded engine."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.reference import compare, compare_lakes
from tests.runs import DIED, Job, a_state, an_inbox, killed_at_random, simulated
from tests.servers.test_flights_survive import GARBAGE_NOT_LONG
from tests.tier import by_night, nightly
from vigie.engines.spark.server import Server
from vigie.lake import Lake, rows
from vigie.settings import read_settings

SILVER = "silver/flights_ml"
EVERY_COMMIT = [
    "plan", "bronze/flights_raw", SILVER, f"{SILVER} quarantine", f"{SILVER} late", "ledger",
    *(f"gold/movements{part}" for part in (" plan", "", " ledger")),
    *(f"gold/streaming_aggregations/flight_phase_counts{part}" for part in (" plan", "", " ledger")),
]  # fmt: skip


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """Where a Connect server listens."""
    running = Server(read_settings())
    yield running.start()
    running.stop()


def two_batches(folder: Path) -> Path:
    """Two files: in each, rows of every verdict that there can be by then."""
    first = [a_state(at, icao24=f"{aircraft:06x}") for at in range(0, 900, 10) for aircraft in range(3)]
    second = [a_state(at, icao24=f"{aircraft:06x}") for at in range(880, 1_800, 10) for aircraft in range(3)]
    late = [a_state(at, icao24="1a7e") for at in range(5)]
    return an_inbox(
        folder, [*first, *first[-9:], *GARBAGE_NOT_LONG], [*second, *late, *GARBAGE_NOT_LONG], simulated(2_000)
    )


@pytest.mark.parametrize("few", by_night(("0", "10000"), few=("0",)))
@pytest.mark.timeout(by_night(3_000, few=900))
def test_a_lake_that_spark_filled_between_deaths_is_what_an_independent_computation_and_the_embedded_engine_give(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, few: str
) -> None:
    monkeypatch.setenv("VIGIE_SPARK_FEW", few)
    address = f"inbox:{two_batches(tmp_path / 'inbox')}"
    ahead = by_night(EVERY_COMMIT, few=[f"{SILVER} quarantine"])
    while ahead:
        code, written, complained = Job(str(tmp_path / "spark"), address, die_after=ahead, engine=server).finish(600)
        died_after = written.split("\n")[-2]
        assert (code, died_after in ahead) == (DIED, True), complained
        ahead = [each for each in ahead if each != died_after]

    for name, engine in (("spark", "spark"), ("embedded", "embedded")):  # it is finished by a server of its own
        code, _, complained = Job(str(tmp_path / name), address, engine=engine).finish(600)
        assert code == 0, complained

    assert compare(tmp_path / "spark") == []
    assert compare_lakes(tmp_path / "embedded", tmp_path / "spark") == []
    told = rows(Lake(tmp_path / "spark").ledger("flights"))
    assert {row["engine"] for row in told} == {"spark"}
    assert json.loads((Lake(tmp_path / "spark").vigie("flights") / "format.json").read_text()) == {"format": 2}


@nightly
@pytest.mark.timeout(3_000)
def test_a_lake_that_moves_between_the_engines_and_is_killed_on_the_way_loses_and_doubles_nothing(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, chance = tmp_path / "inbox", random.Random(25)
    messages = simulated(6_000)
    for number in range(6):
        an_inbox(folder, *[messages[at * 1_000 : (at + 1) * 1_000] for at in range(number + 1)])
        engine = chance.choice([server, "embedded"])
        monkeypatch.setenv("VIGIE_SPARK_FEW", chance.choice(["0", "10000"]))
        killed_at_random(Job(str(tmp_path / "moved"), f"inbox:{folder}", engine=engine), chance, with_children=False)
        engine = server if engine == "embedded" else "embedded"
        code, _, complained = Job(str(tmp_path / "moved"), f"inbox:{folder}", engine=engine).finish(600)
        assert code == 0, complained

    assert compare(tmp_path / "moved") == []
