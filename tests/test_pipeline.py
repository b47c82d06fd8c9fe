import subprocess
import sys
from pathlib import Path

import pytest

import vigie
from vigie import Pipeline
from vigie.errors import BadDeclaration, RequestError
from vigie.pipeline import load


def test_the_public_names_are_what_they_say() -> None:
    assert sorted(vigie.__all__) == ["Last", "Pipeline", "Sink", "VigieError", "spark"]
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
        (
            "class No(BaseException): ...\nraise No('x')",
            r"cannot be imported: No: x \(mine.py:2\)",
        ),
        (
            "from vigie import Pipeline\na = Pipeline('a')\n@a.sliver('b')\ndef b(rows): ...\n",
            r"no attribute 'sliver' \(mine.py:3\)[^?]*Did you mean 'silver'\?",
        ),
        ("x = '\0'", r"is not Python: .*null bytes.* \(mine.py\)"),
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


def test_a_column_or_a_udf_outside_of_any_function_is_told_where_it_belongs(tmp_path: Path) -> None:
    """In a process of its own: where other tests have a Spark, there is one to ask."""
    (tmp_path / "mine.py").write_text(
        "from pyspark.sql import functions as F\n\n\n@F.udf('int')\ndef f(n):\n    return n\n"
    )

    checked = subprocess.run(
        [sys.executable, "-m", "vigie", "check", "mine.py"], cwd=tmp_path, capture_output=True, text=True, check=False
    )

    assert checked.returncode == 2
    assert checked.stderr.startswith("Spark is asked for something while the file is imported, when there is none yet")
    assert "(mine.py:4)" in checked.stderr


NAMED_3 = """
from vigie import Pipeline

mine = Pipeline({pipeline})
raw = mine.source({source}, schema={schema})

@mine.silver({silver}, reads=raw, schema="a STRING")
def good(rows):
    return rows
"""
SOUND = {"pipeline": "'mine'", "source": "'raw'", "schema": "'a STRING'", "silver": "'good'"}


@pytest.mark.parametrize(
    ("part", "words"),
    [
        ("pipeline", r"a pipeline's name is no text: 3 \(mine.py:4\)"),
        ("source", r"a source's name is no text: 3 \(mine.py:5\)"),
        ("schema", r"the schema of 'raw' is no text: 3 \(mine.py:5\)"),
        ("silver", r"a table's name is no text: 3 \(mine.py:7\)"),
    ],
)
def test_a_name_that_is_no_text_is_refused_at_its_line(tmp_path: Path, part: str, words: str) -> None:
    file = tmp_path / "mine.py"
    file.write_text(NAMED_3.format(**SOUND | {part: "3"}))

    with pytest.raises(BadDeclaration, match=words):
        load(str(file))


@pytest.mark.parametrize(
    ("beside", "whose"),
    [("json.py", "Python's own"), ("msgspec.py", "installed"), ("pyarrow/__init__.py", "installed")],
)
def test_what_would_be_imported_for_a_module_in_use_is_refused(tmp_path: Path, beside: str, whose: str) -> None:
    (tmp_path / "mine.py").write_text("from vigie import Pipeline\nmine = Pipeline('mine')\n")
    (tmp_path / beside).parent.mkdir(exist_ok=True)
    (tmp_path / beside).write_text("")

    with pytest.raises(BadDeclaration, match=rf"{beside.partition('/')[0]} \({whose}\)"):
        load(str(tmp_path / "mine.py"))


def test_what_is_harmless_may_lie_beside_a_pipeline(tmp_path: Path) -> None:
    for name in ("json.txt", "test.py", "helpers_of_mine.py"):
        (tmp_path / name).write_text("x = 1\n")
    (tmp_path / "json").mkdir()
    (tmp_path / "mine.py").write_text("import helpers_of_mine\nfrom vigie import Pipeline\nmine = Pipeline('mine')\n")

    assert load(str(tmp_path / "mine.py")).name == "mine"
