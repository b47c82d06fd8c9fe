"""What a person types, and what comes back: on which stream, in which form, with which exit code."""

from __future__ import annotations

import base64
import json
import os
import re
import signal
import subprocess
import sys
import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import write_deltalake
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from vigie.cli import app
from vigie.feeding import instant
from vigie.lake import Lake, is_table
from vigie.listing import encoded, text_of

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
INSTANT = pa.timestamp("us", "UTC")
VIGIE = [sys.executable, "-c", "from vigie.cli import main; main()"]
MANY = "SELECT repeat('x', 1000) FROM range(100_000)"
MINE = '''
from itertools import count

from vigie.feed import Tick
from vigie.pipeline import Pipeline


def simulate(wish):
    for n in count():
        yield Tick(wish.start + n, [(b"k", b'{"id": "%d", "at": %d}' % (n, wish.start + n))])


mine = Pipeline("mine")
raw = mine.source("things_raw", schema="id STRING, at BIGINT", key="id", simulated=simulate)


@mine.silver("things", reads=raw, schema="id STRING")
def things(rows):
    """One thing."""
    return rows


@mine.question
def how_many(things):
    """How many things
    are there?"""
    return things
'''


def vigie(*args: str) -> Result:
    return CliRunner().invoke(app, list(args))


def a_pipeline(folder: Path, text: str = MINE) -> str:
    path = folder / "mine.py"
    path.write_text(text)
    return str(path)


def an_entry(**changes: Any) -> dict[str, Any]:
    entry = {
        "query": "things_raw", "table": "silver/things", "batch": 0, "read": 10, "accepted": 7,
        "quarantined": 1, "duplicate": 1, "late": 1, "late_before": None, "offsets": "{}", "at": NOON,
    }  # fmt: skip
    return entry | changes


def a_broken_row(**changes: Any) -> dict[str, Any]:
    row = {
        "table": "silver/things", "source": "things_raw", "topic": None, "partition": None, "offset": None,
        "file": "file:///in/a.jsonl", "line": 3, "key": None, "value": b'{"id": 1', "received_at": NOON,
        "rules": ["is valid JSON"], "batch": 0, "requeued_at": None,
    }  # fmt: skip
    return row | changes


def a_lake(folder: Path, entries: list[dict[str, Any]], broken: list[dict[str, Any]]) -> list[str]:
    lake = Lake.at(folder / "lake")
    whole = {"read", "accepted", "quarantined", "duplicate", "late", "batch"}
    ledger = pa.schema(
        [
            (name, pa.int64() if name in whole else INSTANT if name in {"late_before", "at"} else pa.string())
            for name in an_entry()
        ]
    )
    kinds = {
        "partition": pa.int32(), "offset": pa.int64(), "line": pa.int64(), "batch": pa.int64(),
        "key": pa.binary(), "value": pa.binary(), "received_at": INSTANT, "requeued_at": INSTANT,
        "rules": pa.list_(pa.string()),
    }  # fmt: skip
    quarantine = pa.schema([(name, kinds.get(name, pa.string())) for name in a_broken_row()])
    write_deltalake(lake.ledger("mine"), pa.Table.from_pylist(entries, ledger))
    write_deltalake(lake.quarantine("mine"), pa.Table.from_pylist(broken, quarantine))
    return ["--lake", str(lake)]


@pytest.mark.parametrize("command", [command.callback.__name__ for command in app.registered_commands])  # type: ignore[union-attr]
def test_every_command_has_help_that_gives_an_example(command: str) -> None:
    shown = vigie(command, "--help")

    assert shown.exit_code == 0
    assert f"vigie {command}" in shown.stdout.partition("Arguments")[0].partition("Usage:")[2].partition("\n")[2]
    assert "--debug" in shown.stdout
    assert "--log-format" in shown.stdout


def test_a_word_that_is_no_command_is_exit_2_on_standard_error() -> None:
    shown = vigie("quer", "SELECT 1")

    assert (shown.exit_code, shown.stdout) == (2, "")
    assert "query" in shown.stderr


def test_it_says_which_version_it_is() -> None:
    pinned = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text())["project"]["version"]

    answer = vigie("--version")

    assert (answer.exit_code, answer.stdout) == (0, f"Vigie {pinned}\n")


def test_check_says_that_a_pipeline_makes_sense(tmp_path: Path) -> None:
    shown = vigie("check", a_pipeline(tmp_path))

    assert shown.exit_code == 0
    assert "makes sense" in shown.stdout


def test_check_prints_every_problem_and_exits_2(tmp_path: Path) -> None:
    wrong = MINE.replace('reads=raw, schema="id STRING"', 'reads=raw, schema="id STRIN", late_by="soon"')

    shown = vigie("check", a_pipeline(tmp_path, wrong))
    listed = vigie("check", a_pipeline(tmp_path, wrong), "--json")

    assert (shown.exit_code, shown.stdout, listed.exit_code) == (2, "", 2)
    assert "mine.py:" in shown.stderr
    assert len(json.loads(listed.stdout)) == shown.stderr.count("(mine.py:") > 1


def test_check_without_a_name_says_what_can_be_checked() -> None:
    shown = vigie("check")

    assert (shown.exit_code, shown.stdout) == (2, "")
    assert "flights, sensors, activity" in shown.stderr
    assert "path/to/file.py" in shown.stderr


@pytest.mark.parametrize("logs", ["text", "json"])
def test_what_a_pipeline_prints_spoils_no_result(tmp_path: Path, logs: str) -> None:
    path = a_pipeline(tmp_path, f"print('hello,\\nworld')\n{MINE}")

    shown = vigie("check", path, "--json", "--log-format", logs)

    assert (shown.exit_code, json.loads(shown.stdout)) == (0, [])
    assert "mine.py prints when it is imported" in shown.stderr
    assert "hello, world" in shown.stderr
    assert len(shown.stderr.splitlines()) == 1


@pytest.mark.parametrize("name", ["nothing", "nothing.py"])
def test_a_pipeline_that_is_not_there_is_exit_2_without_a_trace(name: str) -> None:
    shown = vigie("check", name)

    assert shown.exit_code == 2
    assert "there is no" in shown.stderr
    assert "Traceback" not in shown.stderr


def test_debug_shows_the_trace() -> None:
    assert "Traceback" in vigie("check", "nothing", "--debug").stderr


def test_what_was_not_foreseen_is_one_line_and_exit_1(tmp_path: Path) -> None:
    lake = Lake.at(tmp_path / "lake")
    write_deltalake(lake.ledger("mine"), pa.table({"another": ["ledger"]}))

    shown = vigie("ledger", a_pipeline(tmp_path), "--lake", str(lake))

    assert shown.exit_code == 1
    assert "--debug" in shown.stderr
    assert "Traceback" not in shown.stderr


def test_the_ledger_as_json_has_every_row_and_utc_instants(tmp_path: Path) -> None:
    late_before = NOON - timedelta(minutes=6)
    place = a_lake(tmp_path, [an_entry(batch=n, late_before=late_before) for n in range(200)], [])

    shown = vigie("ledger", a_pipeline(tmp_path), "--json", *place)

    entries = json.loads(shown.stdout)
    assert len(entries) == 200
    assert entries[0] | {"batch": 0} == an_entry(at="2026-11-21T12:00:00Z", late_before="2026-11-21T11:54:00Z")
    assert shown.stderr == ""


def test_the_ledger_for_a_person_adds_up_by_table(tmp_path: Path) -> None:
    gold = an_entry(table="gold/counts", accepted=None, quarantined=None, duplicate=None, late=0)
    place = a_lake(tmp_path, [an_entry(), an_entry(batch=1), gold], [])

    shown = vigie("ledger", a_pipeline(tmp_path), *place)

    assert [line.split() for line in shown.stdout.splitlines() if "silver/things" in line][0] == [
        "silver/things", "2", "20", "14", "2", "2", "2", "yes"
    ]  # fmt: skip


def test_the_ledger_names_the_batch_that_does_not_add_up(tmp_path: Path) -> None:
    place = a_lake(tmp_path, [an_entry(), an_entry(batch=1, accepted=6)], [])

    assert "NO: batch 1" in vigie("ledger", a_pipeline(tmp_path), *place).stdout


@pytest.mark.parametrize("command", ["ledger", "quarantine"])
def test_a_table_that_is_not_there_yet_says_what_makes_it(tmp_path: Path, command: str) -> None:
    pipeline = a_pipeline(tmp_path)

    shown = vigie(command, pipeline, "--lake", str(tmp_path / "lake"))

    assert shown.exit_code == 2
    assert f"vigie run {pipeline}" in shown.stderr


def test_quarantine_gives_bytes_as_text_when_they_are_and_as_base64_when_not(tmp_path: Path) -> None:
    text, noise = a_broken_row(value="é".encode()), a_broken_row(value=b"\xff\x00", key=b"\xfe")
    place = a_lake(tmp_path, [], [text, noise])

    shown = json.loads(vigie("quarantine", a_pipeline(tmp_path), "--json", *place).stdout)

    by_form = {"value" in row: row for row in shown}
    assert by_form[True]["value"] == "é"
    assert base64.b64decode(by_form[False]["value_base64"]) == b"\xff\x00"
    assert base64.b64decode(by_form[False]["key_base64"]) == b"\xfe"


def test_quarantine_shows_a_person_the_newest_first_and_as_many_as_asked(tmp_path: Path) -> None:
    broken = [a_broken_row(line=n, received_at=NOON + timedelta(seconds=n)) for n in range(60)]
    place = a_lake(tmp_path, [], broken)

    shown = vigie("quarantine", a_pipeline(tmp_path), *place)
    all_of_them = vigie("quarantine", a_pipeline(tmp_path), "--json", *place)

    assert [f"a.jsonl:{n}" in shown.stdout for n in (59, 10, 9)] == [True, True, False]
    assert shown.stdout.index("a.jsonl:59") < shown.stdout.index("a.jsonl:58")
    assert [row["line"] for row in json.loads(all_of_them.stdout)] == list(range(59, -1, -1))


def test_quarantine_of_one_rule(tmp_path: Path) -> None:
    both = a_broken_row(rules=["has a key", "is short"], line=1)
    place = a_lake(tmp_path, [], [a_broken_row(), both])

    one = vigie("quarantine", a_pipeline(tmp_path), "list", "--rule", "is short", "--json", *place)
    none = vigie("quarantine", a_pipeline(tmp_path), "--rule", "is shor", *place)

    assert [row["line"] for row in json.loads(one.stdout)] == [1]
    assert none.exit_code == 2
    assert "has a key, is short, is valid JSON" in none.stderr


def test_requeue_says_that_it_comes_later(tmp_path: Path) -> None:
    shown = vigie("quarantine", a_pipeline(tmp_path), "requeue")

    assert shown.exit_code == 2
    assert "later version" in shown.stderr


def test_a_query_gives_json_that_a_program_can_read(tmp_path: Path) -> None:
    place = a_lake(tmp_path, [an_entry()], [])
    sql = (
        'SELECT "at", sum(read) AS read, \'nan\'::DOUBLE AS nan, ["at"] AS many, 1.5::DECIMAL AS d '
        "FROM vigie.mine_ledger GROUP BY ALL"
    )

    shown = vigie("query", sql, "--json", *place)

    at = "2026-11-21T12:00:00Z"
    assert json.loads(shown.stdout) == [{"at": at, "read": 10, "nan": None, "many": [at], "d": 1.5}]


def test_a_query_without_rows_is_an_empty_array(tmp_path: Path) -> None:
    place = a_lake(tmp_path, [an_entry()], [])

    assert vigie("query", "FROM vigie.mine_ledger WHERE read < 0", "--json", *place).stdout == "[]\n"


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("form", [[], ["--json"]])
@pytest.mark.parametrize("sql", ["SELECT 1", MANY])
def test_an_output_that_takes_nothing_is_said_to_be_that(
    tmp_path: Path, sql: str, form: list[str], unbuffered: str
) -> None:
    asked = [*VIGIE, "query", sql, *form, *a_lake(tmp_path, [], [])]

    with open("/dev/full", "w") as full:
        done = subprocess.run(
            asked,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONUNBUFFERED": unbuffered},
            check=False,
        )

    assert done.returncode == 1
    assert done.stderr.startswith("the output could not be written: No space left on device\n")
    assert "foreseen" not in done.stderr
    assert "Exception" not in done.stderr


def test_a_person_is_shown_the_first_rows_of_many(tmp_path: Path) -> None:
    place = a_lake(tmp_path, [an_entry()], [])

    shown = vigie("query", "SELECT i FROM range(1000) t(i)", *place)

    assert "99" in shown.stdout
    assert "The first 100 rows" in shown.stdout


def test_broken_sql_is_exit_2(tmp_path: Path) -> None:
    shown = vigie("query", "SELEC 1", *a_lake(tmp_path, [], []))

    assert (shown.exit_code, shown.stdout) == (2, "")
    assert "syntax error" in shown.stderr


def test_ask_without_a_question_lists_them(tmp_path: Path) -> None:
    listed = vigie("ask", a_pipeline(tmp_path), "--json")
    unknown = vigie("ask", a_pipeline(tmp_path), "why")

    assert json.loads(listed.stdout) == [{"question": "how_many", "about": "How many things are there?"}]
    assert unknown.exit_code == 2
    assert "how_many" in unknown.stderr


def test_maintain_says_what_it_did(tmp_path: Path) -> None:
    place = a_lake(tmp_path, [an_entry()], [])

    shown = vigie("maintain", "--json", *place)

    done = {each["table"]: each for each in json.loads(shown.stdout)}
    assert done["vigie/mine_ledger"]["files_after"] == 1
    assert "Looking after" in shown.stderr


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--every", "soon"], "not a span"),
        (["--every", "0s"], "0 seconds"),
        (["--from", "ftp://x"], "not an address"),
        (["--from", "other=inbox:x"], "no source 'other'.*things_raw"),
        (["--from", "inbox:a", "--from", "things_raw=inbox:b"], "given twice"),
        (["--from", "inbox:a", "--kafka"], "one of --kafka and --from"),
        (["--lake", "s3a://bucket"], "later version"),
        (["--engine", "flink"], "no engine 'flink'"),
        (["--engine", "sc://nowhere"], "no address of a Spark Connect server"),
        (["--engine", "sc://127.0.0.1:1"], "no Spark Connect server answers at sc://127.0.0.1:1"),
    ],
)
def test_a_wrong_flag_of_run_is_exit_2_before_spark_starts(tmp_path: Path, flags: list[str], says: str) -> None:
    shown = vigie("run", a_pipeline(tmp_path), *flags)

    assert shown.exit_code == 2
    assert re.search(says, shown.stderr, re.DOTALL)


def lines_in(folder: Path) -> list[str]:
    files = sorted(each for each in folder.iterdir() if not each.name.startswith((".", "_")))
    return [line for file in files for line in file.read_text().splitlines()]


def test_feed_fills_the_lakes_own_inbox_with_the_rows_asked_for(tmp_path: Path) -> None:
    lake = Lake.at(tmp_path / "lake")

    shown = vigie("feed", a_pipeline(tmp_path), "--rows", "25", "--start", "1000", "--lake", str(lake))

    assert (shown.exit_code, shown.stdout) == (0, "")
    assert [json.loads(line)["at"] for line in lines_in(lake.inbox("things_raw"))] == list(range(1000, 1025))
    assert "25 messages" in shown.stderr


def test_a_feed_starts_as_long_ago_as_its_rows_need(tmp_path: Path) -> None:
    shown = vigie("feed", a_pipeline(tmp_path), "--rows", "30", "--keys", "3", "--interval", "1 minute",
                  "--to", f"inbox:{tmp_path / 'in'}")  # fmt: skip

    first = json.loads(lines_in(tmp_path / "in")[0])["at"]
    assert shown.exit_code == 0
    assert datetime.now(UTC).timestamp() - first == pytest.approx(600, abs=30)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_feed_that_is_told_to_stop_delivers_what_it_took_and_exits_0(tmp_path: Path, number: int) -> None:
    inbox = tmp_path / "in"
    asked = [*VIGIE, "feed", a_pipeline(tmp_path), "--start", "0", "--to", f"inbox:{inbox}"]

    with subprocess.Popen(asked, stderr=subprocess.PIPE, text=True) as process:
        while process.poll() is None and not (inbox.is_dir() and any(inbox.iterdir())):
            os.sched_yield()
        process.send_signal(number)
        _, said = process.communicate(timeout=60)

    assert process.returncode == 0, said
    delivered = lines_in(inbox)
    assert [json.loads(line)["at"] for line in delivered] == list(range(len(delivered)))
    assert f"{len(delivered):,} messages" in said


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--rows", "0"], "--rows"),
        (["--rate", "-1"], "--rate"),
        (["--rate", "nan"], "--rate"),
        (["--keys", "0"], "--keys"),
        (["--interval", "0s"], "--interval"),
        (["--interval", "often"], "not a span"),
        (["--faults", "1.5"], "from 0 to 1"),
        (["--start", "noon"], "not a time"),
        (["--start", "1795262400000"], "seconds since 1970"),
        (["--live"], "has no live feed"),
        (["--live", "--seed", "3"], "--live --seed"),
        (["--to", "kafka://host"], "kafka://host:port/topic"),
        (["other"], "no source 'other'"),
    ],
)
def test_a_wrong_flag_of_feed_is_exit_2(tmp_path: Path, flags: list[str], says: str) -> None:
    shown = vigie("feed", a_pipeline(tmp_path), *flags, "--lake", str(tmp_path / "lake"))

    assert shown.exit_code == 2
    assert says in shown.stderr
    assert not (tmp_path / "lake").exists()


@given(st.datetimes(datetime(1970, 1, 2), datetime(2900, 1, 1)))
def test_a_start_is_the_same_as_a_time_or_as_seconds(said: datetime) -> None:
    utc = said.replace(tzinfo=UTC)

    assert instant(said.isoformat()) == utc.timestamp() == instant(utc.isoformat())
    assert instant(repr(utc.timestamp())) == utc.timestamp()


def test_an_age_that_is_none_is_exit_2(tmp_path: Path) -> None:
    assert vigie("maintain", "--older-than", "old", "--lake", str(tmp_path)).exit_code == 2
    assert vigie("maintain", "--older-than", "5m", "--lake", str(tmp_path)).exit_code == 2


@pytest.mark.parametrize("form", [[], ["--json"]])
@pytest.mark.parametrize("sql", ["FROM range(3000000)", MANY])
def test_a_reader_that_has_had_enough_is_no_failure(tmp_path: Path, sql: str, form: list[str]) -> None:
    asked = [*VIGIE, "query", sql, *form, *a_lake(tmp_path, [an_entry()], [])]

    with subprocess.Popen(asked, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.read(1)
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0


def test_a_query_over_millions_of_rows_takes_under_two_seconds_as_a_process(tmp_path: Path) -> None:
    many = pa.table({"phase": pa.array(range(3_000_000)), "speed": pa.array(range(3_000_000))})
    write_deltalake(tmp_path / "lake" / "silver" / "flights_ml", many)
    sql = "SELECT phase % 5 AS p, count(*) AS n, avg(speed) FROM silver.flights_ml GROUP BY ALL"

    took, shown = _timed([*VIGIE, "query", sql, "--json", "--lake", str(tmp_path / "lake")])

    assert len(json.loads(shown)) == 5
    assert took < 2


@pytest.mark.parametrize(("args", "limit"), [(["--help"], 0.5), (["check", "PIPELINE"], 2.5)])
def test_help_and_check_answer_at_once(tmp_path: Path, args: list[str], limit: float) -> None:
    path = a_pipeline(tmp_path)

    took, _ = _timed([*VIGIE, *(path if arg == "PIPELINE" else arg for arg in args)])

    assert took < limit


def test_check_starts_nothing_and_asks_nobody(tmp_path: Path) -> None:
    program = (
        "import socket, subprocess, sys; from vigie.cli import app\n"
        "def refused(*_args, **_more): raise AssertionError('it asked somebody')\n"
        "socket.socket.connect = subprocess.Popen.__init__ = refused\n"
        f"app(['check', {a_pipeline(tmp_path)!r}], standalone_mode=False)\n"
        "assert not {'pysail', 'duckdb'} & set(sys.modules)"
    )

    subprocess.run([sys.executable, "-c", program], check=True, stdout=subprocess.DEVNULL)


@given(st.binary())
def test_any_bytes_can_be_had_back_from_json(value: bytes) -> None:
    read = json.loads(encoded({"value": value}))

    back = read["value"].encode() if "value" in read else base64.b64decode(read["value_base64"])
    assert back == value


@given(st.text() | st.binary() | st.floats() | st.lists(st.text()))
def test_a_value_is_shown_on_one_line_that_is_not_too_long(value: object) -> None:
    shown = text_of(value)

    assert len(shown) <= 120
    assert len(shown.splitlines()) <= 1


@pytest.mark.parametrize(
    ("value", "read"),
    [(1e308, "1e+308"), (-1e15, "-1e+15"), (123456.7891, "123456.789"), (42.0, "42"), (1e-7, "1e-07"), (0.0, "0")],
)
def test_a_number_is_shown_as_a_person_reads_it(value: float, read: str) -> None:
    assert text_of(value) == read
    assert text_of([value]) == read


OBEYED = "\x1b[2J \x7f \x85 \x9b31m \u061c \u200e \u200f \u2028 \u202e \u2066 \u2069"


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_nothing_in_the_data_or_a_name_of_it_moves_a_cursor(tmp_path: Path, form: list[str]) -> None:
    place = a_lake(tmp_path, [], [a_broken_row(value=OBEYED.encode(), rules=[OBEYED])])
    sql = f"""SELECT decode(value) AS "{OBEYED}", rules FROM quarantine.mine"""

    listed = vigie("quarantine", a_pipeline(tmp_path), *form, *place)
    asked = vigie("query", sql, *form, *place)

    for shown in (listed, asked):
        assert shown.exit_code == 0
        assert [letter for letter in shown.stdout if not letter.isprintable() and letter != "\n"] == []
        assert "\\u202e" in shown.stdout
    if form:
        assert json.loads(listed.stdout)[0]["value"] == OBEYED
        assert json.loads(asked.stdout) == [{OBEYED: OBEYED, "rules": [OBEYED]}]


def test_nothing_in_an_error_moves_a_cursor(tmp_path: Path) -> None:
    shown = vigie("query", f"SELECT CAST('{OBEYED}' AS INTEGER)", *a_lake(tmp_path, [], []))

    assert shown.exit_code == 2
    assert [letter for letter in shown.stderr if not letter.isprintable() and letter != "\n"] == []
    assert "\\x9b31m" in shown.stderr


@given(st.text())
def test_any_text_can_be_had_back_from_json(text: str) -> None:
    assert json.loads(encoded({text: [text]})) == {text: [text]}


def _timed(args: list[str]) -> tuple[float, str]:
    """The least processor time of three tries: other work on the machine is not what is measured."""
    tries = []
    for _ in range(3):
        before = os.times()
        done = subprocess.run(args, check=True, capture_output=True, text=True)
        after = os.times()
        spent = after.children_user + after.children_system - before.children_user - before.children_system
        tries.append((spent, done.stdout))
    return min(tries)


def test_a_setting_of_a_sink_that_cannot_be_is_said_before_anything_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VIGIE_MONGO", "mongodb://localhost:27017")  # names no database
    inbox = Lake(tmp_path).inbox("user_activity")
    inbox.mkdir(parents=True)
    (inbox / "a.jsonl").write_text("{}\n")

    refused = vigie("run", "activity", "--once", "--lake", str(tmp_path))

    assert refused.exit_code == 2
    assert "names a database" in refused.stderr
    assert not is_table(Lake(tmp_path).bronze("user_activity"))


def test_the_package_is_run_as_the_command_is() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "vigie", "check", "no_such_pipeline"], capture_output=True, text=True, check=False
    )

    assert done.returncode == 2
    assert "no_such_pipeline" in done.stderr
