"""Trained models of a lake: what each learnt from, how well it tells classes apart, and which one is in use.

A model is a folder, `_vigie/PIPELINE/models/VERSION`: `card.json` says all about it, `forest.json` holds its trees in
an open form, and `spark` is what Spark saved. The folder appears whole or not at all, and is never written again;
`in_use` beside the folders names a version.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pyarrow as pa

from vigie.disk import write_whole, written
from vigie.errors import LakeDamaged, RequestError
from vigie.forest import Forest, Predictor
from vigie.lake import Lake

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

CARD, TREES, SPARK_S, IN_USE, LAST = "card.json", "forest.json", "spark", "in_use", "last"
NUMBER = re.compile(r"[1-9][0-9]{0,8}")
UNSURE = "Unsure"  # what stands where a model is not sure enough of any class


class Examination(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a model did on what it had never seen: of the rows of each class, how many it took for each."""

    confusion: dict[str, dict[str, int]]

    @property
    def rows(self) -> int:
        return sum(sum(row.values()) for row in self.confusion.values())

    @property
    def accuracy(self) -> float:
        return _share(sum(row.get(name, 0) for name, row in self.confusion.items()), self.rows)

    @property
    def macro_f1(self) -> float:
        return _share(sum(self.f1(name) for name in self.confusion), len(self.confusion))

    def recall(self, name: str) -> float:
        row = self.confusion[name]
        return _share(row.get(name, 0), sum(row.values()))

    def precision(self, name: str) -> float:
        return _share(self.confusion[name].get(name, 0), sum(row.get(name, 0) for row in self.confusion.values()))

    def f1(self, name: str) -> float:
        precision, recall = self.precision(name), self.recall(name)
        return _share(2 * precision * recall, precision + recall)

    def by_class(self) -> list[dict[str, Any]]:
        """How well it tells each class."""
        return [
            {
                "class": name,
                "reports": sum(row.values()),
                "precision": self.precision(name),
                "recall": self.recall(name),
                "f1": self.f1(name),
            }
            for name, row in self.confusion.items()
        ]


class Bin(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Rows of which a model was about so sure: how sure on average, and how often it was right."""

    rows: int
    sure: float
    right: float


class Lesson(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a model learnt from: a table as it was at a version, and what was drawn from it."""

    table: str
    version: int
    rows: int  # of the table that have a label
    drawn: int  # of these, for learning and for the examination
    aircraft: dict[str, int]
    examined: dict[str, int]  # aircraft of each class that were kept for the examination
    seed: int


class Findings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What came of the training: the examination beside that of always saying the commonest class, and more."""

    examination: Examination
    baseline: Examination
    importances: dict[str, float]
    calibration: list[Bin]
    searched: dict[str, float]  # macro F1 of each setting that was tried, over the folds
    sure_from: float  # the least probability that counts as sure
    sure: float  # share of the examined rows of which it was so sure
    right_when_sure: float


class Card(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All about a model."""

    version: int
    kind: str
    trained_at: datetime
    seconds: float
    learnt: Lesson
    parameters: dict[str, int]
    found: Findings
    classes: list[str]
    features: list[str]
    spark: str
    sha256: str  # of its trees in the open form

    def in_short(self) -> dict[str, Any]:
        """What tells it from the others."""
        examination = self.found.examination
        return {
            "version": self.version,
            "kind": self.kind,
            "trained_at": self.trained_at,
            "table": self.learnt.table,
            "table_version": self.learnt.version,
            "rows": self.learnt.drawn,
            "aircraft": sum(self.learnt.aircraft.values()),
            "accuracy": examination.accuracy,
            "macro_f1": examination.macro_f1,
            "baseline_macro_f1": self.found.baseline.macro_f1,
        }

    def whole(self) -> dict[str, Any]:
        """All that is known of it, figures that follow from others included."""
        plain: dict[str, Any] = msgspec.to_builtins(self)
        return self.in_short() | {"by_class": self.found.examination.by_class()} | plain


@dataclass(frozen=True, slots=True)
class Pupil:
    """What a training is asked for; `say` is told what is going on."""

    kind: str
    seed: int
    most_rows: int
    say: Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Learnt:
    """A model that was trained, before a lake keeps it; `save` writes Spark's form of it into a folder."""

    forest: Forest
    save: Callable[[Path], None]
    parameters: dict[str, int]
    found: Findings
    labelled: int  # rows that have a label
    drawn: int  # of these, for learning and for the examination
    aircraft: dict[str, int]  # of each class
    examined: dict[str, int]  # those of them that were kept for the examination


@dataclass(frozen=True, slots=True)
class Training:
    """How a model came about: on which version of which table, by which Spark, in how many seconds."""

    kind: str
    table: str
    version: int
    seed: int
    seconds: float
    spark: str


class Models:
    """The models of one pipeline in a lake."""

    def __init__(self, lake: Lake, pipeline: str) -> None:
        self.pipeline = pipeline
        self._folder = lake.models(pipeline)

    def versions(self) -> list[int]:
        if not self._folder.is_dir():
            return []
        return sorted(int(each.name) for each in self._folder.iterdir() if NUMBER.fullmatch(each.name))

    def cards(self, damaged: Callable[[LakeDamaged], None] | None = None) -> list[Card]:
        """Those of all models; of one that is damaged somebody is told, or it is raised."""
        found = []
        for version in self.versions():
            try:
                found.append(self.card(version))
            except LakeDamaged as problem:
                if damaged is None:
                    raise
                damaged(problem)
        return found

    def card(self, version: int) -> Card:
        path = self._known(version) / CARD
        try:
            card = msgspec.json.decode(path.read_bytes(), type=Card)
        except FileNotFoundError as problem:
            raise self._damaged(path, version, f"it has no {CARD}") from problem
        except (OSError, msgspec.MsgspecError) as problem:
            raise self._damaged(path, version, str(problem)) from problem
        if card.version != version:
            raise self._damaged(path, version, f"it is the card of model {card.version}")
        return card

    def forest(self, version: int) -> Forest:
        """The trees, when they are those that were learnt."""
        card, path = self.card(version), self._known(version) / TREES
        try:
            text = path.read_bytes()
            if hashlib.sha256(text).hexdigest() != card.sha256:
                raise ValueError("its trees are not those that were written")
            forest = Forest.decoded(text)
        except (OSError, ValueError) as problem:
            raise self._damaged(path, version, str(problem)) from problem
        return forest

    def spark_s(self, version: int) -> Path:
        """Where Spark's own form of it is."""
        return self._known(version) / SPARK_S

    @property
    def in_use(self) -> int | None:
        """The version that predicts; none before one was trained."""
        note = self._folder / IN_USE
        try:
            said = note.read_bytes().decode("ascii", "replace").strip()
        except FileNotFoundError:
            return None
        except OSError as problem:
            raise LakeDamaged(
                f"the note that names the model in use cannot be read: {problem.strerror}",
                where=str(note),
                do=f"Take away what is there, then name the model: vigie models {self.pipeline} use VERSION",
            ) from problem
        if not NUMBER.fullmatch(said):
            raise LakeDamaged(
                "the note that names the model in use is damaged",
                where=str(note),
                do=f"Name it again: vigie models {self.pipeline} use VERSION",
            )
        return int(said)

    def use(self, version: int) -> None:
        """Predict with this one from now on; it is looked at first."""
        self.forest(version)
        with self._alone():
            write_whole(self._folder / IN_USE, str(version))

    def add(self, learnt: Learnt, training: Training) -> Card:
        """Keep a model under the next version, which no other ever had."""
        with written(self._folder.parent):
            self._folder.mkdir(parents=True, exist_ok=True)
        with self._alone():
            return self._added(learnt, training, max([0, *self.versions(), *self._given()]) + 1)

    def _given(self) -> list[int]:
        """The newest version that was ever given, though its model may be gone."""
        said = note.read_text("latin-1") if (note := self._folder / LAST).exists() else ""
        return [int(said)] if NUMBER.fullmatch(said) else []

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """While in here, no other process changes the models."""
        with (self._folder / ".lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _added(self, learnt: Learnt, training: Training, version: int) -> Card:
        aside = self._folder / f".{version}.tmp"
        text = learnt.forest.encoded()
        card = Card(
            version,
            training.kind,
            datetime.now(UTC),
            training.seconds,
            Lesson(
                training.table,
                training.version,
                learnt.labelled,
                learnt.drawn,
                learnt.aircraft,
                learnt.examined,
                training.seed,
            ),
            learnt.parameters,
            learnt.found,
            learnt.forest.classes,
            learnt.forest.features,
            training.spark,
            hashlib.sha256(text).hexdigest(),
        )
        with written(self._folder.parent):
            shutil.rmtree(aside, ignore_errors=True)  # of a training that was ended
            aside.mkdir()
            learnt.save(aside / SPARK_S)
            write_whole(aside / TREES, text.decode())
            write_whole(aside / CARD, msgspec.json.format(msgspec.json.encode(card), indent=2).decode() + "\n")
            write_whole(self._folder / LAST, str(version))
            os.rename(aside, self._folder / str(version))
        return card

    def _known(self, version: int) -> Path:
        folder = self._folder / str(version)
        if not folder.is_dir():
            there = self.versions()
            raise RequestError(
                f"there is no model {version}",
                where=str(self._folder),
                do=f"There are: {', '.join(map(str, there))}." if there else f"Train one: vigie train {self.pipeline}",
            )
        return folder

    def _damaged(self, path: Path, version: int, said: str) -> LakeDamaged:
        others = [each for each in self.versions() if each != version]
        use = f"use another: vigie models {self.pipeline} use {others[-1]}" if others else "put it back from a copy."
        return LakeDamaged(
            f"model {version} is damaged: {said}",
            where=str(path),
            do=f"Train another: vigie train {self.pipeline}\nOr {use}",
        )


@dataclass(frozen=True, slots=True)
class Trained:
    """A model at work, as a gold table's function is given it; or what stands for one before there is any, whose
    answers have the columns of a model's and are never asked for."""

    kind: str
    version: int
    sure_from: float
    predictor: Predictor | None

    @classmethod
    def of(cls, models: Models, version: int) -> Trained:
        card, forest = models.card(version), models.forest(version)
        return cls(card.kind, version, card.found.sure_from, Predictor.of(forest))

    @classmethod
    def none(cls, kind: str) -> Trained:
        return cls(kind, 0, 1.0, None)

    def predicted(self, rows: DataFrame) -> DataFrame:
        """The rows with what each is taken for: `predicted_class` ('Unsure' where no class is likely enough),
        `probability` of the likeliest class, and `model`, the version that says so."""
        from pyspark.sql import functions as F
        from pyspark.sql import types as T

        added = [
            T.StructField("predicted_class", T.StringType()),
            T.StructField("probability", T.DoubleType()),
            T.StructField("model", T.IntegerType()),
        ]
        if self.predictor is None:
            return rows.withColumns({each.name: F.lit(None).cast(each.dataType) for each in added})
        if missing := [name for name in self.predictor.forest.features if name not in rows.columns]:
            raise RequestError(
                f"model {self.version} predicts from {', '.join(missing)}, which the rows do not have",
                do="Train another (vigie train PIPELINE), or use one that was trained on these columns.",
            )
        work = partial(_predictions, self.predictor, self.sure_from, self.version)
        return rows.mapInArrow(work, T.StructType([*rows.schema.fields, *added]))


def _predictions(
    predictor: Predictor, sure_from: float, version: int, batches: Iterator[pa.RecordBatch]
) -> Iterator[pa.RecordBatch]:
    names = np.array([*predictor.forest.classes, UNSURE], object)
    for batch in batches:
        columns = [batch[name].to_numpy(zero_copy_only=False).astype(np.float64) for name in predictor.forest.features]
        found = predictor.probabilities(np.column_stack(columns))
        best = found.max(axis=1, initial=0.0)
        said = np.where(best >= sure_from, found.argmax(axis=1), len(names) - 1)
        yield (
            batch.append_column("predicted_class", pa.array(names[said], pa.string()))
            .append_column("probability", pa.array(best))
            .append_column("model", pa.array(np.full(len(best), version, np.int32)))
        )


def _share(part: float, whole: float) -> float:
    return part / whole if whole else 0.0
