# %% [markdown]
# # 06 · Une forêt aléatoire, pas à pas · A random forest, step by step
#
# Le notebook 02 appelle l'apprentissage du produit ; celui-ci l'écrit à la main, en Spark ML, pour voir chaque étape
# : étiqueter, séparer, compléter, assembler, apprendre, juger. Et il montre **pourquoi** l'on sépare par avion, en
# faisant aussi l'erreur.
#
# > Notebook 02 calls the product's training; this one writes it by hand, in Spark ML, to see each step: label, split,
# > fill in, assemble, learn, judge. And it shows **why** the split is by aircraft, by making the mistake as well.

# %%
import pandas as pd
from pyspark.ml import Pipeline
from pyspark.ml.classification import RandomForestClassifier
from pyspark.ml.evaluation import MulticlassClassificationEvaluator
from pyspark.ml.feature import Imputer, StringIndexer, VectorAssembler
from pyspark.sql import functions as F

import vigie
from vigie.flights import pictures
from vigie.flights.features import REPORT, of_the_report
from vigie.flights.sample_lake import sample_lake, sample_seed
from vigie.models import Models

LANGUAGE = "fr"  # of the pictures; "en" for English
SEED = sample_seed()
CLASSES = ["Heavy", "Light", "Other"]
lake = sample_lake()
spark = vigie.spark(lake.root, engine="spark")

# %% [markdown]
# ## 1. Les exemples · The examples
#
# On apprend des messages en vol dont l'avion dit sa catégorie. Les catégories 0 et 1 d'OpenSky veulent dire « inconnu
# » : les ranger dans `Other` apprendrait au modèle que ne rien dire est une façon de voler. `of_the_report` rend
# absentes les valeurs impossibles. On s'en tient à 40 000 messages : au-delà, la forêt n'apprend plus grand-chose de
# trois variables.
#
# > We learn from reports in the air whose aircraft says its category. OpenSky's categories 0 and 1 mean "unknown": to
# > put them into `Other` would teach the model that saying nothing is a way to fly. `of_the_report` turns values that
# > cannot be into missing ones. We stay with 40,000 reports: beyond that a forest learns little more from three
# > features.

# %%
silver = spark.table("flights_ml")
labelled = of_the_report(silver.where(F.col("aircraft_class").isin(CLASSES) & ~F.col("on_ground")))
share = min(1.0, 40_000 / max(1, labelled.count()))
examples = labelled.sample(share, SEED).select("icao24", "event_timestamp", "aircraft_class", *REPORT).cache()
examples.groupBy("aircraft_class").agg(
    F.count(F.lit(1)).alias("reports"), F.count_distinct("icao24").alias("aircraft")
).orderBy("aircraft_class").toPandas()

# %% [markdown]
# ## 2. Deux façons de séparer · Two ways to split
#
# Pour juger un modèle il faut des exemples qu'il n'a pas vus. **Par message**, au hasard : 30 % des lignes. **Par
# avion** : 30 % des avions, avec toutes leurs lignes. Le tirage est une fonction de hachage : le même avion tombe
# toujours du même côté, sur toute machine.
#
# > To judge a model we need examples that it has not seen. **By report**, at random: 30 % of the rows. **By
# > aircraft**: 30 % of the aircraft, with all their rows. The draw is a hash: the same aircraft always falls on the
# > same side, on any machine.


# %%
def kept_for_the_exam(*key):
    return F.pmod(F.xxhash64(*key, F.lit(SEED)), F.lit(10)) < 3


by_report = kept_for_the_exam("icao24", "event_timestamp")
by_aircraft = kept_for_the_exam("icao24")
seen = examples.where(~by_report).select("icao24").distinct()
shared = examples.where(by_report).join(seen, "icao24", "left_semi").count() / examples.where(by_report).count()
print(f"by report, {shared:.1%} of the rows in the exam are of aircraft that the model has learnt from")

# %% [markdown]
# ## 3. La chaîne d'apprentissage · The pipeline
#
# Un `Pipeline` de Spark ML enchaîne des étapes ; `fit` les apprend toutes sur les exemples d'apprentissage **seuls**
# :
#
# - `StringIndexer` : la classe devient un nombre ;
# - `Imputer` : une valeur absente prend la médiane, apprise elle aussi, sinon l'examen fuirait dans l'apprentissage ;
# - `VectorAssembler` : trois colonnes deviennent un vecteur ;
# - `RandomForestClassifier` : trente arbres, chacun sur un tirage des lignes, qui votent. La profondeur est bornée :
#   un arbre trop profond apprend par cœur.
#
# Le poids d'un message est l'inverse de la fréquence de sa classe : sans lui, la forêt gagnerait à ne répondre que
# `Heavy`.
#
# > A Spark ML `Pipeline` chains stages; `fit` learns all of them from the training examples **alone**:
# >
# > - `StringIndexer`: the class becomes a number;
# > - `Imputer`: a missing value takes the median, which is learnt too, or the exam would leak into the training;
# > - `VectorAssembler`: three columns become a vector;
# > - `RandomForestClassifier`: thirty trees, each on a draw of the rows, which vote. Their depth is bounded: a tree
# >   that is too deep learns by heart.
# >
# > A report weighs the inverse of how frequent its class is: without that, the forest would do well to answer `Heavy`
# > always.


# %%
def weighted(rows):
    total = rows.count()
    sizes = rows.groupBy("aircraft_class").agg((total / len(CLASSES) / F.count(F.lit(1))).alias("weight"))
    return rows.join(F.broadcast(sizes), "aircraft_class")


def trained(rows, depth=8):
    filled = [f"{name}_filled" for name in REPORT]
    stages = [
        StringIndexer(inputCol="aircraft_class", outputCol="label", stringOrderType="alphabetAsc"),
        Imputer(strategy="median", inputCols=list(REPORT), outputCols=filled),
        VectorAssembler(inputCols=filled, outputCol="features"),
        RandomForestClassifier(weightCol="weight", numTrees=30, maxDepth=depth, minInstancesPerNode=10, seed=SEED),
    ]
    return Pipeline(stages=stages).fit(weighted(rows))


def scores(predicted):
    """Accuracy and macro F1: the mean of the classes' F1, each counting the same."""
    judge = MulticlassClassificationEvaluator()
    f1 = [
        judge.evaluate(predicted, {judge.metricName: "fMeasureByLabel", judge.metricLabel: float(label)})
        for label in range(len(CLASSES))
    ]
    return {"accuracy": judge.evaluate(predicted, {judge.metricName: "accuracy"}), "macro F1": sum(f1) / len(f1)}


# %% [markdown]
# ## 4. Juger · Judge
#
# Trois modèles au même examen. La **référence** répond toujours la classe la plus fréquente. Si la séparation par
# message donne une meilleure note que celle par avion, ce n'est pas un meilleur modèle : c'est un examen dont il
# connaissait les réponses.
#
# > Three models, examined alike. The **baseline** always answers the commonest class. If the split by report gives a
# > better score than the one by aircraft, it is not a better model: it is an exam whose answers it knew.

# %% tags=["learnt"]
model = trained(examples.where(~by_aircraft))
exam = model.transform(examples.where(by_aircraft)).cache()
leaky = trained(examples.where(~by_report)).transform(examples.where(by_report)).cache()
commonest = examples.where(~by_aircraft).groupBy("aircraft_class").count().orderBy(F.desc("count")).first()
always = exam.withColumn("prediction", F.lit(float(CLASSES.index(commonest.aircraft_class))))
pd.DataFrame(
    {
        "by aircraft": scores(exam),
        "by report (leaks)": scores(leaky),
        f"always {commonest.aircraft_class}": scores(always),
    }
).T.round(2)

# %% [markdown]
# ## 5. Où se trompe-t-il ? · Where is it wrong?
#
# Une ligne par classe réelle, une colonne par réponse, sur des avions jamais vus.
#
# > A row for each true class, a column for each answer, on aircraft never seen.

# %%
pairs = exam.groupBy("label", "prediction").count().toPandas()
confusion = (
    pairs.pivot(index="label", columns="prediction", values="count")
    .reindex(index=range(len(CLASSES)), columns=range(len(CLASSES)))
    .fillna(0)
    .astype(int)
    .set_axis(CLASSES, axis=0)
    .set_axis(CLASSES, axis=1)
)
pictures.confusion(confusion, LANGUAGE)

# %% [markdown]
# ## 6. Ouvrir la forêt · Open the forest
#
# Les importances, et les premières questions d'un arbre : c'est l'avantage d'une forêt sur un réseau de neurones, on
# peut lire ce qu'elle a appris.
#
# > The importances, and the first questions of one tree: this is what a forest has over a neural network, one can
# > read what it has learnt.

# %% tags=["learnt"]
forest = model.stages[-1]
importances = pd.Series(forest.featureImportances.toArray(), index=REPORT).sort_values(ascending=False)
importances.round(2).to_frame("importance")

# %% tags=["varies"]
questions = "\n".join(forest.trees[0].toDebugString.splitlines()[1:9])
for number, name in enumerate(REPORT):
    questions = questions.replace(f"feature {number}", name)
print(questions)

# %% [markdown]
# ## 7. À côté du modèle en service · Beside the model in use
#
# `vigie train` fait la même chose en plus soigné : profondeur et nombre d'arbres choisis par validation croisée, une
# carte d'identité, et des arbres dans un format que le flux lit sans Java.
#
# > `vigie train` does the same with more care: depth and number of trees chosen by cross-validation, an identity
# > card, and trees in a form that the stream reads without Java.

# %% tags=["learnt"]
cards = Models(lake, "flights").cards()
pd.DataFrame(
    [card.in_short() for card in cards], columns=["version", "kind", "rows", "aircraft", "accuracy", "macro_f1"]
).round(2)

# %%
spark.stop()
