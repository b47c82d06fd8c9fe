"""Tables delivered to a real Elasticsearch, and to a real OpenSearch."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from pydantic import SecretStr

from tests.gate import Answer, Request, a_gate
from tests.rows import a_batch, a_table
from tests.servers.elasticsearch import Server, an_elasticsearch, an_opensearch
from tests.tier import by_night
from vigie.backoff import Backoff, Clock
from vigie.contracts import Surroundings, Writer
from vigie.core.delivery import Step
from vigie.core.gold.windows import flat
from vigie.flights import kibana
from vigie.flights.pipeline import FLIGHTS_ML, anomaly_alerts, flight_phase_counts, flights
from vigie.settings import Settings
from vigie.sinks import NotNow, Refused
from vigie.sinks.elastic import Elastic

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

NOON = datetime(2025, 6, 1, 12, 0, 0, 123456, tzinfo=UTC)
JULY = datetime(2025, 7, 1, tzinfo=UTC)
EVENT = "at TIMESTAMP, event_id STRING, action STRING"
EVENTS = Elastic("events", id=("at", "event_id"), keep="18250 days")


@pytest.fixture(scope="module")
def elasticsearch() -> Iterator[Server]:
    with an_elasticsearch() as running:
        yield running


@pytest.fixture(scope="module")
def opensearch() -> Iterator[Server]:
    with an_opensearch() as running:
        yield running


@pytest.fixture
def empty(elasticsearch: Server) -> Server:
    elasticsearch.clear()
    return elasticsearch


@pytest.fixture(params=["elasticsearch", "opensearch"])
def either(request: pytest.FixtureRequest) -> Server:
    server: Server = request.getfixturevalue(request.param)
    server.clear()
    return server


def a_writer(server: Server, sink: Elastic = EVENTS, **said: Any) -> Writer:
    around = Surroundings(Settings(**{"elastic": server.address, **server.account, **said}))
    assert not sink.missing(around)
    return sink.opened(around)


def events(*rows: tuple[Any, ...]) -> pa.Table:
    return a_table(EVENT, *rows)


def sources(server: Server, index: str) -> list[dict[str, Any]]:
    return [document["_source"] for document in server.all(index)]


def test_a_repeat_of_a_batch_changes_nothing_and_the_first_that_comes_stays(either: Server) -> None:
    batch = events((NOON, "a", "view"), (JULY, "b", None))
    writer = a_writer(either)
    writer.write(batch.to_reader(), 0)
    before = either.all("events")

    writer.write(batch.to_reader(), 0)
    a_writer(either).write(events((NOON, "a", "changed"), (JULY, "c", "click")).to_reader(), 1)

    assert [hit for hit in either.all("events") if "c" not in hit["_id"]] == before
    assert [(hit["_index"], hit["_id"], hit["_version"], hit["_source"]) for hit in before] == [
        (
            "events-2025.06.01",
            '{"at":"2025-06-01T12:00:00.123456Z","event_id":"a"}',
            1,
            {"at": "2025-06-01T12:00:00.123456Z", "event_id": "a", "action": "view"},
        ),
        (
            "events-2025.07.01",
            '{"at":"2025-07-01T00:00:00.000000Z","event_id":"b"}',
            1,
            {"at": "2025-07-01T00:00:00.000000Z", "event_id": "b", "action": None},
        ),
    ]
    assert either.count("events") == 3
    assert either.count("events_dead_letters") == 0


def test_what_the_server_refuses_is_a_dead_letter_once_and_the_rest_is_written(
    either: Server, caplog: pytest.LogCaptureFixture
) -> None:
    writer = a_writer(either)
    writer.write(events((NOON, "a", "view")).to_reader(), 0)
    mine = {"index_patterns": ["events-2025.07*"], "priority": 500, "template": {
        "mappings": {"properties": {"action": {"type": "integer"}}}}}  # fmt: skip
    either.ask("PUT", "/_index_template/mine", mine)
    rows = events((JULY, "b", "7"), (JULY, "c", "view"), (NOON, "d", "view"))

    writer.write(rows.to_reader(), 1)
    before = either.all("events_dead_letters")
    writer.write(rows.to_reader(), 1)

    assert [document["event_id"] for document in sources(either, "events-2025*")] == ["a", "d", "b"]
    assert either.all("events_dead_letters") == before
    letters = {json.loads(hit["_source"]["row"])["event_id"]: hit["_source"] for hit in before}
    assert list(letters) == ["c"]
    assert "failed to parse field [action] of type [integer]" in letters["c"]["reason"]
    assert f"events: {either.product} refused 1 rows, which are in events_dead_letters: " in caplog.text


def test_fields_are_said_before_the_first_document_and_a_lifecycle_where_there_is_such_a_thing(
    either: Server, caplog: pytest.LogCaptureFixture
) -> None:
    a_writer(either).write(events((NOON, "a", "view")).to_reader(), 0)

    made = either.ask("GET", "/events-2025.06.01")["events-2025.06.01"]
    text = {"type": "keyword", "ignore_above": 8191}
    properties = {"at": {"type": "date"}, "event_id": text, "action": text}
    assert made["mappings"] == {"dynamic": "false", "properties": properties}
    assert list(made["aliases"]) == ["events"]
    assert made["settings"]["index"]["auto_expand_replicas"] == "0-1"
    # Neither of these distributions has one: what is put elsewhere is seen in tests/sinks.
    assert f"events: this {either.product} takes no lifecycle, so nothing is deleted after 18250 days" in caplog.text


def test_a_table_that_has_a_new_column_has_it_in_the_months_that_are_there(either: Server) -> None:
    a_writer(either).write(events((NOON, "a", "view")).to_reader(), 0)
    wider = a_table(f"{EVENT}, seconds DOUBLE", (NOON, "b", "view", 1.5))

    a_writer(either).write(wider.to_reader(), 1)

    made = either.ask("GET", "/events-2025.06.01/_mapping")["events-2025.06.01"]["mappings"]
    assert made["properties"]["seconds"] == {"type": "double"}


def test_a_column_that_is_of_another_kind_than_before_ends_the_run(empty: Server) -> None:
    a_writer(empty).write(events((NOON, "a", "view")).to_reader(), 0)
    other = a_table("at TIMESTAMP, event_id STRING, action INT", (NOON, "b", 7))

    with pytest.raises(Refused, match=r"mapper \[action\] cannot be changed from type \[keyword\] to \[integer\]"):
        a_writer(empty).write(other.to_reader(), 1)


def test_every_kind_of_value_is_there_as_it_was(empty: Server) -> None:
    schema = """k STRING, flag BOOLEAN, tiny TINYINT, small SMALLINT, whole INT, big BIGINT, single FLOAT,
        double DOUBLE, none DOUBLE, exact DECIMAL(12, 3), day DATE, at TIMESTAMP, clock TIMESTAMP_NTZ, raw BINARY,
        many ARRAY<STRING>, named MAP<STRING, DOUBLE>, inside STRUCT<a: INT, at: TIMESTAMP>"""
    full = ("a\tb\0 \u20ac", True, -128, -32768, 7, 2**62, 0.5, 1e308, float("nan"), Decimal("123456789.125"),
            date(2024, 2, 29), NOON, datetime(2025, 3, 30, 2, 30), b"\x00\xff", ["x", None], {"y": 1.5},
            (1, NOON))  # fmt: skip
    nulls = ("nulls", *[None] * 16)

    a_writer(empty, Elastic("kinds", id="k")).write(a_table(schema, full, nulls).to_reader(), 0)

    held, empties = sources(empty, "kinds")
    at = "2025-06-01T12:00:00.123456Z"
    assert list(held.values()) == [*full[:8], None, 123456789.125, "2024-02-29", at, "2025-03-30T02:30:00.000000",
                                   "AP8=", ["x", None], {"y": 1.5}, {"a": 1, "at": at}]  # fmt: skip
    assert list(empties.values()) == list(nulls)
    found = {"query": {"bool": {"filter": [{"range": {"at": {"lt": "2025-06-02"}}}, {"term": {"many": "x"}}]}}}
    assert empty.ask("POST", "/kinds/_search", found)["hits"]["total"]["value"] == 1


def test_an_id_that_is_longer_than_elasticsearch_takes_is_hashed(empty: Server) -> None:
    writer = a_writer(empty, Elastic("long", id="k"))

    for number in range(2):
        writer.write(a_table("k STRING", ("é" * 300,), ("é" * 301,)).to_reader(), number)

    assert [len(hit["_id"]) for hit in empty.all("long")] == [64, 64]


def test_a_column_that_is_not_there_is_refused_by_name(empty: Server) -> None:
    with pytest.raises(Refused, match="names 'moment', which is no column of the table"):
        a_writer(empty, Elastic("events", id="moment")).write(events((NOON, "a", "x")).to_reader(), 0)


def test_a_server_that_has_too_much_to_do_is_left_alone_for_as_long_as_it_asks(
    either: Server, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    asked: list[str | None] = []

    def busy_twice(request: Request) -> Answer | None:
        if "_bulk" not in request.path:
            return None
        asked.append(request.headers["Authorization"])
        if len(asked) > 2:
            return None
        return Answer(429 if len(asked) == 1 else 503, b'{"error": "busy"}', (("Retry-After", "7"),))

    waits: list[float] = []
    clock = Clock(lambda: sum(waits), lambda _event, seconds: waits.append(seconds))
    with a_gate(busy_twice, either.address) as address:
        writer = a_writer(either, elastic=address)
        step = Step("events-to-elastic-0", threading.Event(), None, clock, Backoff(lambda: 1.0))
        step(a_batch(writer, events((NOON, "a", "view")), 0))

    assert waits == [7.0, 7.0]
    assert either.count("events") == 1
    assert len(asked) == 3
    assert not any(secret in caplog.text for secret in ("a-secret", *(asked[0] or "").split()[1:]))


def test_a_name_that_may_not_is_refused_with_what_to_do(empty: Server) -> None:
    with pytest.raises(Refused, match=r"security_exception: unable to authenticate user \[vigie\]") as refusal:
        a_writer(empty, elastic_password=SecretStr("another")).write(events((NOON, "a", "view")).to_reader(), 0)
    assert "VIGIE_ELASTIC_PASSWORD" in refusal.value.do


def test_what_the_dashboard_asks_for_can_be_asked(spark: SparkSession, either: Server) -> None:
    report = {"event_timestamp": NOON, "origin_country": "France", "flight_phase": "CRUISE", "velocity_kmh": 900.0}
    heights = enumerate((11_000.0, 99_000.0))
    rows = [{**report, "icao24": str(number), "altitude_meters": metres} for number, metres in heights]
    reports = spark.createDataFrame(rows, FLIGHTS_ML)
    tables = (flight_phase_counts, anomaly_alerts)
    deliveries = {delivery.table: delivery.to for delivery in flights.graph().deliveries}

    for table in tables:
        sink = deliveries[table]
        assert isinstance(sink, Elastic)
        a_writer(either, sink).write(flat(table(reports)).toArrow().to_reader(), 0)

    for saved in kibana.objects():
        if saved["type"] not in {"visualization", "search"}:
            continue
        index = f"{saved['references'][0]['id'].removeprefix('vigie-')}-*"
        either.ask("POST", f"/{index}/_refresh")
        said = json.loads(saved["attributes"]["kibanaSavedObjectMeta"]["searchSourceJSON"])["query"]["query"]
        query: dict[str, Any] = {"size": 0, "query": {"query_string": {"query": said.replace(" > ", ":>") or "*"}}}
        state = json.loads(saved["attributes"].get("visState", '{"aggs": []}'))
        query["aggs"] = {each["id"]: question(each) for each in state["aggs"]}
        answer = either.ask("POST", f"/{index}/_search", query)

        assert answer["hits"]["total"]["value"] > 0, saved["id"]
        for each in answer["aggregations"].values() if state["aggs"] else ():
            assert each.get("value") or each["buckets"], saved["id"]
    largest = {"size": 0, "aggs": {"rate": {"max": {"field": "anomaly_rate"}}}}
    assert either.ask("POST", "/flight-anomalies/_search", largest)["aggregations"]["rate"]["value"] == 0.5


def question(aggregation: dict[str, Any]) -> dict[str, Any]:
    """What Kibana asks the server for when it draws this."""
    asked = {"field": aggregation["params"]["field"]}
    if aggregation["type"] == "date_histogram":
        asked["fixed_interval"] = "1m"
    return {aggregation["type"]: asked}


@pytest.mark.parametrize("kind", by_night(("opensearch", "elasticsearch"), few=("elasticsearch",)))
def test_a_server_that_is_away_is_waited_for_and_has_every_document_once(
    kind: str, request: pytest.FixtureRequest
) -> None:
    server: Server = request.getfixturevalue(kind)
    server.clear()
    often = Clock(wait=lambda event, _: event.wait(0.2))
    step, writer = Step("events-to-elastic-0", threading.Event(), clock=often), a_writer(server)
    step(a_batch(writer, events((NOON, "a", "view")), 0))
    server.stop()
    with pytest.raises(NotNow, match="cannot be reached"):
        a_writer(server).write(events((NOON, "b", "view")).to_reader(), 1)
    back = threading.Timer(0.5, server.start)
    back.start()

    step(a_batch(writer, events((NOON, "a", "view"), (NOON, "b", "click")), 1))

    back.join()
    assert [document["action"] for document in sources(server, "events")] == ["view", "click"]
