"""What all rules of a watch say of readings, in one pass of DuckDB."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from vigie.detectors.judgement import Judgement

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection, DuckDBPyRelation

STEP = re.compile(r"\{(\w+)\}")


def changes(database: DuckDBPyConnection, rules: Mapping[str, Judgement]) -> DuckDBPyRelation:
    """Where each rule turns from quiet to firing or back: rule, key, moment, fires, value, threshold.

    Asked of a table `readings` (key, moment in microseconds, is_new, the columns that the rules name) and a table
    `firing` (rule, key) of what fires already. Readings that are not new are the past, and change nothing.
    """
    return database.sql(
        f"""WITH {_judged(rules)},
        every AS ({" UNION ALL ".join(_signs(at, name) for at, name in enumerate(rules))}),
        signs AS (SELECT rule, key, moment, bool_or(fires) AS fires, max(value) FILTER (fires) AS value,
            max(threshold) FILTER (fires) AS threshold FROM every GROUP BY rule, key, moment)
        SELECT rule, key, moment, fires, value, threshold FROM (
            SELECT *, lag(fires) OVER (PARTITION BY rule, key ORDER BY moment) AS fired FROM signs)
        WHERE fires != coalesce(fired, (rule, key) IN (SELECT (rule, key) FROM firing))
        ORDER BY moment, rule, key"""
    )


def judged(database: DuckDBPyConnection, judgement: Judgement) -> DuckDBPyRelation:
    """Each reading with what one rule makes of it: key, moment, fires, clears, value, threshold."""
    return database.sql(
        f"""WITH {_judged({"": judgement})}
        SELECT key, moment, fires_0 AS fires, clears_0 AS clears, value_0 AS value, threshold_0 AS threshold
        FROM judged WHERE is_new ORDER BY key, moment"""
    )


def _judged(rules: Mapping[str, Judgement]) -> str:
    """The parts of a query whose last, `judged`, has a column of each kind for each rule."""
    numbered = list(enumerate(rules.values()))
    depth = max(len(judgement.steps) for _, judgement in numbered)
    parts, source = [], "readings"
    for layer in range(depth):
        steps = [
            f"{_named(text, at, judgement)} AS _{name}_{at}"
            for at, judgement in numbered
            if layer < len(judgement.steps)
            for name, text in judgement.steps[layer].items()
        ]
        parts.append(f"steps_{layer} AS (SELECT *, {', '.join(steps)} FROM {source})")
        source = f"steps_{layer}"
    answers = ", ".join(column for at, judgement in numbered for column in _answers(at, judgement))
    parts.append(f"judged AS MATERIALIZED (SELECT key, moment, is_new, {answers} FROM {source})")
    return ", ".join(parts)


def _answers(at: int, judgement: Judgement) -> Iterator[str]:
    yield f"coalesce({_named(judgement.fires, at, judgement)}, false) AS fires_{at}"
    yield f"coalesce({_named(judgement.clears, at, judgement)}, false) AS clears_{at}"
    yield f"CAST({_named(judgement.value, at, judgement)} AS DOUBLE) AS value_{at}"
    yield f"CAST({_named(judgement.threshold, at, judgement)} AS DOUBLE) AS threshold_{at}"


def _named(text: str, at: int, judgement: Judgement) -> str:
    """The text with each `{step}` as the column that it is for this rule."""
    own = {name for layer in judgement.steps for name in layer}
    return STEP.sub(lambda found: f"_{found[1]}_{at}" if found[1] in own else found[0], text)


def _signs(at: int, rule: str) -> str:
    """The new readings at which a rule fires or clears, of those keys of which it may change anything."""
    name = rule.replace("'", "''")
    return f"""SELECT '{name}' AS rule, key, moment, fires_{at} AS fires, value_{at} AS value,
        threshold_{at} AS threshold FROM judged WHERE is_new AND (fires_{at} OR clears_{at}) AND key IN (
            SELECT key FROM judged WHERE is_new AND fires_{at} UNION SELECT key FROM firing WHERE rule = '{name}')"""
