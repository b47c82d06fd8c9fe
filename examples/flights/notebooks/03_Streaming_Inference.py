# %% [markdown]
# # 03 · Le modèle sur le flux · The model on the stream
#
# Le modèle a été appris sur une table au repos ; ici il répond pour chaque message **à mesure qu'il arrive**, puis on
# compte les lourds, les légers et les autres, minute par minute. C'est la table gold `heavy_per_minute`, celle que le
# tableau de bord et Elasticsearch reçoivent.
#
# > The model was learnt from a table at rest; here it answers for each report **as it comes in**, and then we count
# > the heavy, the light and the others, minute by minute. This is the gold table `heavy_per_minute`, which the
# > dashboard and Elasticsearch are given.

# %%
import inspect
import shutil
from pathlib import Path

import pandas as pd
from pyspark.sql import functions as F

import vigie
from vigie.flights.features import KINDS
from vigie.flights.learning import learn
from vigie.flights.pipeline import heavy_per_minute, predictions
from vigie.flights.sample_lake import sample_lake, sample_seed
from vigie.lake import Lake
from vigie.models import Models, Pupil, Trained, Training

WORK = Path("lake-notebooks/03")
shutil.rmtree(WORK, ignore_errors=True)
lake = sample_lake()
spark = vigie.spark(lake.root, engine="spark")
silver = spark.table("flights_ml")

# %% [markdown]
# ## 1. Le modèle en service · The model in use
#
# Un lac garde chaque modèle dans un dossier, avec sa carte : sur quelle version de la table il a appris, de combien
# d'avions, et ses notes à l'examen. `vigie models flights use N` choisit celui qui prédit. Si le lac n'en a pas, ou
# s'il lit plus qu'un message à la fois, on en apprend un ici, pour ce notebook seul.
#
# > A lake keeps each model in a folder, with its card: from which version of the table it learnt, from how many
# > aircraft, and its scores. `vigie models flights use N` chooses the one that predicts. If the lake has none, or one
# > that reads more than the report at hand, we train one here, for this notebook alone.

# %% tags=["learnt"]
models = Models(lake, "flights")
is_the_lakes = models.in_use is not None and models.card(models.in_use).kind == "report"
if not is_the_lakes:
    models = Models(Lake(WORK), "flights")
    learnt = learn(silver, Pupil("report", sample_seed(), 30_000, print))
    models.use(
        models.add(learnt, Training("report", "silver/flights_ml", 0, sample_seed(), 0.0, spark.version)).version
    )
card = models.card(models.in_use)
model = Trained.of(models, card.version)
pd.Series({name: card.in_short()[name] for name in ("version", "kind", "rows", "aircraft", "accuracy", "macro_f1")})

# %% [markdown]
# ## 2. Lire silver comme un flux, et prédire · Read silver as a stream, and predict
#
# On lit la dernière heure de silver. `KINDS["report"].made` prépare les variables (une valeur impossible devient
# absente), puis `model.predicted` fait passer chaque lot par la forêt avec `mapInArrow` : des colonnes entières à la
# fois, sans Java, les mêmes réponses que Spark ML à 1e-9 près. Une prédiction ne regarde qu'un message : pas d'état,
# donc rien à oublier.
#
# > We read the last hour of silver. `KINDS["report"].made` prepares the features (a value that cannot be becomes a
# > missing one), then `model.predicted` takes each batch through the forest by `mapInArrow`: whole columns at a time,
# > no Java, the same answers as Spark ML's to 1e-9. A prediction looks at one report only: there is no state, so
# > there is nothing to forget.

# %%
[last] = silver.agg((F.max("event_timestamp") - F.expr("INTERVAL 1 HOUR")).alias("hour")).collect()
reports = (
    spark.readStream.format("delta")
    .option("withEventTimeOrder", "true")
    .load(str(lake.silver("flights_ml")))
    .withWatermark("event_timestamp", "2 minutes")
    .where(F.col("event_timestamp") > F.lit(last.hour))
)
predicted = model.predicted(KINDS[model.kind].made(reports.where(~F.col("on_ground"))))
print("is a stream:", predicted.isStreaming)

# %% [markdown]
# Le pipeline fait la même chose dans `predictions` ; la voici, pour comparer :
#
# > The pipeline does the same in `predictions`; here it is, to compare:

# %%
print(inspect.getsource(predictions))

# %% [markdown]
# ## 3. Compter par minute, avec un filigrane · Count by the minute, with a watermark
#
# Une fenêtre d'une minute par classe prédite. Un message peut arriver en retard : on attend deux minutes (le
# filigrane), puis la fenêtre est écrite, une seule fois (`append`). `heavy_per_minute` compte des avions distincts,
# ce qu'un flux ne sait pas faire directement : ici, l'ensemble des identifiants de chaque fenêtre est gardé dans
# l'état (`collect_set`), et sa taille est le compte exact.
#
# > A window of one minute for each predicted class. A report may be late: we wait for two minutes (the watermark),
# > then the window is written, once (`append`). `heavy_per_minute` counts distinct aircraft, which a stream cannot do
# > directly: here the set of identifiers of each window is kept in the state (`collect_set`), and its size is the
# > exact count.

# %%
print(inspect.getsource(heavy_per_minute))

# %%
by_class = (
    predicted.groupBy(F.window("event_timestamp", "1 minute"), "predicted_class")
    .agg(
        F.size(F.collect_set("icao24")).cast("bigint").alias("flight_count"),
        F.count(F.lit(1)).alias("reports"),
        F.avg("probability").alias("avg_probability"),
    )
    .select(
        F.col("window.start").alias("window_start"),
        F.col("window.end").alias("window_end"),
        "predicted_class",
        "flight_count",
        "reports",
        "avg_probability",
    )
)
query = (
    by_class.writeStream.queryName("heavy_per_minute")
    .format("delta")
    .outputMode("append")
    .option("checkpointLocation", str(WORK / "checkpoints/heavy_per_minute"))
    .trigger(availableNow=True)
    .start(str(WORK / "heavy_per_minute"))
)
query.awaitTermination()
query.stop()
print("running:", spark.streams.active)

# %% [markdown]
# `availableNow` lit tout ce qui est là puis s'arrête. Pour rester à l'écoute, remplacez-le par
# `trigger(processingTime="10 seconds")` : c'est la seule ligne qui change, et le notebook 07 la montre.
#
# > `availableNow` reads all there is and then stops. To keep listening, put `trigger(processingTime="10 seconds")` in
# > its place: it is the only line that changes, and notebook 07 shows it.

# %% tags=["learnt"]
ours = spark.read.format("delta").load(str(WORK / "heavy_per_minute"))
ours.orderBy(F.desc("window_start"), "predicted_class").limit(8).toPandas().round(2)

# %% [markdown]
# ## 4. Vers le tableau de bord · To the dashboard
#
# Ces lignes sont ce que le pipeline livre : `flights.deliver(heavy_per_minute, to=Elastic(...))`, et la page
# *Classes* de `vigie dashboard`. L'image ci-dessous est le même tableau, aire par aire.
#
# > These rows are what the pipeline delivers: `flights.deliver(heavy_per_minute, to=Elastic(...))`, and the classes
# > on the page of `vigie dashboard`. The picture below is the same table, area by area.

# %%
from matplotlib.dates import DateFormatter

from vigie.flights import pictures
from vigie.flights.canvas import picture
from vigie.language import Language

LANGUAGE = "fr"  # of the picture; "en" for English
by_minute = ours.toPandas().pivot(index="window_start", columns="predicted_class", values="flight_count").fillna(0)
colours = pictures.CLASSES | {"Unsure": pictures.SLATE}
said = Language(LANGUAGE)
title = said.of("Aircraft by predicted class, minute by minute", "Avions par classe prédite, minute par minute")
with picture(title) as (figure, axes):
    axes.stackplot(
        by_minute.index,
        by_minute.to_numpy().T,
        labels=[pictures.name_of(name, LANGUAGE) for name in by_minute],
        colors=[colours[name] for name in by_minute],
    )
    axes.set_ylabel(said.of("Aircraft", "Avions"))
    axes.xaxis.set_major_formatter(DateFormatter("%H:%M"))
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False)
figure

# %% [markdown]
# ## 5. Les mêmes comptes que le produit · The same counts as the product's
#
# Là où `gold/heavy_per_minute` vient du même modèle, les fenêtres closes ici et là doivent être les mêmes, tant que
# rien n'y est arrivé en retard : ce qui dépasse le watermark, Spark le garde ou non selon le lot, le produit jamais.
# Ces minutes-là sont laissées de côté, de même que la première, que « la dernière heure » coupe peut-être.
#
# > Where `gold/heavy_per_minute` comes from the same model, the windows closed here and there must be the same, as long
# > as nothing came too late for them: what is beyond the watermark Spark keeps or not as its batches fall, the product
# > never does. Those minutes are left out, and the first one, which "the last hour" may cut.

# %%
columns = ("window_start", "predicted_class", "flight_count", "reports")
product = spark.table("heavy_per_minute").where(F.col("model") == card.version)
closed = [table.agg(F.max("window_end")).first()[0] for table in (ours, product)]
until = min(closed) if is_the_lakes and all(closed) else last.hour
within = (F.col("window_start") > F.lit(last.hour)) & (F.col("window_end") <= F.lit(until))
late = spark.table("flights_ml").where("event_timestamp < seen_until - INTERVAL 2 MINUTES")
touched = late.select(F.window("event_timestamp", "1 minute")["start"].alias("window_start")).distinct()
ours, product = (
    table.where(within).join(touched, "window_start", "left_anti").select(*columns) for table in (ours, product)
)
print(
    f"{ours.count()} windows in which nothing came too late; only here {ours.exceptAll(product).count()}, "
    f"only in the product's {product.exceptAll(ours).count()}"
)

# %%
spark.stop()
