"""The figures of a measurement in docs/benchmarks.md: a table between two marks, and a picture beside it."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bench.chart import Line, drawn
from bench.programs import HOUSE, Program

DOCS = HOUSE / "docs"
COLUMNS = ("seconds", "cpu_s", "peak_mb")


def write(workload: str, programs: Sequence[Program], figures: Mapping[str, Any]) -> None:
    """Put the table where its marks are, and the picture in its file."""
    page, picture = DOCS / "benchmarks.md", DOCS / f"speed-{workload}.svg"
    begin, end = (f"<!-- {which} of speed {workload} -->" for which in ("begin", "end"))
    before, mark, rest = page.read_text().partition(begin)
    _, other, after = rest.partition(end)
    if not mark or not other:
        raise SystemExit(f"{page.name} has no place for these figures: it needs the lines {begin} and {end}")
    table = "\n".join(_table(programs, figures))
    alt = "Seconds, CPU seconds and peak memory of each program"
    page.write_text(f"{before}{begin}\n{table}\n\n![{alt}]({picture.name})\n{end}{after}")
    title = f"{workload}, {figures['rows']:,} messages, medians of {_turns(figures['rounds'])}"
    picture.write_text(drawn(title, [_line(program, figures) for program in programs if _runs(program, figures)]))


def _table(programs: Sequence[Program], figures: Mapping[str, Any]) -> Iterator[str]:
    yield f"{figures['at'][:10]}, {figures['cores']} cores: {figures['rows']:,} messages, {_turns(figures['rounds'])}."
    yield ""
    yield "| | seconds | messages/s (median) | CPU seconds | peak MB (median) |"
    yield "|---|---|---|---|---|"
    for program in programs:
        if runs := _runs(program, figures):
            seconds = " / ".join(f"{run['seconds']:.1f}" for run in runs)
            cpu_s = " / ".join(f"{run['cpu_s']:.0f}" for run in runs)
            speed, peak_mb = (statistics.median(run[name] for run in runs) for name in ("messages_per_s", "peak_mb"))
            yield f"| {program.title} | {seconds} | {speed:,.0f} | {cpu_s} | {peak_mb:,.0f} |"
        elif program.name in figures["failed"]:
            yield f"| {program.title} | failed | | | |"
        elif program.name in figures["missing"]:
            yield f"| {program.title} | not installed | | | |"


def _turns(rounds: int) -> str:
    return "one turn" if rounds == 1 else f"{rounds} turns"


def _line(program: Program, figures: Mapping[str, Any]) -> Line:
    seconds, cpu_s, peak_mb = (
        statistics.median(float(run[name]) for run in _runs(program, figures)) for name in COLUMNS
    )
    return Line(program.title, (seconds, cpu_s, peak_mb), program.name == "vigie")


def _runs(program: Program, figures: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [run for run in figures["runs"] if run["who"] == program.name]
