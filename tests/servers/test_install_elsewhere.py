"""Each example runs outside the repository, in an environment that its own requirements.txt makes."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.tier import by_night
from tools.install import cache_folder, uv_program

HOUSE = Path(__file__).parent.parent.parent
PROGRAMS = {
    "flights": ["producer.py", "--help"],
    "sensors": ["data_generator.py", "--help"],
    "activity": ["src/ingestion/main.py", "--help"],
    "temperatures": ["-m", "vigie", "check", "pipeline.py"],
}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(["make", "--silent", "wheel", f"TO={folder}"], cwd=HOUSE, check=True)
    [made] = folder.glob("*.whl")
    return made


@pytest.mark.parametrize("example", by_night(sorted(PROGRAMS), few=["flights"]))
def test_an_example_that_was_copied_away_installs_and_starts(example: str, wheel: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(HOUSE / "examples" / example, tmp_path / example))
    shutil.copy(wheel, copy)
    uv, python = uv_program(cache_folder()), copy / ".venv/bin/python"
    subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, ".venv"], cwd=copy, check=True)

    subprocess.run(
        [uv, "pip", "install", "--quiet", "--python", python, "--requirement", "requirements.txt"], cwd=copy, check=True
    )
    started = subprocess.run([python, *PROGRAMS[example]], cwd=copy, capture_output=True, text=True, check=False)

    assert started.returncode == 0, started.stderr
    where = "import vigie; print(vigie.__file__)"
    found = subprocess.run([python, "-c", where], cwd=copy, capture_output=True, text=True, check=True)
    assert found.stdout.startswith(str(copy)), "it is the wheel that runs, and not the checkout"
