"""A watch raises what the plain reference raises, however its commits are cut, and whenever it is killed."""

from __future__ import annotations

import shutil
import tempfile
import threading
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.core.alerts.watches import INSTANT, Bench, Killed, a_pipeline
from tests.detectors.readings import CONDITIONS, NOON, RULES, readings_of, series
from tests.reference.detectors import SECOND, Raised, Reading, Watch
from vigie.core.alerts.history import Past
from vigie.core.alerts.watch import Teller, Watchman
from vigie.core.alerts.watch_thread import Post
from vigie.detectors import Above, Below, InARow, Silent, SuddenChange
from vigie.errors import LakeDamaged
from vigie.graph import Detector, Rule
from vigie.graph import Watch as Declared
from vigie.maintenance import compact_small

LATE_BY = 600 * SECOND


@st.composite
def commits(draw: st.DrawFn) -> list[list[Reading]]:
    """What silver gains, commit by commit: delayed, out of order, without what is late."""
    readings = [one for key in ("a", "b", "c \"{}\n'") for one in draw(series(key, most=14))]
    delays = st.sampled_from([0, 0, 0, 0, 0, 0, 31, 95, 400])
    arrived = sorted(readings, key=lambda one: (one.at + draw(delays) * SECOND, one.key))
    cut: list[list[Reading]] = []
    newest: int | None = None
    while arrived:
        count = draw(st.integers(1, 9))
        taken, arrived = arrived[:count], arrived[count:]
        kept = [one for one in taken if newest is None or one.at >= newest - LATE_BY]
        newest = max([one.at for one in kept] + ([] if newest is None else [newest]), default=None)
        cut.append(kept)
    return cut


def as_raised(alerts: dict[tuple[str, str, int], Raised]) -> dict[tuple[str, str, int], object]:
    return {
        name: (pytest.approx(one.value, rel=1e-9), pytest.approx(one.threshold, rel=1e-9), one.closed_at)
        for name, one in alerts.items()
    }


def drained(watchman: Watchman) -> None:
    while watchman.look() is not None:
        pass


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(commits=commits(), data=st.data())
def test_alerts_are_the_reference_s_however_it_looks_and_dies(
    commits: list[list[Reading]], data: st.DataObject
) -> None:
    expected = Watch(RULES, CONDITIONS)
    most_rows = data.draw(st.sampled_from([1, 5, 20, 1000]))
    lives = data.draw(st.lists(st.integers(0, 8), max_size=6))  # commits of its own that it makes before it dies

    def committed(_name: str) -> None:
        if lives:
            lives[0] -= 1
            if lives[0] < 0:
                lives.pop(0)
                raise Killed

    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), RULES)
        watchman = bench.watchman(committed, most_rows)
        for commit in commits:
            bench.gains(commit)
            expected.commit(commit)
            while data.draw(st.booleans()):
                try:
                    watchman.look()
                except Killed:
                    watchman = bench.watchman(committed, most_rows)
        lives.clear()
        drained(watchman)
        watchman.silences()
        expected.turn_the_clock()

        assert bench.alerts() == as_raised(expected.alerts)
        assert max(Counter(bench.events()).values(), default=1) == 1


@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(commits=commits(), data=st.data())
def test_silences_by_the_clock_are_the_reference_s_across_restarts(
    commits: list[list[Reading]], data: st.DataObject
) -> None:
    rules = {"SILENT": RULES["SILENT"]}
    expected = Watch(rules)

    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), rules)
        watchman = bench.watchman()
        for commit in commits:
            bench.gains(commit)
            expected.commit(commit)
            drained(watchman)
            ahead = data.draw(st.sampled_from([0, 0, 60, 299, 300, 301, 1000]))
            if data.draw(st.booleans()):
                watchman = bench.watchman()
            watchman.silences(ahead * timedelta(seconds=1))
            expected.turn_the_clock(ahead * SECOND)

        assert bench.alerts() == as_raised(expected.alerts)


def at(seconds: float, value: float | None, key: str = "a") -> Reading:
    return Reading(key, NOON + round(seconds * SECOND), {"halves": value})


def test_commits_that_are_read_at_once_are_judged_as_if_they_were_read_one_by_one(tmp_path: Path) -> None:
    rules = {"JUMP": SuddenChange("halves", by=5)}
    # The second commit is overtaken by the first: judged together, it would jump; and the third is held against it.
    gained = [[at(60, 20.0)], [at(30, 30.0)], [at(90, 22.0)]]
    together, one_by_one = Bench(tmp_path / "together", rules), Bench(tmp_path / "one", rules)

    watchman = one_by_one.watchman()
    for commit in gained:
        together.gains(commit)
        one_by_one.gains(commit)
        drained(watchman)
    drained(together.watchman())

    assert list(one_by_one.alerts()) == [("JUMP", "a", NOON + 90 * SECOND)]
    assert together.alerts() == one_by_one.alerts()


def test_readings_of_one_moment_are_judged_one_by_one_in_one_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a busy key of a feed that knows no more than seconds: a round for each reading took minutes."""
    rules: dict[str, Detector] = {"HIGH": Above("halves", 30, clears_at=20), "JUMP": SuddenChange("halves", by=15)}
    together, one_by_one = Bench(tmp_path / "together", rules), Bench(tmp_path / "one", rules)
    gained = [at(second, value) for second in range(3) for value in (10.0, 20.0, 40.0, 12.0)]
    together.gains(gained)
    watchman = one_by_one.watchman()
    for each in gained:
        one_by_one.gains([each])
        drained(watchman)
    rounds, arrived = list[int](), Past.arrived

    def counted(past: Past, rows: pa.Table) -> int:
        rounds.append(rows.num_rows)
        return arrived(past, rows)

    monkeypatch.setattr(Past, "arrived", counted)
    drained(together.watchman())

    assert rounds == [12]
    assert together.alerts() == one_by_one.alerts()
    assert {name: closed for name, (_, _, closed) in together.alerts().items()} == {
        ("HIGH", "a", NOON + second * SECOND): NOON + second * SECOND for second in range(3)
    } | {("JUMP", "a", NOON): None}


def test_readings_of_one_moment_are_remembered_in_their_order_over_a_restart(tmp_path: Path) -> None:
    rules: dict[str, Detector] = {"TWICE": InARow("halves > 5", times=2)}
    goes_on, restarted = Bench(tmp_path / "goes on", rules), Bench(tmp_path / "restarted", rules)
    watchman = goes_on.watchman()

    for each in (at(0, 1.0), at(0, 9.0), at(1, 9.0)):
        for bench in (goes_on, restarted):
            bench.gains([each])
        drained(watchman)
        drained(restarted.watchman())

    assert list(goes_on.alerts()) == [("TWICE", "a", NOON + SECOND)]
    assert restarted.alerts() == goes_on.alerts()


def test_a_reading_that_was_overtaken_is_judged_too_and_counted(tmp_path: Path) -> None:
    bench = Bench(tmp_path, {"HIGH": Above("halves", 30)})
    watchman = bench.watchman()
    bench.gains([at(60, 20.0)])
    drained(watchman)
    bench.gains([at(30, 99.0), at(60, 99.0, key="b")])

    look = watchman.look()

    assert look is not None
    assert (look.rows, look.overtaken, [event.alert.key for event in look.events]) == (2, 1, ["a", "b"])


def test_a_silence_ends_with_a_reading_that_was_under_way_when_the_clock_called_it(tmp_path: Path) -> None:
    bench = Bench(tmp_path, {"SILENT": Silent("5 minutes")})
    watchman = bench.watchman()
    bench.gains([at(0, 1.0)])
    drained(watchman)
    watchman.silences(timedelta(minutes=6))
    bench.gains([at(240, 1.0)])

    drained(watchman)

    opened = NOON + 300 * SECOND
    assert bench.alerts() == {("SILENT", "a", opened): (300.0, 300.0, opened)}


RECEIVED = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)  # not when it was measured, nor when it is read


class Turned:
    """A clock that a test turns: seconds since the first reading was received."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> datetime:
        return RECEIVED + timedelta(seconds=self.seconds)


def test_silence_is_raised_even_when_nothing_else_arrives(tmp_path: Path) -> None:
    bench, clock, told = Bench(tmp_path, {"SILENT": Silent("5 minutes")}), Turned(), threading.Event()
    bench.gains([at(0, 1.0)], RECEIVED)
    watchman = Watchman(bench.lake, bench.graph, bench.graph.watches[0], Teller(alert=lambda _event: told.set()))
    drained(watchman)
    failures: list[BaseException] = []

    with Post(watchman, lambda: True, failures.append, clock):
        clock.seconds = 300.0
        assert not told.wait(0.5)
        clock.seconds = 301.5
        assert told.wait(20)

    assert failures == []
    assert list(bench.alerts()) == [("SILENT", "a", NOON + 300 * SECOND)]


def test_what_brings_nothing_newer_does_not_turn_the_clock_back(tmp_path: Path) -> None:
    bench, clock = Bench(tmp_path, {"SILENT": Silent("5 minutes")}), Turned()
    told, noted = threading.Event(), threading.Semaphore(0)
    bench.gains([at(0, 1.0)], RECEIVED)
    teller = Teller(lambda name: noted.release() if name.endswith("note") else None, lambda _event: told.set())
    watchman = Watchman(bench.lake, bench.graph, bench.graph.watches[0], teller)
    drained(watchman)
    noted.acquire()

    with Post(watchman, lambda: True, lambda _problem: None, clock):
        clock.seconds = 290.0
        bench.gains([at(-30, 1.0)], RECEIVED + timedelta(seconds=290))
        assert noted.acquire(timeout=20)
        assert compact_small(bench.silver, more_than=1) is not None
        assert noted.acquire(timeout=20)
        clock.seconds = 302.0

        assert told.wait(20)


def test_a_restart_does_not_turn_the_clock_back(tmp_path: Path) -> None:
    bench, clock, told = Bench(tmp_path, {"SILENT": Silent("5 minutes")}), Turned(), threading.Event()
    bench.gains([at(0, 1.0)], RECEIVED)
    for seconds in (100, 200, 299):
        watchman = Watchman(bench.lake, bench.graph, bench.graph.watches[0], Teller(alert=lambda _event: told.set()))
        with Post(watchman, lambda: True, lambda _problem: None, clock):
            clock.seconds = seconds
            assert not told.wait(0.3)

    watchman = Watchman(bench.lake, bench.graph, bench.graph.watches[0], Teller(alert=lambda _event: told.set()))
    with Post(watchman, lambda: True, lambda _problem: None, clock):
        clock.seconds = 301
        assert told.wait(20)

    assert list(bench.alerts()) == [("SILENT", "a", NOON + 300 * SECOND)]


def test_the_clock_counts_from_when_a_reading_was_received_and_not_from_when_it_is_read(tmp_path: Path) -> None:
    bench, clock, told = Bench(tmp_path, {"SILENT": Silent("5 minutes")}), Turned(), threading.Event()
    bench.gains([at(-60, 1.0, "b")], RECEIVED - timedelta(seconds=60))
    bench.gains([at(0, 1.0)], RECEIVED)
    clock.seconds = 270.0  # nobody ran until then

    watchman = Watchman(bench.lake, bench.graph, bench.graph.watches[0], Teller(alert=lambda _event: told.set()))
    with Post(watchman, lambda: True, lambda _problem: None, clock):
        assert told.wait(20)

    assert list(bench.alerts()) == [("SILENT", "b", NOON + 240 * SECOND)]


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    commits=st.lists(st.lists(st.integers(-300, 300), min_size=1, max_size=3), min_size=1, max_size=6),
    most_rows=st.integers(1, 20),
    after=st.integers(0, 400),
)
def test_however_commits_are_read_the_clock_counts_from_the_newest_reading(
    commits: list[list[int]], most_rows: int, after: int
) -> None:
    newest = max(map(max, commits))
    first = next(place for place, seconds in enumerate(commits) if newest in seconds)
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), {"SILENT": Silent("5 minutes")})
        for place, seconds in enumerate(commits):
            bench.gains([at(each, 1.0, f"k{place}") for each in seconds], RECEIVED + timedelta(seconds=7 * place))
        drained(bench.watchman(most_rows=most_rows))

        unheard = bench.watchman().unheard(RECEIVED + timedelta(seconds=after))

    assert unheard.total_seconds() == max(0, after - 7 * first)


def test_nobody_is_called_silent_before_all_was_read(tmp_path: Path) -> None:
    bench, clock, asked = Bench(tmp_path, {"SILENT": Silent("5 minutes")}), Turned(), threading.Event()
    bench.gains([at(0, 1.0)], RECEIVED)
    clock.seconds = 1000.0

    def has_read_all() -> bool:
        asked.set()
        return False

    with Post(bench.watchman(), has_read_all, lambda _problem: None, clock):
        assert asked.wait(20)

    assert bench.alerts() == {}


def test_whoever_speaks_while_it_is_asked_whether_all_was_read_is_not_called_silent(tmp_path: Path) -> None:
    bench, clock, noted = Bench(tmp_path, {"SILENT": Silent("5 minutes")}), Turned(), threading.Semaphore(0)
    bench.gains([at(0, 1.0)], RECEIVED)
    clock.seconds = 302.0

    def has_read_all() -> bool:
        if len(bench.events()) == 0 and clock.seconds == 302.0:
            bench.gains([at(301, 1.0)], RECEIVED + timedelta(seconds=301))
            clock.seconds = 303.0
        return True

    committed = lambda name: noted.release() if name.endswith("note") else None  # noqa: E731
    watchman = bench.watchman(committed)
    with Post(watchman, has_read_all, lambda _problem: None, clock):
        assert noted.acquire(timeout=20)
        assert noted.acquire(timeout=20)

    assert bench.alerts() == {("SILENT", "a", NOON + 300 * SECOND): (300.0, 300.0, NOON + 301 * SECOND)}


def test_a_watch_that_fails_says_so(tmp_path: Path) -> None:
    bench, failed = Bench(tmp_path, {"HIGH": Above("halves", 30)}), threading.Event()
    failures: list[BaseException] = []
    bench.gains([at(0, 31.0)])
    for file in bench.silver.glob("*.parquet"):
        file.write_bytes(b"no parquet")

    def fail(problem: BaseException) -> None:
        failures.append(problem)
        failed.set()

    with Post(bench.watchman(), lambda: True, fail):
        assert failed.wait(20)

    assert isinstance(failures[0], LakeDamaged)


def test_what_is_only_info_is_put_into_the_table_now_and_then_and_what_is_worse_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vigie.core.alerts.alert_table.ROWS_A_SECOND", 0.001)
    bench = Bench(tmp_path, {"HIGH": Above("halves", 30)})
    [watch] = bench.graph.watches
    mild = replace(
        watch, rules=(replace(watch.rules[0], severity="info"), Rule("LOW", Below("halves", 5), "warning", watch.place))
    )
    watchman = Watchman(bench.lake, bench.graph, mild)

    def rules_after(*readings: Reading) -> list[str]:
        bench.gains(readings)
        drained(watchman)
        return sorted(rule for rule, _, _ in bench.alerts())

    assert rules_after(at(0, 31.0, "a")) == ["HIGH"]
    assert rules_after(at(1, 31.0, "b")) == ["HIGH"], "the next waits, for as long as the table is large"
    assert rules_after(at(2, 31.0, "c"), at(2, 4.0, "d")) == ["HIGH", "HIGH", "HIGH", "LOW"]
    assert rules_after(at(3, 31.0, "e")) == ["HIGH", "HIGH", "HIGH", "LOW"]
    assert len(bench.events()) == 5
    assert sorted(rule for rule, _, _ in Bench.alerts(restarted(bench, mild))) == ["HIGH"] * 4 + ["LOW"]


def restarted(bench: Bench, watch: Declared) -> Bench:
    Watchman(bench.lake, bench.graph, watch)
    return bench


def test_a_post_that_is_left_puts_all_into_the_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vigie.core.alerts.alert_table.ROWS_A_SECOND", 0.001)
    bench, told = Bench(tmp_path, {"HIGH": Above("halves", 30)}), threading.Semaphore(0)
    [watch] = bench.graph.watches
    mild = replace(watch, rules=(replace(watch.rules[0], severity="info"),))
    watchman = Watchman(bench.lake, bench.graph, mild, Teller(alert=lambda _event: told.release()))

    with Post(watchman, lambda: True, lambda _problem: None):
        for second, key in enumerate("abc"):
            bench.gains([at(second, 31.0, key)])
            assert told.acquire(timeout=20)

    assert len(bench.alerts()) == 3


def tidied(bench: Bench) -> None:
    """The readings are put together, and the files and the commits that first held them deleted."""
    before = set(bench.silver.glob("*.parquet"))
    assert compact_small(bench.silver, more_than=1) is not None
    for file in before:
        file.unlink()


@pytest.mark.parametrize("most_rows", [1, 2, 100])
@pytest.mark.parametrize("dies_at", range(7))
def test_a_new_watch_over_a_lake_that_was_tidied_takes_it_in_the_order_of_time(
    tmp_path: Path, most_rows: int, dies_at: int
) -> None:
    rules: dict[str, Detector] = {"HIGH": Above("halves", 30), "SILENT": Silent("5 minutes")}
    bench, expected = Bench(tmp_path, rules), Watch(rules)
    gained = [[at(600, 31.0), at(630, 20.0), at(700, 31.0, "b")], [at(0, 31.0), at(30, 20.0), at(40, 20.0, "b")]]
    for commit in gained:
        bench.gains(commit)
    expected.commit(sorted((one for commit in gained for one in commit), key=lambda one: one.at))
    tidied(bench)
    made = 0

    def committed(_name: str) -> None:
        nonlocal made
        made += 1
        if made == dies_at:
            raise Killed

    watchman = bench.watchman(committed, most_rows)
    try:
        drained(watchman)
    except Killed:
        watchman = bench.watchman(most_rows=7 if most_rows == 1 else 1)
    made = dies_at  # from here on it lives
    bench.gains([at(730, 31.0), at(10, 99.0)])
    expected.commit([at(730, 31.0), at(10, 99.0)])
    drained(watchman)

    assert bench.alerts() == as_raised(expected.alerts)
    assert max(Counter(bench.events()).values()) == 1


def test_a_watch_whose_table_was_tidied_before_it_was_read_says_so(tmp_path: Path) -> None:
    bench = Bench(tmp_path, {"HIGH": Above("halves", 30)})
    drained(bench.watchman())
    bench.gains([at(0, 31.0)])
    bench.gains([at(30, 31.0)])
    tidied(bench)

    with pytest.raises(LakeDamaged, match="after version 0 was tidied away before it was read"):
        bench.watchman()


def test_a_watch_whose_table_was_made_anew_says_so(tmp_path: Path) -> None:
    rules = {"HIGH": Above("halves", 30)}
    bench = Bench(tmp_path, rules)
    bench.gains([at(0, 31.0)])
    drained(bench.watchman())
    shutil.rmtree(bench.silver)

    with pytest.raises(LakeDamaged, match="was read up to version 1, and has only come to 0: it was made anew"):
        Bench(tmp_path, rules).watchman()


def test_an_alert_of_a_rule_that_is_no_longer_declared_is_closed_at_the_next_start(tmp_path: Path) -> None:
    bench = Bench(tmp_path, {"HIGH": Above("halves", 12), "LOW": Below("halves", 20)})
    bench.gains(readings_of("halves", 13.0, 14.0))
    drained(bench.watchman())

    bench.graph = a_pipeline({"LOW": Below("halves", 20)})
    drained(bench.watchman())

    assert {rule: closed for (rule, _, _), (_, _, closed) in bench.alerts().items()} == {
        "HIGH": NOON + 30 * SECOND,
        "LOW": None,
    }


def test_rows_without_a_key_are_passed_over(tmp_path: Path) -> None:
    bench = Bench(tmp_path, {"HIGH": Above("halves", 30)})
    bench.gains([Reading(None, NOON, {"halves": 99.0}), at(0, 31.0, key="")])  # type: ignore[arg-type]

    look = bench.watchman().look()

    assert look is not None
    assert [(event.alert.key, event.alert.message) for event in look.events] == [
        ("", "HIGH at : halves is 31, above 30")
    ]


@pytest.mark.parametrize("kind", [pa.int32(), pa.decimal128(6, 2), pa.float32(), pa.int8()])
def test_columns_and_keys_may_be_of_any_type_that_counts(tmp_path: Path, kind: pa.DataType) -> None:
    schema = pa.schema([("sensor_id", pa.int64()), ("measured_at", INSTANT), ("halves", kind)])
    bench = Bench(tmp_path, {"HIGH": Above("halves", 30), "ODD": InARow("halves > 3", times=2)}, schema)
    bench.gains([Reading(7, NOON, {"halves": 31}), Reading(7, NOON + SECOND, {"halves": 31})])  # type: ignore[arg-type]

    drained(bench.watchman())
    bench.gains([Reading(7, NOON + 2 * SECOND, {"halves": 1})])  # type: ignore[arg-type]
    drained(bench.watchman())

    assert [(rule, key, closed) for (rule, key, _), (_, _, closed) in sorted(bench.alerts().items())] == [
        ("HIGH", "7", NOON + 2 * SECOND),
        ("ODD", "7", NOON + 2 * SECOND),
    ]
