"""Servers that several files have, one for each; and the long files first: of processes that take whole files, none is
left alone with one at the end."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.servers import registry
from tests.servers.kafka import a_broker
from vigie.engines.spark.kafka_broker import Broker

LONGEST = (
    "test_flights_kafka", "test_course", "test_predictions", "test_live_map", "test_avro", "test_raw_lake",
    "test_flights_survive", "test_spark_connect", "test_example_activity", "test_notifications",
    "test_sensors_survive", "test_dashboard",
    "test_airflow", "test_dbt", "test_example_sensors", "test_elastic", "test_dashboard_pages", "test_mongo",
    "test_silence", "test_prometheus", "test_feed_kafka", "test_install_elsewhere", "test_stop",
    "test_map_page", "test_broker",
)  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: LONGEST.index(name) if (name := item.path.stem) in LONGEST else len(LONGEST))


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with a_broker(tmp_path_factory.mktemp("kafka")) as running:
        yield running


@pytest.fixture(scope="module")
def schemas() -> Iterator[registry.Server]:
    """A registry that settings name."""
    with registry.a_registry() as running, pytest.MonkeyPatch.context() as environment:
        environment.setenv("VIGIE_REGISTRY", running.url)
        yield running
