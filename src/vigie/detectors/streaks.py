"""The same thing several times in a row."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from vigie import ddl
from vigie.detectors.judgement import MICROSECOND, Judgement, exactly, last, no_column, no_count, no_span
from vigie.duration import parse_duration


@dataclass(frozen=True, slots=True)
class InARow:
    """Fires when a condition in SQL holds for `times` readings of a key in a row, none of them older than `within`."""

    condition: str
    times: int = 3
    within: str = "1 hour"

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(ddl.named_columns(ddl.condition(self.condition)))

    @property
    def judgement(self) -> Judgement:
        these, holds = last(self.times), f"coalesce({ddl.condition(self.condition).sql(dialect='duckdb')}, false)"
        within = parse_duration(self.within)
        return Judgement(
            fires=f"{{all_hold}} AND moment - {{since}} <= {within // MICROSECOND}",
            clears=f"NOT {holds}",
            value=exactly(self.times),
            threshold=exactly(self.times),
            steps=(
                {
                    "all_hold": f"count_if({holds}) {these} = {self.times}",
                    "since": f"min(moment) {these}",
                },
            ),
            looks_back=within,
        )

    def problems(self) -> Iterator[str]:
        yield from no_span("within", self.within)
        yield from no_count("times", self.times, 2)
        condition: object = self.condition
        if not isinstance(condition, str):
            yield f"{condition!r} is no condition: write it in SQL, as 'temperature_c > 30'"
            return
        try:
            columns = self.columns
        except ddl.NotSql as problem:
            yield f"{self.condition!r} is not a condition in SQL: {problem}"
            return
        for column in columns:
            yield from no_column(column)
        if not columns:
            yield f"{self.condition!r} looks at no column: it holds always, or never"

    def says(self, value: float, _threshold: float) -> str:
        return f"{value:g} readings in a row: {self.condition}"
