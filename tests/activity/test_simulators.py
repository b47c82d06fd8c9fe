"""What is promised of both simulators, whatever they are about: bytes, time, faults and labels."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.activity.feeds import DAY, HOUR, START, a_simulation, digest, during, instant, messages, objects
from vigie.activity import edits, simulator
from vigie.activity.spoilers import CHANGE_SPOILERS, USER_SPOILERS
from vigie.errors import BadSetting
from vigie.feed import Simulate
from vigie.spoiling import Spoiler

SIMULATORS = [pytest.param(simulator.simulate, id="users"), pytest.param(edits.simulate, id="edits")]
both = pytest.mark.parametrize("simulate", SIMULATORS)


def name_of(message: bytes) -> str:
    said = json.loads(message)
    return str(said["event_id"] if "event_id" in said else said["meta"]["id"])


def moment_of(message: bytes) -> float:
    said = json.loads(message)
    return instant(said["timestamp"] if "event_id" in said else said["meta"]["dt"])


@pytest.mark.parametrize("module", ["simulator", "edits"])
def test_the_same_simulation_gives_the_same_bytes_in_another_process(module: str) -> None:
    simulate = {"simulator": simulator.simulate, "edits": edits.simulate}[module]
    program = (
        f"from vigie.activity.{module} import simulate;"
        "from tests.activity.feeds import a_simulation, digest, messages;"
        "print(digest(messages(simulate, a_simulation(faults=0.3), 20_000)))"
    )

    printed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout

    assert printed.strip() == digest(messages(simulate, a_simulation(faults=0.3), 20_000))


@both
def test_another_seed_gives_other_messages_and_another_start_gives_other_names(simulate: Simulate) -> None:
    one = messages(simulate, a_simulation(), 2_000)
    other_seed = messages(simulate, a_simulation(seed=8), 2_000)
    later = messages(simulate, a_simulation(start=START + DAY), 2_000)

    names = [{name_of(value) for _, value in sent} for sent in (one, other_seed, later)]
    assert all(len(each) == 2_000 for each in names)
    assert not names[0] & names[1] and not names[0] & names[2]


@both
@settings(max_examples=25, deadline=None)
@given(
    keys=st.integers(1, 300), interval=st.sampled_from([0.02, 0.5, 1.0, 10.0, 60.0, 3_600.0]), start=st.floats(0, 4e9)
)
def test_messages_come_in_order_and_none_before_it_happened(
    simulate: Simulate, keys: int, interval: float, start: float
) -> None:
    simulation = a_simulation(start, keys=keys, interval=interval)
    sent: list[tuple[float, bytes]] = []
    for tick in simulate(simulation):
        sent += [(tick.at, value) for _, value in tick.messages]
        if len(sent) > 200:
            break

    moments = [moment_of(value) for _, value in sent]
    assert moments == sorted(moments)
    assert moments[0] >= start - 0.001
    assert all(at >= moment - 0.001 for (at, _), moment in zip(sent, moments, strict=True))


@both
@pytest.mark.parametrize("start", [START, START + 14 * HOUR])
@pytest.mark.parametrize("interval", [1.0, 10.0, 30.0])
def test_so_many_messages_never_take_longer_than_the_interval_gives_them(
    simulate: Simulate, start: float, interval: float
) -> None:
    rows, keys = 20_000, 500
    simulation = a_simulation(start, keys=keys, interval=interval)
    sent = 0
    for tick in simulate(simulation):
        sent += len(tick.messages)
        if sent >= rows:
            break

    assert tick.at <= start + rows / keys * interval


@both
def test_days_are_busier_than_nights(simulate: Simulate) -> None:
    def messages_of_ten_minutes(start: float) -> int:
        return len(list(during(simulate, a_simulation(start, keys=400), 600)))

    night, day = messages_of_ten_minutes(START + 4 * HOUR), messages_of_ten_minutes(START + 16 * HOUR)

    assert 400 * 600 / 10 < night < day / 1.5


def seconds_of(work: Callable[[], object]) -> float:
    """Of a core; a busy machine makes them longer for whatever is done on it."""
    began = time.process_time()
    work()
    return time.process_time() - began


@both
def test_a_message_takes_no_longer_than_four_hundred_squares_of_plain_python(simulate: Simulate) -> None:
    simulation = a_simulation(keys=10_000, interval=10.0, faults=0.02)
    made: list[object] = []

    squares = seconds_of(lambda: sum(each * each for each in range(2_000_000)))
    taken = seconds_of(lambda: made.extend(messages(simulate, simulation, 100_000)))

    assert len(made) == 100_000
    assert taken < 20 * squares


@both
@pytest.mark.parametrize("wrong", [{"keys": 0}, {"keys": 100_001}, {"interval": 0.0}, {"faults": 1.5}])
def test_a_simulation_that_cannot_be_is_refused_and_the_flag_named(simulate: Simulate, wrong: dict[str, Any]) -> None:
    with pytest.raises(BadSetting, match="--" + next(iter(wrong))):
        simulate(a_simulation(**wrong))


@both
def test_faults_are_as_many_as_asked_each_kind_as_often_and_each_is_told(simulate: Simulate) -> None:
    labels: list[dict[str, Any]] = []
    simulation = a_simulation(faults=0.05, label=labels.append)
    spoilers = USER_SPOILERS if simulate is simulator.simulate else CHANGE_SPOILERS

    sent = messages(simulate, simulation, 40_000)

    counts = Counter(label["kind"] for label in labels if label["kind"] in {*spoilers, "repeat", "late"})
    assert 0.045 < counts.total() / 40_000 < 0.055
    assert set(counts) == {*spoilers, "repeat", "late"}
    assert max(counts.values()) - min(counts.values()) <= 1
    assert not any(b"\n" in value or b"\r" in value for _, value in sent)
    assert all(list(label)[:4] == ["kind", "key", "from", "to"] for label in labels)


@both
def test_a_repeat_comes_again_as_it_was_and_a_late_message_comes_late(simulate: Simulate) -> None:
    labels: list[dict[str, Any]] = []
    simulation = a_simulation(faults=0.02)
    sound = {value: at for at, value in during(simulate, replace(simulation, faults=0.0), HOUR)}
    sent = defaultdict(list)
    for at, value in during(simulate, replace(simulation, label=labels.append), HOUR):
        if value in sound:
            sent[value].append(at - sound[value])

    again = [delays[-1] for delays in sent.values() if len(delays) == 2]
    late = [delays[0] for delays in sent.values() if delays[0] > 0]
    due = {kind: [one["delay_s"] for one in labels if one["kind"] == kind] for kind in ("repeat", "late")}
    assert 0.7 * len(due["repeat"]) < len(again) <= len(due["repeat"])
    assert 0.6 * len(due["late"]) < len(late) <= len(due["late"])
    assert min(again) >= 0 and max(again) <= 602
    assert min(late) >= 60 and max(late) <= 1_202


def refuse(constant: str) -> None:
    raise ValueError(constant)


SPOILT = [
    pytest.param(simulate, spoiler, id=f"{kind}-{name}")
    for kind, simulate, spoilers in (
        ("users", simulator.simulate, USER_SPOILERS),
        ("edits", edits.simulate, CHANGE_SPOILERS),
    )
    for name, spoiler in spoilers.items()
]
STILL_JSON = {"wrong_type", "missing_field", "future"}


@settings(deadline=None)
@given(draw=st.floats(0, 1, exclude_max=True))
@pytest.mark.parametrize(("simulate", "spoiler"), SPOILT)
def test_a_spoilt_message_is_no_json_or_lacks_or_misstates_one_field(
    simulate: Simulate, spoiler: Spoiler, draw: float
) -> None:
    spoilers = USER_SPOILERS if simulate is simulator.simulate else CHANGE_SPOILERS
    name = next(name for name, each in spoilers.items() if each is spoiler)
    sound = messages(simulate, a_simulation(), 1)[0][1]

    spoilt = spoiler(sound, draw)

    assert spoilt != sound
    if name not in STILL_JSON:
        with pytest.raises(ValueError):
            json.loads(spoilt.decode(), parse_constant=refuse)
        return
    before, after = json.loads(sound), json.loads(spoilt)
    [field] = [each for each in before if after.get(each) != before[each]]
    if name == "wrong_type":
        assert type(after[field]) is not type(before[field]) or after[field] == "yesterday"
    elif name == "missing_field":
        assert field not in after
    else:
        ahead = instant if isinstance(before[field], str) else float
        assert 86_400 <= ahead(after[field]) - ahead(before[field]) <= 30 * 86_400


@both
def test_faults_change_nothing_about_the_messages_that_are_sound(simulate: Simulate) -> None:
    assert digest(messages(simulate, a_simulation(), 5_000)) == digest(
        messages(simulate, a_simulation(faults=1e-12), 5_000)
    )


def test_both_say_what_they_are_about_in_their_key() -> None:
    for key, value in messages(simulator.simulate, a_simulation(), 500):
        assert key == json.loads(value)["user_id"].encode()
    for key, value in messages(edits.simulate, a_simulation(), 500):
        assert key == json.loads(value)["title"].encode()


def test_objects_of_a_span_are_those_of_its_messages() -> None:
    assert len(objects(simulator.simulate, a_simulation(), 60)) == len(
        list(during(simulator.simulate, a_simulation(), 60))
    )
