"""Compaction and vacuum: tables hold the same, in fewer files, and nothing that a run needs is deleted."""

from __future__ import annotations

import json
import threading
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from vigie.errors import BadAddress, BadSetting
from vigie.lake import Lake, rows
from vigie.maintenance import Upkeep, compact_small, maintain

WEEK = timedelta(days=7)
DAY_MS = 86_400_000


def appended(path: Path, times: int) -> None:
    for number in range(times):
        write_deltalake(path, pa.table({"n": [number]}), mode="append")


def aged(path: Path, days: float) -> None:
    """The table as if all that was done to it so far had been done `days` earlier."""
    for commit in (path / "_delta_log").glob("*.json"):
        actions = [json.loads(line) for line in commit.read_text().splitlines()]
        for action in actions:
            for body in action.values():
                for stamp in {"timestamp", "deletionTimestamp"} & body.keys():
                    body[stamp] -= int(days * DAY_MS)
        commit.write_text("".join(json.dumps(action) + "\n" for action in actions))


def compacted_days_ago(lake: Lake, days: float) -> Path:
    path = lake.silver("flights_ml")
    appended(path, 5)
    list(maintain(lake, WEEK))
    aged(path, days)
    return path


def parquet(path: Path) -> int:
    return len(list(path.glob("*.parquet")))


def test_small_files_become_one_and_the_rows_stay_the_same(tmp_path: Path) -> None:
    lake = Lake.at(tmp_path)
    appended(lake.silver("flights_ml"), 5)

    [upkeep] = maintain(lake, WEEK)

    assert upkeep == Upkeep("silver/flights_ml", 5, 1, 0, 0)
    assert sorted(row["n"] for row in rows(lake.silver("flights_ml"))) == [0, 1, 2, 3, 4]


def test_a_stream_sees_no_change_in_a_compaction(tmp_path: Path) -> None:
    lake = Lake.at(tmp_path)
    appended(lake.silver("flights_ml"), 3)

    list(maintain(lake, WEEK))

    commit = (lake.silver("flights_ml") / "_delta_log" / f"{3:020}.json").read_text().splitlines()
    changes = [body["dataChange"] for line in commit for body in json.loads(line).values() if "dataChange" in body]
    assert changes == [False] * 4


def test_files_replaced_longer_ago_than_asked_are_deleted(tmp_path: Path) -> None:
    lake = Lake.at(tmp_path)
    path = compacted_days_ago(lake, 8)

    [upkeep] = maintain(lake, WEEK)

    assert (upkeep.files_deleted, parquet(path)) == (5, 1)
    assert upkeep.bytes_freed > 1000
    assert len(rows(path)) == 5


def test_files_replaced_since_are_kept(tmp_path: Path) -> None:
    lake = Lake.at(tmp_path)
    path = compacted_days_ago(lake, 6)

    [upkeep] = maintain(lake, WEEK)

    assert (upkeep.files_deleted, parquet(path)) == (0, 6)


def test_a_lake_that_spark_s_streams_filled_keeps_everything(tmp_path: Path) -> None:
    lake = Lake.at(tmp_path)
    path = compacted_days_ago(lake, 8)
    folder = lake.checkpoint("flights", "flights_raw")
    folder.mkdir(parents=True)
    (folder / "metadata").write_text('{"id": "8c1"}')

    [upkeep] = maintain(lake, WEEK)

    assert (upkeep.files_deleted, parquet(path)) == (0, 6)
    assert upkeep.kept_for == "_vigie/flights/checkpoints/flights_raw"


def test_an_age_under_an_hour_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadSetting, match="--older-than"):
        maintain(Lake.at(tmp_path), timedelta(minutes=59))


def test_a_lake_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadAddress, match="no lake"):
        maintain(Lake.at(tmp_path / "nowhere"), WEEK)


def test_small_files_are_left_alone_until_they_are_many(tmp_path: Path) -> None:
    path = tmp_path / "table"
    appended(path, 4)

    assert compact_small(path, more_than=4) is None

    appended(path, 1)
    done = compact_small(path, more_than=4)
    assert done is not None
    assert (done.removed, done.added) == (5, 1)


def test_compaction_beside_a_writer_loses_and_doubles_nothing(tmp_path: Path) -> None:
    path = tmp_path / "table"
    appended(path, 1)
    failed: list[BaseException] = []

    def write() -> None:
        try:
            appended(path, 60)
        except BaseException as problem:
            failed.append(problem)

    writer = threading.Thread(target=write)
    writer.start()
    compactions = 0
    while writer.is_alive():
        compactions += compact_small(path, more_than=5) is not None
    writer.join()

    assert not failed
    assert compactions > 0
    assert sorted(row["n"] for row in rows(path)) == sorted([0, *range(60)])


@pytest.mark.parametrize(("version", "kept"), [(-1, True), (2, True), (4, True), (5, False)])
@pytest.mark.parametrize(
    ("query", "note", "table"),
    [
        ("watch-flights_ml-by-icao24", {"silver": "flights_ml", "silver_version": 0}, "silver/flights_ml"),
        ("outbox-hook-of-watch", {"version": 0, "sent": 0}, "_vigie/flights/alert_events"),
    ],
)
def test_what_a_watch_or_an_outbox_has_yet_to_read_is_kept(
    tmp_path: Path, query: str, note: dict[str, object], table: str, version: int, kept: bool
) -> None:
    lake = Lake.at(tmp_path)
    path = lake.path(table)
    appended(path, 5)
    list(maintain(lake, WEEK))
    aged(path, 8)
    folder = lake.checkpoint("flights", query)
    folder.mkdir(parents=True)
    counted = next(name for name in note if name.endswith("version"))
    (folder / "note.json").write_text(json.dumps({**note, counted: version}))

    [upkeep] = maintain(lake, WEEK)

    assert (upkeep.files_deleted == 0) is kept
    assert upkeep.kept_for == (f"_vigie/flights/checkpoints/{query}" if kept else None)


@pytest.mark.parametrize(("version", "kept"), [(-1, True), (2, True), (4, True), (5, False)])
@pytest.mark.parametrize("form", ["a source", "a table that is filled", "a gold table", "a delivery"])
def test_what_the_newest_plan_of_the_loop_reads_is_kept(tmp_path: Path, form: str, version: int, kept: bool) -> None:
    lake = Lake.at(tmp_path)
    compacted_days_ago(lake, 8)
    forms: dict[str, tuple[str, dict[str, object]]] = {
        "a source": ("flights_raw", {"tables": {"flights_ml": {"version": version, "progress": {}}}}),
        "a table that is filled": (
            "flights_raw/fill-flights_ml",
            {"tables": {"flights_ml": {"version": version, "progress": {}}}},
        ),
        "a gold table": ("gold.movements", {"reads": {"silver/flights_ml": version}}),
        "a delivery": ("flights_ml-to-elastic-0", {"reads": {"silver/flights_ml": version}}),
    }
    name, plan = forms[form]
    folder = lake.notes("flights") / name
    folder.mkdir(parents=True)
    (folder / "10.json").write_text(json.dumps({**plan, "batch": 10}))
    (folder / "9.json").write_text(json.dumps({"batch": 9, "reads": {"silver/flights_ml": 0}}))  # long done

    [upkeep] = maintain(lake, WEEK)

    assert (upkeep.files_deleted == 0) is kept
    assert upkeep.kept_for == (f"_vigie/flights/notes/{name}" if kept else None)


@pytest.mark.parametrize("said", ["{", "[]", '{"reads": {"silver/flights_ml": "2"}}', '{"tables": {"flights_ml": 3}}'])
def test_a_plan_that_cannot_be_understood_keeps_everything(tmp_path: Path, said: str) -> None:
    lake = Lake.at(tmp_path)
    compacted_days_ago(lake, 8)
    folder = lake.notes("flights") / "flights_raw"
    folder.mkdir(parents=True)
    (folder / "0.json").write_text(said)

    [upkeep] = maintain(lake, WEEK)

    assert upkeep.files_deleted == 0


def test_a_note_that_cannot_be_understood_keeps_everything(tmp_path: Path) -> None:
    lake = Lake.at(tmp_path)
    compacted_days_ago(lake, 8)
    folder = lake.checkpoint("flights", "watch-flights_ml-by-icao24")
    folder.mkdir(parents=True)
    (folder / "note.json").write_text("{")

    [upkeep] = maintain(lake, WEEK)

    assert upkeep.files_deleted == 0
