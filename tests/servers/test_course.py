"""The commands of docs/course.md, read out of its tables: each is typed in its folder, seen to work, and stopped."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from deltalake import DeltaTable
from playwright.sync_api import expect

from tests.activity import days
from tests.activity.event_streams import EventStreams, a_change
from tests.dashboard.lakes import a_lake
from tests.flights.opensky_server import OpenSkyServer
from tests.sensors.test_page import filled, readings
from tests.servers.browser import chromium
from tests.servers.mongodb import a_server
from tests.servers.registry import a_registry
from tests.servers.terminals import HOUSE, Course
from tests.tier import NIGHTLY
from vigie.lake import Lake, rows

SECTION = re.compile(r"^## \w+, in `examples/(\w+)`$(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
ROW = re.compile(r"^\| `([^`]+)` \|", re.MULTILINE)
BUILD = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory"]
READING = (
    '{"sensor_id": "SENSOR_001", "timestamp": "2024-01-10T14:30:00Z", "temperature": 31.5, "humidity": 65.0, '
    '"pressure": 1013.25, "location": "Building A - Floor 2"}'
)


def steps() -> list[tuple[str, str]]:
    """The folder and the words of each command, in the order of the page."""
    page = (HOUSE / "docs/course.md").read_text()
    return [(folder, typed) for folder, section in SECTION.findall(page) for typed in ROW.findall(section)]


LONGER = {("sensors", "spark-submit streaming_pipeline.py --from tcp://localhost:9999")}
Run = Callable[[Course], None]
RUNS: dict[tuple[str, str], Run] = {}


def runs(folder: str, typed: str) -> Callable[[Run], Run]:
    """What is looked for when a command runs."""

    def noted(run: Run) -> Run:
        RUNS[folder, typed] = run
        return run

    return noted


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Course]:
    with ExitStack() as servers:
        course = Course(tmp_path_factory.mktemp("course"), servers)
        try:
            yield course
        finally:
            for typed in reversed(list(course.running)):  # servers last
                course.ends(typed)


@pytest.mark.timeout(600)
@pytest.mark.parametrize(("folder", "typed"), steps(), ids=lambda text: text)
def test_a_command_of_the_course_works_as_it_is_typed(course: Course, folder: str, typed: str) -> None:
    if (folder, typed) in LONGER and not NIGHTLY:
        pytest.skip("make nightly runs it: the same job over Kafka is run by day")
    RUNS[folder, typed](course)


def test_no_command_is_tried_that_the_page_does_not_have() -> None:
    assert set(RUNS) == set(steps())


def installs(course: Course, folder: str) -> None:
    """The file names the wheel that a checkout makes; test_install_elsewhere.py brings its packages, too."""
    subprocess.run([*BUILD, course.folder / folder], cwd=HOUSE, check=True, capture_output=True)
    site = course.folder / folder / "site"

    course.does(folder, f"pip install --quiet --no-deps --no-index --target {site} -r requirements.txt")

    assert (site / "vigie/cli.py").is_file()


for name in ("flights", "sensors", "activity"):
    runs(name, "pip install -r requirements.txt")(partial(installs, folder=name))


@runs("sensors", "./setup_kafka.sh")
def kafka_is_set_up(course: Course) -> None:
    typed = "./setup_kafka.sh"
    if typed not in course.running:  # the other examples want it, too
        course.starts("sensors", typed)
    course.sees(typed, lambda: "/iot-alerts" in course.said(typed).read_text())


@runs("flights", "python producer.py")
def aircraft_come_from_opensky(course: Course) -> None:
    kafka_is_set_up(course)
    opensky = course.servers.enter_context(OpenSkyServer(time.time).running())
    course.environment["VIGIE_OPENSKY_URL"] = f"{opensky.url}/api"

    course.starts("flights", "python producer.py")

    until_there_are_messages(course, "python producer.py", "flights-raw")


@runs("sensors", "python data_generator.py")
def readings_are_generated(course: Course) -> None:
    course.does("sensors", "python data_generator.py --rows 20000 --faults 0.2")  # half an hour, so that windows close

    course.starts("sensors", "python data_generator.py")

    until_there_are_messages(course, "python data_generator.py", "iot-sensors", more_than=20_000)


def until_there_are_messages(course: Course, typed: str, topic: str, more_than: int = 0) -> None:
    course.sees(typed, lambda: course.messages(topic) > more_than)
    assert course.ends(typed) == 0, course.said(typed).read_text()


@runs("sensors", "spark-submit streaming_pipeline.py")
def sensors_are_streamed_and_windows_are_those_of_vigie(course: Course) -> None:
    typed, lake = "spark-submit streaming_pipeline.py", Lake(course.folder / "sensors/lake")
    output = "sensors/output"
    course.starts("sensors", typed)
    beside = f"vigie run vigie_pipeline.py --from kafka://{course.kafka}/iot-sensors --once --lake {lake}"
    course.does("sensors", beside)

    tables = {
        "readings_5m": "sensor_id", "readings_10m": "sensor_id", "location_extremes": "location",
        "alerts_by_type": "alert_type",
    }  # fmt: skip
    for table, key in tables.items():
        wanted = by_window(rows(lake.gold(f"sensors/{table}")), key)
        assert wanted
        place = f"{output}/aggregates/{table}"
        course.sees(typed, partial(has, course, place, len(wanted)))
        found = by_window(course.parquet(place), key)
        assert without(found, too_late(lake)) == without(wanted, too_late(lake))
    course.sees(typed, partial(has, course, f"{output}/alerts", 1))
    course.sees(typed, lambda: "alert_type" in course.said(typed).read_text())
    accepted, events = rows(lake.silver("sensor_readings")), rows(lake.alert_events("sensors"))
    assert len(course.parquet(f"{output}/vigie/iot-data")) == len(accepted)
    assert 0 <= len(course.parquet(f"{output}/iot-data")) - len(accepted) <= len(too_late(lake))
    assert len(course.parquet(f"{output}/vigie/alerts")) == len(events)
    told = {alert["rule"] for alert in course.parquet(f"{output}/alerts")}
    assert told & {alert["rule"] for alert in rows(lake.alerts("sensors"))}
    course.sees(typed, lambda: course.messages("iot-alerts") >= len(course.parquet(f"{output}/alerts")) + len(events))
    course.ends(typed)


def too_late(lake: Lake) -> list[datetime]:
    """The moments of readings beyond the watermark, of which Spark's streams keep what they like."""
    return [datetime.fromisoformat(json.loads(row["value"])["timestamp"]) for row in rows(lake.late("sensors"))]


def without(windows: dict[Any, Any], moments: list[datetime]) -> dict[Any, Any]:
    """The windows in which none of these moments lies."""
    return {
        key: figures
        for key, figures in windows.items()
        if not any(figures["window_start"] <= at < figures["window_end"] for at in moments)
    }


def has(course: Course, place: str, count: int) -> bool:
    return len(course.parquet(place)) >= count


def by_window(found: list[dict[str, Any]], *key: str) -> dict[Any, Any]:
    """The figures of each window and key; sums of floating point to nine digits."""
    return {
        (row["window_start"], *(row[name] for name in key)): {
            name: pytest.approx(value, rel=1e-9, nan_ok=True) if isinstance(value, float) else value
            for name, value in row.items()
        }
        for row in found
    }


@runs("sensors", "nc -lk 9999")
def netcat_listens(course: Course) -> None:
    typed = "nc -lk 9999"
    process = course.starts("sensors", typed)
    assert process.stdin is not None
    process.stdin.write(b"hello\n")
    process.stdin.flush()

    def is_heard() -> bool:
        try:
            with socket.create_connection(("localhost", course.socket), timeout=5) as client:
                return client.recv(100) == b"hello\n"
        except ConnectionRefusedError:
            return False

    course.sees(typed, is_heard)


@runs("sensors", "spark-submit streaming_pipeline.py --from tcp://localhost:9999")
def what_is_typed_into_netcat_is_archived(course: Course) -> None:
    typed = "spark-submit streaming_pipeline.py --from tcp://localhost:9999"
    stdin = course.running["nc -lk 9999"].stdin
    assert stdin is not None
    course.starts("sensors", typed)

    stdin.write(f"{READING}\nno reading\n".encode())
    stdin.flush()

    course.sees(typed, lambda: course.parquet("sensors/socket/*/output/iot-data"))
    [row] = course.parquet("sensors/socket/*/output/iot-data")
    assert (row["building"], row["floor"], row["severity"]) == ("A", 2, "warning")
    course.ends(typed)
    course.ends("nc -lk 9999")


def servers_are_there(course: Course) -> None:
    kafka_is_set_up(course)
    if "VIGIE_REGISTRY" not in course.environment:
        course.environment["VIGIE_REGISTRY"] = course.servers.enter_context(a_registry()).url


@runs("activity", "python src/ingestion/main.py")
def users_come(course: Course) -> None:
    servers_are_there(course)
    course.does("activity", "python src/ingestion/main.py --rows 20000 --users 100")  # half an hour, again

    course.starts("activity", "python src/ingestion/main.py")

    until_there_are_messages(course, "python src/ingestion/main.py", "user-activity", more_than=20_000)


@runs("activity", "python src/ingestion/wikimedia_producer.py")
def wikis_are_changed(course: Course) -> None:
    servers_are_there(course)
    now = datetime.now(UTC)
    meta = {"domain": "fr.wikipedia.org", "stream": "mediawiki.recentchange", "dt": now.isoformat()}
    changes = [
        a_change(number, timestamp=int(now.timestamp()), meta={"id": f"change-{number}", **meta})
        for number in range(50)
    ]
    streams = course.servers.enter_context(EventStreams(changes).running())
    course.environment |= {"VIGIE_WIKIMEDIA_URL": streams.url, "VIGIE_CONTACT": "you@example.org"}
    typed = "python src/ingestion/wikimedia_producer.py"

    course.starts("activity", typed)

    until_there_are_messages(course, typed, "recent-changes")


@runs("activity", "python src/storage/mongo_consumer.py")
def messages_go_to_mongodb(course: Course) -> None:
    mongo = course.servers.enter_context(a_server())
    course.environment["VIGIE_MONGO"] = mongo.address
    typed = "python src/storage/mongo_consumer.py"

    course.starts("activity", typed)

    course.sees(typed, lambda: mongo.count("user_activity") == course.messages("user-activity"))
    course.sees(typed, lambda: mongo.count("recent_changes") == course.messages("recent-changes"))


@runs("activity", "spark-submit src/streaming/jobs/process_user_activity.py")
def minutes_are_streamed_and_are_those_of_vigie(course: Course) -> None:
    typed, beside = "spark-submit src/streaming/jobs/process_user_activity.py", "python src/storage/mongo_consumer.py"
    lake, place = Lake(course.folder / "activity/lake-mongo"), "activity/output/activity_per_minute"
    course.starts("activity", typed)

    gold = lake.gold("activity/activity_per_minute")
    course.sees(beside, lambda: DeltaTable.is_deltatable(str(gold)) and rows(gold))
    wanted = by_window(rows(gold), "action", "page")
    course.sees(typed, partial(has, course, place, len(wanted)))
    assert by_window(course.parquet(place), "action", "page") == wanted
    course.sees(typed, lambda: "distinct_users" in course.said(typed).read_text())
    course.ends(typed)
    assert course.ends(beside) == 0
    del course.environment["VIGIE_MONGO"]  # the page reads the lake


@dataclass(frozen=True)
class Shown:
    """A page: its file, its title, a figure on it, and what fills the lake that it shows."""

    file: str
    title: str
    figure: str
    fill: Callable[[Path], object]


def a_day_of_activity(folder: Path) -> None:
    days.kept(Lake.at(folder), days.events(days.an_event()), days.changes(days.a_change()))


SHOWN = {
    "flights": Shown("dashboard/app.py", "Flights", "Active flights", a_lake),
    "sensors": Shown("dashboard/dashboard.py", "Sensors", "Sensors heard", lambda lake: filled(lake, readings())),
    "activity": Shown("src/visualization/dashboard.py", "Activity", "Users in 5 min", a_day_of_activity),
}


def shows(course: Course, folder: str) -> None:
    """A page that waits for its lake, on this machine alone, and shows figures as soon as there is something to see."""
    page = SHOWN[folder]
    typed = f"streamlit run {page.file}"
    course.environment["VIGIE_LAKE"] = "./a-lake"
    course.starts(folder, typed)
    address = f"http://127.0.0.1:{course.page}"
    course.sees(typed, lambda: answers(address))

    assert heard_at(course.page) == {"127.0.0.1"}
    with chromium(1280, 1400) as seen:
        seen.page.goto(address)
        expect(seen.page.get_by_role("heading", name=page.title, exact=True)).to_be_visible()
        expect(seen.page.get_by_text("Nothing to see yet")).to_be_visible()
        page.fill(course.folder / folder / "a-lake")
        expect(seen.page.get_by_text(page.figure, exact=True).first).to_be_visible()
        assert seen.hosts == {"127.0.0.1"}
        assert seen.complaints == []
    course.ends(typed)
    del course.environment["VIGIE_LAKE"]


for name, page in SHOWN.items():
    runs(name, f"streamlit run {page.file}")(partial(shows, folder=name))


def answers(address: str) -> bool:
    try:
        return httpx.get(f"{address}/_stcore/health").is_success
    except httpx.TransportError:
        return False


def heard_at(port: int) -> set[str]:
    listening = [at.laddr for at in psutil.net_connections("tcp") if at.status == "LISTEN" and at.laddr]
    return {ip for ip, at in listening if at == port}
