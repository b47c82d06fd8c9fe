"""Vigie beside other ways to make the same tables: the same messages, in turns, each checked for the right result."""

from __future__ import annotations

import json
import os
import statistics
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import psutil
from rich.console import Console
from rich.table import Table

from bench import began, page
from bench.footprint import measured
from bench.programs import Limit, Program, chosen
from bench.workload import RESULTS, Workload
from vigie.engines.spark.jars import kafka_jars, kept
from vigie.engines.spark.java import java_home
from vigie.engines.spark.kafka_broker import Broker
from vigie.settings import read_settings


@dataclass(frozen=True, slots=True)
class Outcome:
    """One run of one program. `seconds` is from right before it first reads to its last commit."""

    who: str
    seconds: float
    messages_per_s: float
    cpu_s: float
    peak_mb: float


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked of a measurement; without names, all programs that are there."""

    rows: int
    rounds: int
    only: tuple[str, ...] = ()
    write: bool = False


@dataclass(slots=True)
class Found:
    """What came out: every run, the programs that are not installed, and those that failed, with the reason."""

    runs: list[Outcome] = field(default_factory=list)
    missing: dict[str, str] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)


def broker() -> Broker:
    """The broker whose topics are kept from one measurement to the next."""
    settings = read_settings()
    java = java_home(settings.cache)
    return Broker(RESULTS / "kafka", java, kafka_jars(settings.cache, java))


def speed(workload: Workload, wish: Wish) -> int:
    """Run all in turns and print what came out; 1 when a limit is not kept, or a program failed."""
    programs = chosen(workload.programs, wish.only)
    found = Found(missing={program.name: program.install for program in programs if not program.is_there})
    there = [program for program in programs if program.is_there]
    with broker() as kafka, workload.beside():
        where = kafka.servers, workload.loaded(kafka, wish.rows)
        for _ in range(wish.rounds):
            _turn(workload, there, where, wish.rows, found)
    ratios = {limit: ratio_of(limit, found.runs) for limit in workload.limits}
    figures = keep(f"speed-{workload.name}-{wish.rows}", _figures(found, wish, ratios))
    if wish.write:
        page.write(workload.name, workload.programs, figures)
    _print(workload, there, found, wish.rows)
    are_kept = [judged(limit, ratio) for limit, ratio in ratios.items()]
    return 0 if all(are_kept) and not found.failed else 1


def _turn(workload: Workload, programs: Sequence[Program], where: tuple[str, str], rows: int, found: Found) -> None:
    """Run each program once. One that fails, or makes something else, is left out from then on, and said at the end."""
    with tempfile.TemporaryDirectory(prefix="vigie-bench-") as folder:
        lakes: list[Path] = []
        for program in programs:
            if program.name in found.failed:
                continue
            lake = Path(folder, program.name)
            try:
                outcome = ran(program.name, program, where, rows, lake)
                lakes.append(lake)
                workload.check(lakes, rows)
            except (SystemExit, AssertionError) as problem:
                found.failed[program.name] = str(problem)
                print(f"{program.name} FAILED: {problem}", flush=True)
            else:
                found.runs.append(outcome)


def ran(who: str, program: Program, where: tuple[str, str], rows: int, lake: Path) -> Outcome:
    """What one run of a program came to; `where` is the broker and the topic."""
    RESULTS.mkdir(exist_ok=True)
    log = RESULTS / f"{program.module}.log"
    footprint = measured(program.module, *where, str(lake), *_jars(program), log=log, python=program.python)
    seconds = span(lake)
    outcome = Outcome(who, seconds, rows / seconds, footprint.cpu_s, footprint.peak / 1e6)
    print(f"{who}: {seconds:.1f} s, {footprint.cpu_s:.0f} CPU s", flush=True)
    return outcome


def _jars(program: Program) -> list[str]:
    if program.pins is None:
        return []
    cache = read_settings().cache
    jars = kept(program.pins.name, "70 MB", cache, java_home(cache), program.pins.parent)
    return [os.pathsep.join(map(str, jars))]


def span(lake: Path) -> float:
    """Seconds from right before the first read to the last commit of any table.

    The same for all programs, from what they leave behind: starting Python, Java and engines is not in it, and the
    gaps between queries that follow one another are.
    """
    commits = [file.stat().st_mtime for file in lake.rglob("_delta_log/*.json")]
    return float(max(commits) - (lake / began.NAME).stat().st_mtime)


def table_of(outcomes: Sequence[Outcome], groups: Sequence[str], title: str) -> Table:
    """Every run, and the medians of each group."""
    table = Table("", "seconds", "messages/s", "CPU seconds", "peak MB", title=title)
    for outcome in outcomes:
        table.add_row(*_cells(outcome))
    table.add_section()
    for who in groups:
        table.add_row(*_cells(median(outcomes, who)))
    return table


def median(outcomes: Sequence[Outcome], who: str) -> Outcome:
    of = {
        name: statistics.median(getattr(outcome, name) for outcome in outcomes if outcome.who == who)
        for name in ("seconds", "messages_per_s", "cpu_s", "peak_mb")
    }
    return Outcome(f"{who}, median", **of)


def keep(name: str, figures: Mapping[str, object]) -> dict[str, object]:
    """Leave the figures of a measurement as JSON, with when and where it was; what is in the file."""
    said = {"at": datetime.now(UTC).isoformat(timespec="seconds"), "cores": psutil.cpu_count(), **figures}
    (RESULTS / f"{name}.json").write_text(json.dumps(said, indent=1))
    return said


def ratio_of(limit: Limit, runs: Sequence[Outcome]) -> float | None:
    """How many times as fast Vigie is as the fastest of these in its turn (median); nothing when either was not run."""
    ours = _seconds(runs, "vigie")
    others = [seconds for who in limit.beside if (seconds := _seconds(runs, who))]
    if not ours or not others:
        return None
    return float(statistics.median(min(turn[1:]) / turn[0] for turn in zip(ours, *others, strict=False)))


def _seconds(runs: Sequence[Outcome], who: str) -> list[float]:
    return [run.seconds for run in runs if run.who == who]


def judged(limit: Limit, ratio: float | None) -> bool:
    """Say whether a limit is kept; one that could not be judged is not held against anybody."""
    beside, times = " and ".join(limit.beside), f"at least {limit.times:g} times as fast"
    if ratio is None:
        print(f"not judged: vigie {times} as {beside}, because not both were run")
        return True
    print(f"{'kept' if ratio >= limit.times else 'NOT KEPT'}: vigie {times} as {beside} ({ratio:.2f} times)")
    return ratio >= limit.times


def _figures(found: Found, wish: Wish, ratios: Mapping[Limit, float | None]) -> dict[str, object]:
    return {
        "rows": wish.rows,
        "rounds": wish.rounds,
        "limits": [{**asdict(limit), "ratio": ratio} for limit, ratio in ratios.items()],
        "missing": found.missing,
        "failed": found.failed,
        "runs": [asdict(run) for run in found.runs],
    }


def _print(workload: Workload, programs: Sequence[Program], found: Found, rows: int) -> None:
    names = [program.name for program in programs if _seconds(found.runs, program.name)]
    if names:
        Console().print(table_of(found.runs, names, f"{workload.name}: {rows:,} messages"))
    for line in _left_out(found):
        print(line)


def _left_out(found: Found) -> Iterator[str]:
    for name, install in found.missing.items():
        yield f"{name} was not run: it is not installed. Install it with: {install}"
    for name, why in found.failed.items():
        yield f"{name} FAILED: {why}"


def _cells(outcome: Outcome) -> tuple[str, ...]:
    figures = outcome.seconds, outcome.messages_per_s, outcome.cpu_s, outcome.peak_mb
    return outcome.who, *(f"{figure:,.1f}" if figure < 1_000 else f"{figure:,.0f}" for figure in figures)
