"""The report's screenshots by a real Chromium and a dashboard of their own, which are gone afterwards."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import psutil
import pytest
from PIL import Image

from tests.dashboard.lakes import a_lake
from tests.runs import until
from vigie.dashboard import chromium
from vigie.dashboard.chromium import NoPicture
from vigie.flights.report import screens
from vigie.lake import Lake

BLANK = "<body style='margin: 0; background: #0072b2'><h1>here</h1></body>"


@pytest.fixture(scope="module")
def program() -> str:
    found = chromium.program()
    assert found is not None, "There is no Chromium on this machine: apt-get install chromium"
    return found


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    return a_lake(tmp_path_factory.mktemp("screens"), datetime.now(UTC), aircraft=200)


def mine() -> set[str]:
    """The commands of the processes that this one has started and not yet ended."""
    return {" ".join(each.cmdline()) for each in psutil.Process().children(recursive=True) if each.is_running()}


def colours(picture: bytes) -> set[object]:
    image = Image.open(BytesIO(picture)).convert("RGB")
    return {colour for _, colour in image.getcolors(image.width * image.height) or []}


def test_the_pictures_show_the_map_with_its_land_and_aircraft_and_the_charts(lake: Lake, tmp_path: Path) -> None:
    said: list[str] = []

    taken = screens.screens(lake, tmp_path, said.append)

    assert (taken.missing, said) == (None, [])
    land, sea, phases = (0xF7, 0xF6, 0xF1), (0xD9, 0xE6, 0xF0), {(0x3B, 0x82, 0xC4), (0x7D, 0x87, 0x94)}
    assert {land, sea} <= colours(taken.pictures["map"])
    assert phases <= colours(taken.pictures["charts"])
    assert not [each for each in mine() if "vigie-chromium" in each or "dashboard" in each]
    assert not (lake.root / "_dashboard.log").exists(), "the lake is not written"


def test_a_condition_that_never_comes_true_ends_in_a_sentence_and_the_browser_with_it(program: str) -> None:
    with (
        pytest.raises(NoPicture, match=r"did not answer Runtime\.evaluate in time"),
        chromium.page(program, 300, 200) as page,
    ):
        page.open(f"data:text/html,{BLANK}")
        page.wait_for("document.querySelector('.never')", 0.5)

    assert not [each for each in mine() if "vigie-chromium" in each]


def test_what_is_waited_for_may_come_later_and_only_its_part_is_taken(program: str) -> None:
    later = "<script>setTimeout(() => document.body.append(document.createElement('h2')), 300)</script>"
    with chromium.page(program, 300, 200) as page:
        page.open(f"data:text/html,{BLANK.replace('#', '%23')}{later}")
        page.wait_for("document.querySelector('h2')", 20)

        picture = page.picture(200, 100, 50, 40)

    assert Image.open(BytesIO(picture)).size == (50, 40)
    assert colours(picture) == {(0x00, 0x72, 0xB2)}


def test_a_page_that_cannot_be_opened_is_said_to_be_none(program: str) -> None:
    with pytest.raises(NoPicture, match="cannot open the page"), chromium.page(program, 300, 200) as page:
        page.open("http://127.0.0.1:9/")


def test_a_program_that_is_no_chromium_ends_in_a_sentence() -> None:
    with (
        pytest.raises(NoPicture, match="Chromium ended before it drew anything"),
        chromium.page(str(shutil.which("true")), 300, 200),
    ):
        pass


def test_a_report_that_is_killed_leaves_no_browser_behind(program: str) -> None:
    work = (
        "import signal, sys; from vigie.dashboard import chromium\n"
        "with chromium.page(sys.argv[1], 300, 200): print('open', flush=True); signal.pause()"
    )
    with subprocess.Popen([sys.executable, "-c", work, program], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"
        [browser] = [each for each in psutil.Process(process.pid).children() if "--headless" in each.cmdline()]

        os.kill(process.pid, signal.SIGKILL)

        until(lambda: not browser.is_running() or browser.status() == psutil.STATUS_ZOMBIE)


def test_a_browser_that_cannot_draw_is_said_in_one_line_and_the_report_goes_on(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(screens, "DRAWN", "false")
    monkeypatch.setattr(screens, "DRAWN_WITHIN_S", 1.0)
    said: list[str] = []

    taken = screens.screens(lake, tmp_path, said.append)

    assert taken.missing == screens.Missing.FAILED
    assert said == ["Without pictures of the dashboard: Chromium did not answer Runtime.evaluate in time"]
