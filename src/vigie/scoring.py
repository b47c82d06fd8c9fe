"""How alerts do against what was really wrong: precision, and recall of each kind of fault."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from vigie.errors import RequestError


class Span(Protocol):
    """An alert: of a key, from an instant, and to another unless it is open still."""

    @property
    def key(self) -> str: ...

    @property
    def opened_at(self) -> datetime: ...

    @property
    def closed_at(self) -> datetime | None: ...


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that was really wrong with a key, from its first reading to its last."""

    kind: str
    key: str
    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class Score:
    """How a rule did against what was really wrong: alerts that met a fault, and faults of each kind that met one."""

    alerts: int
    right: int
    faults: Mapping[str, int]
    found: Mapping[str, int]

    @property
    def precision(self) -> float | None:
        return self.right / self.alerts if self.alerts else None

    def recall(self, kind: str) -> float | None:
        return self.found.get(kind, 0) / self.faults[kind] if self.faults.get(kind) else None


def faults_in(file: str) -> list[Fault]:
    """What was really wrong, from the lines that `vigie feed --labels` wrote down."""
    path = Path(file)
    if not path.is_file():
        raise RequestError("there is no such file", where=f"--labels {file}", do="Name one that a feed wrote.")
    return [_fault(line, f"{path.name}:{at}") for at, line in enumerate(path.read_text().splitlines(), 1)]


def score(alerts: Sequence[Span], faults: Sequence[Fault]) -> Score:
    """An alert is right when it was open during a fault of its key, and a fault is found when such an alert was."""
    of_key: dict[str, list[Fault]] = {}
    for fault in faults:
        of_key.setdefault(fault.key, []).append(fault)
    met = [[fault for fault in of_key.get(alert.key, ()) if _meet(alert, fault)] for alert in alerts]
    found = {fault for each in met for fault in each}
    return Score(
        len(alerts),
        sum(map(bool, met)),
        Counter(fault.kind for fault in faults),
        Counter(fault.kind for fault in found),
    )


def _meet(alert: Span, fault: Fault) -> bool:
    return alert.opened_at <= fault.until and (alert.closed_at is None or alert.closed_at >= fault.since)


def _fault(line: str, where: str) -> Fault:
    try:
        said = json.loads(line)
        key = said["key"] if "key" in said else said["sensor_id"]
        return Fault(said["kind"], str(key), _instant(said["from"]), _instant(said["to"]))
    except (ValueError, KeyError, TypeError) as problem:
        raise RequestError(
            f"this line is no label: {type(problem).__name__}: {problem}",
            where=where,
            do='A label is a line of JSON: {"kind": "stuck", "sensor_id": "s1", "from": "2026-01-01T00:00:00Z", '
            '"to": "2026-01-01T01:00:00Z"}.',
        ) from problem


def _instant(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    return at if at.tzinfo else at.replace(tzinfo=UTC)
