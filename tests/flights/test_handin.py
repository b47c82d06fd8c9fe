"""What is handed in: notebooks that ran on the person's own lake, the report, and what installs elsewhere."""

from __future__ import annotations

import importlib.util
import signal
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest
from typer.testing import CliRunner

from tests.dashboard.lakes import a_lake
from tests.runs import until
from vigie import notebooks, wheel
from vigie.cli import app
from vigie.errors import BadSetting, RunFailed
from vigie.flights import handin as flights
from vigie.lake import Lake
from vigie.language import Language
from vigie.settings import Settings

COUNTS = """import os
from deltalake import DeltaTable

DeltaTable(os.environ["VIGIE_LAKE"] + "/silver/flights_ml").count()"""


def a_notebook(folder: Path, name: str, *cells: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    path = folder / f"{name}.ipynb"
    nbformat.write(notebook, path)
    return path


def silent(_: str) -> None: ...


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    return a_lake(tmp_path_factory.mktemp("handin"))


@pytest.fixture
def gather(lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Hand in what lies among some examples; the report is drawn elsewhere."""
    monkeypatch.setattr(flights, "report", lambda *_: b"%PDF-1.7")

    def gathered(examples: Path, say: Callable[[str], None] = silent, language: Language = Language.EN) -> list[str]:
        return flights.handin(lake, Settings(), language, tmp_path / "handin", say, examples=examples)

    return gathered


def test_a_notebook_is_run_on_the_lake_and_keeps_what_it_shows(
    gather: Callable[..., list[str]], lake: Lake, tmp_path: Path
) -> None:
    source = a_notebook(tmp_path / "examples/notebooks", "01_ETL", COUNTS, "open('left.txt', 'w').close()")
    before = source.read_bytes()
    said: list[str] = []

    gather(tmp_path / "examples", said.append)

    notebook = nbformat.read(tmp_path / "handin/notebooks/01_ETL.ipynb", as_version=4)
    [output] = notebook.cells[0].outputs
    assert int(output["data"]["text/plain"]) == 40 * 12 * 6
    assert source.read_bytes() == before
    assert list(source.parent.iterdir()) == [source], "nothing is left among the examples"
    assert "Running 01_ETL.ipynb ..." in said


def test_pictures_of_the_notebooks_are_in_the_language_of_the_report(
    gather: Callable[..., list[str]], tmp_path: Path
) -> None:
    a_notebook(tmp_path / "examples/notebooks", "04_pictures", 'LANGUAGE = "fr"  # or "en"\nLANGUAGE')

    for language in (Language.EN, Language.FR):
        gather(tmp_path / "examples", language=language)

        [cell] = nbformat.read(tmp_path / "handin/notebooks/04_pictures.ipynb", as_version=4).cells
        assert cell.outputs[0]["data"]["text/plain"] == f"'{language.value}'"


def test_the_zip_beside_the_folder_holds_what_was_gathered_and_nothing_else(
    gather: Callable[..., list[str]], tmp_path: Path
) -> None:
    examples = tmp_path / "examples"
    a_notebook(examples / "notebooks", "01_ETL", "1 + 1")
    (examples / "producer.py").write_text("print()")
    (examples / "docker-compose.yml").write_text("services: {}")
    (examples / "dashboard/.streamlit").mkdir(parents=True)
    (examples / "dashboard/.streamlit/config.toml").write_text("[server]")
    (tmp_path / "handin").mkdir()
    (tmp_path / "handin/mine.txt").write_text("another file of the same folder")

    missing = gather(examples, language=Language.FR)

    [name] = [path.name for path in (tmp_path / "handin").glob("*.whl")]
    gathered = {
        "rapport.pdf", "notebooks/01_ETL.ipynb", "producer.py", "docker-compose.yml",
        "dashboard/.streamlit/config.toml", "requirements.txt", name,
    }  # fmt: skip
    with zipfile.ZipFile(tmp_path / "handin.zip") as archive:
        assert set(archive.namelist()) == {f"handin/{each}" for each in gathered}
        assert archive.read("handin/producer.py") == b"print()"
    assert all((tmp_path / "handin" / each).is_file() for each in gathered)
    assert f"./{name}[" in (tmp_path / "handin/requirements.txt").read_text()
    assert missing == []


def test_what_this_vigie_does_not_have_is_said(gather: Callable[..., list[str]], tmp_path: Path) -> None:
    missing = gather(tmp_path)

    assert missing == [
        "There are no notebooks in it: this Vigie does not have them yet.",
        "There is no docker-compose.yml in it: this Vigie does not have one yet.",
    ]


def test_a_notebook_that_fails_is_exit_1_and_names_its_cell(lake: Lake, tmp_path: Path) -> None:
    path = a_notebook(tmp_path, "02_ML", "1 + 1", "raise ValueError('no such table')", "2")

    with pytest.raises(RunFailed) as failed:
        notebooks.executed(path, lake.root)

    assert "stopped in its code cell 2: ValueError: no such table" in str(failed.value)
    assert failed.value.where == "02_ML.ipynb"
    assert failed.value.exit_code == 1


def test_a_cell_that_hangs_is_ended(lake: Lake, tmp_path: Path) -> None:
    path = a_notebook(tmp_path, "07", "import threading; threading.Event().wait()")

    with pytest.raises(RunFailed, match="stopped in its code cell 1"):
        notebooks.executed(path, lake.root, longest_cell_s=3)


def test_ctrl_c_within_a_notebook_is_a_stop_and_no_fault_of_the_notebook(lake: Lake, tmp_path: Path) -> None:
    path = a_notebook(tmp_path, "01_waits", "import time\nopen('begun', 'w').close()\ntime.sleep(300)")
    program = f"""
import sys
from vigie.notebooks import executed
from pathlib import Path
try:
    executed(Path({str(path)!r}), {str(lake.root)!r})
except KeyboardInterrupt:
    sys.exit(130)
"""
    running = subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.DEVNULL)  # where the kernel complains
    until((tmp_path / "begun").exists)

    running.send_signal(signal.SIGINT)

    assert running.wait(60) == 130


def test_what_is_no_notebook_is_said_to_be_none(tmp_path: Path) -> None:
    path = tmp_path / "01.ipynb"
    path.write_text("<html>")

    with pytest.raises(RunFailed, match="that is no notebook"):
        notebooks.executed(path, tmp_path)


def test_nothing_is_written_when_a_notebook_fails(gather: Callable[..., list[str]], tmp_path: Path) -> None:
    a_notebook(tmp_path / "examples/notebooks", "01", "1 / 0")

    with pytest.raises(RunFailed):
        gather(tmp_path / "examples")

    assert not (tmp_path / "handin").exists()
    assert not (tmp_path / "handin.zip").exists()


def test_without_what_runs_notebooks_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda *_: None)
    monkeypatch.setattr(sys, "prefix", "/nowhere")

    with pytest.raises(BadSetting, match=r"what runs notebooks is not installed \(nbclient, ipykernel\)\npip install"):
        notebooks.check_installed()


def test_a_file_in_the_way_of_the_folder_is_exit_2(lake: Lake, tmp_path: Path) -> None:
    (tmp_path / "handin").write_text("")

    answer = CliRunner().invoke(app, ["handin", "flights", "--lake", str(lake), "--out", str(tmp_path / "handin")])

    assert answer.exit_code == 2
    assert "that is a file" in answer.stderr


def test_the_command_says_where_it_is_and_what_is_missing(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[Any] = []

    def gathered(*words: Any) -> list[str]:
        given.extend(words)
        return ["There is no docker-compose.yml in it."]

    monkeypatch.setattr("vigie.flights.papers.handin", gathered)

    answer = CliRunner().invoke(
        app, ["handin", "flights", "--lake", str(lake), "--out", str(tmp_path / "rendu"), "--language", "fr"]
    )

    assert answer.exit_code == 0, answer.stderr
    assert answer.stdout.splitlines() == [
        f"It is in {tmp_path / 'rendu'}, and packed in {tmp_path / 'rendu.zip'}.",
        "There is no docker-compose.yml in it.",
    ]
    assert Language.FR in given


def test_the_packed_wheel_is_this_vigie_and_installs_where_nothing_else_of_it_is(tmp_path: Path) -> None:
    name, content = wheel.packed()
    (tmp_path / name).write_bytes(content)

    subprocess.run(
        [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", "site", name],
        cwd=tmp_path,
        check=True,
    )

    installed = tmp_path / "site/vigie"
    mine = Path(wheel.__file__).parent
    assert (installed / "flights/report/fr.typ").read_bytes() == (mine / "flights/report/fr.typ").read_bytes()
    assert len(list(installed.rglob("*.py"))) >= len(list(mine.rglob("*.py")))
    assert (installed / "examples/flights/producer.py").is_file(), "from it, the same can be handed in again"
    assert wheel.packed() == (name, content), "the same files make the same bytes"
