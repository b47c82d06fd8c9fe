"""A value unlike those that the same key had shortly before."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from vigie.detectors.judgement import (
    Judgement,
    before,
    exactly,
    less_than,
    no_column,
    no_count,
    no_span,
    not_above,
    number,
)
from vigie.duration import parse_duration

MAD_TO_SIGMA = 1.4826  # of normal values: the median of deviations in standard deviations
ROUNDING = 1e-9  # a mean of equal values may differ from them in the last digit, and is not less for that


@dataclass(frozen=True, slots=True)
class AboveUsual:
    """Fires over the mean and so many standard deviations of the readings of `over` before it, when these are at
    least `readings`; it is over when the value is back within half as many, or when they are fewer.

    A value that is less than `least` above the mean is never unusual, however calm it was before.
    """

    column: str
    deviations: float = 2.0
    over: str = "30 minutes"
    readings: int = 10
    least: float = 0.0

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.column,)

    @property
    def judgement(self) -> Judgement:
        value, usual = number(self.column), before(parse_duration(self.over))
        rounding = f"{exactly(ROUNDING)} * ({{most}} + abs({{mean}}))"
        return Judgement(
            fires=f"{{enough}} AND {value} - {{mean}} > {{most}} + {rounding}",
            clears=f"{value} IS NOT NULL AND (NOT {{enough}} OR {value} - {{mean}} <= {{most}} / 2 + {rounding})",
            value=value,
            threshold="{mean} + {most}",
            steps=(
                {
                    "enough": f"count({value}) {usual} >= {self.readings}",
                    "mean": f"avg({value}) {usual}",
                    "most": f"greatest({exactly(self.deviations)} * stddev_samp({value}) {usual}, "
                    f"{exactly(self.least)})",
                },
            ),
            looks_back=parse_duration(self.over),
        )

    def problems(self) -> Iterator[str]:
        yield from no_span("over", self.over)
        yield from no_column(self.column)
        yield from not_above("deviations", self.deviations, 0)
        yield from no_count("readings", self.readings, 2)
        yield from less_than("least", self.least, 0)

    def says(self, value: float, threshold: float) -> str:
        return f"{self.column} is {value:.4g}, above what was usual in the last {self.over}: up to {threshold:.4g}"


@dataclass(frozen=True, slots=True)
class Outlier:
    """Fires further than `z` deviations from the median of the readings of `over` before it, when these are at
    least `readings`; it is over when the value is back within half as many, or when they are fewer.

    The deviation is 1.4826 times the median of all deviations: what lies far out does not widen it, as it would a
    standard deviation. It counts as `least` when it is smaller, so that a calm sensor is not held to its noise.
    """

    column: str
    z: float = 3.0
    over: str = "30 minutes"
    readings: int = 10
    least: float = 0.01

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.column,)

    @property
    def judgement(self) -> Judgement:
        value, usual = number(self.column), before(parse_duration(self.over))
        return Judgement(
            fires=f"{{enough}} AND abs({value} - {{median}}) > {exactly(self.z)} * {{deviation}}",
            clears=f"{value} IS NOT NULL AND "
            f"(NOT {{enough}} OR abs({value} - {{median}}) <= {exactly(self.z / 2)} * {{deviation}})",
            value=f"({value} - {{median}}) / {{deviation}}",
            threshold=exactly(self.z),
            # A list for each reading, and the medians of the new ones alone: four times as quick as windows of medians.
            steps=(
                {"usual": f"list({value}) FILTER ({value} IS NOT NULL) {usual}"},
                {
                    "enough": f"coalesce(len({{usual}}), 0) >= {self.readings}",
                    "median": "CASE WHEN is_new THEN list_median({usual}) END",
                    "deviation": f"CASE WHEN is_new THEN greatest({exactly(MAD_TO_SIGMA)} * list_mad({{usual}}), "
                    f"{exactly(self.least)}) END",
                },
            ),
            looks_back=parse_duration(self.over),
        )

    def problems(self) -> Iterator[str]:
        yield from no_span("over", self.over)
        yield from no_column(self.column)
        yield from not_above("z", self.z, 0)
        yield from no_count("readings", self.readings, 2)
        yield from not_above("least", self.least, 0)

    def says(self, value: float, threshold: float) -> str:
        return f"{self.column} is {value:+.3g} deviations from its median of the last {self.over}, beyond {threshold:g}"
