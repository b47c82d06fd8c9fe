"""Whether a notebook that was executed again still shows what its committed copy shows.

The words that a cell puts out must be the same, and its numbers nearly so: machines round differently. A cell may say
of itself, by a tag, that it shows what a model `learnt`, whose numbers may differ more, or what `varies` from run to
run, of which only the kind is compared. Pictures are not compared dot by dot: fonts and libraries draw them, and what
they show is held by the tests of vigie.flights.pictures.
"""

from __future__ import annotations

import re
from itertools import zip_longest
from typing import Any

LEARNT, VARIES = "learnt", "varies"
NUMBER = re.compile(r"(?<![\w.])-?\d+(?:,\d{3})*(?:\.\d+)?(?:e[+-]?\d+)?(?![\w])", re.IGNORECASE)
SAME = 1e-6  # of a number
NEARLY_SHARE, NEARLY, FEW = 0.05, 0.2, 100  # of what a model learnt: of a share of one, of a count, of a small count
SHOWN = 300  # characters of each side

Cell = dict[str, Any]


def drifts(committed: dict[str, Any], executed: dict[str, Any], *, same_data: bool = True) -> list[str]:
    """What differs, in sentences. On other data only the kinds of outputs are compared."""
    before, after = _code(committed), _code(executed)
    if [_source(cell) for cell in before] != [_source(cell) for cell in after]:
        return ["the committed notebook has other code than its source"]
    return [
        f"code cell {number} {said}"
        for number, (old, new) in enumerate(zip(before, after, strict=True), 1)
        if (said := _drift(old, new, same_data=same_data))
    ]


def shown(cell: Cell) -> list[tuple[str, str]]:
    """What a cell put out: the kind of each output, and its text; what it printed in pieces is one."""
    found: list[tuple[str, str]] = []
    for output in cell["outputs"]:
        if output["output_type"] == "stream":
            text = _joined(output["text"])
            if found and found[-1][0] == "printed":
                text = found.pop()[1] + text
            found.append(("printed", text))
        elif "image/png" in output.get("data", {}):
            found.append(("picture", ""))
        else:
            found.append(("shown", _joined(output.get("data", {}).get("text/plain", ""))))
    return found


def _drift(committed: Cell, executed: Cell, *, same_data: bool) -> str:
    old, new = shown(committed), shown(executed)
    if [kind for kind, _ in old] != [kind for kind, _ in new]:
        return f"puts out {_kinds(new)} and no longer {_kinds(old)}"
    tags = committed["metadata"].get("tags", [])
    if not same_data or VARIES in tags:
        return ""
    for (_, before), (_, after) in zip(old, new, strict=True):
        if not is_the_same(before, after, learnt=LEARNT in tags):
            return "puts out something else" + _difference(before, after)
    return ""


def is_the_same(before: str, after: str, *, learnt: bool = False) -> bool:
    """Whether two texts have the same words, and numbers so near to one another."""
    if NUMBER.sub("#", before).split() != NUMBER.sub("#", after).split():
        return False
    numbers = zip(_numbers(before), _numbers(after), strict=True)
    return all(_is_near(old, new, learnt=learnt) for old, new in numbers)


def _is_near(old: float, new: float, *, learnt: bool) -> bool:
    apart, size = abs(old - new), max(abs(old), abs(new))
    if learnt:
        return apart <= (NEARLY_SHARE if size <= 1 else max(NEARLY * size, FEW))
    return apart <= SAME * max(size, 1.0)


def _numbers(text: str) -> list[float]:
    return [float(found.replace(",", "")) for found in NUMBER.findall(text)]


def _difference(before: str, after: str) -> str:
    lines = zip_longest(before.splitlines(), after.splitlines(), fillvalue="")
    old, new = next((pair for pair in lines if not is_the_same(*pair)), (before, after))
    return f"\n    committed: {old.strip()[:SHOWN]}\n    now:       {new.strip()[:SHOWN]}"


def _kinds(outputs: list[tuple[str, str]]) -> str:
    return ", ".join(kind for kind, _ in outputs) or "nothing"


def _code(notebook: dict[str, Any]) -> list[Cell]:
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def _source(cell: Cell) -> str:
    return _joined(cell["source"])


def _joined(text: str | list[str]) -> str:
    return text if isinstance(text, str) else "".join(text)
