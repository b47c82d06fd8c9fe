"""What sensors declares is what was asked for: rules and alerts at their limits, watermarks, keys and deliveries."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.declared import broken, gold_tables, silver_tables, the_rule
from tests.detectors.readings import firing
from vigie import ddl
from vigie.detectors import OffCourse, Silent
from vigie.graph import name_of
from vigie.sensors import simulator, surroundings
from vigie.sensors.pipeline import sensors
from vigie.sinks.kafka import KafkaAlerts
from vigie.sinks.notify import Notify
from vigie.sinks.webhook import Webhook

NOON = datetime(2025, 6, 1, 12, tzinfo=UTC)
GRAPH = sensors.graph()
TABLES = {table.name: table for table in GRAPH.silver}
ROWS: dict[str, dict[str, Any]] = {
    "sensor_readings": {
        "temperature_c": 22.5,
        "humidity_pct": 65.0,
        "pressure_hpa": 1013.25,
        "event_timestamp": NOON,
        "received_at": NOON,
    },
    "weather": {"outside_c": 11.0, "observed_at": NOON, "received_at": NOON},
    "maintenance_windows": {
        "starts_at": NOON,
        "ends_at": NOON + timedelta(hours=1),
        "announced_at": NOON,
        "received_at": NOON,
    },
}
TEMPERATURE, FUTURE = "has a temperature of -50 to 50 °C", "is not from the future"
HUMIDITY, PRESSURE = "has a humidity of 0 to 100 %", "has a pressure of 870 to 1085 hPa"
# Ten readings with a mean and a median of 20: their standard deviation is the root of 10/9.
SWINGING = [19.0, 21.0] * 5
CALM = [20.0] * 10
IN_HALF_AN_HOUR = 180  # seconds from each of ten readings to the next, and to that which is judged


def after(**span: float) -> datetime:
    return NOON + timedelta(**span)


@pytest.mark.parametrize(
    ("table", "fields", "rules"),
    [
        ("sensor_readings", {}, []),
        ("sensor_readings", {"temperature_c": -50.0, "humidity_pct": 0.0, "pressure_hpa": 870.0}, []),
        ("sensor_readings", {"temperature_c": 50.0, "humidity_pct": 100.0, "pressure_hpa": 1085.0}, []),
        ("sensor_readings", {"temperature_c": -50.01}, [TEMPERATURE]),
        ("sensor_readings", {"temperature_c": 50.01}, [TEMPERATURE]),
        ("sensor_readings", {"temperature_c": None}, [TEMPERATURE]),
        ("sensor_readings", {"humidity_pct": -0.0001}, [HUMIDITY]),
        ("sensor_readings", {"humidity_pct": 100.01}, [HUMIDITY]),
        ("sensor_readings", {"humidity_pct": None}, [HUMIDITY]),
        ("sensor_readings", {"pressure_hpa": 869.99}, [PRESSURE]),
        ("sensor_readings", {"pressure_hpa": 1085.01}, [PRESSURE]),
        ("sensor_readings", {"pressure_hpa": None}, [PRESSURE]),
        ("sensor_readings", {"event_timestamp": after(minutes=1)}, []),
        ("sensor_readings", {"event_timestamp": after(minutes=1, microseconds=1)}, [FUTURE]),
        (
            "sensor_readings",
            {
                "temperature_c": 150.0,
                "humidity_pct": 130.0,
                "pressure_hpa": 101_325.0,
                "event_timestamp": after(days=1),
            },
            [TEMPERATURE, HUMIDITY, PRESSURE, FUTURE],
        ),
        ("weather", {"outside_c": -80.0}, []),
        ("weather", {"outside_c": 60.0}, []),
        ("weather", {"outside_c": -80.01}, ["has a temperature of -80 to 60 °C"]),
        ("weather", {"outside_c": 60.01}, ["has a temperature of -80 to 60 °C"]),
        ("weather", {"observed_at": after(minutes=1)}, []),
        ("weather", {"observed_at": after(minutes=1, microseconds=1)}, [FUTURE]),
        ("maintenance_windows", {}, []),
        ("maintenance_windows", {"ends_at": after(microseconds=1)}, []),
        ("maintenance_windows", {"ends_at": NOON}, ["ends after it starts"]),
        ("maintenance_windows", {"announced_at": after(minutes=1)}, []),
        ("maintenance_windows", {"announced_at": after(minutes=1, microseconds=1)}, [FUTURE]),
    ],
    ids=str,
)
def test_a_row_breaks_a_rule_just_beyond_its_limit(table: str, fields: dict[str, Any], rules: list[str]) -> None:
    assert broken(TABLES[table], ROWS[table] | fields) == rules


def test_readings_come_by_sensor_and_what_surrounds_them_by_site_and_building() -> None:
    found = [(each.name, each.key, each.schema, each.simulated, each.context) for each in GRAPH.sources]

    assert GRAPH.name == "sensors"
    assert [(name, key, simulated, context) for name, key, _, simulated, context in found] == [
        ("iot_sensors", "sensor_id", simulator.simulate, False),
        ("weather", "site", surroundings.weather, True),
        ("maintenance", "building", surroundings.maintenance, True),
    ]
    assert list(ddl.columns(found[0][2])) == [
        "sensor_id", "timestamp", "temperature", "humidity", "pressure", "location",
    ]  # fmt: skip


def test_a_reading_may_be_ten_minutes_late_weather_a_day_and_maintenance_a_week() -> None:
    assert silver_tables(GRAPH) == {
        "sensor_readings": ("iot_sensors", "event_timestamp", "10 minutes", ("sensor_id", "event_timestamp")),
        "weather": ("weather", "observed_at", "1 day", ("site", "observed_at")),
        "maintenance_windows": ("maintenance", "announced_at", "7 days", ("building", "starts_at")),
    }
    assert list(ddl.columns(TABLES["sensor_readings"].schema)) == [
        "sensor_id", "event_timestamp", "temperature_c", "humidity_pct", "pressure_hpa", "location", "building",
        "floor", "is_alert", "severity",
    ]  # fmt: skip


def test_every_window_waits_for_ten_minutes_and_looks_back_as_far_as_it_is_long() -> None:
    assert gold_tables(GRAPH) == {
        "sensors/readings_5m": ("sensor_readings", "10 minutes", "5 minutes", ()),
        "sensors/readings_10m": ("sensor_readings", "10 minutes", "10 minutes", ()),
        "sensors/location_extremes": ("sensor_readings", "10 minutes", "5 minutes", ()),
        "sensors/alerts_by_type": ("sensor_readings", "10 minutes", "5 minutes", ()),
        "sensors/last_values": ("sensor_readings", None, None, ("sensor_id",)),
        "sensors/readings_in_context": ("sensor_readings", "10 minutes", "1 minute", ()),
    }
    assert [name_of(each) for each in GRAPH.gold[-1].beside] == ["weather", "maintenance_windows"]


def test_each_rule_is_there_and_as_bad_as_it_should_be() -> None:
    [watch] = GRAPH.watches

    assert (name_of(watch.reads), watch.key) == ("sensor_readings", "sensor_id")
    assert {rule.name: rule.severity for rule in watch.rules} == {
        "HIGH_TEMP": "warning",
        "LOW_TEMP": "warning",
        "HIGH_HUMIDITY": "warning",
        "SUDDEN_CHANGE": "warning",
        "DYNAMIC_THRESHOLD": "info",
        "OUTLIER": "info",
        "RISING": "info",
        "THREE_IN_A_ROW": "critical",
        "SILENT": "critical",
        "UNUSUALLY_WARM": "warning",
        "FAR_FROM_MEDIAN": "info",
        "WARMING": "warning",
        "OFF_COURSE": "warning",
        "STUCK": "warning",
    }


def test_alerts_go_to_their_topic_and_what_is_a_warning_or_worse_to_people() -> None:
    [watch] = GRAPH.watches

    assert [(delivery.to, delivery.at_least) for delivery in watch.deliveries] == [
        (KafkaAlerts("iot-alerts"), "info"),
        (Webhook(), "warning"),
        (Notify(), "warning"),
    ]


def test_alerts_of_a_building_in_maintenance_are_suppressed() -> None:
    [watch] = GRAPH.watches

    assert watch.quiet is not None
    assert (name_of(watch.quiet.reads), watch.quiet.on) == ("maintenance_windows", "building")
    assert (watch.quiet.starts, watch.quiet.ends, watch.quiet.what) == ("starts_at", "ends_at", "what")


def opens(name: str, *values: object, every: float = 60) -> list[bool]:
    """Whether an alert of this rule is open after each of these values of its column."""
    detector = the_rule(GRAPH, name).detector
    [column] = detector.columns
    return firing(detector, *values, every=every, column=column)


@pytest.mark.parametrize(
    ("name", "limit", "beyond", "not_yet", "over"),
    [
        ("HIGH_TEMP", 30.0, 30.01, 29.01, 29.0),
        ("LOW_TEMP", 10.0, 9.99, 10.99, 11.0),
        ("HIGH_HUMIDITY", 80.0, 80.01, 78.01, 78.0),
    ],
)
def test_an_alert_opens_beyond_its_limit_and_closes_a_little_within(
    name: str, limit: float, beyond: float, not_yet: float, over: float
) -> None:
    assert opens(name, limit, beyond, limit, not_yet, over) == [False, True, True, True, False]


@pytest.mark.parametrize(
    ("to", "seconds", "fires"),
    [(25.0, 60, False), (25.01, 60, True), (14.99, 60, True), (15.0, 60, False), (25.01, 60.001, False)],
)
def test_a_sudden_change_is_of_more_than_five_degrees_within_a_minute(to: float, seconds: float, fires: bool) -> None:
    assert opens("SUDDEN_CHANGE", 20.0, to, every=seconds) == [False, fires]


@pytest.mark.parametrize(
    ("name", "before", "value", "fires"),
    [
        # The mean and two standard deviations are 22.108.
        ("DYNAMIC_THRESHOLD", SWINGING, 22.10, False),
        ("DYNAMIC_THRESHOLD", SWINGING, 22.11, True),
        ("DYNAMIC_THRESHOLD", SWINGING, 17.00, False),
        ("DYNAMIC_THRESHOLD", CALM, 20.01, True),
        ("UNUSUALLY_WARM", SWINGING, 22.10, False),
        ("UNUSUALLY_WARM", SWINGING, 22.11, True),
        ("UNUSUALLY_WARM", CALM, 21.49, False),
        ("UNUSUALLY_WARM", CALM, 21.501, True),
        # Three standard deviations are 3.162.
        ("OUTLIER", SWINGING, 23.16, False),
        ("OUTLIER", SWINGING, 23.17, True),
        ("OUTLIER", SWINGING, 16.84, False),
        ("OUTLIER", SWINGING, 16.83, True),
        ("OUTLIER", CALM, 20.01, True),
        # Three times 1.4826 medians of the deviations, of which each is 1, are 4.448; three times half a degree 1.5.
        ("FAR_FROM_MEDIAN", SWINGING, 24.44, False),
        ("FAR_FROM_MEDIAN", SWINGING, 24.45, True),
        ("FAR_FROM_MEDIAN", CALM, 21.50, False),
        ("FAR_FROM_MEDIAN", CALM, 21.501, True),
    ],
)
def test_what_is_unusual_is_further_off_than_its_rule_allows(
    name: str, before: list[float], value: float, fires: bool
) -> None:
    assert opens(name, *before, value, every=IN_HALF_AN_HOUR) == [*([False] * 10), fires]


@pytest.mark.parametrize("name", ["DYNAMIC_THRESHOLD", "UNUSUALLY_WARM", "OUTLIER", "FAR_FROM_MEDIAN"])
def test_what_is_usual_is_learned_from_ten_readings_of_half_an_hour(name: str) -> None:
    assert opens(name, *CALM, 40.0, every=IN_HALF_AN_HOUR)[-1]
    assert not opens(name, *CALM[1:], 40.0, every=IN_HALF_AN_HOUR)[-1]
    assert not opens(name, *CALM, 40.0, every=IN_HALF_AN_HOUR + 0.001)[-1], "one of ten is older than half an hour"


@pytest.mark.parametrize(
    ("name", "step", "seconds", "fires"),
    [
        ("RISING", 0.001, 60, True),
        ("RISING", 0.001, 59.9, False),
        ("RISING", 0.0, 60, False),
        ("WARMING", 0.134, 60, True),
        ("WARMING", 0.133, 60, False),
        ("WARMING", 0.134, 59.9, False),
    ],
)
def test_a_rise_lasts_a_quarter_of_an_hour(name: str, step: float, seconds: float, fires: bool) -> None:
    sixteen = [20 + step * number for number in range(16)]

    assert opens(name, *sixteen, every=seconds) == [*([False] * 15), fires]


@pytest.mark.parametrize(
    ("name", "dip", "fires"), [("RISING", 0.001, False), ("WARMING", 0.099, True), ("WARMING", 0.10005, False)]
)
def test_a_dip_ends_a_rise_but_one_of_less_than_a_tenth_no_warming(name: str, dip: float, fires: bool) -> None:
    risen = [20 + 0.2 * number for number in range(15)]

    assert opens(name, *risen[:8], risen[7] - dip, *risen[8:])[-1] is fires


def test_a_value_that_stays_the_same_for_half_an_hour_is_stuck() -> None:
    assert opens("STUCK", *[20.0] * 31, 20.01) == [*([False] * 30), True, False]
    assert not any(opens("STUCK", *[20.0] * 31, every=59.9))


def test_three_readings_in_a_row_that_are_alerts_are_an_alert_of_their_own() -> None:
    assert opens("THREE_IN_A_ROW", True, True, False, True, True, True, False) == [*([False] * 5), True, False]


def test_a_sensor_is_silent_after_ten_minutes() -> None:
    detector = the_rule(GRAPH, "SILENT").detector

    assert isinstance(detector, Silent)
    assert detector.span == timedelta(minutes=10)


def test_a_value_is_off_course_with_one_false_alarm_in_a_hundred_thousand_spans() -> None:
    assert the_rule(GRAPH, "OFF_COURSE").detector == OffCourse(
        "temperature_c", one_in=100_000, over="10 minutes", together="30 seconds", readings=10, least=0.2
    )


def test_every_rule_but_that_of_a_row_looks_at_the_right_column() -> None:
    columns = {rule.name: rule.detector.columns for watch in GRAPH.watches for rule in watch.rules}

    assert columns.pop("HIGH_HUMIDITY") == ("humidity_pct",)
    assert columns.pop("THREE_IN_A_ROW") == ("is_alert",)
    assert columns.pop("SILENT") == ()
    assert set(columns.values()) == {("temperature_c",)}
