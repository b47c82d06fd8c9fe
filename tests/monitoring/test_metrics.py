"""What Prometheus is given: figures that follow from what happened, at one moment, and from what the lake says."""

from __future__ import annotations

import re
import socket
import threading
import urllib.request
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import write_deltalake
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector
from typer.testing import CliRunner

from tests.sinks.receivers import Kept, a_free_port, a_log, an_alert, closed, opened
from tests.sinks.receivers import found as write_down
from vigie.alerts import ALERTS
from vigie.cli import app
from vigie.core.alerts.dead_letters import DeadLetters
from vigie.core.alerts.unsent import Note, outbox_folder, watch_name
from vigie.core.delivery_log import NotedReceiver, NotedWriter, Receipts
from vigie.core.ledger import Entry
from vigie.core.observer import Report
from vigie.disk import write_whole
from vigie.lake import Lake
from vigie.monitoring.gauges import Gauges
from vigie.monitoring.metrics import OUTCOMES, Metrics
from vigie.monitoring.serving import served
from vigie.pipeline import load
from vigie.sinks import NotNow, Refused
from vigie.sinks.webhook import Webhook

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
SENSORS = load("sensors").graph()

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def at_noon() -> datetime:
    return NOON


def an_entry(table: str = "silver/sensor_readings", **changes: Any) -> Entry:
    fields: dict[str, Any] = {"read": 10, "accepted": 6, "quarantined": 2, "duplicate": 1, "late": 1}
    return Entry("iot_sensors", table, 0, **(fields | changes))


def a_report(seconds: float) -> Report:
    return Report("iot_sensors", 0, 10, seconds, NOON)


def scraped(text: str) -> Samples:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def samples(*collectors: Collector) -> Samples:
    from prometheus_client import generate_latest

    registry = CollectorRegistry()
    for collector in collectors:
        registry.register(collector)
    return scraped(generate_latest(registry).decode())


def value(found: Samples, name: str, **labels: str) -> float:
    return found[name, frozenset({"pipeline": "sensors", **labels}.items())]


def labels_of(found: Samples, name: str, label: str) -> set[str]:
    return {dict(labels)[label] for known, labels in found if known == name}


def test_rows_are_counted_by_table_and_outcome() -> None:
    metrics = Metrics(SENSORS)
    gold = an_entry("gold/sensors/readings_5m", accepted=None, quarantined=None, duplicate=None, late=3)

    metrics.batch([an_entry("bronze/iot_sensors", accepted=10, quarantined=0, duplicate=0, late=0), an_entry()])
    metrics.batch([an_entry(read=5, accepted=5, quarantined=0, duplicate=0, late=0)])
    metrics.batch([gold])

    found = samples(metrics)
    silver = {"table": "silver/sensor_readings"}
    assert value(found, "vigie_rows_read_total", **silver) == 15
    assert [value(found, "vigie_rows_total", **silver, outcome=outcome) for outcome in OUTCOMES] == [11, 2, 1, 1]
    assert value(found, "vigie_rows_total", table=gold.table, outcome="late") == 3
    assert (
        "vigie_rows_total",
        frozenset({"pipeline": "sensors", "table": gold.table, "outcome": "accepted"}.items()),
    ) not in found


def test_every_table_and_rule_is_there_before_anything_happened() -> None:
    found = samples(Metrics(SENSORS))

    assert labels_of(found, "vigie_rows_read_total", "table") == {node.table for node in SENSORS.nodes()}
    assert labels_of(found, "vigie_alert_turns_total", "rule") == {rule.name for rule in SENSORS.watches[0].rules}
    assert {number for (name, _), number in found.items() if name.endswith("_total")} == {0}


def test_durations_and_the_last_batch_are_what_the_loop_reports() -> None:
    metrics = Metrics(SENSORS)

    for seconds in (0.1, 0.2, 400, 2):
        metrics.report(a_report(seconds))

    found = samples(metrics)
    at_most = {
        bound: value(found, "vigie_batch_duration_seconds_bucket", query="iot_sensors", le=bound)
        for bound in ("0.1", "0.25", "1.0", "2.5", "300.0", "+Inf")
    }
    assert at_most == {"0.1": 1, "0.25": 2, "1.0": 2, "2.5": 3, "300.0": 3, "+Inf": 4}
    assert value(found, "vigie_batch_duration_seconds_count", query="iot_sensors") == 4
    assert value(found, "vigie_batch_duration_seconds_sum", query="iot_sensors") == pytest.approx(402.3)
    assert value(found, "vigie_last_batch_timestamp_seconds", query="iot_sensors") == NOON.timestamp()


def test_the_age_of_a_watermark_grows_between_two_scrapes_though_nothing_happens() -> None:
    now = [NOON]
    metrics = Metrics(SENSORS, lambda: now[0])
    metrics.batch([an_entry(progress=NOON - timedelta(minutes=10))])

    first = value(samples(metrics), "vigie_watermark_age_seconds", table="silver/sensor_readings")
    now[0] += timedelta(seconds=30)
    second = value(samples(metrics), "vigie_watermark_age_seconds", table="silver/sensor_readings")

    assert (first, second) == (600, 630)


def test_alerts_that_open_and_close_are_counted_by_rule() -> None:
    metrics = Metrics(SENSORS)

    for event in (opened("a"), opened("b"), closed("a")):
        metrics.alert(event)

    found = samples(metrics)
    turns = {"rule": "HIGH", "severity": "warning"}
    assert value(found, "vigie_alert_turns_total", **turns, turn="opened") == 2
    assert value(found, "vigie_alert_turns_total", **turns, turn="closed") == 1


class Tired:
    """A sink that is not ready the first times."""

    def __init__(self, *troubles: Exception) -> None:
        self._troubles = list(troubles)

    def write(self, _rows: object, _batch: int) -> None:
        if self._troubles:
            raise self._troubles.pop(0)


def tried(times: int, act: Callable[[], None]) -> None:
    """Done again while it is put off, as the engine does."""
    for _ in range(times):
        try:
            act()
        except (NotNow, Refused):
            continue


def test_what_a_sink_takes_and_what_it_puts_off_is_counted_by_delivery() -> None:
    metrics = Metrics(SENSORS)
    receipts = Receipts(metrics.taken, metrics.put_off)
    writer = NotedWriter("means-to-postgres-0", Tired(NotNow("full"), NotNow("full")), receipts)
    receiver = NotedReceiver("outbox-webhook", Kept(Refused("who are you?")), receipts)

    tried(5, lambda: writer.write(None, 0))
    tried(2, lambda: receiver.send([opened()]))

    found = samples(metrics)
    for delivery, taken, put_off in (("means-to-postgres-0", 3, 2), ("outbox-webhook", 1, 1)):
        assert value(found, "vigie_deliveries_total", delivery=delivery) == taken
        assert value(found, "vigie_delivery_retries_total", delivery=delivery) == put_off


def test_a_scrape_never_sees_half_of_a_batch() -> None:
    metrics = Metrics(SENSORS)
    done = threading.Event()

    def work() -> None:
        while not done.is_set():
            metrics.batch([an_entry()])

    thread = threading.Thread(target=work)
    thread.start()
    try:
        seen = [samples(metrics) for _ in range(50)]
    finally:
        done.set()
        thread.join()

    silver = {"table": "silver/sensor_readings"}
    sums = [sum(value(found, "vigie_rows_total", **silver, outcome=each) for each in OUTCOMES) for found in seen]
    assert sums == [value(found, "vigie_rows_read_total", **silver) for found in seen]
    assert sums[0] < sums[-1]


def fill(lake: Lake, table: str, column: str, times: Iterable[datetime]) -> None:
    instants = pa.array(list(times), pa.timestamp("us", "UTC"))
    write_deltalake(str(lake.path(table)), pa.table({column: instants}), mode="append")


def test_lag_rows_and_open_alerts_are_what_the_lake_says(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    fill(lake, "silver/sensor_readings", "event_timestamp", [NOON - timedelta(seconds=s) for s in (90, 40, 60)])
    fill(lake, "silver/weather", "observed_at", [NOON - timedelta(hours=3)])
    fill(lake, "gold/sensors/readings_5m", "window_end", [NOON - timedelta(minutes=11)])
    fill(lake, "bronze/iot_sensors", "received_at", [NOON + timedelta(seconds=5)])
    alerts = [an_alert("a", rule="HIGH_TEMP"), an_alert("b", rule="HIGH_TEMP"), an_alert("c").closed(NOON)]
    write_deltalake(str(lake.alerts("sensors")), pa.Table.from_pylist([alert.row() for alert in alerts], ALERTS))

    found = samples(Gauges(SENSORS, lake, at_noon))

    lags = {
        table: value(found, "vigie_lag_seconds", table=table)
        for table in labels_of(found, "vigie_lag_seconds", "table")
    }
    assert lags == {"silver/sensor_readings": 40, "gold/sensors/readings_5m": 660, "bronze/iot_sensors": 0}
    assert value(found, "vigie_table_rows", table="silver/sensor_readings") == 3
    assert value(found, "vigie_table_rows", table="silver/weather") == 1
    assert value(found, "vigie_open_alerts", rule="HIGH_TEMP", severity="warning") == 2
    assert value(found, "vigie_open_alerts", rule="STUCK", severity="warning") == 0
    assert "HIGH" not in labels_of(found, "vigie_open_alerts", "rule")
    assert value(found, "vigie_lake_read_failures_total") == 0


def two_wait(lake: Lake) -> str:
    """A sink of alerts at which two notifications wait and that refused one for good; what it is called."""
    [watch] = SENSORS.watches
    name = watch_name(SENSORS.silver_of(watch).name, watch)
    folder = outbox_folder(lake, "sensors", Webhook(), name)
    write_whole(folder / "note.json", str(Note(0)))
    a_log(lake.alert_events("sensors"))
    waiting = [opened(key, watch=name, raised_at=NOON - timedelta(minutes=11)) for key in "ab"]
    DeadLetters(lake.dead_letters("sensors"), "sensors", folder.name).add(waiting[0], "no", 3)
    write_down(lake.alert_events("sensors"), *waiting)
    return str(folder.name)


def test_what_waits_at_a_sink_and_what_it_refused_is_what_the_lake_says(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    sink = two_wait(lake)

    seen = samples(Gauges(SENSORS, lake, at_noon))

    assert value(seen, "vigie_notifications_waiting", delivery=sink) == 2
    assert value(seen, "vigie_oldest_notification_seconds", delivery=sink) == 660
    assert value(seen, "vigie_dead_letters_total", delivery=sink) == 1


def test_a_table_that_cannot_be_read_is_counted_and_the_others_are_still_told(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    fill(lake, "silver/sensor_readings", "event_timestamp", [NOON])
    fill(lake, "bronze/iot_sensors", "received_at", [NOON])
    (lake.path("silver/sensor_readings") / "_delta_log" / f"{0:020}.json").write_text("no longer JSON")
    gauges = Gauges(SENSORS, lake, at_noon)

    samples(gauges)
    found = samples(gauges)

    assert value(found, "vigie_lake_read_failures_total") == 2
    assert labels_of(found, "vigie_lag_seconds", "table") == {"bronze/iot_sensors"}


def test_metrics_are_served_on_this_machine_alone_and_only_while_it_lasts(tmp_path: Path) -> None:
    port = a_free_port()

    with served(SENSORS, Lake(tmp_path), port) as metrics:
        metrics.batch([an_entry()])
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as page:
            found = scraped(page.read().decode())
        with socket.socket() as elsewhere:
            refused = elsewhere.connect_ex(("127.0.0.2", port))  # this machine too, by another address
    with socket.socket() as after:
        gone = after.connect_ex(("127.0.0.1", port))

    assert value(found, "vigie_rows_read_total", table="silver/sensor_readings") == 10
    assert ("process_resident_memory_bytes", frozenset()) in found
    assert refused
    assert gone


@pytest.mark.parametrize("command", ["run", "demo"])
def test_a_port_in_use_is_exit_2_before_anything_is_read(tmp_path: Path, command: str) -> None:
    lake = tmp_path / "lake"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])

        shown = CliRunner().invoke(app, [command, "flights", "--lake", str(lake), "--metrics-port", port])

    assert shown.exit_code == 2
    assert f"port {port} of 127.0.0.1 is taken" in shown.stderr
    assert not lake.exists()


def test_an_address_that_is_not_of_this_machine_is_exit_2(tmp_path: Path) -> None:
    flags = ["--lake", str(tmp_path / "lake"), "--metrics-port", "9464", "--metrics-host", "192.0.2.7"]

    shown = CliRunner().invoke(app, ["run", "flights", *flags])

    assert shown.exit_code == 2
    assert "metrics cannot be served at 192.0.2.7:9464" in shown.stderr


def test_an_address_that_no_machine_has_is_blamed_on_its_own_flag(tmp_path: Path) -> None:
    flags = ["--lake", str(tmp_path / "lake"), "--metrics-port", "9464", "--metrics-host", "no such host"]

    shown = CliRunner().invoke(app, ["run", "flights", *flags])

    assert shown.exit_code == 2
    assert "'no such host' is no address of this machine" in shown.stderr
    assert "(--metrics-host)" in shown.stderr


def test_the_page_on_monitoring_names_every_metric_with_its_labels(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs/monitoring.md").read_text()
    told = dict(re.findall(r"^\| ((?:`vigie_\w+` ?)+)\|([^|]*)\|", page, re.MULTILINE))
    described = {name: set(re.findall(r"`(\w+)`", told[names])) for names in told for name in re.findall(r"\w+", names)}
    metrics = Metrics(SENSORS)
    metrics.batch([an_entry(progress=NOON)])
    metrics.report(a_report(1))
    metrics.taken("means-to-postgres-0")
    lake = Lake(tmp_path)
    fill(lake, "silver/sensor_readings", "event_timestamp", [NOON])
    two_wait(lake)

    exported: dict[str, set[str]] = {}
    for name, labels in samples(metrics, Gauges(SENSORS, lake)):
        known = re.sub(r"(duration_seconds)_\w+$", r"\1", name)
        exported.setdefault(known, set()).update(dict(labels).keys() - {"pipeline", "le"})

    assert described == exported
