"""Models in a lake: kept whole, told apart by number, refused when they are not what was written."""

from __future__ import annotations

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import msgspec
import pytest

from tests.models import a_stump, add
from vigie.errors import LakeDamaged, RequestError
from vigie.lake import Lake
from vigie.models import Examination, Models

STUMP = a_stump("n", 10, [1.0, 0.0, 0.0], [0.0, 0.6, 0.4])
ANOTHER = a_stump("n", 20, [1.0, 0.0, 0.0], [0.0, 0.6, 0.4])


def kept(lake: Path) -> Models:
    return Models(Lake(lake), "numbers")


def folder(lake: Path) -> Path:
    return lake / "_vigie/numbers/models"


def test_a_lake_without_models_has_none_and_none_in_use(tmp_path: Path) -> None:
    models = kept(tmp_path)

    assert (models.versions(), models.cards(), models.in_use) == ([], [], None)
    with pytest.raises(RequestError, match=r"there is no model 1 .*\nTrain one: vigie train numbers"):
        models.use(1)


def test_what_is_kept_is_what_was_learnt_under_the_next_number(tmp_path: Path) -> None:
    first, second = add(tmp_path, "numbers", STUMP), add(tmp_path, "numbers", ANOTHER, kind="minutes")

    models = kept(tmp_path)
    assert models.versions() == [1, 2]
    assert models.cards() == [first, second]
    assert (models.card(2).kind, models.card(2).learnt.version, models.card(2).spark) == ("minutes", 3, "4.1.1")
    assert (models.forest(1), models.forest(2)) == (STUMP, ANOTHER)


def test_a_model_is_in_use_once_somebody_says_so(tmp_path: Path) -> None:
    add(tmp_path, "numbers", STUMP)
    add(tmp_path, "numbers", ANOTHER)
    models = kept(tmp_path)
    models.use(2)
    assert kept(tmp_path).in_use == 2

    with pytest.raises(RequestError, match=r"there is no model 3 .*\nThere are: 1, 2\."):
        models.use(3)
    assert kept(tmp_path).in_use == 2


def test_a_training_that_was_ended_leaves_no_model_and_is_in_nobody_s_way(tmp_path: Path) -> None:
    (folder(tmp_path) / ".1.tmp" / "spark").mkdir(parents=True)
    (folder(tmp_path) / ".1.tmp" / "card.json").write_text("{")

    assert kept(tmp_path).versions() == []
    assert add(tmp_path, "numbers", STUMP).version == 1
    assert kept(tmp_path).forest(1) == STUMP


def edited(path: Path, **parts: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | parts))


def test_trees_that_are_not_those_that_were_written_are_refused_and_do_not_come_into_use(tmp_path: Path) -> None:
    add(tmp_path, "numbers", STUMP)
    add(tmp_path, "numbers", ANOTHER)
    (folder(tmp_path) / "2" / "forest.json").write_bytes(STUMP.encoded())

    with pytest.raises(LakeDamaged, match=r"(?s)model 2 is damaged: its trees are not .*vigie models numbers use 1\Z"):
        kept(tmp_path).use(2)
    assert kept(tmp_path).in_use is None


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda card: card.unlink(), "it has no card.json"),
        (lambda card: card.write_text(""), "truncated"),
        (lambda card: edited(card, features="all"), r"Expected `array`"),
        (lambda card: edited(card, version=7), "it is the card of model 7"),
    ],
)
def test_a_card_that_cannot_be_read_says_whose_it_is(damage: object, said: str, tmp_path: Path) -> None:
    add(tmp_path, "numbers", STUMP)
    assert callable(damage)
    damage(folder(tmp_path) / "1" / "card.json")

    with pytest.raises(LakeDamaged, match=f"model 1 is damaged: .*{said}"):
        kept(tmp_path).card(1)


def test_trees_that_are_gone_or_no_forest_are_told_of(tmp_path: Path) -> None:
    add(tmp_path, "numbers", STUMP)
    trees = folder(tmp_path) / "1" / "forest.json"
    trees.unlink()

    with pytest.raises(LakeDamaged, match="model 1 is damaged: .*No such file"):
        kept(tmp_path).forest(1)


def test_a_note_that_names_no_version_says_how_to_name_one(tmp_path: Path) -> None:
    add(tmp_path, "numbers", STUMP)
    (folder(tmp_path) / "in_use").write_text("the best\n")

    with pytest.raises(LakeDamaged, match=r"damaged .*\nName it again: vigie models numbers use VERSION"):
        _ = kept(tmp_path).in_use


@pytest.mark.parametrize("said", [b"\xff\xfe", b"0", b"-1", "\u0661".encode(), b""])
def test_a_note_of_other_bytes_says_how_to_name_a_version_and_may_be_written_again(tmp_path: Path, said: bytes) -> None:
    add(tmp_path, "numbers", STUMP)
    (folder(tmp_path) / "in_use").write_bytes(said)

    with pytest.raises(LakeDamaged, match="Name it again"):
        _ = kept(tmp_path).in_use
    kept(tmp_path).use(1)
    assert kept(tmp_path).in_use == 1


def test_a_folder_where_the_note_should_be_is_told_of(tmp_path: Path) -> None:
    add(tmp_path, "numbers", STUMP)
    (folder(tmp_path) / "in_use").mkdir()

    with pytest.raises(LakeDamaged, match="cannot be read: Is a directory"):
        _ = kept(tmp_path).in_use


def test_folders_that_are_no_versions_are_none(tmp_path: Path) -> None:
    add(tmp_path, "numbers", STUMP)
    for name in ("007", "\u00b2", "\u0662", "0", "copy of 1"):
        (folder(tmp_path) / name).mkdir()

    assert kept(tmp_path).versions() == [1]
    assert [card.version for card in kept(tmp_path).cards()] == [1]


def test_a_version_is_never_given_again_though_its_model_be_gone(tmp_path: Path) -> None:
    add(tmp_path, "numbers", STUMP)
    add(tmp_path, "numbers", ANOTHER)
    shutil.rmtree(folder(tmp_path) / "2")

    assert add(tmp_path, "numbers", ANOTHER).version == 3


def test_trainings_that_end_at_once_are_all_kept_each_with_its_own_trees(tmp_path: Path) -> None:
    forests = [a_stump("n", float(number), [1, 0, 0], [0, 1, 0]) for number in range(12)]
    with ThreadPoolExecutor(12) as pool:
        cards = list(pool.map(partial(add, tmp_path, "numbers"), forests))

    models = kept(tmp_path)
    assert models.versions() == list(range(1, 13))
    assert [models.forest(card.version) for card in cards] == forests


def test_scores_follow_from_what_each_class_was_taken_for() -> None:
    examination = Examination({"a": {"a": 6, "b": 2}, "b": {"a": 3, "b": 9}})

    assert examination.rows == 20
    assert examination.accuracy == pytest.approx(15 / 20)
    assert [examination.precision("a"), examination.recall("a")] == pytest.approx([6 / 9, 6 / 8])
    assert [examination.f1("a"), examination.f1("b")] == pytest.approx([12 / 17, 18 / 23])
    assert examination.macro_f1 == pytest.approx((12 / 17 + 18 / 23) / 2)


def test_a_class_that_was_never_met_and_never_said_scores_nothing_and_breaks_nothing() -> None:
    examination = Examination({"a": {"a": 5, "b": 0}, "b": {"a": 0, "b": 0}})

    assert (examination.f1("a"), examination.f1("b"), examination.macro_f1) == (1.0, 0.0, 0.5)


def test_all_of_a_card_is_told_with_the_figures_that_follow(tmp_path: Path) -> None:
    whole = add(tmp_path, "numbers", STUMP).whole()

    assert whole["aircraft"] == 190
    assert whole["learnt"]["examined"] == {"Heavy": 30, "Light": 18, "Other": 9}
    assert whole["macro_f1"] == pytest.approx(sum(each["f1"] for each in whole["by_class"]) / 3)
    assert {"precision", "recall", "reports"} <= whole["by_class"][0].keys()
    assert msgspec.json.encode(whole)
