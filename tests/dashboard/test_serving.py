"""What is said before the dashboard's server starts."""

from __future__ import annotations

import importlib.util
import os
import socket
import subprocess
import sys
import threading
import tomllib
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest
from typer.testing import CliRunner

from tests.dashboard.lakes import a_lake
from tests.dashboard.test_flights import texts
from tests.requirements import wanted
from vigie import demo
from vigie.cli import app
from vigie.dashboard import serving
from vigie.dashboard.serving import address
from vigie.lake import Lake

EXAMPLES = Path(__file__).parents[2] / "examples"
CONFIGS = sorted(EXAMPLES.rglob(".streamlit/config.toml"))


def test_a_port_that_is_taken_is_exit_2_with_another_to_try(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        answer = CliRunner().invoke(app, ["dashboard", "--lake", str(tmp_path), "--port", str(port)])

    assert answer.exit_code == 2
    assert f"port {port} cannot be used" in answer.stderr
    assert f"vigie dashboard --port {port + 1}" in answer.stderr


def test_an_address_of_another_machine_is_said_to_be_one(tmp_path: Path) -> None:
    answer = CliRunner().invoke(app, ["dashboard", "--lake", str(tmp_path), "--host", "203.0.113.7"])

    assert answer.exit_code == 2
    assert "'203.0.113.7' is no address of this machine" in answer.stderr


def test_no_address_is_not_every_network(tmp_path: Path) -> None:
    answer = CliRunner().invoke(app, ["dashboard", "--lake", str(tmp_path), "--host", ""])

    assert answer.exit_code == 2
    assert "no address is named" in answer.stderr


def test_an_address_that_is_none_is_said_to_be_so(tmp_path: Path) -> None:
    answer = CliRunner().invoke(app, ["dashboard", "--lake", str(tmp_path), "--host", "nonsense.invalid"])

    assert answer.exit_code == 2
    assert "'nonsense.invalid' is no address of this machine" in answer.stderr
    assert "port" not in answer.stderr


def test_an_address_of_the_new_kind_is_one_that_a_browser_takes() -> None:
    assert address("::1", 8501) == "http://[::1]:8501"


def test_without_its_extra_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)

    answer = CliRunner().invoke(app, ["dashboard", "--lake", str(tmp_path)])

    assert answer.exit_code == 2
    assert f"pip install {wanted('dashboard')}" in answer.stderr


@pytest.mark.parametrize("name", ["http://vigie.example.com", "vigie.example.com:8501", "", "a b"])
def test_a_name_is_one_and_no_address(tmp_path: Path, name: str) -> None:
    answer = CliRunner().invoke(app, ["dashboard", "--lake", str(tmp_path), "--name", name])

    assert answer.exit_code == 2
    assert "cannot be the name of a machine" in answer.stderr


@pytest.mark.parametrize(
    ("host", "allow_actions", "said"),
    [
        ("127.0.0.1", True, []), ("localhost", True, []), ("::1", True, []),
        ("0.0.0.0", False, ["sees all that the lake holds"]),
        ("::", True, ["sees all that the lake holds", "can acknowledge alerts and silence them"]),
        ("studio.lan", False, ["there is no password"]),
    ],
)  # fmt: skip
def test_whoever_opens_it_to_others_is_told_what_they_can_do(host: str, allow_actions: bool, said: list[str]) -> None:
    told = list(serving.Door(host, allow_actions=allow_actions).said())

    assert len(told) == len(said)
    assert all(words in line for words, line in zip(said, told, strict=True))


def test_a_demo_goes_on_without_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)

    with demo._watched(Lake(tmp_path), "flights", threading.Event()):
        pass

    assert "There is no dashboard beside it" in capsys.readouterr().err


def test_two_demos_that_start_at_once_have_two_pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second looked before the first one listened: both named the port of one of them."""
    monkeypatch.setattr(serving, "_running", lambda _lake, _page, port, _log: nullcontext(f"at {port}"))
    monkeypatch.setattr(serving, "trouble", lambda _host, _port: None)
    monkeypatch.setattr(serving, "gettempdir", lambda: str(tmp_path))  # whoever has a demo open holds the usual lock

    with serving.beside(Lake(tmp_path / "a"), None) as one, serving.beside(Lake(tmp_path / "b"), None) as other:
        assert (one, other[1]) == ((f"at {serving.PORT}", True), False)
        assert other[0] not in {one[0], f"at {serving.PORT}"}
    with serving.beside(Lake(tmp_path / "a"), None) as again:
        assert again[1]


def test_a_pipeline_that_is_none_is_exit_2(tmp_path: Path) -> None:
    answer = CliRunner().invoke(app, ["dashboard", "fligths", "--lake", str(tmp_path)])

    assert answer.exit_code == 2
    assert "there is no pipeline 'fligths'" in answer.stderr


def test_nothing_is_told_to_anybody_and_no_trace_is_shown() -> None:
    assert serving.HOST == "127.0.0.1"
    assert serving.OPTIONS["browser.gatherUsageStats"] is False
    assert serving.OPTIONS["client.showErrorDetails"] == "none"


def shell(root: str, pipeline: str | None) -> None:
    from vigie.dashboard.app import show
    from vigie.lake import Lake

    show(Lake.at(root), pipeline)


@pytest.mark.parametrize(("pipeline", "first"), [(None, "Flights"), ("flights", "Flights"), ("sensors", "Sensors")])
def test_the_page_of_the_pipeline_that_was_named_comes_first(tmp_path: Path, pipeline: str | None, first: str) -> None:
    given = {"root": str(a_lake(tmp_path, aircraft=3).root), "pipeline": pipeline}

    shown = AppTest.from_function(shell, kwargs=given, default_timeout=30).run()

    assert not shown.exception
    assert shown.title[0].value == first


def test_the_clock_is_shown_and_can_be_chosen(tmp_path: Path) -> None:
    given = {"root": str(a_lake(tmp_path, aircraft=3).root), "pipeline": None}
    shown = AppTest.from_function(shell, kwargs=given, default_timeout=30).run()
    assert "Windows closed up to 2026-11-21 12:00 UTC." in texts(shown)

    shown.sidebar.selectbox(key="zone").select("Europe/Paris").run()

    assert "Windows closed up to 2026-11-21 13:00 Europe/Paris." in texts(shown)


@pytest.mark.parametrize("config", CONFIGS, ids=lambda path: path.relative_to(EXAMPLES).parts[0])
def test_streamlit_run_is_told_what_vigie_dashboard_tells_it(config: Path) -> None:
    told = {f"{section}.{name}": value for section, name, value in settings(tomllib.loads(config.read_text()))}

    assert told == {
        **{name: value for name, value in serving.OPTIONS.items() if name != "logger.hideWelcomeMessage"},
        "server.address": serving.HOST,
    }


def settings(said: dict[str, Any], within: str = "") -> Iterator[tuple[str, str, Any]]:
    for name, value in said.items():
        if isinstance(value, dict):
            yield from settings(value, f"{within}.{name}".lstrip("."))
        else:
            yield within, name, value


def test_there_is_a_config_beside_each_page_for_streamlit_run() -> None:
    pages = [page for page in EXAMPLES.rglob("*.py") if "page_of(" in page.read_text()]

    assert len(pages) == 3
    assert sorted(page.parent / ".streamlit/config.toml" for page in pages) == CONFIGS


def test_a_setting_that_is_wrong_is_a_sentence_also_for_streamlit_run(tmp_path: Path) -> None:
    asked = [sys.executable, str(EXAMPLES / "flights/dashboard/app.py")]

    answer = subprocess.run(
        asked, env=os.environ | {"VIGIE_CORES": "none"}, cwd=tmp_path, capture_output=True, text=True, check=False
    )

    assert answer.returncode == 2
    assert "VIGIE_CORES is wrong" in answer.stderr
    assert "Traceback" not in answer.stderr
