"""What an aircraft is, learnt from how it flies: a random forest of Spark ML, and how well it tells.

An aircraft is learnt from or asked about, never both: reports of one aircraft resemble one another, and a model that
knows some of them knows the others by heart. So the examination is of aircraft that no tree has seen, and so are the
folds by which the depth and the number of trees are chosen.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vigie.errors import RequestError
from vigie.flights.features import KINDS, LABEL
from vigie.forest import LEAF, Forest, Predictor, Tree
from vigie.models import Bin, Examination, Findings, Learnt, Pupil

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray
    from pyspark.ml import PipelineModel
    from pyspark.ml.classification import RandomForestClassificationModel
    from pyspark.sql import DataFrame

CLASSES = ("Heavy", "Light", "Other")
LEAST_AIRCRAFT = 20  # of each class, before anything is learnt
EXAMINED = 0.3  # of the aircraft of each class
FOLDS = 3
DEPTHS, TREES = (5, 8), (10, 30)
SEARCHED_ROWS = 30_000
AS_GOOD = 0.005  # of macro F1: what is so near to the best is as good, and the smaller forest is taken
SURE_FROM = 0.6
BINS = 10


def learn(flights_ml: DataFrame, pupil: Pupil) -> Learnt:
    """Train a model on the reports of a table; RequestError when they are too few or say too little."""
    from pyspark.sql import functions as F

    kind = KINDS[pupil.kind]
    labelled = flights_ml.where(F.col(LABEL).isin(*CLASSES) & ~F.col("on_ground") & F.col("icao24").isNotNull())
    pupil.say("counting what can be learnt from")
    aircraft = _aircraft(labelled, pupil.seed)
    check_enough(aircraft.groupby(LABEL).size().to_dict())
    spark = flights_ml.sparkSession
    roles = F.broadcast(spark.createDataFrame(aircraft[["icao24", "role", "weight"]]))
    examples = (
        kind.made(_sample(labelled, aircraft, pupil))
        .join(roles, "icao24")
        .select("icao24", "role", "weight", F.col(LABEL), _number_of_class().alias("label"), *kind.features)
        .limit(pupil.most_rows)
        .persist()
    )
    try:
        return _Lesson(examples, kind.features, pupil).learnt(aircraft)
    finally:
        examples.unpersist()


class _Lesson:
    """One training: what it learns from is held by Spark, and what it is examined with is here, too."""

    def __init__(self, examples: DataFrame, features: Sequence[str], pupil: Pupil) -> None:
        self._examples, self._features, self._pupil = examples, list(features), pupil
        pupil.say("reading what is learnt from")
        self._frame = examples.toArrow().to_pandas()
        self._values = self._frame[self._features].to_numpy(np.float64)
        self._labels = self._frame["label"].to_numpy(np.int64)
        self._roles = self._frame["role"].to_numpy(np.int64)

    def learnt(self, aircraft: pd.DataFrame) -> Learnt:
        check_drawn(self._labels, self._roles, self._pupil.most_rows)
        check_values(dict(zip(self._features, (~np.isnan(self._values)).sum(axis=0).tolist(), strict=True)))
        drawn = aircraft[aircraft["icao24"].isin(self._frame["icao24"])]
        searched = self._searched()
        depth, trees = _smallest_of_the_best(searched)
        self._pupil.say(f"learning from {int((self._roles >= 0).sum()):,} reports: {trees} trees of depth {depth}")
        model, grown, forest = self._fitted(self._learning(), depth, trees)
        examined = self._roles < 0
        probabilities = Predictor.of(forest).probabilities(self._values[examined])
        labels = self._labels[examined]
        best, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
        sure = best >= SURE_FROM
        commonest = np.bincount(self._labels[~examined], minlength=len(CLASSES)).argmax()
        importances = grown.featureImportances.toArray()
        return Learnt(
            forest,
            lambda folder: model.write().save(str(folder)),
            {"depth": depth, "trees": trees},
            Findings(
                confusion(labels, probabilities.argmax(axis=1)),
                confusion(labels, np.full(len(labels), commonest)),
                dict(zip(self._features, importances.tolist(), strict=True)),
                calibration(best, right),
                {f"depth {depth}, {trees} trees": score for (depth, trees), score in searched.items()},
                SURE_FROM,
                float(sure.mean()),
                float(right[sure].mean()) if sure.any() else 0.0,
            ),
            labelled=int(aircraft["reports"].sum()),
            drawn=len(self._frame),
            aircraft=_by_class(drawn),
            examined=_by_class(drawn[drawn["role"] < 0]),
        )

    def _searched(self) -> dict[tuple[int, int], float]:
        """The macro F1 of each depth and number of trees, over folds of aircraft."""
        from pyspark.sql import functions as F

        learning = int((self._roles >= 0).sum())
        few = self._learning().sample(min(1.0, SEARCHED_ROWS / max(learning, 1)), self._pupil.seed).persist()
        found: dict[tuple[int, int], list[float]] = {}
        for depth in DEPTHS:
            for fold in range(FOLDS):
                self._pupil.say(f"choosing depth and trees: depth {depth}, fold {fold + 1} of {FOLDS}")
                _, _, forest = self._fitted(few.where(F.col("role") != fold), depth, max(TREES))
                asked = self._roles == fold
                for trees in TREES:
                    # Trees are grown one by one: the first ten of thirty are a forest of ten.
                    some = Forest(forest.classes, forest.features, forest.fill, forest.trees[:trees])
                    said = Predictor.of(some).probabilities(self._values[asked]).argmax(axis=1)
                    found.setdefault((depth, trees), []).append(confusion(self._labels[asked], said).macro_f1)
        few.unpersist()
        return {setting: sum(scores) / len(scores) for setting, scores in found.items()}

    def _learning(self) -> DataFrame:
        from pyspark.sql import functions as F

        return self._examples.where(F.col("role") >= 0)

    def _fitted(
        self, rows: DataFrame, depth: int, trees: int
    ) -> tuple[PipelineModel, RandomForestClassificationModel, Forest]:
        from pyspark.ml import Pipeline
        from pyspark.ml.classification import RandomForestClassificationModel, RandomForestClassifier
        from pyspark.ml.feature import Imputer, ImputerModel, VectorAssembler

        filled = [f"{name}_filled" for name in self._features]
        imputer = Imputer(strategy="median", inputCols=self._features, outputCols=filled)
        assembler = VectorAssembler(inputCols=filled, outputCol="features")
        forest = RandomForestClassifier(
            featuresCol="features", labelCol="label", weightCol="weight", numTrees=trees, maxDepth=depth,
            maxBins=64, minInstancesPerNode=10, maxMemoryInMB=512, seed=self._pupil.seed,
        )  # fmt: skip
        model = Pipeline(stages=[imputer, assembler, forest]).fit(rows)
        filler, _, grown = model.stages
        assert isinstance(filler, ImputerModel)
        assert isinstance(grown, RandomForestClassificationModel)
        [fill] = filler.surrogateDF.select(*self._features).collect()
        return model, grown, opened_form(grown, self._features, list(fill))


def _aircraft(labelled: DataFrame, seed: int) -> pd.DataFrame:
    """Each aircraft with its class, its reports, how much each of them weighs, and its role: -1 when it is kept for
    the examination, else its fold."""
    from pyspark.sql import functions as F

    found = (
        labelled.groupBy("icao24")
        .agg(F.mode(LABEL, True).alias(LABEL), F.count(F.lit(1)).alias("reports"))
        .withColumn("draw", F.xxhash64("icao24", F.lit(seed)))
        .orderBy("draw", "icao24")
        .toArrow()
        .to_pandas()
    )
    of_class = found.groupby(LABEL)
    at, of = of_class.cumcount(), of_class["icao24"].transform("size")
    found["role"] = np.where(at < np.ceil(of * EXAMINED), -1, at % FOLDS)
    per_class = of_class["reports"].transform("sum")
    found["weight"] = found["reports"].sum() / per_class / max(found[LABEL].nunique(), 1)
    return found


def _sample(labelled: DataFrame, aircraft: pd.DataFrame, pupil: Pupil) -> DataFrame:
    """As many reports of each class, at most, whole hours of an aircraft at a time: those that belong together."""
    from pyspark.sql import functions as F

    share = F.lit(0.0)
    for name, reports in aircraft.groupby(LABEL)["reports"].sum().items():
        share = F.when(F.col(LABEL) == name, pupil.most_rows / len(CLASSES) / reports).otherwise(share)
    hour = F.unix_seconds("event_timestamp").cast("bigint") / F.lit(3600)
    draw = F.pmod(F.xxhash64("icao24", F.floor(hour), F.lit(pupil.seed)), F.lit(1_000_000)) / F.lit(1e6)
    return labelled.where(draw < share)


def _number_of_class() -> Any:
    from pyspark.sql import functions as F

    names = F.array(*(F.lit(name) for name in CLASSES))
    return (F.array_position(names, F.col(LABEL)) - 1).cast("double")


def _smallest_of_the_best(searched: Mapping[tuple[int, int], float]) -> tuple[int, int]:
    enough = max(searched.values()) - AS_GOOD
    return min((setting for setting, score in searched.items() if score >= enough), key=lambda each: each[0] * each[1])


def _by_class(aircraft: pd.DataFrame) -> dict[str, int]:
    counted = aircraft.groupby(LABEL).size().to_dict()
    return {name: int(counted.get(name, 0)) for name in CLASSES}


def confusion(labels: NDArray[np.int64], said: NDArray[np.int64]) -> Examination:
    counts = np.zeros((len(CLASSES), len(CLASSES)), np.int64)
    np.add.at(counts, (labels, said), 1)
    return Examination(
        {name: dict(zip(CLASSES, row.tolist(), strict=True)) for name, row in zip(CLASSES, counts, strict=True)}
    )


def calibration(best: NDArray[np.float64], right: NDArray[np.bool_]) -> list[Bin]:
    """Rows by how sure the model was of them, from the least to the most."""
    of = np.minimum((best * BINS).astype(np.int64), BINS - 1)
    return [
        Bin(int(within.sum()), float(best[within].mean()), float(right[within].mean()))
        for number in range(BINS)
        if (within := of == number).any()
    ]


def opened_form(model: RandomForestClassificationModel, features: Sequence[str], fill: Sequence[float]) -> Forest:
    """The trees of a model of Spark's, as it writes them down."""
    import pyarrow.dataset as ds

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model")
        model.write().save(str(path))
        nodes = ds.dataset(path / "data").to_table().to_pylist()
    trees: dict[int, list[dict[str, Any]]] = {}
    for node in nodes:
        trees.setdefault(node["treeID"], []).append(node["nodeData"])
    return Forest(list(CLASSES), list(features), list(fill), [_tree(trees[number]) for number in sorted(trees)])


def _tree(nodes: list[dict[str, Any]]) -> Tree:
    nodes.sort(key=lambda node: int(node["id"]))
    is_leaf = [node["leftChild"] < 0 for node in nodes]
    return Tree(
        feature=[LEAF if leaf else node["split"]["featureIndex"] for node, leaf in zip(nodes, is_leaf, strict=True)],
        threshold=[
            0.0 if leaf else node["split"]["leftCategoriesOrThreshold"][0]
            for node, leaf in zip(nodes, is_leaf, strict=True)
        ],
        left=[node["leftChild"] for node in nodes],
        right=[node["rightChild"] for node in nodes],
        shares=[_shares(node["impurityStats"]) for node in nodes],
    )


def _shares(counted: Sequence[float]) -> list[float]:
    """Of each class; Spark counts no further than the last class that it met."""
    met = [count / sum(counted) for count in counted]
    return met + [0.0] * (len(CLASSES) - len(met))


def check_enough(aircraft: Mapping[str, int]) -> None:
    """RequestError when there is too little to learn from; `aircraft` are those of each class."""
    few = {name: aircraft.get(name, 0) for name in CLASSES if aircraft.get(name, 0) < LEAST_AIRCRAFT}
    if few:
        counted = ", ".join(f"{count} {name}" for name, count in few.items())
        raise RequestError(
            f"too few aircraft say what they are: {counted}; {LEAST_AIRCRAFT} of each class are needed",
            do="Let the feed run for longer, or make one: vigie feed flights --rows 500000 --keys 3000",
        )


def check_drawn(labels: NDArray[np.int64], roles: NDArray[np.int64], most_rows: int) -> None:
    """RequestError when of the reports that were drawn some class is not in the examination, or not in two folds."""
    for number, name in enumerate(CLASSES):
        of_class = roles[labels == number]
        if not (of_class < 0).any() or len(np.unique(of_class[of_class >= 0])) < 2:
            raise RequestError(
                f"too few reports were drawn to learn and to examine {name}: {len(of_class):,} of {len(labels):,}",
                where=f"--rows {most_rows}",
                do=f"Draw more (--rows {max(10_000, 10 * most_rows)}), or let the feed run for longer.",
            )


def check_values(values: Mapping[str, int]) -> None:
    """RequestError when a feature has no value at all; `values` says how many each has."""
    if missing := [name for name, count in values.items() if not count]:
        raise RequestError(
            f"nothing can be learnt: {', '.join(missing)} has no value in any report",
            do="Look at what comes in: vigie ask flights missing_values",
        )
