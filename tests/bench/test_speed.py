"""Programs in turn: which are there, what is asked of Vigie beside them, and how the figures are shown."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from bench import page
from bench.__main__ import main
from bench.chart import Line, drawn
from bench.programs import Limit, Program, chosen
from bench.speed import Outcome, Wish, judged, ratio_of
from bench.workload import Workload

OURS, SLOW, QUICK = (
    Program("vigie", "Vigie", "a"),
    Program("slow", "Slow & steady", "b"),
    Program("quick", "Quick", "c"),
)


def an_outcome(who: str, seconds: float) -> Outcome:
    return Outcome(who, seconds, 1_000 / seconds, cpu_s=2 * seconds, peak_mb=100.0)


def figures(**own: Any) -> dict[str, Any]:
    runs = [{"who": "vigie", "seconds": 2.0, "messages_per_s": 500.0, "cpu_s": 4.0, "peak_mb": 100.0}]
    return {
        "at": "2026-11-30T12:00:00+00:00",
        "cores": 2,
        "rows": 1_000,
        "rounds": 1,
        "missing": {},
        "failed": {},
        "runs": runs,
    } | own


def test_a_program_whose_environment_is_missing_says_how_to_install_it() -> None:
    program = Program("other", "Other", "bench.flights.other", "no-such-environment")

    assert not program.is_there
    assert program.install == "make environment-no-such-environment"


def test_only_what_is_asked_for_is_run_and_an_unknown_name_is_refused() -> None:
    assert chosen([OURS, SLOW, QUICK], ["quick", "vigie"]) == [OURS, QUICK]
    assert chosen([OURS, SLOW, QUICK], []) == [OURS, SLOW, QUICK]
    with pytest.raises(SystemExit, match="quik is not among the programs: vigie, slow, quick"):
        chosen([OURS, SLOW, QUICK], ["quik"])


def test_without_names_all_programs_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Wish] = []

    def speed(workload: Workload, wish: Wish) -> int:
        asked.append(wish)
        return 0

    monkeypatch.setattr("bench.speed.speed", speed)
    monkeypatch.setattr("sys.argv", ["bench", "speed", "flights", "--rows", "10"])

    assert main() == 0

    assert asked == [Wish(rows=10, rounds=3)]


def test_vigie_is_held_to_the_fastest_of_the_programs_in_each_turn() -> None:
    turns = [("vigie", 2.0), ("slow", 9.0), ("quick", 4.0), ("vigie", 2.0), ("slow", 5.0), ("quick", 6.0)]
    runs = [an_outcome(who, seconds) for who, seconds in turns]

    ratio = ratio_of(Limit(("slow", "quick"), 2.0), runs)

    assert ratio == 2.25  # the median of 4 / 2 and 5 / 2
    assert judged(Limit(("slow", "quick"), 2.0), ratio)
    assert not judged(Limit(("slow", "quick"), 2.5), ratio)


def test_a_limit_beside_what_was_not_run_is_not_judged(capsys: pytest.CaptureFixture[str]) -> None:
    limit = Limit(("quick",), 0.5)

    assert judged(limit, ratio_of(limit, [an_outcome("vigie", 2.0)]))

    assert "not judged" in capsys.readouterr().out


def test_the_picture_has_a_bar_for_each_figure_and_escapes_names() -> None:
    svg = ElementTree.fromstring(drawn("flights", [Line("Vigie", (1, 2, 3), True), Line("A & B", (2, 1, 3), False)]))

    bars = [each for each in svg.iter("{http://www.w3.org/2000/svg}rect")]
    words = [each.text for each in svg.iter("{http://www.w3.org/2000/svg}text")]
    assert len(bars) == 1 + 6
    assert "A & B" in words


def test_figures_are_written_where_their_marks_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "DOCS", tmp_path)
    said = tmp_path / "benchmarks.md"
    said.write_text("before\n<!-- begin of speed flights -->\nold\n<!-- end of speed flights -->\nafter\n")

    page.write("flights", [OURS, SLOW, QUICK], figures(missing={"slow": "make it"}, failed={"quick": "it was wrong"}))

    text = said.read_text()
    assert "old" not in text
    assert text.startswith("before\n") and text.endswith("after\n")
    assert "| Vigie | 2.0 | 500 | 4 | 100 |" in text
    assert "| Slow & steady | not installed |" in text
    assert "| Quick | failed |" in text
    assert "2026-11-30, 2 cores: 1,000 messages, one turn." in text
    assert "](speed-flights.svg)" in text
    assert "Vigie" in (tmp_path / "speed-flights.svg").read_text()


def test_a_page_without_the_marks_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "DOCS", tmp_path)
    (tmp_path / "benchmarks.md").write_text("nothing to fill in")

    with pytest.raises(SystemExit, match="has no place for these figures"):
        page.write("flights", [OURS], figures())

    assert (tmp_path / "benchmarks.md").read_text() == "nothing to fill in"
