"""A person's own pipeline beside the dashboard: it is edited while pages are looked at."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from vigie.dashboard.declared import declared, named, unread
from vigie.dashboard.view import View
from vigie.lake import Lake

PIPELINE = """
from vigie import Pipeline
mine = Pipeline("mine")
raw = mine.source("{source}", schema="k STRING")
"""


def written(file: Path, text: str, second: int) -> None:
    file.write_text(text)
    os.utime(file, (second, second))


def sources(view: View) -> list[str]:
    graph = declared(view, "mine")
    assert graph is not None
    return [source.name for source in graph.sources]


@pytest.mark.parametrize("broken", ["def (", "import nothing_of_that_name", "x = 1"])
def test_a_file_that_breaks_is_kept_as_it_was_until_it_is_mended(tmp_path: Path, broken: str) -> None:
    file = tmp_path / "mine.py"
    written(file, PIPELINE.format(source="first"), 1)
    view = View(Lake.at(str(tmp_path)), str(file))
    assert (sources(view), unread(str(file))) == (["first"], None)

    written(file, broken, 2)

    assert sources(view) == ["first"]
    assert named(str(file)) == "mine"
    assert unread(str(file)) is not None

    written(file, PIPELINE.format(source="second"), 3)

    assert (sources(view), unread(str(file))) == (["second"], None)


def test_a_file_that_never_could_be_read_has_no_name(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text("def (")

    assert named(str(file)) is None
    assert "this is not Python" in str(unread(str(file)))
