"""The long files first: of two processes that take whole files, neither is left alone with one at the end."""

from __future__ import annotations

import pytest

LONGEST = (
    "test_flights_survive", "test_activity_survive", "test_flights_kafka", "test_sensors_survive",
    "test_install_elsewhere", "test_live_map", "test_dashboard", "test_feed_kafka", "test_broker", "test_silence",
)  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: LONGEST.index(name) if (name := item.path.stem) in LONGEST else len(LONGEST))
