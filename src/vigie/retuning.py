"""Other settings for the rules of a pipeline, as a person types them: `HIGH_TEMP=28`, `OUTLIER.over=1h`."""

from __future__ import annotations

import dataclasses
import difflib
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, get_type_hints

from vigie.errors import RequestError
from vigie.graph import Detector, Graph, Rule, Watch

SETTING = re.compile(r"\s*([^.=\s]+)(?:\.([^=\s]+))?\s*=\s*(.*?)\s*", re.DOTALL)
LOOKS_AT = ("column", "columns", "condition")  # a setting that says what is judged, and not how


@dataclass(frozen=True, slots=True)
class Retuned:
    """A rule of a watch, with the detector that is tried in its place."""

    watch: Watch
    rule: Rule
    detector: Detector


def retuned(graph: Graph, texts: Sequence[str]) -> list[Retuned]:
    """The rules that these settings change, in the order in which they are declared."""
    asked: dict[str, dict[str, str]] = {}
    rules = {rule.name: rule for watch in graph.watches for rule in watch.rules}
    for text in texts:
        name, setting, value = _parsed(text)
        if name not in rules:
            raise _unknown(f"pipeline '{graph.name}' has no rule '{name}'", name, list(rules), text)
        setting = setting or main_setting(rules[name].detector)
        if setting in asked.setdefault(name, {}):
            raise RequestError(f"{setting} of {name} is set twice", where=f"--set {text}", do="Set it once.")
        asked[name][setting] = value
    return [
        Retuned(watch, rule, _changed(rule, asked[rule.name]))
        for watch in graph.watches
        for rule in watch.rules
        if rule.name in asked
    ]


def main_setting(detector: Detector) -> str:
    """The first setting of a detector: the limit of Above, the z of Outlier, the span of Silent."""
    return next(name for name in _settings(detector) if name not in LOOKS_AT)


def _parsed(text: str) -> tuple[str, str | None, str]:
    found = SETTING.fullmatch(text)
    if not found or not found[3]:
        raise RequestError(
            f"'{text}' sets nothing", where="--set", do="Write RULE=VALUE or RULE.SETTING=VALUE, as HIGH_TEMP=28."
        )
    return found[1], found[2], found[3]


def _changed(rule: Rule, asked: dict[str, str]) -> Detector:
    known = _settings(rule.detector)
    values: dict[str, Any] = {}
    for name, text in asked.items():
        where = f"--set {rule.name}.{name}={text}"
        if name not in known:
            raise _unknown(f"{type(rule.detector).__name__} has no setting '{name}'", name, known, where)
        values[name] = _value(rule.detector, name, text, where)
    if "limit" in values and "clears_at" not in values and getattr(rule.detector, "clears_at", None) is not None:
        # The limit moves with the band in which nothing changes, or the two would cross.
        values["clears_at"] = values["limit"] + rule.detector.clears_at - rule.detector.limit  # type: ignore[attr-defined]
    detector: Detector = dataclasses.replace(rule.detector, **values)  # type: ignore[type-var]
    for problem in detector.problems():
        raise RequestError(
            f"{rule.name} cannot be tried so: {problem}",
            where=f"{detector!r}",
            do="Set something else; `vigie backtest --help` gives examples.",
        )
    return detector


def _settings(detector: object) -> list[str]:
    if not dataclasses.is_dataclass(detector):
        raise RequestError(
            f"the settings of {type(detector).__name__} cannot be changed from here",
            do="Make it a frozen dataclass, as the detectors of vigie.detectors are.",
        )
    return [field.name for field in dataclasses.fields(detector)]


def _value(detector: Detector, name: str, text: str, where: str) -> Any:
    kind = get_type_hints(type(detector))[name]
    if kind is str:
        return text
    try:
        value = int(text) if kind is int else float(text)
    except ValueError as problem:
        noun = "whole number" if kind is int else "number"
        raise RequestError(
            f"'{text}' is no {noun}", where=where, do=f"{name} is one: write for example 3."
        ) from problem
    if not math.isfinite(value):
        raise RequestError(f"'{text}' is no number to compare with", where=where, do="Write a finite one.")
    return int(value) if value == int(value) and "." not in text else value


def _unknown(what: str, name: str, known: Sequence[str], where: str) -> RequestError:
    near = difflib.get_close_matches(name.lower(), [each.lower() for each in known], 1)
    meant = next((f"Did you mean {each}? " for each in known if near and each.lower() == near[0]), "")
    return RequestError(what, where=where, do=f"{meant}It has: {', '.join(known) or 'none'}.")
