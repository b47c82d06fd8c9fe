"""A value that leaves its own course: learned from the stream, with a bound on false alarms."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from vigie.detectors.judgement import Judgement, before, during, last, no_span, not_above, quoted
from vigie.duration import parse_duration

CALM = 5  # readings that say nothing unusual, after which it is over


@dataclass(frozen=True, slots=True)
class OffCourse:
    """Fires when a value keeps leaving the straight line through its readings of `over` before it, more than such
    values do; it is over when the last five readings taken together are as usual.

    How far a reading is off, in deviations from the line, is ranked among those of all keys that are judged with
    it: only the share p that were as far off counts, so nothing is assumed of how noise is spread. Each reading
    multiplies the evidence against its key by 1 / (2 sqrt(p)), which is 1 on average while all is as usual, and
    evidence is taken from where in `over` it looks worst. It fires when evidence reaches `one_in`: while readings
    are exchangeable, a key then gives at most one false alarm in so many readings, on average (the e-CUSUM of Shin,
    Ramdas and Rinaldo, 2022). A deviation counts as `least` when it is smaller.
    """

    column: str
    one_in: int = 100_000
    over: str = "20 minutes"
    readings: int = 10
    least: float = 0.05

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.column,)

    @property
    def judgement(self) -> Judgement:
        value, span = quoted(self.column), parse_duration(self.over)
        past, minutes = before(span), "((moment - (SELECT min(moment) FROM readings)) / 60e6)"
        enough = math.log(self.one_in)
        return Judgement(
            fires=f"{{evidence}} >= {enough}",
            clears=f"{{evidence}} < {enough} AND {{lately}} <= 0",
            value="{off}",
            threshold="0",
            steps=(
                {
                    "slope": f"regr_slope({value}, {minutes}) {past}",
                    "start": f"regr_intercept({value}, {minutes}) {past}",
                    "spread": f"regr_syy({value}, {minutes}) {past}",
                    "run": f"regr_sxx({value}, {minutes}) {past}",
                    "known": f"count({value}) {past}",
                },
                {
                    "off": f"CASE WHEN {{known}} >= {self.readings} "
                    f"THEN {value} - {{start}} - {{slope}} * {minutes} END",
                    "deviation": "greatest(sqrt(greatest({spread} - {slope} * {slope} * {run}, 0) / ({known} - 2)), "
                    f"{self.least})",
                },
                {"far": "abs({off}) / {deviation}"},
                {"share": "cume_dist() OVER (PARTITION BY {far} IS NULL ORDER BY {far} DESC)"},
                {"gain": "CASE WHEN {far} IS NULL THEN 0 ELSE -ln(2) - ln({share}) / 2 END"},
                {"sum": "sum({gain}) OVER (PARTITION BY key ORDER BY moment)"},
                {
                    "evidence": f"{{sum}} - min({{sum}} - {{gain}}) {during(span)}",
                    "lately": f"sum({{gain}}) {last(CALM)}",
                },
            ),
            looks_back=2 * span,
        )

    def problems(self) -> Iterator[str]:
        yield from no_span("over", self.over)
        yield from not_above("one_in", self.one_in, 1)
        yield from not_above("readings", self.readings, 2)
        yield from not_above("least", self.least, 0)

    def says(self, value: float, _threshold: float) -> str:
        return f"{self.column} has left its course of the last {self.over}, now by {value:+.3g}"
