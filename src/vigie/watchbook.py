"""The alerts of a pipeline as a person meets them: those raised, and what was said of them since."""

from __future__ import annotations

import difflib
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from vigie.alerts import ALERTS
from vigie.commands import ACK, SILENCE, UNSILENCE, Command, acknowledged, ended, give, given, in_force, silenced_until
from vigie.errors import BadSetting, RequestError
from vigie.graph import SEVERITIES, Graph
from vigie.lake import Lake, is_table, rows
from vigie.listing import Listing

Row = dict[str, Any]

COLUMNS = (*ALERTS.names, "acknowledged_at", "note", "silenced_until")
OPTIONAL = ("closed_at", "acknowledged_at", "silenced_until", "suppressed_by")  # shown where they say something
SHOWN = (
    "alert_id", "rule", "key", "severity", "opened_at", "closed_at", "value", "threshold", "message",
    "acknowledged_at", "silenced_until", "suppressed_by",
)  # fmt: skip
ALWAYS = timedelta(days=36_500)  # beyond which a silence is a rule that should not be declared


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which alerts a person asked for; what is none is not asked for."""

    is_open: bool = False
    rule: str | None = None
    key: str | None = None
    severity: str | None = None

    def has(self, alert: Row) -> bool:
        asked = {"rule": self.rule, "key": self.key, "severity": self.severity}
        named = all(value is None or alert[column] == value for column, value in asked.items())
        return named and not (self.is_open and alert["closed_at"] is not None)


class Watchbook:
    """The alerts of one pipeline in a lake, and the commands about them, as they are at an instant. `called` is
    what a person types for the pipeline."""

    def __init__(self, graph: Graph, called: str, lake: Lake, now: datetime) -> None:
        self.graph = graph
        self._called = called
        self.lake = lake
        self.now = now
        self._path = lake.alerts(graph.name)
        self._there = is_table(self._path)
        if not self._there and not graph.watches:
            raise RequestError(
                f"pipeline '{graph.name}' watches nothing, so it raises no alerts",
                do=f'Say what is watched: watched = {graph.name}.watch(TABLE, key="COLUMN"), and then what raises an '
                'alert: watched.alert("TOO_WARM", Above("temperature_c", 30)).',
            )
        self.commands = given(lake, graph.name)

    def alerts(self) -> list[Row]:
        """All of them, the open ones first, the newest first."""
        if not self._there:
            raise RequestError(
                f"there are no alerts of pipeline '{self.graph.name}' yet",
                where=str(self._path),
                do=f"Run it: vigie run {self._called}",
            )
        known = dict(acknowledged(self.commands))
        found = []
        for row in sorted(rows(self._path), key=lambda row: (row["opened_at"], row["alert_id"]), reverse=True):
            ack = known.get(row["alert_id"])
            until = silenced_until(self.commands, row["rule"], row["key"], self.now)
            said = {"acknowledged_at": ack and ack.at, "note": ack and ack.note, "silenced_until": until}
            found.append({**row, "evidence": json.loads(row["evidence"]), **said})
        return sorted(found, key=lambda row: row["closed_at"] is not None)

    def listed(self, wanted: Wanted) -> list[Row]:
        alerts = self.alerts()
        if wanted.severity not in {None, *SEVERITIES}:
            raise BadSetting(
                f"'{wanted.severity}' is no severity", where="--severity", do=f"Say one of {', '.join(SEVERITIES)}."
            )
        self._known_rule(wanted.rule)
        return [alert for alert in alerts if wanted.has(alert)]

    def find(self, start: str) -> Row:
        """The alert whose id begins so."""
        alerts = self.alerts()
        found = [alert for alert in alerts if alert["alert_id"].startswith(start.lower())]
        if len(found) == 1:
            return found[0]
        if found:
            listed = ", ".join(alert["alert_id"] for alert in found[:5])
            raise RequestError(
                f"{len(found)} alerts begin with '{start}'", do=f"Write more of the one that is meant: {listed}."
            )
        near = difflib.get_close_matches(start.lower(), [alert["alert_id"] for alert in alerts], 1, cutoff=0.0)
        meant = f"Did you mean {near[0]}? " if near else ""
        raise RequestError(
            f"pipeline '{self.graph.name}' has no alert '{start}'", do=f"{meant}They are: vigie alerts {self._called}"
        )

    def acknowledge(self, start: str, note: str | None) -> Command:
        """Note down that somebody knows of an alert; a second time changes nothing."""
        alert_id = self.find(start)["alert_id"]
        known = dict(acknowledged(self.commands)).get(alert_id)
        return known or self._give(Command(self.now, ACK, alert_id, note=note))

    def silence(self, rule: str | None, key: str | None, lasts: timedelta, note: str | None) -> Command:
        """Have nobody told of a rule, of a key, or of a rule at a key, for a span."""
        self._scope(rule, key, "silence")
        if not timedelta() < lasts <= ALWAYS:
            raise BadSetting("a silence lasts for more than nothing, and not for ever", where="--for", do="Say 1h.")
        return self._give(Command(self.now, SILENCE, rule=rule, key=key, until=self.now + lasts, note=note))

    def unsilence(self, rule: str | None, key: str | None, note: str | None) -> Command:
        """End the silences of a rule, of a key, or of a rule at a key before their time."""
        self._scope(rule, key, "unsilence")
        command = Command(self.now, UNSILENCE, rule=rule, key=key, note=note)
        silences = in_force(self.commands, self.now)
        if not any(ended(silence, command) for silence in silences):
            there = "; ".join(silence.scope for silence in silences)
            raise RequestError(
                f"{command.scope} is not silenced by itself" if silences else "nothing is silenced",
                do=f"Silenced are: {there}." if silences else f"Look: vigie alerts {self._called}",
            )
        return self._give(command)

    def _give(self, command: Command) -> Command:
        give(self.lake, self.graph.name, command)
        return command

    def _scope(self, rule: str | None, key: str | None, verb: str) -> None:
        if rule is None and key is None:
            raise RequestError(
                f"it is not said what to {verb}",
                do=f"Name a rule, a key, or both: vigie alerts {self._called} {verb} --rule RULE --key KEY",
            )
        self._known_rule(rule)

    def _known_rule(self, rule: str | None) -> None:
        """A rule is one that is declared, or one that raised an alert when it was."""
        known = dict.fromkeys(rule.name for watch in self.graph.watches for rule in watch.rules)
        if self._there:
            known |= dict.fromkeys(sorted({row["rule"] for row in rows(self._path)}))
        if rule is not None and rule not in known:
            raise unknown_rule(self.graph.name, rule, known)


def unknown_rule(pipeline: str, rule: str, known: Iterable[str]) -> RequestError:
    near = difflib.get_close_matches(rule.upper(), list(known), n=1)
    meant = f"Did you mean {near[0]}? " if near else ""
    return RequestError(
        f"pipeline '{pipeline}' has no rule '{rule}'", do=f"{meant}It has: {', '.join(known) or 'none'}."
    )


def page(alerts: Sequence[Row]) -> Listing:
    """Alerts with what a person asks first; columns that say nothing of any of them are left out."""
    said = [name for name in SHOWN if name not in OPTIONAL or any(alert[name] is not None for alert in alerts)]
    return Listing.of(alerts, said)


def counts(alerts: Iterable[Row]) -> list[str]:
    """A line for each rule: how many alerts, and how many of them are open."""
    alerts = list(alerts)
    still = Counter(alert["rule"] for alert in alerts if alert["closed_at"] is None)
    return [
        f"{count:>10,}  {rule}" + (f" ({still[rule]:,} open)" if still[rule] else "")
        for rule, count in Counter(alert["rule"] for alert in alerts).most_common()
    ]
