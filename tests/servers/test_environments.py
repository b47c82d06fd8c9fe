"""The environments beside Vigie's own, as their locks make them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.requirements import unmet

HOUSE = Path(__file__).parent.parent.parent


@pytest.mark.parametrize("name", ["dbt", "airflow", "bqemulator"])
def test_every_requirement_of_every_installed_package_is_met_extras_included(name: str) -> None:
    subprocess.run(["make", "--silent", f"environment-{name}"], cwd=HOUSE, check=True)

    assert unmet((HOUSE / f".venv-{name}").resolve()) == []
