"""The files of examples/activity without a broker: feeds, the raw lake, the day. tests/servers/test_course.py has the
rest of the folder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from functools import reduce
from operator import getitem
from pathlib import Path
from typing import Any

import pytest

from tests.servers.mongodb import a_server
from tests.tier import nightly
from vigie.activity import daily
from vigie.lake import Lake, rows
from vigie.settings import read_settings

HOUSE = Path(__file__).parents[2]
ACTIVITY = HOUSE / "examples/activity"
IDS = {"user_activity": ("event_id",), "recent_changes": ("meta", "id")}


def called(script: str, *flags: str, **settings: str) -> str:
    """What a file of the example writes to standard output."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("VIGIE_")}
    own["VIGIE_CACHE"] = str(read_settings().cache)
    answer = subprocess.run(
        [sys.executable, ACTIVITY / script, *flags],
        env=own | settings,
        capture_output=True,
        text=True,
        check=False,
        timeout=500,
    )
    assert answer.returncode == 0, answer.stderr
    return answer.stdout


def fed(users: str, wikis: str, **settings: str) -> tuple[str, ...]:
    """More than twenty minutes of users and some changes, and the flags by which a run finds them."""
    called("src/ingestion/main.py", "--to", users, "--rows", "30000", "--users", "100", "--faults", "0.02", **settings)
    called("src/ingestion/wikimedia_producer.py", "--simulated", "--to", wikis, "--rows", "3000", **settings)
    return "--from", f"user_activity={users}", "--from", f"recent_changes={wikis}", "--once"


@pytest.mark.timeout(900)
@nightly
def test_the_raw_lake_has_each_event_once_and_the_day_is_counted_the_same_there(tmp_path: Path) -> None:
    sources = fed(f"inbox:{tmp_path / 'users'}", f"inbox:{tmp_path / 'wikis'}")
    lake = Lake(tmp_path / "lake")

    with a_server() as server:
        called("src/storage/mongo_consumer.py", *sources, "--lake", str(lake), VIGIE_MONGO=server.address)
        accepted = {name: server.count(f"accepted_{name}") for name in IDS}
        raw = {name: [as_key(document["_id"]) for document in server.all(name)] for name in IDS}
        counted = a_day(lake, VIGIE_MONGO=server.address), a_day(lake)

    assert accepted == {name: len(rows(lake.silver(name))) for name in IDS}
    assert Counter(raw["user_activity"]) == Counter(ids(lake, "user_activity"))
    assert Counter(raw["recent_changes"]) == Counter(ids(lake, "recent_changes"))
    assert len(raw["user_activity"]) > accepted["user_activity"]
    assert [row.pop("origin") for row in counted] == ["mongodb", "silver"]
    assert counted[0] == counted[1]


def ids(lake: Lake, source: str) -> set[object]:
    """What the messages of bronze are called: by the id that Python's own reader of JSON finds, or the place."""
    found: set[object] = set()
    for row in rows(lake.bronze(source)):
        try:
            said = reduce(getitem, IDS[source], json.loads(row["value"].decode(), parse_constant=int))  # NaN is no JSON
        except (ValueError, LookupError, TypeError):
            said = None
        is_own = type(said) is int or (isinstance(said, str) and said != "")
        found.add(said if is_own else (row["file"], row["line"]))
    return found


def as_key(own: Any) -> object:
    return tuple(own.values()) if isinstance(own, dict) else own


def a_day(lake: Lake, **settings: str) -> dict[str, object]:
    """The row of the day on which the feed ended."""
    day = max(row["event_timestamp"] for row in rows(lake.silver("user_activity"))).date()
    called("src/batch/daily_statistics.py", str(day), "--lake", str(lake), "--unfinished", **settings)
    [row] = [row for row in rows(lake.gold(daily.TABLE)) if row["day"] == day]
    return row
