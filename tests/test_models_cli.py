"""`vigie models` and `vigie train`, as a person types them; what is trained is in tests/servers/test_predictions.py."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from tests.models import a_stump, add
from vigie.cli import app
from vigie.lake import Lake
from vigie.models import Models

STUMP = a_stump("velocity_kmh", 500, [0.0, 1.0, 0.0], [1.0, 0.0, 0.0])


def typed(*words: str, lake: Path) -> Result:
    return CliRunner().invoke(app, [*words, "--lake", str(lake)])


def answered(*words: str, lake: Path) -> Any:
    result = typed(*words, "--json", lake=lake)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    add(tmp_path, "flights", STUMP)
    add(tmp_path, "flights", STUMP, kind="minutes")
    return tmp_path


def test_models_are_listed_with_the_one_in_use(lake: Path) -> None:
    assert [(row["version"], row["in_use"], row["kind"]) for row in answered("models", "flights", lake=lake)] == [
        (1, False, "report"),
        (2, False, "minutes"),
    ]

    assert typed("models", "flights", "use", "2", lake=lake).exit_code == 0

    assert [row["in_use"] for row in answered("models", "flights", "list", lake=lake)] == [False, True]
    assert Models(Lake(lake), "flights").in_use == 2


def test_a_damaged_model_is_named_and_the_others_are_listed(lake: Path) -> None:
    (lake / "_vigie/flights/models/2/card.json").unlink()

    listed = typed("models", "flights", lake=lake)

    assert listed.exit_code == 0
    assert "model 2 is damaged: it has no card.json" in listed.stderr
    assert listed.stderr.rstrip().endswith("vigie models flights use 1")
    assert [row["version"] for row in answered("models", "flights", lake=lake)] == [1]


def test_one_is_shown_whole(lake: Path) -> None:
    whole = answered("models", "flights", "show", "1", lake=lake)

    assert whole["accuracy"] == pytest.approx(140 / 180)
    assert whole["found"]["examination"]["confusion"]["Light"] == {"Heavy": 5, "Light": 40, "Other": 5}
    assert [row["class"] for row in whole["by_class"]] == ["Heavy", "Light", "Other"]

    said = typed("models", "flights", "show", "1", lake=lake).stdout
    for part in ("accuracy 0.778", "600 of 900 reports", "190 aircraft, 57 of them kept", "Spark 4.1.1", "n"):
        assert part in said


def test_two_are_shown_side_by_side(lake: Path) -> None:
    assert [each["version"] for each in answered("models", "flights", "compare", "1", "2", lake=lake)] == [1, 2]

    lines = typed("models", "flights", "compare", "1", "2", lake=lake).stdout.splitlines()
    [kinds] = [line.split() for line in lines if line.split()[:1] == ["kind"]]
    assert kinds == ["kind", "report", "minutes"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["models", "flights", "use", "3"], "there is no model 3"),
        (["models", "flights", "use"], "`use` takes 1 version\n"),
        (["models", "flights", "list", "1"], "`list` takes no versions"),
        (["models", "flights", "compare", "1"], "Write: vigie models flights compare VERSION OTHER"),
        (["models", "sensors"], "pipeline 'sensors' declares no model"),
        (["train", "sensors"], "pipeline 'sensors' declares no model"),
        (["train", "flights", "--kind", "deep"], "'deep' is no kind of model here"),
        (["train", "flights"], "there is no table 'flights_ml' to learn from yet"),
    ],
)
def test_what_cannot_be_done_is_a_sentence(words: list[str], said: str, lake: Path) -> None:
    result = typed(*words, lake=lake)

    assert result.exit_code == 2
    assert said in result.output


def test_a_lake_that_is_not_there_is_no_lake_without_models(tmp_path: Path) -> None:
    shown = typed("models", "flights", lake=tmp_path / "nowhere")

    assert shown.exit_code == 2
    assert "there is no lake" in shown.stderr


def test_a_model_in_use_that_is_gone_is_told_of_beside_the_others(lake: Path) -> None:
    shutil.rmtree(lake / "_vigie/flights/models/2")
    (lake / "_vigie/flights/models/in_use").write_text("2")

    shown = typed("models", "flights", lake=lake)

    assert shown.exit_code == 0
    assert "model 2 is to be in use, and is not there: vigie models flights use VERSION" in shown.stderr


def test_a_lake_without_models_says_how_to_train_one(tmp_path: Path) -> None:
    assert answered("models", "flights", lake=tmp_path) == []
    assert "There are none yet: vigie train flights" in typed("models", "flights", lake=tmp_path).stdout


def test_a_damaged_model_fails_with_what_to_do(lake: Path) -> None:
    (lake / "_vigie/flights/models/2/forest.json").write_text("{}")

    result = typed("models", "flights", "use", "2", lake=lake)

    assert result.exit_code == 1
    assert "model 2 is damaged" in result.output
    assert Models(Lake(lake), "flights").in_use is None
