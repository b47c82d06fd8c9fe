"""The page of alerts: what is open, and that what is said on it is what the command line says and shows."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import write_deltalake
from streamlit.testing.v1 import AppTest
from typer.testing import CliRunner

from vigie.alerts import ALERTS, Alert, alert_id
from vigie.cli import app as command_line
from vigie.commands import ACK, SILENCE, UNSILENCE, Command, given
from vigie.dashboard import alerts as page
from vigie.dashboard.view import View
from vigie.lake import Lake

HOUSE = Path(__file__).parents[2]

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
SILVER = pa.schema(
    {"sensor_id": pa.string(), "event_timestamp": pa.timestamp("us", "UTC"), "temperature_c": pa.float64()}
)
CHANGE = "SuddenChange(column='temperature_c', by=2.5, within='5 minutes')"


def raised(rule: str, key: str, minute: int, **fields: Any) -> dict[str, Any]:
    """An alert that opened so many minutes after noon."""
    at = NOON + timedelta(minutes=minute)
    evidence = {"detector": CHANGE, "table": "silver/sensor_readings", "key": "sensor_id",
                "event_time": "event_timestamp", "silver_version": 0}  # fmt: skip
    return Alert(
        **{
            "alert_id": alert_id("sensors", rule, key, at), "rule": rule, "key": key, "severity": "warning",
            "opened_at": at, "value": 3.0, "threshold": 2.5, "message": f"{rule} at {key}: 3, more than 2.5",
            "evidence": json.dumps(evidence), "raised_at": at, **fields,
        }
    ).row()  # fmt: skip


RAISED = [
    raised("SUDDEN_CHANGE", "SENSOR_001", 3),
    raised("HIGH_TEMP", "SENSOR_002", 4, suppressed_by="the lift is inspected"),
    raised("OUTLIER", "SENSOR_001", 2, severity="info"),
    raised("SILENT", "SENSOR_003", 1, severity="critical"),
    raised("LOW_TEMP", "SENSOR_004", 0, closed_at=NOON + timedelta(minutes=9)),
]


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    lake = Lake.at(tmp_path_factory.mktemp("lake"))
    write_deltalake(lake.alerts("sensors"), pa.Table.from_pylist(RAISED, ALERTS))
    readings = [
        {"sensor_id": "SENSOR_001", "event_timestamp": NOON + timedelta(minutes=at), "temperature_c": 28.0 + at}
        for at in range(5)
    ]
    write_deltalake(lake.silver("sensor_readings"), pa.Table.from_pylist(readings, SILVER))
    return lake.root


@pytest.fixture
def lake(first: Path, tmp_path: Path) -> Lake:
    return Lake.at(shutil.copytree(first, tmp_path / "lake"))


def seen(lake: Lake, pipeline: str | None = None, *, allow_actions: bool = True) -> AppTest:
    """The page as a person meets it."""

    def draw(root: str, pipeline: str | None, allow_actions: bool) -> None:
        from vigie.dashboard.alerts import page
        from vigie.dashboard.view import View
        from vigie.lake import Lake

        page(View(Lake.at(root), pipeline, allow_actions=allow_actions))

    given = {"root": str(lake.root), "pipeline": pipeline, "allow_actions": allow_actions}
    return AppTest.from_function(draw, kwargs=given, default_timeout=30).run()


def tiles(shown: AppTest) -> dict[str, str]:
    return {tile.label: tile.value for tile in shown.metric}


def listed(lake: Lake) -> dict[str, dict[str, Any]]:
    """What `vigie alerts sensors` lists, by rule and key."""
    told = CliRunner().invoke(command_line, ["alerts", "sensors", "--json", "--lake", str(lake.root)])
    assert told.exit_code == 0, told.stderr
    return {f"{alert['rule']} at {alert['key']}": alert for alert in json.loads(told.stdout)}


def test_open_alerts_come_first_and_the_worst_of_them_before_the_others(lake: Lake) -> None:
    found = page.found(View(lake), "sensors")

    assert list(found["rule"] + " at " + found["key"]) == [
        "SILENT at SENSOR_003",
        "HIGH_TEMP at SENSOR_002",
        "SUDDEN_CHANGE at SENSOR_001",
        "OUTLIER at SENSOR_001",
        "LOW_TEMP at SENSOR_004",
    ]


def test_the_page_counts_what_is_open_by_severity_without_what_maintenance_keeps_back(lake: Lake) -> None:
    shown = seen(lake)

    assert not shown.exception and not shown.error
    assert tiles(shown) == {
        "Open, critical": "1",
        "Open, warning": "1",
        "Open, info": "1",
        "Acknowledged": "0",
    }
    [table] = [each.value for each in shown.dataframe]
    assert len(table) == 4
    assert "open, kept back by the lift is inspected" in list(table["state"])


def test_an_alert_that_is_acknowledged_on_the_page_is_so_for_the_command_line(lake: Lake) -> None:
    shown = seen(lake)
    wanted = RAISED[0]["alert_id"]

    shown.selectbox(key="alerts-one-sensors").select(wanted).run()
    shown.text_input[0].input("the heating is [being] repaired")
    next(button for button in shown.button if button.label == "Acknowledge").click().run()

    assert not shown.exception and not shown.error
    [command] = given(lake, "sensors")
    assert (command.verb, command.alert_id, command.note) == (ACK, wanted, "the heating is [being] repaired")
    told = listed(lake)["SUDDEN_CHANGE at SENSOR_001"]
    assert told["acknowledged_at"] and told["note"] == "the heating is [being] repaired"
    assert tiles(shown)["Acknowledged"] == "1"
    assert "Acknowledge" not in [button.label for button in shown.button]


def test_a_silence_from_the_page_is_of_the_rule_at_the_key_and_can_be_ended_there(lake: Lake) -> None:
    shown = seen(lake)

    shown.selectbox(key="alerts-one-sensors").select(RAISED[0]["alert_id"]).run()
    next(box for box in shown.selectbox if box.label == "For").select("4 hours")
    next(button for button in shown.button if button.label == "Silence").click().run()

    [silence] = given(lake, "sensors")
    assert (silence.verb, silence.rule, silence.key) == (SILENCE, "SUDDEN_CHANGE", "SENSOR_001")
    assert silence.until == silence.at + timedelta(hours=4)
    assert listed(lake)["SUDDEN_CHANGE at SENSOR_001"]["silenced_until"]
    assert any("rule SUDDEN_CHANGE at SENSOR_001, until" in text.value for text in shown.text)
    next(button for button in shown.button if button.label == "End").click().run()
    assert [command.verb for command in given(lake, "sensors")] == [SILENCE, UNSILENCE]
    assert listed(lake)["SUDDEN_CHANGE at SENSOR_001"]["silenced_until"] is None
    assert "End" not in [button.label for button in shown.button]


def test_a_page_that_only_shows_says_what_to_type_and_has_nothing_to_act_with(lake: Lake) -> None:
    acting = seen(lake)
    acting.selectbox(key="alerts-one-sensors").select(RAISED[0]["alert_id"]).run()
    next(button for button in acting.button if button.label == "Silence").click().run()

    shown = seen(lake, allow_actions=False)
    shown.selectbox(key="alerts-one-sensors").select(RAISED[0]["alert_id"]).run()

    assert not shown.exception and not shown.error
    assert [button.label for button in shown.button] == ["Why was it raised?"]
    assert not shown.text_input
    typed = shown.code[0].value.splitlines()
    assert typed == [
        f"vigie alerts sensors ack {RAISED[0]['alert_id']} --lake {lake.root}",
        f"vigie alerts sensors silence --rule SUDDEN_CHANGE --key SENSOR_001 --for 1h --lake {lake.root}",
    ]
    assert [command.verb for command in given(lake, "sensors")] == [SILENCE]


def test_the_page_explains_an_alert_as_the_command_line_does(lake: Lake) -> None:
    shown = seen(lake)

    shown.selectbox(key="alerts-one-sensors").select(RAISED[0]["alert_id"]).run()
    next(button for button in shown.button if button.label == "Why was it raised?").click().run()

    told = CliRunner().invoke(
        command_line, ["alerts", "sensors", "explain", RAISED[0]["alert_id"], "--lake", str(lake.root)]
    )
    assert told.exit_code == 0, told.stderr
    assert not shown.exception and not shown.error
    for line in "\n".join(code.value for code in shown.code).splitlines():
        assert line.strip() in told.stdout
    [readings] = [each.value for each in shown.dataframe if "verdict" in each.value]
    assert list(readings["temperature_c"]) == [28.0, 29.0, 30.0, 31.0]
    assert list(readings["verdict"])[-1] == "opens the alert"


def test_alerts_of_an_own_pipeline_are_shown_and_acknowledged_by_its_tables_alone(tmp_path: Path) -> None:
    lake = Lake.at(tmp_path)
    write_deltalake(lake.alerts("mine"), pa.Table.from_pylist(RAISED[:1], ALERTS))

    shown = seen(lake)
    next(button for button in shown.button if button.label == "Acknowledge").click().run()

    assert not shown.exception and not shown.error
    assert [command.alert_id for command in given(lake, "mine")] == [RAISED[0]["alert_id"]]
    assert any("vigie alerts path/to/file.py explain" in info.value for info in shown.info)


def test_no_alert_is_said_in_words(tmp_path: Path) -> None:
    write_deltalake(Lake.at(tmp_path).alerts("sensors"), ALERTS.empty_table())

    shown = seen(Lake.at(tmp_path))

    assert not shown.exception and not shown.error
    assert "No alert is open." in [success.value for success in shown.success]
    assert [info.value for info in shown.info] == ["No alert has been raised yet."]
    assert not shown.dataframe


def test_alerts_that_are_all_closed_are_a_sentence_and_there_among_all(tmp_path: Path) -> None:
    lake = Lake.at(tmp_path)
    closed = raised("LOW_TEMP", "SENSOR_004", 0, closed_at=NOON + timedelta(minutes=9))
    write_deltalake(lake.alerts("sensors"), pa.Table.from_pylist([closed], ALERTS))

    shown = seen(lake)

    assert "No alert is open. All has those that are closed." in [success.value for success in shown.success]
    assert not shown.dataframe
    shown.segmented_control(key="alerts-shown-sensors").select("All").run()
    assert list(shown.dataframe[0].value["rule"]) == ["LOW_TEMP"]


def test_a_lake_that_is_not_there_is_a_sentence_with_the_command_that_makes_it(tmp_path: Path) -> None:
    shown = seen(Lake.at(tmp_path / "none"))

    assert not shown.exception and not shown.error
    assert shown.code[0].value == f"vigie demo sensors --lake {tmp_path / 'none'}"


def test_a_pipeline_that_watches_nothing_is_said_to(tmp_path: Path) -> None:
    shown = seen(Lake.at(tmp_path), str(HOUSE / "examples/temperatures/pipeline.py"))

    assert not shown.exception
    assert "temperatures watches nothing, so it raises no alerts." in shown.info[0].value
    assert "vigie demo sensors" in shown.code[0].value


def test_a_damaged_table_is_a_sentence_and_never_a_stack_trace(lake: Lake) -> None:
    for file in lake.alerts("sensors").glob("*.parquet"):
        file.write_bytes(b"no parquet")

    shown = seen(lake)

    assert not shown.exception
    assert shown.error
    assert all("The table cannot be read" in error.value for error in shown.error)


def test_of_two_silences_whose_keys_begin_alike_each_can_be_ended() -> None:
    until = datetime(2026, 11, 21, 12, tzinfo=UTC)
    held = [Command(until, SILENCE, until=until, rule="HIGH_TEMP", key="k" * 200 + name) for name in "ab"]

    assert [silence.key for silence in page._widest(held)] == [silence.key for silence in held]
