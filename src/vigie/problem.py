"""One thing that is wrong with a declaration, and the words in which it is told."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from vigie.graph import Graph, Input, Place, name_of


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: what, where, and what to do."""

    kind: str
    what: str
    place: Place
    do: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.what} ({self.place})\n{self.do}"


def bad_sink(given: object, member: str, place: Place) -> Iterator[Problem]:
    """What is wrong with what a delivery is to go to: it is no sink at all, or says itself what it cannot use."""
    if hasattr(given, member) and not isinstance(given, type):
        for said in getattr(given, "problems", list)():
            yield Problem("BadSink", f"{type(given).__name__} of deliver(): {said}", place, "Mend what it is given.")
        return
    yield Problem(
        "BadSink", f"deliver() is given {given!r}, which is no sink", place,
        'Give it one: from vigie.sinks.console import Console, and deliver(..., to=Console()).',
    )  # fmt: skip


def unknown(graph: Graph, what: str, wanted: Input, place: Place) -> Problem:
    """For a table that is named and not declared."""
    name = name_of(wanted)
    known = [node.name for node in graph.nodes()]
    return Problem(
        "UnknownInput", f"{what} '{name}', which pipeline '{graph.name}' does not declare", place,
        f"Decorate '{name}' with @{graph.name}.silver or @{graph.name}.gold, or name one of: {listed(known)}."
        f"{nearest(name, known)}",
    )  # fmt: skip


def listed(names: Iterable[str]) -> str:
    return ", ".join(Counter(names)) or "(none is declared)"


def nearest(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(str(name), list(known), n=1)
    return f" Did you mean '{near[0]}'?" if near else ""
