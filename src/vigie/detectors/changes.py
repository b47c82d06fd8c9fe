"""How a value moves: too fast, always upwards, or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from vigie.detectors.judgement import (
    MICROSECOND,
    PREVIOUS,
    Judgement,
    during,
    exactly,
    less_than,
    no_column,
    no_span,
    not_above,
    number,
)
from vigie.duration import parse_duration


@dataclass(frozen=True, slots=True)
class SuddenChange:
    """Fires when a value is more than `by` away from another of the same key, at most `within` before
    it, and is over when it is not."""

    column: str
    by: float
    within: str = "1 minute"

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.column,)

    @property
    def judgement(self) -> Judgement:
        value, lately = number(self.column), during(parse_duration(self.within))
        return Judgement(
            fires=f"greatest({{risen}}, {{fallen}}) > {exactly(self.by)}",
            clears=f"greatest({{risen}}, {{fallen}}) <= {exactly(self.by)}",
            value="CASE WHEN {risen} >= {fallen} THEN {risen} ELSE -{fallen} END",
            threshold=exactly(self.by),
            steps=({"risen": f"{value} - min({value}) {lately}", "fallen": f"max({value}) {lately} - {value}"},),
            looks_back=parse_duration(self.within),
        )

    def problems(self) -> Iterator[str]:
        yield from no_column(self.column)
        yield from no_span("within", self.within)
        yield from not_above("by", self.by, 0)

    def says(self, value: float, threshold: float) -> str:
        return f"{self.column} changed by {value:+.4g} within {self.within}, more than {threshold:.4g}"


@dataclass(frozen=True, slots=True)
class Rising:
    """Fires when a value has risen from each reading to the next for `over`, and by at least `by` in all.

    A fall of less than `dips` does not end a rise: a real sensor trembles. Two readings further apart than `over`
    do not belong to one rise, and of a long one no more than twice `over` counts. It is over when it does not fire.
    """

    column: str
    over: str = "15 minutes"
    by: float = 0.0
    dips: float = 0.0

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.column,)

    @property
    def judgement(self) -> Judgement:
        value = number(self.column)
        goes_on = f"{value} > lag({value} IGNORE NULLS) {PREVIOUS} - {exactly(self.dips)}"
        risen = f"{value} - {{first}}"
        return _unbroken(goes_on, value, self.over, f"{risen} >= {exactly(self.by)}", risen)

    def problems(self) -> Iterator[str]:
        amiss = [*no_column(self.column), *no_span("over", self.over)]
        amiss += [*less_than("by", self.by, 0), *less_than("dips", self.dips, 0)]
        yield from amiss
        if not amiss and self.dips and not self.by:
            yield f"with dips of {self.dips:g}, a value that only trembles rises: say by how much it must, with by"

    def says(self, value: float, threshold: float) -> str:
        return f"{self.column} has risen without a break for {threshold / 60:g} minutes, by {value:.4g}"


@dataclass(frozen=True, slots=True)
class Stuck:
    """Fires when a value has been the same in every reading for `over`. Two readings further apart than `over` do
    not belong together. It is over with the first that differs."""

    column: str
    over: str = "30 minutes"

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.column,)

    @property
    def judgement(self) -> Judgement:
        value = number(self.column)
        return _unbroken(f"{value} = lag({value} IGNORE NULLS) {PREVIOUS}", value, self.over, "true", value)

    def problems(self) -> Iterator[str]:
        yield from no_column(self.column)
        yield from no_span("over", self.over)

    def says(self, value: float, threshold: float) -> str:
        return f"{self.column} has been {value:.4g} in every reading for {threshold / 60:g} minutes"


def _unbroken(goes_on: str, value: str, over: str, and_also: str, shown: str) -> Judgement:
    """Fires when `goes_on` has held from each reading to the next for a span.

    A run begins at the last reading at which it did not hold; what is older than twice the span cannot matter. A
    reading without a value is passed over.
    """
    span = parse_duration(over)
    twice, micros = during(2 * span), span // MICROSECOND
    before = f"lag(CASE WHEN {value} IS NOT NULL THEN moment END IGNORE NULLS) {PREVIOUS}"
    broken = "CASE WHEN NOT {goes_on} THEN moment END"
    lasts = f"moment - {{since}} >= {micros} AND {and_also}"
    return Judgement(
        f"{value} IS NOT NULL AND {lasts}",
        f"{value} IS NOT NULL AND NOT ({lasts})",
        shown,
        exactly(span.total_seconds()),
        (
            {"goes_on": f"{value} IS NULL OR coalesce({goes_on} AND moment - {before} <= {micros}, false)"},
            {
                "since": f"coalesce(max({broken}) {twice}, min(moment) {twice})",
                "first": f"coalesce(arg_max({value}, {broken}) {twice}, first_value({value} IGNORE NULLS) {twice})",
            },
        ),
        2 * span,
    )
