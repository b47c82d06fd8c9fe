import subprocess
import sys
from pathlib import Path

import pytest

import vigie
from vigie import Pipeline
from vigie.errors import BadDeclaration, RequestError
from vigie.pipeline import load


def test_the_public_names_are_what_they_say() -> None:
    assert sorted(vigie.__all__) == ["Pipeline", "Sink", "VigieError"]
    assert all(hasattr(vigie, name) for name in vigie.__all__)


def test_a_decorated_function_stays_the_function_it_was() -> None:
    pipeline = Pipeline("p")
    raw = pipeline.source("raw", schema="a STRING")

    def good(rows: str) -> str:
        return rows + "!"

    assert pipeline.silver("good", reads=raw, schema="a STRING")(good) is good
    assert good("unchanged") == "unchanged!"


def test_declaring_starts_no_spark() -> None:
    code = (
        "import vigie.flights.pipeline, pyspark.sql as s; assert s.SparkSession.getActiveSession() is None; "
        "from pyspark import SparkContext; assert SparkContext._gateway is None"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("name", "words"),
    [("flihgts", "there is no pipeline 'flihgts'"), ("nowhere/mine.py", "there is no file 'nowhere/mine.py'")],
)
def test_a_pipeline_that_is_not_there_is_refused(name: str, words: str) -> None:
    with pytest.raises(RequestError, match=words):
        load(name)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("from vigie import Pipeline\nx = (", "this is not Python"),
        ("import sys\n\nsys.exit(0)", r"ends the program when it is imported \(mine.py:3\)"),
        ("import no_such_thing\n", r"ModuleNotFoundError: No module named 'no_such_thing' \(mine.py:1\)"),
        ("x = 1\n", "declares no pipeline"),
        ("from vigie import Pipeline\na = Pipeline('a')\nb = Pipeline('b')\n", "declares 2 pipelines"),
    ],
)
def test_a_file_that_declares_nothing_useful_says_where_it_hurts(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "mine.py"
    file.write_text(text)

    with pytest.raises(BadDeclaration, match=words):
        load(str(file))
