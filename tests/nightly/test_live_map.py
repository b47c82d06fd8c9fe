"""The live map, loaded again and again while both cores are burnt: aircraft, never a fault.

pytest tests/nightly/test_live_map.py                                   # 7 loads of 30 s in each look: 18 minutes
VIGIE_MAP_LOADS=20 pytest tests/nightly/test_live_map.py
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.servers.watching import LOOKS, Demo, a_demo, busy_cores, watched

LOADS = int(os.environ.get("VIGIE_MAP_LOADS", "7"))
SECONDS = float(os.environ.get("VIGIE_MAP_SECONDS", "30"))


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    with a_demo(tmp_path_factory.mktemp("map")) as demo, busy_cores():
        yield demo


@pytest.mark.timeout(300 + LOADS * 300)
@pytest.mark.parametrize("name", LOOKS)
def test_the_map_shows_aircraft_and_never_a_fault_on_a_busy_machine(demo: Demo, name: str) -> None:
    looks = [watched(demo.address, name, SECONDS) for _ in range(LOADS)]

    assert [look for look in looks if not look.is_good()] == []
