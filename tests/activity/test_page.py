"""The page of activity: silver, MongoDB and Polars come to the same, and each state is a sentence."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest
from deltalake import write_deltalake
from pymongo import MongoClient
from streamlit.testing.v1 import AppTest

from tests.activity.days import RECENT_CHANGES, USER_ACTIVITY, UTC_US, changes, events, kept
from tests.servers.mongodb import Server, a_server
from vigie.activity import figures
from vigie.activity.figures import Accepted, Question, of_silver
from vigie.dashboard.look import literal
from vigie.dashboard.view import View
from vigie.errors import RequestError
from vigie.lake import Lake
from vigie.sinks.documents import documents

if TYPE_CHECKING:
    from pandas import DataFrame

END = datetime(2026, 11, 21, 12, 0, 30, 250_000, tzinfo=UTC)  # within a minute, as most instants are
HALF_AN_HOUR, MINUTE = timedelta(minutes=30), timedelta(minutes=1)
IS_EDIT = pl.col("type").is_in(["edit", "new"])


def instants(rng: np.random.Generator, count: int) -> pl.Series:
    """Forty minutes up to END, to the millisecond, which is what documents keep; and the edges of the page's spans."""
    edges = [0, 60_000, 120_000, 300_000, 1_800_000, 30_250, 30_250 + 29 * 60_000]
    ago = np.concatenate([edges, rng.integers(0, 40 * 60_000, count - len(edges))])
    return pl.Series((int(END.timestamp() * 1_000) - ago) * 1_000).cast(UTC_US)


def some_events(count: int = 3_000) -> pl.DataFrame:
    rng = np.random.default_rng(3)
    users = rng.integers(0, 60, count)
    return pl.DataFrame(
        {
            "event_id": [f"e-{number}" for number in range(count)],
            "user_id": [f"user_{user}" for user in users],
            "session_id": "s",
            "event_timestamp": instants(rng, count),
            "action": rng.choice(["view", "click", "search"], count),
            "page": [f"/products/{number}" for number in rng.integers(0, 15, count)],
            "device": rng.choice(["desktop", "mobile"], count),
            "is_bot": users % 10 == 0,
            "schema_version": 1,
        },
        USER_ACTIVITY,
    )


def some_changes(count: int = 2_000) -> pl.DataFrame:
    rng = np.random.default_rng(4)
    kinds = rng.choice(["edit", "new", "log"], count, p=[0.7, 0.1, 0.2])
    return pl.DataFrame(
        {
            "event_id": [f"c-{number}" for number in range(count)],
            "event_timestamp": instants(rng, count),
            "wiki": rng.choice(["frwiki", "dewiki", "commonswiki", "eswiki"], count),
            "type": kinds,
            "title": "Vigie",
            "user": [f"Editor {editor}" for editor in rng.integers(0, 80, count)],
            "is_bot": rng.random(count) < 0.2,
            "is_minor": None,
            "bytes_changed": [int(by) if kind == "edit" else None
                              for by, kind in zip(rng.integers(-500, 900, count), kinds, strict=True)],
        },
        RECENT_CHANGES,
    )  # fmt: skip


EVENTS, CHANGES = some_events(), some_changes()
EDITS = CHANGES.filter(IS_EDIT)


def closed_windows(lake: Lake) -> None:
    """Two minutes of gold."""
    starts = [END.replace(second=0, microsecond=0) - timedelta(minutes=ago) for ago in (13, 12)]
    ends = [start + MINUTE for start in starts]
    for name, what, counted in (("devices_per_minute", "device", "events"), ("edits_per_minute", "wiki", "edits")):
        window = {"window_start": starts, "window_end": ends, what: ["a", "b"], counted: [3, 4]}
        write_deltalake(lake.gold(f"activity/{name}"), pl.DataFrame(window).cast({pl.Datetime: UTC_US}).to_arrow())


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    lake = kept(Lake.at(tmp_path_factory.mktemp("lake")), EVENTS, CHANGES)
    closed_windows(lake)
    return lake


@pytest.fixture(scope="module")
def mongo() -> Iterator[Server]:
    with a_server() as server, MongoClient[dict[str, Any]](server.address) as client:
        for name, frame in (("accepted_user_activity", EVENTS), ("accepted_recent_changes", CHANGES)):
            for batch in frame.to_arrow().to_batches():
                client.get_default_database()[name].insert_many(documents(batch, ("event_id",)))
        yield server


def recent(rows: pl.DataFrame, span: timedelta = HALF_AN_HOUR) -> pl.DataFrame:
    return rows.filter(pl.col("event_timestamp") > END - span)


def by_polars(rows: pl.DataFrame, what: str, who: str, top: int) -> pl.DataFrame:
    counted = recent(rows).group_by(what).agg(
        pl.len().alias("events"), pl.col("is_bot").sum().alias("bot_events"), pl.col(who).n_unique().alias("users")
    )  # fmt: skip
    return counted.sort(["events", what], descending=[True, False]).head(top)


def minutes_by_polars(rows: pl.DataFrame, who: str) -> pl.DataFrame:
    minute = pl.col("event_timestamp").dt.truncate("1m").alias("minute")
    whole = rows.filter(minute > END - HALF_AN_HOUR, minute + MINUTE <= END)
    return whole.group_by(minute).agg(
        pl.len().alias("events"), pl.col("is_bot").sum().alias("bot_events"), pl.col(who).n_unique().alias("users")
    ).sort("minute")  # fmt: skip


def pulse_by_polars(rows: pl.DataFrame, who: str) -> pl.DataFrame:
    last, two, five = (recent(rows, count * MINUTE) for count in (1, 2, 5))
    return pl.DataFrame(
        {"newest": [END], "events": len(last), "before": len(two) - len(last), "users": five[who].n_unique(),
         "all_events": len(five), "bot_events": five["is_bot"].sum()}
    )  # fmt: skip


WIKIS = (
    recent(EDITS).group_by("wiki")
    .agg(pl.len().alias("edits"), pl.col("is_bot").sum().alias("bot_edits"),
         pl.col("user").n_unique().alias("users"), pl.col("bytes_changed").sum())
    .sort(["edits", "wiki"], descending=[True, False])
)  # fmt: skip
EXPECTED = {
    "USERS_NOW": pulse_by_polars(EVENTS, "user_id"),
    "EDITS_NOW": pulse_by_polars(EDITS, "user"),
    "EVENTS_BY_MINUTE": minutes_by_polars(EVENTS, "user_id"),
    "EDITS_BY_MINUTE": minutes_by_polars(EDITS, "user"),
    "ACTIONS": by_polars(EVENTS, "action", "user_id", 20),
    "PAGES": by_polars(EVENTS, "page", "user_id", 10),
    "WIKIS": WIKIS,
}


def asked(name: str) -> Question:
    question = getattr(figures, name)
    assert isinstance(question, Question)
    return question


def same(found: DataFrame, expected: pl.DataFrame) -> bool:
    return [*found.columns] == expected.columns and [*found.itertuples(index=False, name=None)] == expected.rows()


@pytest.mark.parametrize("name", EXPECTED)
def test_silver_answers_as_polars_does(lake: Lake, name: str) -> None:
    found = of_silver(View(lake), asked(name))

    assert len(found)
    assert same(found, EXPECTED[name])


def test_documents_answer_as_silver_does(lake: Lake, mongo: Server) -> None:
    accepted = Accepted.at(mongo.address)

    answers = {name: (accepted.ask(asked(name)), of_silver(View(lake), asked(name))) for name in EXPECTED}
    accepted.close()

    assert {name: same(found, EXPECTED[name]) for name, (found, _) in answers.items()} == dict.fromkeys(EXPECTED, True)
    assert all([*one.columns] == [*other.columns] for one, other in answers.values())


def seen(lake: Lake) -> AppTest:
    """The page as a person meets it."""

    def draw(root: str) -> None:
        from vigie.activity.page import page
        from vigie.dashboard.view import View
        from vigie.lake import Lake

        page(View(Lake.at(root)))

    return AppTest.from_function(draw, kwargs={"root": str(lake.root)}, default_timeout=30).run()


def tiles(page: AppTest) -> dict[str, str]:
    return {tile.label: tile.value for tile in page.metric}


def figures_of(expected: dict[str, pl.DataFrame]) -> dict[str, str]:
    [users], [edits] = (expected[name].to_dicts() for name in ("USERS_NOW", "EDITS_NOW"))
    return {
        "Events a minute": f"{users['events']:,}",
        "Users in 5 min": f"{users['users']:,}",
        "Edits a minute": f"{edits['events']:,}",
        "Editors in 5 min": f"{edits['users']:,}",
    }


def test_the_page_shows_silver_s_figures_and_says_so(lake: Lake) -> None:
    page = seen(lake)

    assert not page.exception and not page.error
    assert figures_of(EXPECTED).items() <= tiles(page).items()
    assert page.caption[0].value.startswith("Live figures are read from the lake's silver tables")
    assert sum("Windows closed up to 2026-11-21 11:49 UTC" in caption.value for caption in page.caption) == 2


def test_with_mongodb_configured_the_page_shows_its_figures_and_says_so(
    mongo: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VIGIE_MONGO", mongo.address)

    page = seen(Lake.at(tmp_path / "none"))

    assert not page.exception and not page.error
    assert figures_of(EXPECTED).items() <= tiles(page).items()
    assert page.caption[0].value == "Live figures are read from MongoDB, database lake."


def test_a_mongodb_that_is_away_is_a_sentence_without_its_address(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIGIE_MONGO", "mongodb://ada:a-secret@127.0.0.1:9/lake")
    monkeypatch.setattr(figures, "PATIENCE_MS", 200)

    page = seen(lake)

    assert not page.exception
    [error] = page.error
    assert "MongoDB does not answer" in error.value
    assert literal("Without VIGIE_MONGO this page reads silver") in error.value
    assert "secret" not in error.value


def test_a_database_without_documents_says_what_makes_them(mongo: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    accepted = Accepted.at(mongo.address.replace("/lake", "/other"))

    with pytest.raises(RequestError, match="no document in the collection accepted_user_activity yet.*database other"):
        accepted.ask(figures.ACTIONS)
    accepted.close()


def test_a_lake_that_is_not_there_is_a_sentence_with_the_command_that_makes_it(tmp_path: Path) -> None:
    page = seen(Lake.at(tmp_path / "none"))

    assert not page.exception and not page.error
    assert page.code[0].value == f"vigie demo activity --lake {tmp_path / 'none'}"


def test_where_one_source_alone_is_fed_the_other_is_said_to_be_missing(tmp_path: Path) -> None:
    write_deltalake(Lake.at(tmp_path).silver("user_activity"), some_events(50).to_arrow())
    write_deltalake(Lake.at(tmp_path).silver("recent_changes"), changes().to_arrow())

    page = seen(Lake.at(tmp_path))

    assert not page.exception and not page.error
    assert "Events a minute" in tiles(page) and "Edits a minute" not in tiles(page)
    said = [info.value for info in page.info]
    assert "No edits have come in yet." in said
    assert any("There is no table gold/activity/edits_per_minute yet" in text for text in said)


def test_a_damaged_table_is_a_sentence_and_never_a_stack_trace(tmp_path: Path) -> None:
    lake = kept(Lake.at(tmp_path), events(EVENTS.row(0, named=True)), changes(EDITS.row(0, named=True)))
    for file in lake.silver("user_activity").glob("*.parquet"):
        file.write_bytes(b"no parquet")

    page = seen(lake)

    assert not page.exception
    assert page.error
    assert all("The table cannot be read" in error.value for error in page.error)
    assert "Edits a minute" in tiles(page)
