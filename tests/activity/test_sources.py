"""A pipeline with two sources of equal rank: which is fed, which is read, and what if one is not there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from vigie.address import Inbox
from vigie.addressing import make_room
from vigie.cli import app
from vigie.core.request import Request
from vigie.demo import Together
from vigie.errors import RequestError
from vigie.feed import Progress
from vigie.lake import Lake
from vigie.pipeline import load
from vigie.scoring import faults_in

BOTH = ("user_activity", "recent_changes")


def vigie(*words: str) -> Result:
    return CliRunner().invoke(app, list(words))


def inboxes(lake: Path) -> set[str]:
    return {folder.name for folder in (lake / "_inbox").glob("*")}


@pytest.mark.parametrize("fed", BOTH)
def test_beside_a_source_that_was_fed_the_other_s_inbox_is_made_and_told_of(
    fed: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    [other] = set(BOTH) - {fed}
    Lake(tmp_path).inbox(fed).mkdir(parents=True)

    make_room(load("activity").graph(), Request(Lake(tmp_path)))

    assert inboxes(tmp_path) == set(BOTH)
    assert f"nothing is there yet; feed it with `vigie feed activity {other}`" in caplog.text


def test_a_lake_in_which_no_inbox_can_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "lake").write_text("a file")

    with pytest.raises(RequestError, match="the lake cannot be written: Not a directory"):
        make_room(load("sensors").graph(), Request(Lake(tmp_path / "lake/below")))


def test_beside_a_source_that_was_named_the_other_s_inbox_is_made(tmp_path: Path) -> None:
    request = Request(Lake(tmp_path), {"user_activity": Inbox(tmp_path / "elsewhere")})

    make_room(load("activity").graph(), request)

    assert inboxes(tmp_path) == {"recent_changes"}


def test_where_nothing_was_fed_nothing_is_made_and_the_run_is_refused(tmp_path: Path) -> None:
    shown = vigie("run", "activity", "--once", "--lake", str(tmp_path))

    assert shown.exit_code == 2
    assert "there is no such inbox" in shown.stderr and "vigie feed" in shown.stderr
    assert inboxes(tmp_path) == set()


def test_an_inbox_that_a_person_named_must_be_there(tmp_path: Path) -> None:
    Lake(tmp_path).inbox("recent_changes").mkdir(parents=True)

    shown = vigie("run", "activity", "--from", f"user_activity=inbox:{tmp_path}/typo", "--lake", str(tmp_path))

    assert shown.exit_code == 2
    assert "there is no such inbox" in shown.stderr and "typo" in shown.stderr


@pytest.mark.parametrize("words", [("feed", "activity"), ("run", "activity", "--from", "inbox:somewhere")])
def test_which_of_two_is_meant_must_be_said(words: tuple[str, ...], tmp_path: Path) -> None:
    shown = vigie(*words, "--lake", str(tmp_path))

    assert shown.exit_code == 2
    assert "user_activity" in shown.stderr and "recent_changes" in shown.stderr


@pytest.mark.parametrize("source", BOTH)
def test_each_source_is_fed_to_its_own_inbox_with_its_labels(source: str, tmp_path: Path) -> None:
    labels = tmp_path / "labels.jsonl"
    flags = ("--rows", "5000", "--faults", "0.05", "--labels", str(labels), "--lake", str(tmp_path / "lake"))

    shown = vigie("feed", "activity", source, *flags)

    assert shown.exit_code == 0, shown.output
    files = (tmp_path / "lake/_inbox" / source).glob("*.jsonl")
    assert sum(file.read_bytes().count(b"\n") for file in files) == 5_000
    told = [json.loads(line) for line in labels.read_text().splitlines()]
    assert len({label["kind"] for label in told}) > 9
    assert [(fault.kind, fault.key) for fault in faults_in(str(labels))] == [
        (label["kind"], label["key"]) for label in told
    ]


def test_live_users_are_not_to_be_had(tmp_path: Path) -> None:
    shown = vigie("feed", "activity", "user_activity", "--live", "--lake", str(tmp_path))

    assert shown.exit_code == 2
    assert "has no live feed" in shown.stderr


def test_live_changes_without_a_contact_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("VIGIE_CONTACT", raising=False)

    shown = vigie("feed", "activity", "recent_changes", "--live", "--lake", str(tmp_path))

    assert shown.exit_code == 2
    assert "VIGIE_CONTACT" in shown.stderr and "e-mail" in shown.stderr


@pytest.mark.parametrize(
    ("contact", "is_one"),
    [
        ("you@example.org", True),
        ("https://example.org/about", True),
        ("nobody", False),
        ("you@example.org\r\nX: y", False),
        ("chloé@example.org", False),
    ],
)
def test_a_contact_is_an_e_mail_or_a_web_address(contact: str, is_one: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    from vigie.errors import BadSetting
    from vigie.settings import read_settings

    monkeypatch.setenv("VIGIE_CONTACT", contact)

    if is_one:
        assert read_settings().contact == contact
        return
    with pytest.raises(BadSetting, match=r"VIGIE_CONTACT.*nobody can be reached there"):
        read_settings()


def test_feeds_that_run_beside_each_other_are_told_of_as_one() -> None:
    told: list[Progress] = []
    together = Together(told.append)

    together.told("users", Progress(10, 5.0, 0.5, "inbox:a"))
    together.told("wikis", Progress(3, 1.0, 2.0, "inbox:b"))
    together.told("users", Progress(20, 6.0, 0.1, "inbox:a"))

    assert told == [
        Progress(10, 5.0, 0.5, "inbox:a"),
        Progress(13, 6.0, 2.0, "inbox:a and inbox:b"),
        Progress(23, 7.0, 2.0, "inbox:a and inbox:b"),
    ]
