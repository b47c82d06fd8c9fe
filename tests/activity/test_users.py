"""The simulated users: visits, actions, devices, bots, bursts."""

from __future__ import annotations

import io
import json
import re
from collections import Counter, defaultdict
from functools import cache
from itertools import islice, pairwise
from statistics import mean, pstdev
from typing import Any

import pytest
from fastavro import schemaless_reader

from tests.activity.feeds import HOUR, a_simulation, during, instant, messages, objects
from vigie.activity.simulator import simulate
from vigie.avro.writing import encoder
from vigie.feeding import Wish, simulated
from vigie.pipeline import load

FIELDS = ["event_id", "user_id", "session_id", "timestamp", "action", "page", "device", "is_bot", "schema_version"]
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


@cache
def an_hour() -> list[dict[str, Any]]:
    return objects(simulate, a_simulation(keys=400), HOUR)


def sessions(events: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    found = defaultdict(list)
    for event in events:
        found[event["session_id"]].append(event)
    return found


def gaps(events: list[dict[str, Any]]) -> list[float]:
    return [instant(after["timestamp"]) - instant(before["timestamp"]) for before, after in pairwise(events)]


def test_an_event_has_the_fields_of_the_schema_in_their_order() -> None:
    for event in an_hour()[:2_000]:
        assert list(event) == FIELDS
        assert UUID.fullmatch(event["event_id"]) and UUID.fullmatch(event["session_id"])
        assert re.fullmatch(r"user_\d{5}", event["user_id"])
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", event["timestamp"])
        assert event["schema_version"] == 1


def test_there_are_no_more_users_than_were_asked_for_and_all_of_them_come() -> None:
    assert {event["user_id"] for event in an_hour()} == {f"user_{number:05}" for number in range(1, 401)}


def test_a_session_is_of_one_user_and_a_user_is_in_one_at_a_time() -> None:
    spans = defaultdict(list)
    for events in sessions(an_hour()).values():
        assert len({(event["user_id"], event["device"], event["is_bot"]) for event in events}) == 1
        spans[events[0]["user_id"]].append((events[0]["timestamp"], events[-1]["timestamp"]))

    assert all(before[1] < after[0] for each in spans.values() for before, after in pairwise(sorted(each)))
    assert max(map(len, spans.values())) > 5


def test_a_session_begins_with_a_view_or_a_login_and_pays_only_for_what_is_in_the_cart() -> None:
    # The sessions of the first minutes had begun before.
    whole = [events for events in sessions(an_hour()).values() if instant(events[0]["timestamp"]) % HOUR > 600]
    assert {events[0]["action"] for events in whole} == {"view", "login"}
    for events in whole:
        has_cart = False
        for event in events:
            assert event["action"] != "purchase" or has_cart
            has_cart = event["action"] == "add_to_cart" or (has_cart and event["action"] != "purchase")
        assert "logout" not in [event["action"] for event in events[:-1]]


def test_all_actions_devices_and_many_pages_are_there() -> None:
    people = [event for event in an_hour() if not event["is_bot"]]

    assert {event["action"] for event in people} == {
        "view", "click", "search", "add_to_cart", "purchase", "login", "logout",
    }  # fmt: skip
    assert {event["device"] for event in people} == {"desktop", "mobile", "tablet"}
    pages = Counter(event["page"] for event in people)
    assert len(pages) > 150
    assert pages.most_common(1)[0][1] > 20 * sorted(pages.values())[len(pages) // 2] / 10


def test_bots_are_faster_regular_and_know_few_pages() -> None:
    of_bots = [events for events in sessions(an_hour()).values() if events[0]["is_bot"] and len(events) > 50]
    of_people = [events for events in sessions(an_hour()).values() if not events[0]["is_bot"] and len(events) > 10]

    assert of_bots
    for events in of_bots:
        waits = gaps(events)
        assert 0.9 < mean(waits) < 1.1 and pstdev(waits) < 0.05
        assert len({event["page"] for event in events}) <= 3
        assert {event["action"] for event in events} == {"view"}
    assert mean(mean(gaps(events)) for events in of_people) > 3
    assert mean(pstdev(gaps(events)) for events in of_people) > 1


def test_a_burst_is_a_hundred_events_of_a_user_in_a_minute_and_is_told() -> None:
    labels: list[dict[str, Any]] = []
    events = objects(simulate, a_simulation(keys=1_000, label=labels.append), HOUR)
    of_user = defaultdict(list)
    for event in events:
        of_user[event["user_id"]].append(instant(event["timestamp"]))

    found = set()
    for user, moments in of_user.items():
        for before, after in zip(moments, moments[99:], strict=False):
            if after - before <= 60:
                found.add(user)
    told = {label["key"] for label in labels}
    assert told and found == told
    assert {label["kind"] for label in labels} == {"burst"}


def test_version_2_is_version_1_and_what_led_there() -> None:
    wanted = a_simulation(fields=frozenset({*FIELDS, "referrer"}))
    first, second = (
        [json.loads(value) for _, value in messages(simulate, simulation, 2_000)]
        for simulation in (a_simulation(fields=frozenset(FIELDS)), wanted)
    )

    for one, two in zip(first, second, strict=True):
        assert list(two) == [*FIELDS, "referrer"]
        assert two["schema_version"] == 2
        assert {**two, "schema_version": 1} == {**one, "referrer": two["referrer"]}
    for events in sessions(second).values():
        for before, after in pairwise(events):
            assert after["referrer"] == before["page"]
    assert "" in {event["referrer"] for event in second}


@pytest.mark.parametrize(("schema", "version"), [(None, 1), ("user_activity.v2.avsc", 2)])
def test_the_feed_simulates_what_the_schema_says_that_it_writes_by(schema: str | None, version: int) -> None:
    [source] = [source for source in load("activity").graph().sources if source.name == "user_activity"]
    file = source.avro[-1].with_name(schema) if schema else source.avro[-1]

    ticks = simulated(source, Wish(keys=20, schema=str(file) if schema else None), rows=300)

    encode = encoder(file.read_text(), 1)
    framed = [encode(value) for tick in islice(ticks, 100) for _, value in tick.messages]
    rows: list[Any] = [schemaless_reader(io.BytesIO(each[5:]), json.loads(file.read_text()), None) for each in framed]
    assert {row["schema_version"] for row in rows} == {version}
    assert any(row.get("referrer") for row in rows) is (version == 2)


def test_a_user_alone_can_be_had() -> None:
    sent = list(during(simulate, a_simulation(keys=1), HOUR))

    assert len(sent) > 0.5 * HOUR / 10
