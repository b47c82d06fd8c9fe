"""The hot path from end to end, against the reference that knows no Spark."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from vigie.engine import tables
from vigie.flights.pipeline import flights
from vigie.sources import inbox

from ..reference import compare
from ..runs import GARBAGE, Job, a_state, an_inbox, simulated, take
from ..tier import by_night, nightly

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

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
    max_examples=2,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],  # each example is a run of some seconds: too dear to shrink
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(files=FILES)
@pytest.mark.timeout(600)
@pytest.mark.parametrize("is_handed_over", by_night([True, False], few=[True]))
def test_whatever_comes_in_whatever_order_the_tables_and_the_ledger_are_the_reference_s(
    spark: SparkSession, tmp_path_factory: pytest.TempPathFactory, is_handed_over: bool, files: list[list[bytes]]
) -> None:
    place = tmp_path_factory.mktemp("lake")
    folder = an_inbox(place / "inbox", *files)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inbox, "BYTES_PER_BATCH", 1)  # every file is a batch of its own
        if not is_handed_over:
            patch.setattr(tables, "held", lambda _rows: None)
        take(spark, flights, place, inbox.InboxSource(folder))

    hot = [difference for difference in compare(place) if not difference.startswith("gold/")]
    assert hot == [], files


@nightly
@pytest.mark.timeout(600)
def test_a_run_of_all_that_is_there_equals_the_reference_and_a_second_adds_nothing(tmp_path: Path) -> None:
    messages = simulated(4_000)
    folder = an_inbox(
        tmp_path / "inbox", messages[:1_500], [*messages[1_500:2_500], *GARBAGE.values()], messages[2_500:]
    )

    code, written, complained = Job(str(tmp_path / "lake"), f"inbox:{folder}", times=2, engine="spark").finish()

    assert code == 0, complained
    assert written.count("ledger\n") == 3 + 1, "three batches, and one of the movements"
    assert compare(tmp_path / "lake") == []
