"""The loop from end to end, against the reference that knows no engine."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.core.loops import ONE_FILE_A_BATCH, run
from tests.reference import compare
from tests.runs import GARBAGE, Job, a_state, an_inbox, simulated
from tests.tier import by_night
from vigie.connectors.inbox import Inbox
from vigie.core.engine import Engine
from vigie.flights.pipeline import flights

NOT_LONG = [value for value in GARBAGE.values() if len(value) < 10_000]
CENTURY_S = 100 * 365 * 86_400

STATES = st.builds(
    a_state,
    st.integers(-900, 900) | st.just(CENTURY_S),
    icao24=st.sampled_from(["a", "b", None]),
    latitude=st.sampled_from([48.0, None]),
    callsign=st.sampled_from(["  AFR 1 ", "\u00e9\u0000", None]),
    time_position=st.none() | st.integers(1_748_779_000, 1_748_780_000) | st.just(10**15),
) | st.builds(a_state, st.integers(-900, 900), icao24=st.sampled_from(["a", "b"]))
FILES = st.lists(st.lists(STATES | st.sampled_from(NOT_LONG), min_size=5, max_size=60), min_size=2, max_size=3)


@settings(
    max_examples=by_night(20, few=3),
    deadline=None,
    phases=[Phase.explicit, Phase.generate],  # each example is a run of some seconds: too dear to shrink
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(files=FILES)
@pytest.mark.timeout(600)
def test_whatever_comes_in_whatever_order_the_tables_and_the_ledger_are_the_reference_s(
    engine: Engine, tmp_path_factory: pytest.TempPathFactory, files: list[list[bytes]]
) -> None:
    place = tmp_path_factory.mktemp("lake")
    folder = an_inbox(place / "inbox", *files)

    run(place, engine, flights, Inbox(folder), bounds=ONE_FILE_A_BATCH)

    assert compare(place) == [], files


@pytest.mark.timeout(600)
def test_a_run_of_all_that_is_there_equals_the_reference_and_a_second_adds_nothing(tmp_path: Path) -> None:
    messages = simulated(4_000)
    folder = an_inbox(
        tmp_path / "inbox", messages[:1_500], [*messages[1_500:2_500], *GARBAGE.values()], messages[2_500:]
    )
    job = Job(str(tmp_path / "lake"), f"inbox:{folder}")

    code, written, complained = job.finish()
    again, written_again, complained_again = job.finish()

    assert (code, again) == (0, 0), complained + complained_again
    assert (written.splitlines().count("bronze/flights_raw"), written_again) == (4, "")
    assert compare(tmp_path / "lake") == []
