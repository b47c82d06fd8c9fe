"""A day's statistics: what they count, and that a day that runs again replaces its row."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from deltalake import DeltaTable

from tests.activity import days
from vigie.activity import daily, finished
from vigie.errors import RequestError
from vigie.lake import Lake, is_table, rows
from vigie.pipeline import load

WRITES = pl.col("type").is_in(["edit", "new"])


def expected(activity: pl.DataFrame, wikis: pl.DataFrame, day: date) -> dict[str, Any]:
    """The row of a day, by Polars alone."""
    events, changes = days.on(activity, day), days.on(wikis, day)
    by_page = events.group_by("page").len().sort(pl.col("len"), pl.col("page"), descending=[True, False])
    by_hour = events.group_by(pl.col("event_timestamp").dt.hour().alias("hour")).len()
    by_hour = by_hour.sort(pl.col("len"), pl.col("hour"), descending=[True, False])
    return {
        "day": day,
        "origin": "silver",
        "events": events.height,
        "users": events["user_id"].n_unique(),
        "sessions": events["session_id"].n_unique(),
        "bot_events": events["is_bot"].sum(),
        "bots": events.filter("is_bot")["user_id"].n_unique(),
        "busiest_page": by_page["page"][0],
        "busiest_hour": by_hour["hour"][0],
        "changes": changes.height,
        "edits": changes.filter(WRITES).height,
        "bot_edits": changes.filter(WRITES & pl.col("is_bot")).height,
        "editors": changes.filter(WRITES)["user"].n_unique(),
        "wikis": changes["wiki"].n_unique(),
        "bytes_changed": changes["bytes_changed"].sum(),
    }


def test_statistics_are_what_polars_counts(tmp_path: Path) -> None:
    activity, wikis = days.random_events(3_000, 4, seed=1), days.random_changes(2_000, 4, seed=1)
    lake = days.kept(Lake.at(tmp_path), activity, wikis)

    for number in range(4):
        daily.keep(lake, daily.of_silver(lake, days.day(number)))

    assert rows(lake.gold(daily.TABLE)) == [expected(activity, wikis, days.day(number)) for number in range(4)]


def test_a_day_that_runs_again_replaces_its_row_and_no_other(tmp_path: Path) -> None:
    activity, wikis = days.random_events(500, 2, seed=2), days.random_changes(300, 2, seed=2)
    lake = days.kept(Lake.at(tmp_path), activity, wikis)
    for number in (1, 0):
        daily.keep(lake, daily.of_silver(lake, days.day(number)))
    late = days.events(days.an_event(event_id="late"))
    days.kept(lake, late, days.changes())

    daily.keep(lake, daily.of_silver(lake, days.day(1)))

    known = pl.concat([activity, late])
    assert rows(lake.gold(daily.TABLE)) == [expected(known, wikis, days.day(number)) for number in (0, 1)]


def test_a_day_that_comes_to_the_same_is_not_written_again(tmp_path: Path) -> None:
    lake = days.kept(Lake.at(tmp_path), days.random_events(100, 1, seed=3), days.random_changes(100, 1, seed=3))

    for _ in range(3):
        daily.keep(lake, daily.of_silver(lake, days.day(0)))

    assert DeltaTable(lake.gold(daily.TABLE)).version() == 0


def test_a_day_without_rows_is_a_row_of_zeros(tmp_path: Path) -> None:
    lake = days.kept(Lake.at(tmp_path), days.events(), days.changes())

    [row] = daily.of_silver(lake, days.day(0)).to_pylist()

    assert (row["events"], row["users"], row["bytes_changed"], row["busiest_page"]) == (0, 0, 0, None)


def test_a_lake_without_the_tables_says_what_makes_them(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="no table silver/user_activity yet") as problem:
        daily.of_silver(Lake.at(tmp_path), days.day(0))

    assert problem.value.do == "Make it: vigie run activity --once"


def test_a_write_that_meets_another_is_done_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lake = days.kept(Lake.at(tmp_path), days.random_events(100, 3, seed=4), days.random_changes(100, 3, seed=4))
    first, second, third = (daily.of_silver(lake, days.day(number)) for number in range(3))
    daily.keep(lake, first)
    meeting = iter([second])

    def opened_while_another_writes(path: Path) -> DeltaTable:
        table = DeltaTable(path)
        for other in meeting:
            daily.keep(lake, other)
        return table

    monkeypatch.setattr(daily, "opened", opened_while_another_writes)
    daily.keep(lake, third)

    assert [row["day"] for row in rows(lake.gold(daily.TABLE))] == [days.day(number) for number in range(3)]


def test_the_command_keeps_the_day_and_says_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VIGIE_MONGO", "")
    lake = days.kept(Lake.at(tmp_path), days.events(days.an_event()), days.changes(days.a_change()))
    days.kept(lake, *days.after(1))

    done = daily.main(["2026-03-28", "--lake", str(lake)])
    refused = daily.main(["2026-03-28", "--lake", str(tmp_path / "nowhere")])

    assert (done, refused) == (0, 2)
    said = capsys.readouterr()
    assert "events  1\n" in said.out
    assert "Make it: vigie run activity --once" in said.err
    assert len(rows(lake.gold(daily.TABLE))) == 1


def test_who_only_files_a_page_under_a_category_is_no_editor(tmp_path: Path) -> None:
    kinds = {"Ada": "edit", "Grace": "new", "Edsger": "categorize", "Alan": "log"}
    wikis = days.changes(*(days.a_change(event_id=user, user=user, type=kind) for user, kind in kinds.items()))
    lake = days.kept(Lake.at(tmp_path), days.events(), wikis)

    [row] = daily.of_silver(lake, days.day(1)).to_pylist()

    assert (row["changes"], row["edits"], row["editors"]) == (4, 2, 2)


def at(hour: int, minute: int, micros: int = 0) -> datetime:
    return datetime(2026, 3, 29, hour, minute, tzinfo=UTC) + timedelta(microseconds=micros)


BEFORE, AFTER = at(0, 10, -1), at(0, 10)  # rows of the 28th may come until the newest event is as new as this


@pytest.mark.parametrize(
    ("event", "change", "behind"),
    [
        (AFTER, AFTER, ""),
        (AFTER, None, ""),
        (None, AFTER, ""),
        (BEFORE, AFTER, "user_activity up to 2026-03-28 23:59:59 UTC"),
        (AFTER, at(0, 0, -1), "recent_changes up to 2026-03-28 23:49:59 UTC"),
        (at(0, 0), at(0, 1), "user_activity up to 2026-03-28 23:50:00 UTC and recent_changes up to 2026-03-28 23:51"),
        (None, None, "nothing was read yet, so 2026-03-28"),
    ],
)
def test_a_day_that_was_not_read_to_its_end_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
    event: datetime | None, change: datetime | None, behind: str,
) -> None:  # fmt: skip
    monkeypatch.setenv("VIGIE_MONGO", "")
    events = [days.an_event(event_id=str(n), event_timestamp=when) for n, when in enumerate([at(0, 0), event]) if when]
    changes = [days.a_change(event_timestamp=change)] if change else []
    lake = days.kept(Lake.at(tmp_path), days.events(*(events if event else [])), days.changes(*changes))

    code = daily.main(["2026-03-28", "--lake", str(lake)])

    said = capsys.readouterr().err
    assert (code, behind in said) == (2 if behind else 0, True)
    assert ("--unfinished" in said) == bool(behind)
    assert is_table(lake.gold(daily.TABLE)) == (not behind)


def test_a_day_is_counted_as_far_as_it_was_read_when_that_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VIGIE_MONGO", "")
    lake = days.kept(Lake.at(tmp_path), days.events(days.an_event()), days.changes(days.a_change()))

    code = daily.main(["2026-03-28", "--unfinished", "--lake", str(lake)])

    assert code == 0
    assert [row["events"] for row in rows(lake.gold(daily.TABLE))] == [1]


def test_the_pipeline_waits_for_late_rows_as_long_as_a_day_does() -> None:
    graph = load("activity").graph()

    assert {table.late_by for table in graph.silver} == {finished.LATE_BY}
