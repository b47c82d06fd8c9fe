"""What rules say of readings that DuckDB holds."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from vigie.detectors.judgement import Judgement, Marks
from vigie.detectors.readings import Indices, Readings
from vigie.lake import quoted

if TYPE_CHECKING:
    import pyarrow as pa
    from duckdb import DuckDBPyConnection


QUIET = np.iinfo(np.int64).min  # since when a rule fires that does not
AT_ONCE = 1_000_000  # readings that are laid out as columns of numbers


class Turn(NamedTuple):
    """A rule begins to fire for a key, or ends, at the moment of a reading."""

    rule: str
    key: str
    moment: int
    fires: bool
    value: float | None
    threshold: float | None


class Verdict(NamedTuple):
    """What one rule makes of a reading."""

    key: str
    moment: int
    fires: bool
    clears: bool
    value: float | None
    threshold: float | None


def changes(
    database: DuckDBPyConnection, rules: Mapping[str, Judgement], firing: Mapping[tuple[str, str], int]
) -> list[Turn]:
    """Where each rule turns from quiet to firing or back, when these (rule and key) fire already, since these moments.

    What fires since a moment is not ended by a reading of before.

    Asked of a table `readings`: key, moment in microseconds, _place, is_new, and the columns that the rules name.
    Readings that are not new are the past, and change nothing. Of very many, some keys are judged at a time.
    """
    [(rows,)] = database.sql("SELECT count(*) FROM readings").fetchall()
    parts = max(1, math.ceil(rows / AT_ONCE))
    turns = [turn for part in range(parts) for turn in _changes(database, rules, firing, (part, parts))]
    return sorted(turns, key=lambda turn: (turn.moment, turn.rule, turn.key))


def _changes(
    database: DuckDBPyConnection,
    rules: Mapping[str, Judgement],
    firing: Mapping[tuple[str, str], int],
    part: tuple[int, int],
) -> Iterator[Turn]:
    readings, keys = _readings(database, rules.values(), part)
    codes = {key: code for code, key in enumerate(keys)}
    since = {rule: np.full(len(keys), QUIET) for rule in rules}
    for (rule, key), moment in firing.items():
        if rule in since and key in codes:
            since[rule][codes[key]] = moment
    for rule, judgement in rules.items():
        yield from turns(rule, readings, judgement.judge(readings), since[rule], keys)


def judged(database: DuckDBPyConnection, judgement: Judgement) -> list[Verdict]:
    """Each new reading of which the rule makes anything, in the order of key and moment."""
    readings, keys = _readings(database, [judgement])
    marks = judgement.judge(readings)
    columns = (readings.moment[marks.row], marks.fires, marks.clears, marks.value, marks.threshold)
    rows = zip(readings.key[marks.row].tolist(), *(column.tolist() for column in columns), strict=True)
    return [
        Verdict(keys[key], moment, fires, clears, _known(value), _known(threshold))
        for key, moment, fires, clears, value, threshold in rows
    ]


def _readings(
    database: DuckDBPyConnection, judgements: Iterable[Judgement], part: tuple[int, int] = (0, 1)
) -> tuple[Readings, list[str]]:
    """The readings in order, and the name of each key; those of one part of the keys, of so many."""
    judgements = list(judgements)
    columns = list(dict.fromkeys(name for judgement in judgements for name in judgement.columns))
    conditions = list(dict.fromkeys(said for judgement in judgements for said in judgement.conditions))
    asked = ["key", "moment", "_place", "is_new"]
    asked += [f"CAST({quoted(name)} AS DOUBLE) AS c{at}" for at, name in enumerate(columns)]
    asked += [f"coalesce({said}, false) AS s{at}" for at, said in enumerate(conditions)]
    of_the_part = f"FROM readings WHERE hash(key) % {part[1]} = {part[0]}"
    table = database.sql(f"SELECT {', '.join(asked)} {of_the_part}").to_arrow_table().combine_chunks()
    names = table["key"].combine_chunks().dictionary_encode()
    keys: list[str] = names.dictionary.to_pylist()
    # In the order of their names, so that nothing hangs on the order in which they came.
    ranks = np.empty(len(keys), np.int64)
    ranks[np.argsort(np.array(keys, object), kind="stable")] = np.arange(len(keys))
    key, moment = ranks[names.indices.to_numpy(zero_copy_only=False)], _numbers(table, "moment")
    place = _numbers(table, "_place")
    order = np.lexsort((place, moment, key))
    return Readings(
        key[order],
        moment[order],
        place[order],
        _numbers(table, "is_new")[order],
        {name: _numbers(table, f"c{at}")[order] for at, name in enumerate(columns)},
        {said: _numbers(table, f"s{at}")[order] for at, said in enumerate(conditions)},
    ), sorted(keys)


def _numbers(table: pa.Table, column: str) -> Any:
    return table[column].to_numpy()


def turns(rule: str, readings: Readings, marks: Marks, since: Indices, keys: list[str]) -> list[Turn]:
    fired = since != QUIET
    of_before = fired[readings.key[marks.row]] & (readings.moment[marks.row] < since[readings.key[marks.row]])
    decided = (marks.fires | marks.clears) & ~of_before
    rows, fires = marks.row[decided], marks.fires[decided]
    if not len(rows) or not (fires.any() or fired.any()):
        return []
    key, moment, place = readings.key[rows], readings.moment[rows], readings.place[rows]
    differs = [each[1:] != each[:-1] for each in (key, moment, place)]
    begins = np.flatnonzero(np.r_[True, np.logical_or.reduce(differs)])
    fires_now = np.logical_or.reduceat(fires, begins)  # two readings of one moment and place are one
    shown = [
        np.fmax.reduceat(np.where(fires, column[decided], np.nan), begins) for column in (marks.value, marks.threshold)
    ]
    key, moment = key[begins], moment[begins]
    fired_before = np.r_[False, fires_now[:-1]]
    first = np.r_[True, key[1:] != key[:-1]]
    fired_before[first] = fired[key[first]]
    turned = np.flatnonzero(fires_now != fired_before)
    found = zip(*(column[turned].tolist() for column in (key, moment, fires_now, *shown)), strict=True)
    return [Turn(rule, keys[k], at, fires, _known(value), _known(limit)) for k, at, fires, value, limit in found]


def _known(value: float) -> float | None:
    return None if np.isnan(value) else value
