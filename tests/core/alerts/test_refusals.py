"""What a receiver refuses: one message is put aside and counted; when it refuses all, all wait, and loudly."""

from __future__ import annotations

import logging
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from pydantic import SecretStr

from tests.core.alerts.outboxes import TurnedClock, an_outbox, carried, dead_letters, note, sent_all
from tests.runs import ROOT
from tests.sinks.receivers import Hooks, Kept, a_log, closed, found, opened
from vigie.alerts import Event
from vigie.backoff import REFUSED_S
from vigie.core.alerts.outbox import Outbox
from vigie.sinks import NotNow, Refused, Undeliverable
from vigie.sinks.webhook import Hook

ENOUGH_S = 1_200.0


class Choosy(Kept):
    """A receiver that raises for whatever holds an event with one of these keys."""

    def __init__(self, *keys: str, trouble: type[Exception] = Undeliverable) -> None:
        super().__init__()
        self.keys = keys
        self.trouble = trouble
        self.tries: list[str] = []

    def send(self, events: Sequence[Event]) -> None:
        self.tries += [event.alert.key for event in events]
        if any(event.alert.key in self.keys for event in events):
            raise self.trouble("it does not like that")
        super().send(events)


def worked_off(outbox: Outbox) -> TurnedClock:
    """A courier's work until nothing waits, for twenty minutes at most."""
    clock = TurnedClock(lambda now: now > ENOUGH_S or not outbox.waiting())
    carried(outbox, clock)
    return clock


def keys(events: Sequence[Event]) -> list[str]:
    return [event.alert.key for event in events]


def test_one_notification_that_is_refused_mutes_no_other(tmp_path: Path) -> None:
    log = a_log(tmp_path / "log")
    hooks = Hooks()
    with hooks.running():
        bad = opened("<script>").alert.alert_id
        hooks.answer = lambda before: (400, {}) if hooks.heads[before] == bad else (200, {})
        outbox = an_outbox(tmp_path, Hook(SecretStr(hooks.url), 10))
        found(log, *(opened(key) for key in ("a", "b", "<script>", "c", "d")))

        clock = worked_off(outbox)

    assert hooks.taken() == [opened(key).alert.alert_id for key in "abcd"]
    assert sum(post.status == 400 for post in hooks.posted) == 3
    assert dead_letters(tmp_path) == [("<script>", "opened")]
    assert clock.now < 10, "nobody waited for it for minutes"


@pytest.mark.parametrize("many", [2, 12])
def test_many_that_are_refused_in_a_row_mute_no_other(tmp_path: Path, many: int) -> None:
    log = a_log(tmp_path / "log")
    bad = tuple(f"bad{number}" for number in range(many))
    outbox = an_outbox(tmp_path, receiver := Choosy(*bad))
    found(log, *(opened(key) for key in bad), opened("good"), opened("better"))

    clock = worked_off(outbox)

    assert keys(receiver.events) == ["good", "better"]
    assert [key for key, _ in dead_letters(tmp_path)] == sorted(bad)
    assert clock.now < 120


def test_a_firewall_that_forbids_one_message_mutes_no_other(tmp_path: Path) -> None:
    """Its 403 says that nobody may write there; what it takes says otherwise."""
    log = a_log(tmp_path / "log")
    outbox = an_outbox(tmp_path, receiver := Choosy("' OR 1=1", trouble=Refused))
    found(log, opened("' OR 1=1"), *(opened(key) for key in "abcd"))

    clock = worked_off(outbox)

    assert keys(receiver.events) == ["a", "b", "c", "d"]
    assert dead_letters(tmp_path) == [("' OR 1=1", "opened")]
    assert clock.now < 2 * REFUSED_S + 10


def test_a_receiver_that_fails_at_one_message_is_given_the_others(tmp_path: Path) -> None:
    """Its 500 may pass, so the message waits; but behind the others, whose turn comes after half a minute."""
    log = a_log(tmp_path / "log")
    outbox = an_outbox(tmp_path, receiver := Choosy("\x00", trouble=NotNow))
    found(log, opened("\x00"), *(opened(key) for key in "abcd"))
    clock = TurnedClock(lambda now: now > 120)

    carried(outbox, clock)

    assert keys(receiver.events) == ["a", "b", "c", "d"]
    assert outbox.waiting() == 1
    assert dead_letters(tmp_path) == []


@pytest.mark.parametrize("trouble", [Undeliverable, Refused])
def test_who_refuses_everything_is_waited_for_and_nothing_is_put_aside(
    tmp_path: Path, trouble: type[Exception], caplog: pytest.LogCaptureFixture
) -> None:
    log = a_log(tmp_path / "log")
    everything = tuple("abcdef")
    outbox = an_outbox(tmp_path, receiver := Choosy(*everything, trouble=trouble))
    found(log, *(opened(key) for key in everything))
    clock = TurnedClock(lambda now: now > ENOUGH_S)

    courier = carried(outbox, clock)

    assert outbox.waiting() == 6
    assert dead_letters(tmp_path) == []
    assert courier.resting.is_set(), "a run with --once does not wait for it for ever"
    assert len(receiver.tries) < 40, "three times each, and then one every five minutes"
    [first, *_] = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert first.startswith("outbox-x takes nothing, and 6 wait: it does not like that")

    receiver.keys = ()
    sent_all(an_outbox(tmp_path, receiver))
    assert keys(receiver.events) == list(everything)


def test_a_receiver_that_begins_to_refuse_everything_loses_one_to_the_dead_letters_at_most(tmp_path: Path) -> None:
    log = a_log(tmp_path / "log")
    outbox = an_outbox(tmp_path, receiver := Choosy("b", "c", "d"))
    found(log, *(opened(key) for key in "abcd"))
    clock = TurnedClock(lambda now: now > ENOUGH_S)

    carried(outbox, clock)

    assert keys(receiver.events) == ["a"]
    assert dead_letters(tmp_path) == [("b", "opened")]
    assert outbox.waiting() == 2


def test_what_comes_while_one_is_refused_is_sent_at_once(tmp_path: Path) -> None:
    log = a_log(tmp_path / "log")
    outbox = an_outbox(tmp_path, receiver := Choosy("bad"))
    found(log, opened("bad"))

    def until(now: float) -> bool:
        if now > 20 and not came:
            came.append(now)
            found(log, opened("good"))
        return bool(receiver.events) or now > ENOUGH_S

    came: list[float] = []
    clock = TurnedClock(until)
    carried(outbox, clock)

    assert keys(receiver.events) == ["good"]
    assert clock.now - came[0] <= 1


def test_the_worst_comes_first_and_then_the_oldest(tmp_path: Path) -> None:
    log = a_log(tmp_path / "log")
    outbox = an_outbox(tmp_path, receiver := Kept())
    found(log, opened("i", severity="info"), opened("w1"), opened("c1", severity="critical"))
    found(log, opened("w2"), opened("c2", severity="critical"))

    sent_all(outbox)

    assert keys(receiver.events) == ["c1", "c2", "w1", "w2", "i"]
    assert note(tmp_path) == {"version": 2, "sent": 0}


def test_a_restart_knows_which_were_sent_before_their_turn(tmp_path: Path) -> None:
    log = a_log(tmp_path / "log")
    first = an_outbox(tmp_path, before := Kept())
    found(log, opened("i", severity="info"), opened("c", severity="critical"), opened("w"))
    found(log, opened("c2", severity="critical"))
    assert first.send() and first.send()
    assert keys(before.events) == ["c", "c2"]
    assert note(tmp_path) == {"version": 0, "sent": 0, "beyond": [[1, 1], [2, 0]]}

    again = an_outbox(tmp_path, after := Kept())
    assert again.waiting() == 2
    sent_all(again)

    assert keys(after.events) == ["w", "i"]
    assert note(tmp_path) == {"version": 2, "sent": 0}


def test_an_end_is_never_told_before_its_beginning(tmp_path: Path) -> None:
    log = a_log(tmp_path / "log")
    outbox = an_outbox(tmp_path, receiver := Choosy("bad"))
    found(log, opened("bad"), closed("bad"), opened("a"), closed("a"))

    worked_off(outbox)

    assert [(event.alert.key, event.event) for event in receiver.events] == [("a", "opened"), ("a", "closed")]
    assert dead_letters(tmp_path) == [("bad", "closed"), ("bad", "opened")]


def test_when_many_wait_they_are_given_together_and_when_few_do_one_by_one(tmp_path: Path) -> None:
    log = a_log(tmp_path / "log")
    outbox = an_outbox(tmp_path, receiver := Kept(), at_once=1_000, digest_over=5)
    found(log, *(opened(f"{number}") for number in range(75)))
    sent_all(outbox)
    found(log, *(opened(f"more {number}") for number in range(5)))
    sent_all(outbox)

    assert receiver.calls == [75, 1, 1, 1, 1, 1]


def test_one_of_many_that_is_refused_is_found_and_the_others_are_sent(tmp_path: Path) -> None:
    log = a_log(tmp_path / "log")
    outbox = an_outbox(tmp_path, receiver := Choosy("17"), at_once=1_000, digest_over=5)
    found(log, *(opened(f"{number}") for number in range(75)))

    worked_off(outbox)

    assert sorted(keys(receiver.events), key=int) == [str(number) for number in range(75) if number != 17]
    assert dead_letters(tmp_path) == [("17", "opened")]
    assert len(receiver.calls) < 20, "in messages of many, still"


DIES = """
import os, signal, sys
from pathlib import Path
from pydantic import SecretStr
from vigie.core.alerts.dead_letters import DeadLetters
from vigie.core.alerts.outbox import Destination, Outbox, Portion
from vigie.sinks import Refused
from vigie.sinks.webhook import Hook

folder, url, at = sys.argv[1:]
folder = Path(folder)

class Lines:
    def send(self, events):
        with (folder / "lines").open("a") as file:
            file.write(" ".join(event.alert.key for event in events) + "\\n")

    def close(self):
        pass

def committed(name):
    if name == "outbox-x " + at:
        os.kill(os.getpid(), signal.SIGKILL)

to = Destination(
    Hook(SecretStr(url), 10) if url else Lines(),
    DeadLetters(folder / "dead_letters", "p", "outbox-x"),
    Portion() if url else Portion(1_000, 5),
)
outbox = Outbox(folder / "log", folder / "outbox-x" / "note.json", to, lambda event: True, committed)
while outbox.waiting():
    try:
        outbox.send()
    except Refused:
        pass
"""


def died(tmp_path: Path, url: str) -> Callable[[str], int]:
    def at(name: str) -> int:
        script = [sys.executable, "-c", DIES, str(tmp_path), url, name]
        return subprocess.run(script, cwd=ROOT, check=False, capture_output=True).returncode

    return at


def test_who_dies_between_a_dead_letter_and_the_note_writes_it_once(tmp_path: Path) -> None:
    log = a_log(tmp_path / "log")
    an_outbox(tmp_path, Kept())
    found(log, *(opened(key) for key in ("a", "bad", "b")))
    bad = opened("bad").alert.alert_id
    hooks = Hooks()
    hooks.answer = lambda before: (413, {}) if hooks.heads[before] == bad else (200, {})
    with hooks.running():
        ends = died(tmp_path, hooks.url)

        assert ends("dead letter") == -signal.SIGKILL
        assert dead_letters(tmp_path) == [("bad", "opened")]
        assert an_outbox(tmp_path, Kept()).waiting() == 1
        found(log, opened("c"))
        assert ends("never") == 0

    assert dead_letters(tmp_path) == [("bad", "opened")]
    assert set(hooks.taken()) == {opened(key).alert.alert_id for key in "abc"}
    assert note(tmp_path) == {"version": 2, "sent": 0}


def test_who_dies_between_a_digest_and_the_note_sends_it_again_and_loses_none(tmp_path: Path) -> None:
    log = a_log(tmp_path / "log")
    an_outbox(tmp_path, Kept())
    found(log, *(opened(str(number)) for number in range(10)))
    ends = died(tmp_path, "")

    assert ends("sent") == -signal.SIGKILL
    assert note(tmp_path) == {"version": 0, "sent": 0}
    found(log, opened("10"))
    assert ends("never") == 0

    first, again = (tmp_path / "lines").read_text().splitlines()
    assert again.split() == [*first.split(), "10"]
    assert note(tmp_path) == {"version": 2, "sent": 0}
