"""Executes the notebooks of flights from top to bottom, and holds what they show to what is committed.

    make notebooks                          all of them, on a lake made from a seed: about ten minutes on two cores
    make notebooks ONLY="04 07"             those whose names begin so
    make notebooks WRITE=1                  and keep what they show now
    VIGIE_NOTEBOOK_SEED=8 make notebooks    on other aircraft: each cell must still put out the kinds of things it did
    VIGIE_LAKE=./lake make notebooks        on a lake of your own, likewise

The text of a notebook is NAME.py, in jupytext's percent format; NAME.ipynb beside it is made from that text, and has
the outputs. It ends with 1 when a cell fails or a notebook no longer shows what its committed copy does.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import jupytext
import nbformat

from tools.drift import drifts
from vigie import notebooks
from vigie.errors import VigieError

NOTEBOOKS = Path(__file__).resolve().parent.parent / "examples/flights/notebooks"
# The kernel, without what differs from one machine to the next.
PYTHON = {"display_name": "Python 3", "language": "python", "name": "python3"}
# The same rows are learnt from in the same order on any machine, and a watch of seconds shows what one of minutes does.
FOR_REPEATING = {"VIGIE_CORES": "2", "VIGIE_NOTEBOOK_WATCH_S": "5"}


def main() -> int:
    asked = _arguments()
    sources = [path for path in sorted(asked.notebooks.glob("*.py")) if path.name.startswith(tuple(asked.only or [""]))]
    if not sources:
        _say(f"There is no notebook whose name begins with {' or '.join(asked.only)}")
        return 2
    notebooks.check_installed()
    same_data = not any(os.environ.get(name) for name in ("VIGIE_LAKE", "VIGIE_NOTEBOOK_SEED"))
    if asked.write and not same_data:
        _say("Outputs are kept of the lake that the seed makes: unset VIGIE_LAKE and VIGIE_NOTEBOOK_SEED")
        return 2
    for name, value in FOR_REPEATING.items():
        os.environ.setdefault(name, value)
    drifted, began = [], time.monotonic()
    with tempfile.TemporaryDirectory(prefix="vigie-notebooks-") as folder:
        for source in sources:
            if _differs(source, Path(asked.folder or folder), same_data=same_data, write=asked.write):
                drifted.append(source.stem)
    took = f"{time.monotonic() - began:.0f} s"
    if drifted:
        _say(f"{', '.join(drifted)} no longer shows what is committed ({took}). Is it meant? make notebooks WRITE=1")
        return 1
    ran = f"{len(sources)} notebook{'s' if len(sources) > 1 else ''} ran"
    _say(f"{ran} from top to bottom in {took}" + (", and are written." if asked.write else "."))
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Execute the notebooks of flights.")
    parser.add_argument("only", nargs="*", help="how their names begin, as 04")
    parser.add_argument("--write", action="store_true", help="keep what they show now")
    parser.add_argument("--notebooks", type=Path, default=NOTEBOOKS, help="the folder that they are in")
    parser.add_argument("--folder", help="where they run and keep their lake; one that is deleted, unless given")
    return parser.parse_args()


def _differs(source: Path, folder: Path, *, same_data: bool, write: bool) -> bool:
    """Execute one, beside the others; whether it shows something else than what is committed."""
    _say(f"{source.stem} ...")
    began = time.monotonic()
    path = folder / f"{source.stem}.ipynb"
    path.write_text(nbformat.writes(notebook_of(source)))
    executed = cleaned(json.loads(notebooks.executed(path, os.environ.get("VIGIE_LAKE"))))
    kept = source.with_suffix(".ipynb")
    outputs = sum(len(cell.get("outputs", [])) for cell in executed["cells"])
    _say(f"{source.stem}: {time.monotonic() - began:.0f} s, {outputs} outputs")
    if write:
        kept.write_text(json.dumps(executed, indent=1, ensure_ascii=False, sort_keys=True) + "\n")
        return False
    if not kept.is_file():
        _say(f"  {kept.name} is not there")
        return True
    found = drifts(json.loads(kept.read_text()), executed, same_data=same_data)
    for said in found:
        _say(f"  {said}")
    return bool(found)


def notebook_of(source: Path) -> nbformat.NotebookNode:
    """The notebook that a text is, without outputs; its cells have the same names each time."""
    notebook: nbformat.NotebookNode = jupytext.read(source, fmt="py:percent")
    for number, cell in enumerate(notebook.cells, 1):
        cell["id"] = f"cell-{number:02d}"
    notebook["metadata"] = nbformat.from_dict({"kernelspec": PYTHON})
    return notebook


def cleaned(notebook: dict[str, Any]) -> dict[str, Any]:
    """Without what says when and by which Python it was executed."""
    notebook["metadata"] = {"kernelspec": PYTHON}
    for cell in notebook["cells"]:
        tags = cell["metadata"].get("tags")
        cell["metadata"] = {"tags": tags} if tags else {}
        if "outputs" in cell:
            cell["outputs"] = _in_one_piece(cell["outputs"])
    return notebook


def _in_one_piece(outputs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What a cell printed comes in as many pieces as it was quick or slow to print."""
    whole: list[dict[str, Any]] = []
    for output in outputs:
        if whole and output["output_type"] == "stream" and whole[-1].get("name") == output["name"]:
            whole[-1]["text"] = [*whole[-1]["text"], *output["text"]]
        else:
            whole.append(output)
    return whole


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


if __name__ == "__main__":
    try:
        sys.exit(main())
    except VigieError as problem:
        sys.stderr.write(f"{problem}\n")
        sys.exit(1)
