"""The outbox: what was found is sent, in order, at least once, and never under two ids."""

from __future__ import annotations

import logging
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import SecretStr

from tests.core.alerts.outboxes import TurnedClock, an_outbox, carried, note, sent_all
from tests.runs import ROOT
from tests.sinks.receivers import WATCH, Hooks, Kept, a_log, closed, found, opened
from vigie.alerts import CLOSED
from vigie.backoff import LONGEST_S, REFUSED_S, Backoff
from vigie.commands import Silences
from vigie.core.alerts.sender import Courier, at_work, see_through
from vigie.core.alerts.unsent import Wanted
from vigie.errors import RunFailed
from vigie.graph import SEVERITIES
from vigie.lake import Lake
from vigie.sinks import NotNow, Refused
from vigie.sinks.webhook import Hook


def test_all_that_a_watch_found_is_sent_in_the_order_in_which_it_was_found(tmp_path: Path) -> None:
    log, receiver = a_log(tmp_path / "log"), Kept()
    outbox = an_outbox(tmp_path, receiver, at_once=2)
    events = [opened("a"), opened("b"), opened("c"), closed("a"), opened("d")]
    found(log, *events[:3])
    found(log, *events[3:])

    sent_all(outbox)

    assert receiver.events == events
    assert receiver.calls == [2, 2, 1]
    assert note(tmp_path) == {"version": 2, "sent": 0}
    assert outbox.waiting() == 0


def test_what_another_watch_found_or_is_suppressed_is_not_sent(tmp_path: Path) -> None:
    log, receiver = a_log(tmp_path / "log"), Kept()
    outbox = an_outbox(tmp_path, receiver)
    found(log, opened("a", watch="watch-others-by-id"))
    found(log, opened("b", suppressed_by="maintenance"), opened("c"))
    found(log, opened("d", suppressed_by="maintenance"))

    assert outbox.waiting() == 1
    sent_all(outbox)

    assert [event.alert.key for event in receiver.events] == ["c"]
    assert outbox.waiting() == 0


@pytest.mark.parametrize(("at_least", "told"), [("info", "abc"), ("warning", "bc"), ("critical", "c")])
def test_a_sink_is_told_of_what_is_severe_enough_and_of_its_end(tmp_path: Path, at_least: str, told: str) -> None:
    events = [opened(key, severity=severity) for key, severity in zip("abc", SEVERITIES, strict=True)]
    ends = [replace(event, event=CLOSED) for event in events]
    wanted = Wanted(WATCH, Silences(Lake(tmp_path), "p"), at_least)

    assert "".join(event.alert.key for event in events if wanted(event)) == told
    assert "".join(event.alert.key for event in ends if wanted(event)) == told


def test_a_sink_that_is_new_to_a_lake_is_told_what_is_found_from_then_on(tmp_path: Path) -> None:
    log, receiver = a_log(tmp_path / "log"), Kept()
    found(log, opened("long ago"))

    outbox = an_outbox(tmp_path, receiver)
    found(log, opened("now"))
    sent_all(outbox)

    assert [event.alert.key for event in receiver.events] == ["now"]


def test_a_sink_that_is_there_before_the_log_is_told_all(tmp_path: Path) -> None:
    outbox = an_outbox(tmp_path, receiver := Kept())
    assert not outbox.send()

    found(a_log(tmp_path / "log"), opened("first"))
    sent_all(outbox)

    assert [event.alert.key for event in receiver.events] == ["first"]


def test_an_outbox_goes_on_within_a_commit_where_the_one_before_it_stopped(tmp_path: Path) -> None:
    log = a_log(tmp_path / "log")
    first = an_outbox(tmp_path, Kept())
    found(log, *(opened(key) for key in "abcde"))
    assert first.send() and first.send()
    assert note(tmp_path) == {"version": 0, "sent": 2}

    again = an_outbox(tmp_path, receiver := Kept(), at_once=10)
    assert again.waiting() == 3
    sent_all(again)

    assert [event.alert.key for event in receiver.events] == ["c", "d", "e"]


def test_what_was_not_taken_stays_the_next(tmp_path: Path) -> None:
    log = a_log(tmp_path / "log")
    outbox = an_outbox(tmp_path, receiver := Kept(NotNow("down"), Refused("no")))
    found(log, opened("a"))

    with pytest.raises(NotNow):
        outbox.send()
    with pytest.raises(Refused):
        outbox.send()
    assert note(tmp_path) == {"version": 0, "sent": 0}
    sent_all(outbox)

    assert [event.alert.key for event in receiver.events] == ["a"]


def test_nothing_is_lost_while_a_receiver_is_down_slow_or_in_trouble_for_five_minutes(tmp_path: Path) -> None:
    log = a_log(tmp_path / "log")
    events = [event for key in "abcdef" for event in (opened(key), closed(key))]
    wanted = [f"{event.alert.alert_id}{'-closed' if event.event == 'closed' else ''}" for event in events]
    hooks, answered = Hooks(), threading.Event()

    def answer(before: int) -> tuple[int, dict[str, str]]:
        if clock.now < 100:
            return 500, {}
        if clock.now < 200:
            return 503, {"Retry-After": "70"}
        if clock.now < 300:
            answered.wait(10)  # until this one has given up
        return 200, {}

    def until(now: float) -> bool:
        answered.set() if now >= 300 else answered.clear()
        return not outbox.waiting()

    clock = TurnedClock(until)
    hooks.answer = answer
    with hooks.running():
        url = hooks.url
    early = an_outbox(tmp_path, Hook(SecretStr(url), timeout=0.2))
    found(log, *events[:4])
    found(log, *events[4:])
    assert carried(early, TurnedClock(lambda now: now > 50)).outbox.waiting() == len(events)  # nobody listens

    outbox = an_outbox(tmp_path, Hook(SecretStr(url), timeout=0.2))
    with hooks.running(int(url.split(":")[2].split("/")[0])):
        carried(outbox, clock)

    assert clock.now >= 300
    once = list(dict.fromkeys(hooks.taken()))
    assert sorted(once) == sorted(wanted), "each is there; one that was slow to be answered may be there twice"
    assert all(once.index(end.removesuffix("-closed")) < once.index(end) for end in wanted if "-" in end)
    assert {post.body["alert_id"] for post in hooks.posted} == {event.alert.alert_id for event in events}
    assert max(clock.waits) == 70, "the receiver asked for it"


def test_tries_come_ever_less_often_but_no_less_than_once_a_minute(tmp_path: Path) -> None:
    log = a_log(tmp_path / "log")
    outbox = an_outbox(tmp_path, Kept(*(NotNow("down") for _ in range(100))))
    found(log, opened())
    clock = TurnedClock(lambda now: now > 600)

    carried(outbox, clock)

    assert clock.waits[:8] == [1, 2, 4, 8, 16, 32, LONGEST_S, LONGEST_S]
    assert max(clock.waits) == LONGEST_S


def test_jitter_takes_up_to_half_of_a_pause() -> None:
    assert Backoff(lambda: 0.0).after() == 0.5
    assert Backoff(lambda: 1.0).after() == 1.0


def test_a_refusal_is_told_as_an_error_and_tried_again_slowly(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "vigie")
    log = a_log(tmp_path / "log")
    outbox = an_outbox(tmp_path, receiver := Kept(Refused("it is gone", do="Make a new one.")))
    found(log, opened("a"))
    clock = TurnedClock(lambda _: bool(receiver.events))

    carried(outbox, clock)

    assert clock.waits[0] == REFUSED_S
    assert [event.alert.key for event in receiver.events] == ["a"]
    [told] = [record for record in caplog.records if record.levelname == "ERROR"]
    assert "it is gone\nMake a new one." in told.getMessage()
    assert "takes alerts again" in caplog.text


def test_a_receiver_that_does_not_answer_holds_up_neither_the_log_nor_the_end(tmp_path: Path) -> None:
    log = a_log(tmp_path / "log")
    hooks, enough = Hooks(), threading.Event()
    hooks.answer = lambda _: (200, {}) if enough.wait(60) else (500, {})
    with hooks.running():
        outbox = an_outbox(tmp_path, Hook(SecretStr(hooks.url), timeout=60))
        courier = Courier(outbox, lambda problem: pytest.fail(str(problem)))
        found(log, opened("first"))
        began = time.monotonic()
        with at_work([courier]):
            assert hooks.came.acquire(timeout=30)
            for number in range(20):
                found(log, opened(str(number)))
        took = time.monotonic() - began
        enough.set()
        assert courier.resting.wait(30)

    assert took < 20, "it was given up, and not waited for"
    assert note(tmp_path) == {"version": 0, "sent": 0}, "whoever comes next sends it again"


def test_a_run_that_ends_waits_for_what_is_left_and_says_what_it_could_not_send(tmp_path: Path) -> None:
    log = a_log(tmp_path / "log")
    outbox = an_outbox(tmp_path, Kept(*(Refused("it is gone") for _ in range(100))))
    found(log, opened("a"), opened("b"))
    courier = Courier(outbox, lambda problem: pytest.fail(str(problem)))

    with (
        at_work([courier]),
        pytest.raises(RunFailed, match="wait: 2 for outbox-x\nThe log says why. Nothing is lost: the next run"),
    ):
        see_through([courier], threading.Event())

    again = Courier(an_outbox(tmp_path, receiver := Kept()), lambda problem: pytest.fail(str(problem)))
    with at_work([again]):
        see_through([again], threading.Event())
    assert [event.alert.key for event in receiver.events] == ["a", "b"]


def test_a_receiver_that_is_down_is_waited_for_no_longer_than_said(tmp_path: Path) -> None:
    log = a_log(tmp_path / "log")
    outbox = an_outbox(tmp_path, Kept(*(NotNow("down") for _ in range(100))))
    found(log, opened("a"))
    courier = Courier(outbox, lambda problem: pytest.fail(str(problem)))

    with at_work([courier]), pytest.raises(RunFailed, match="wait: 1 for outbox-x"):
        see_through([courier], threading.Event(), within=0.3)


def test_what_no_courier_can_mend_ends_the_run(tmp_path: Path) -> None:
    log = a_log(tmp_path / "log")
    failed: list[BaseException] = []
    courier = Courier(an_outbox(tmp_path, Kept(ValueError("a bug"))), failed.append)
    found(log, opened("a"))

    with at_work([courier]), pytest.raises(ValueError, match="a bug"):
        see_through([courier], threading.Event())

    assert [str(problem) for problem in failed] == ["a bug"]


DIES = """
import os, signal, sys
from pathlib import Path
from pydantic import SecretStr
from vigie.core.alerts.dead_letters import DeadLetters
from vigie.core.alerts.outbox import Destination, Outbox
from vigie.sinks.webhook import Hook

log, note, url, sends = sys.argv[1:]

def committed(name):
    global sends
    sends = int(sends) - name.endswith("sent")
    if name.endswith("sent") and sends == 0:
        os.kill(os.getpid(), signal.SIGKILL)

to = Destination(Hook(SecretStr(url), 10), DeadLetters(Path(log).with_name("dead_letters"), "p", "outbox-x"))
outbox = Outbox(Path(log), Path(note), to, lambda event: True, committed)
while outbox.send():
    pass
"""


def test_a_process_that_is_killed_between_the_answer_and_the_note_sends_it_again_under_the_same_id(
    tmp_path: Path,
) -> None:
    log, path = a_log(tmp_path / "log"), tmp_path / "outbox-x" / "note.json"
    an_outbox(tmp_path, Kept())
    found(log, *(opened(key) for key in "abc"))
    wanted = [opened(key).alert.alert_id for key in "abc"]
    with Hooks().running() as hooks:
        script = [sys.executable, "-c", DIES, str(log), str(path), hooks.url]

        for dies_at, taken in ((1, wanted[:1]), (2, [wanted[0], wanted[0], wanted[1]])):
            ended = subprocess.run([*script, str(dies_at)], cwd=ROOT, check=False, capture_output=True, text=True)
            assert ended.returncode == -signal.SIGKILL, ended.stderr
            assert hooks.taken() == taken
        ended = subprocess.run([*script, "0"], cwd=ROOT, check=False, capture_output=True, text=True)

    assert ended.returncode == 0, ended.stderr
    assert list(dict.fromkeys(hooks.taken())) == wanted, "a receiver that keeps keys has each once"
    assert len(hooks.taken()) == len(wanted) + 2
    assert note(tmp_path) == {"version": 1, "sent": 0}
