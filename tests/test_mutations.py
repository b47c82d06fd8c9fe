"""The mutants of tools/mutations.py: each is one mistake, and the next one begins from the sound module again."""

from __future__ import annotations

import pytest

from tools.mutations import Mutant, mutants


def made(source: str, *, names: bool = False) -> list[Mutant]:
    return list(mutants(source, "module.py", names=names))


@pytest.mark.parametrize(
    ("source", "mistakes"),
    [
        ("limit = 1_500", ["1501", "3000"]),
        ("level = 2.5", ["2.5025", "5.0"]),
        ("is_on = True", ["False"]),
        ("found = a > b", ["a >= b"]),
        ("found = a == b and c", ["a == b or c", "a != b"]),
        ("low = -least", ["least"]),
        ("span = '10 minutes'", ["'11 minutes'", "'20 minutes'"]),
        ("rule = 'a < b'", ["'a <= b'"]),
        ("rule = 'c BETWEEN x AND y AND d'", ["'d'", "'c BETWEEN x AND y'"]),
        ("id = ('start', 'phase')", ["('phase',)", "('start',)"]),
        ("rows = rows.where(above)", ["rows"]),
        ("flights.question(busiest)", ["pass"]),
        ("low = F.min(value)", ["F.max"]),
    ],
)
def test_a_mistake_is_made_in_each_place_where_there_can_be_one(source: str, mistakes: list[str]) -> None:
    assert set(mistakes) <= {mutant.now for mutant in made(source)}


def test_what_does_nothing_has_no_mutants() -> None:
    assert made('"""Of 5 minutes."""\nfrom a import b\nx: tuple[int, str]\n__all__ = ["b"]\n') == []


def test_names_are_changed_when_asked_for() -> None:
    assert made("key = 'icao24'") == []
    assert [mutant.now for mutant in made("key = 'icao24'", names=True)] == ["'icao24_'"]


def test_each_mutant_has_one_mistake_alone() -> None:
    values: list[tuple[int, int]] = []
    for mutant in made("a = 10\nb = 20"):
        names: dict[str, int] = {}
        exec(mutant.code, names)
        values.append((names["a"], names["b"]))

    assert values == [(11, 20), (20, 20), (10, 21), (10, 40)]


def test_a_mutant_knows_its_line_and_the_function_that_it_is_in() -> None:
    found = made("a = 1\n\n@gold(late=2)\ndef movements():\n    return 3\n")

    assert {(mutant.line, mutant.within) for mutant in found} == {(1, ""), (3, ""), (5, "movements")}
