"""What is brought to executors that have no Vigie: all that parses and judges there; and how they are asked for it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest
from pyspark import cloudpickle

from vigie.engines.spark.shipping import NEEDED, archive, asked

NOTHING = pa.record_batch({"id": [0]})


def test_what_is_brought_parses_and_judges_where_there_is_no_vigie(tmp_path: Path) -> None:
    """In a Python that finds the archive and what it needs, and this checkout nowhere."""
    packed = archive(tmp_path)
    program = """
import sys
sys.path[:] = [place for place in sys.path if not place.endswith("src")]
sys.meta_path[:] = [finder for finder in sys.meta_path if "editable" not in getattr(finder, "__module__", "")]
sys.path.insert(1, sys.argv[1])
import vigie.engines.spark.within, vigie.core.ingest.parsing, vigie.avro.reading, vigie.connectors.inbox
for name, module in sys.modules.items():
    if name.startswith("vigie"):
        assert module.__file__.startswith(sys.argv[1]), module
"""
    subprocess.run([sys.executable, "-c", program, str(packed)], check=True, cwd=tmp_path)


@pytest.fixture
def an_answer() -> dict[str, str]:
    [told] = asked()([NOTHING])
    return {name: told[name][0].as_py() for name in told.schema.names}


def test_this_python_has_this_vigie_and_lacks_nothing(an_answer: dict[str, str]) -> None:
    assert len(an_answer["vigie"]) == 64
    assert an_answer["missing"] == ""


def test_another_vigie_and_a_missing_package_are_told(tmp_path: Path) -> None:
    (tmp_path / "vigie").mkdir()
    (tmp_path / "vigie/__init__.py").write_text("")
    question = cloudpickle.dumps((asked(), NOTHING))  # type: ignore[no-untyped-call]
    (tmp_path / "question").write_bytes(question)
    program = """
import pickle, sys
sys.path.insert(0, sys.argv[1])
hidden = sys.argv[2]
class Hides:
    def find_spec(self, name, path=None, target=None): return None
import importlib.util
found = importlib.util.find_spec
importlib.util.find_spec = lambda name, *more: None if name == hidden else found(name, *more)
question, nothing = pickle.load(open(sys.argv[1] + "/question", "rb"))
[told] = question([nothing])
print(told["vigie"][0].as_py(), told["missing"][0].as_py())
"""
    said = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path), NEEDED[-1]], check=True, capture_output=True, text=True
    ).stdout
    [here] = asked()([NOTHING])

    assert said.split()[0] != here["vigie"][0].as_py()
    assert said.split()[1] == NEEDED[-1]
