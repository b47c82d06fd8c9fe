"""The notebooks of flights: text and executed copy belong together, in two languages, with nothing of a machine."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tools.drift import drifts, is_the_same
from tools.notebooks import NOTEBOOKS, notebook_of

HOUSE = Path(__file__).parents[1]
NAMES = (
    "01_ETL_Bronze_Silver", "02_ML_Analysis_Batch", "03_Streaming_Inference", "04_exploration_sql",
    "06_classification_rf", "07_streaming_gold",
)  # fmt: skip
FRENCH = {"le", "la", "les", "des", "une", "est", "pour", "et", "que", "du", "sur"}
ENGLISH = {"the", "of", "and", "is", "that", "for", "with", "are", "it", "on", "to"}
PLACES = re.compile(r"/(?:tmp|home|root|work|Users|private|var/folders)/|[A-Z]:\\\\")

each_notebook = pytest.mark.parametrize("name", NAMES)


def executed(name: str) -> dict[str, Any]:
    notebook: dict[str, Any] = json.loads((NOTEBOOKS / f"{name}.ipynb").read_text())
    return notebook


def prose(name: str) -> list[str]:
    return [cell.source for cell in notebook_of(NOTEBOOKS / f"{name}.py").cells if cell.cell_type == "markdown"]


def code(name: str) -> str:
    return "\n".join(cell.source for cell in notebook_of(NOTEBOOKS / f"{name}.py").cells if cell.cell_type == "code")


def texts(notebook: dict[str, Any]) -> str:
    """All that its cells put out, but for the dots of pictures."""
    outputs = [output for cell in notebook["cells"] for output in cell.get("outputs", [])]
    for output in outputs:
        output.get("data", {}).pop("image/png", None)
    return json.dumps(outputs)


def a_cell(source: str = "look()", *outputs: dict[str, Any], tags: tuple[str, ...] = ()) -> dict[str, Any]:
    metadata = {"tags": [*tags]} if tags else {}
    return {"cell_type": "code", "source": source, "outputs": [*outputs], "metadata": metadata}


def printed(text: str) -> dict[str, Any]:
    return {"output_type": "stream", "name": "stdout", "text": text}


def a_notebook(*cells: dict[str, Any]) -> dict[str, Any]:
    return {"cells": [*cells]}


def words(text: str) -> set[str]:
    return set(re.findall(r"[a-zà-ÿ]+", text.lower()))


def test_there_are_the_notebooks_that_the_documents_name_as_text_and_executed() -> None:
    assert sorted(path.stem for path in NOTEBOOKS.glob("*.py")) == sorted(NAMES)
    assert sorted(path.stem for path in NOTEBOOKS.glob("*.ipynb")) == sorted(NAMES)


@each_notebook
def test_a_notebook_has_the_cells_of_its_text(name: str) -> None:
    text = [(cell.cell_type, cell.source) for cell in notebook_of(NOTEBOOKS / f"{name}.py").cells]

    kept = [(cell["cell_type"], "".join(cell["source"])) for cell in executed(name)["cells"]]

    assert kept == text


@each_notebook
def test_a_notebook_was_executed_from_its_first_cell_to_its_last(name: str) -> None:
    cells = [cell for cell in executed(name)["cells"] if cell["cell_type"] == "code"]

    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    outputs = [output for cell in cells for output in cell["outputs"]]
    assert len(outputs) >= len(cells) / 2
    assert not [output for output in outputs if output["output_type"] == "error" or output.get("name") == "stderr"]


@each_notebook
def test_each_explanation_is_in_french_and_then_in_english(name: str) -> None:
    for cell in prose(name):
        lines = [line for line in cell.splitlines() if line and not line.startswith("#")]
        first = next(number for number, line in enumerate(lines) if line.startswith(">"))
        french, english = words("\n".join(lines[:first])), words("\n".join(lines[first:]))

        assert all(line.startswith(">") for line in lines[first:]), cell
        assert len(french & FRENCH) > len(french & ENGLISH), cell
        assert len(english & ENGLISH) > len(english & FRENCH), cell


@each_notebook
def test_a_notebook_shows_no_path_and_no_name_of_a_machine(name: str) -> None:
    shown = texts(executed(name))

    assert PLACES.findall(shown) == []
    assert not re.search(rf"\b{re.escape(socket.gethostname())}\b", shown)


def test_the_notebook_on_exploring_has_five_pictures() -> None:
    outputs = [output for cell in executed("04_exploration_sql")["cells"] for output in cell.get("outputs", [])]

    assert sum("image/png" in output.get("data", {}) for output in outputs) == 5


@pytest.mark.parametrize("name", ["01_ETL_Bronze_Silver", "03_Streaming_Inference", "07_streaming_gold"])
def test_streams_are_visible_pyspark(name: str) -> None:
    for said in ("readStream", "withWatermark", "writeStream", '.outputMode("append")', "checkpointLocation"):
        assert said in code(name)


def test_the_notebook_on_gold_calls_what_the_pipeline_declares_and_stops_all_of_it() -> None:
    source = code("07_streaming_gold")

    assert "flight_phase_counts(silver_stream(" in source
    assert "anomaly_alerts(silver_stream(" in source
    assert source.count(".stop()") == 3
    assert "running: []" in texts(executed("07_streaming_gold"))


def test_the_same_words_with_numbers_that_were_rounded_otherwise_are_no_drift() -> None:
    committed = a_notebook(a_cell("look()", printed("12,345 reports, mean 0.33333333\n")))
    again = a_notebook(a_cell("look()", printed("12,345 reports,"), printed(" mean 0.33333334\n")))

    assert drifts(committed, again) == []


@pytest.mark.parametrize(
    "now", [printed("12,346 reports"), printed("12,345 aircraft"), {"output_type": "display_data", "data": {}}]
)
def test_another_number_word_or_kind_of_output_is_drift_that_names_its_cell(now: dict[str, Any]) -> None:
    committed = a_notebook(a_cell("first()"), a_cell("look()", printed("12,345 reports")))

    [said] = drifts(committed, a_notebook(a_cell("first()"), a_cell("look()", now)))

    assert said.startswith("code cell 2 puts out")


def test_an_output_that_is_missing_is_drift() -> None:
    assert drifts(a_notebook(a_cell("look()", printed("1"))), a_notebook(a_cell("look()"))) == [
        "code cell 1 puts out nothing and no longer printed"
    ]


def test_code_that_is_not_that_of_its_text_is_drift() -> None:
    said = drifts(a_notebook(a_cell("look()")), a_notebook(a_cell("look(2)")))

    assert said == ["the committed notebook has other code than its source"]


def test_what_a_model_learnt_may_differ_a_little_and_no_more() -> None:
    assert is_the_same("accuracy 0.81 of 5,210", "accuracy 0.83 of 5,350", learnt=True)
    assert not is_the_same("accuracy 0.81", "accuracy 0.61", learnt=True)
    assert not is_the_same("accuracy 0.81", "accuracy 0.83")


def test_of_what_varies_and_of_other_data_only_the_kind_is_compared() -> None:
    committed, again = (a_notebook(a_cell("look()", printed(text), tags=("varies",))) for text in ("1 window", "none"))
    assert drifts(committed, again) == []

    plain, other = (a_notebook(a_cell("look()", printed(text))) for text in ("7 aircraft", "9 balloons"))
    assert drifts(plain, other, same_data=False) == []
    assert drifts(plain, a_notebook(a_cell("look()")), same_data=False) != []


def run(folder: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    import os

    own = {name: value for name, value in os.environ.items() if not name.startswith("VIGIE_NOTEBOOK")} | environment
    command = [sys.executable, "-m", "tools.notebooks", "--notebooks", str(folder), *words]
    return subprocess.run(command, cwd=HOUSE, env=own, capture_output=True, text=True, check=False)


def test_a_notebook_is_written_when_asked_and_held_to_from_then_on(tmp_path: Path) -> None:
    source = tmp_path / "01_sum.py"
    source.write_text("# %%\nimport os\nprint(1 + 1, os.environ['VIGIE_LAKE'] == '')\n")

    assert "01_sum.ipynb is not there" in run(tmp_path).stderr
    assert run(tmp_path, "--write").returncode == 0
    held = run(tmp_path)
    assert (held.returncode, "1 notebook ran from top to bottom" in held.stderr) == (0, True)

    kept = tmp_path / "01_sum.ipynb"
    kept.write_text(kept.read_text().replace("2 True", "3 True"))
    drifted = run(tmp_path)

    assert drifted.returncode == 1
    assert "code cell 1 puts out something else\n    committed: 3 True\n    now:       2 True" in drifted.stderr
    assert "01_sum no longer shows what is committed" in drifted.stderr


def test_a_cell_that_fails_is_named_with_its_error_and_nothing_is_written(tmp_path: Path) -> None:
    (tmp_path / "01_fails.py").write_text("# %%\nsum = 1\n\n# %%\nsum / 0\n")

    failed = run(tmp_path, "--write")

    assert failed.returncode == 1
    assert "01_fails.ipynb" in failed.stderr
    assert "code cell 2: ZeroDivisionError: division by zero" in failed.stderr
    assert not (tmp_path / "01_fails.ipynb").exists()


def test_outputs_of_another_seed_are_not_kept(tmp_path: Path) -> None:
    (tmp_path / "01_sum.py").write_text("# %%\n1\n")

    refused = run(tmp_path, "--write", VIGIE_NOTEBOOK_SEED="8")

    assert refused.returncode == 2
    assert "unset VIGIE_LAKE and VIGIE_NOTEBOOK_SEED" in refused.stderr
