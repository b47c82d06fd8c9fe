# %% [markdown]
# # 07 · Gold en continu · Streaming gold
#
# Silver grandit sans cesse ; gold en est le résumé, tenu à jour **pendant** que les messages arrivent. Deux flux :
#
# | flux | fenêtre | filigrane | une ligne par |
# |---|---|---|---|
# | `flight_phase_counts` | 1 minute, l'une après l'autre | 2 minutes | phase de vol |
# | `anomaly_alerts` | 5 minutes, toutes les minutes | 6 minutes | pays |
#
# > Silver keeps growing; gold is its summary, kept up to date **while** messages come in. Two streams:
# >
# > | stream | window | watermark | one row per |
# > |---|---|---|---|
# > | `flight_phase_counts` | 1 minute, one after another | 2 minutes | phase of flight |
# > | `anomaly_alerts` | 5 minutes, a new one each minute | 6 minutes | country |

# %%
import inspect
import os
import shutil
import time
from pathlib import Path

from pyspark.sql import functions as F

import vigie
from vigie.flights.limits import ALTITUDES_M, SPEEDS_KMH
from vigie.flights.pipeline import anomaly_alerts, flight_phase_counts
from vigie.flights.sample_lake import sample_lake

WATCH_EVERY_S = float(os.environ.get("VIGIE_NOTEBOOK_WATCH_S", "30"))
CRITICAL = 0.1  # of the reports in a window
WORK = Path("lake-notebooks/07")
shutil.rmtree(WORK, ignore_errors=True)
lake = sample_lake()
spark = vigie.spark(lake.root, engine="spark")

# %% [markdown]
# ## 1. La source : silver, rejoué · The source: silver, replayed
#
# Sur un lac que `vigie run` alimente, il suffit de lire `silver/flights_ml` comme un flux. Un lac au repos, lui,
# livrerait tout en une bouchée, et il n'y aurait rien à surveiller. On recopie donc ses quarante dernières minutes en
# tranches de cinq minutes (`repartitionByRange`), que le flux lira une par une (`maxFilesPerTrigger`). Pour le
# direct, mettez `REPLAY = False`.
#
# > On a lake that `vigie run` is feeding, reading `silver/flights_ml` as a stream is all it takes. A lake at rest
# > would hand everything over in one gulp, with nothing left to watch. So we copy its last forty minutes in slices of
# > five minutes (`repartitionByRange`), which the stream reads one by one (`maxFilesPerTrigger`). For live data set
# > `REPLAY = False`.

# %%
REPLAY = True
silver = spark.table("flights_ml")
source = lake.silver("flights_ml")
if REPLAY:
    source = WORK / "replayed"
    newest = F.lit(silver.agg(F.max("event_timestamp")).first()[0])
    recent = silver.where(F.col("event_timestamp") > newest - F.expr("INTERVAL 40 MINUTES"))
    recent.repartitionByRange(8, "event_timestamp").write.format("delta").save(str(source))

# %% [markdown]
# ## 2. Le flux et son filigrane · The stream and its watermark
#
# Le **filigrane** répond à la question : jusqu'à quand attend-on un message en retard ? Il vaut l'instant le plus
# récent vu, moins la patience. Une fenêtre dont la fin est derrière lui est close : elle est écrite une fois, et ne
# changera plus. `withEventTimeOrder` fait lire à Delta ce qui est déjà là dans l'ordre des instants ; sans cela un
# vieux fichier lu après un récent passerait pour du retard. Chaque flux lit sa propre source : ils avancent et
# s'arrêtent sans se gêner.
#
# > The **watermark** answers the question: how long do we wait for a late message? It is the newest instant seen,
# > less our patience. A window that ends before it is closed: it is written once and will not change again.
# > `withEventTimeOrder` makes Delta read what is already there in the order of its instants; otherwise an old file
# > read after a new one would look late. Each stream reads a source of its own: they advance and stop without
# > disturbing each other.


# %%
def silver_stream(spark, path, watermark):
    """The reports of silver as they come, late ones waited for."""
    return (
        spark.readStream.format("delta")
        .option("withEventTimeOrder", "true")
        .option("maxFilesPerTrigger", 1)
        .load(str(path))
        .withWatermark("event_timestamp", watermark)
    )


def flat(windows):
    """`window` as two columns, in the order of the document."""
    bounds = [F.col("window.start").alias("window_start"), F.col("window.end").alias("window_end")]
    return windows.select(*bounds, *(name for name in windows.columns if name != "window"))


def started(windows, name, folder):
    """A query that appends closed windows to a Delta table, with a checkpoint of its own."""
    return (
        windows.writeStream.queryName(name)
        .format("delta")
        .outputMode("append")
        .option("checkpointLocation", str(folder / "checkpoints" / name))
        .trigger(processingTime="1 second")
        .start(str(folder / name))
    )


# %% [markdown]
# ## 3. Flux 1 : les avions par phase, minute par minute · Stream 1: aircraft by phase, minute by minute
#
# Une fenêtre **tumbling** : chaque message tombe dans une seule minute, donc les minutes s'additionnent.
# `flight_count` compte des avions et non des messages : un avion qui parle deux fois plus souvent reste un seul
# avion. La fonction est celle que le pipeline déclare, sans une ligne de plus ; `F.window` y fait le découpage :
#
# > A **tumbling** window: each message falls into exactly one minute, so minutes add up. `flight_count` counts
# > aircraft and not messages: an aircraft that talks twice as often is still one. The function is the one that the
# > pipeline declares, not a line more; `F.window` cuts time up:

# %%
print(inspect.getsource(flight_phase_counts))

# %%
phase_counts = flat(flight_phase_counts(silver_stream(spark, source, "2 minutes")))
query_aggregations = started(phase_counts, "flight_phase_counts", WORK)

# %% [markdown]
# ## 4. Flux 2 : les anomalies par pays · Stream 2: anomalies by country
#
# Une fenêtre **sliding** de 5 minutes, qui avance d'une minute : une rafale d'anomalies se voit dans la minute, quel
# que soit l'instant où elle commence. En échange, chaque message compte cinq fois : ces lignes-là ne s'additionnent
# pas. `anomaly_rate` va de 0 à 1.
#
# > A **sliding** window of 5 minutes that moves by one: a burst of anomalies shows within a minute, whenever it
# > begins. In exchange each message counts five times: these rows must not be added up. `anomaly_rate` goes from 0 to
# > 1.

# %%
print(f"altitude {ALTITUDES_M} m, speed {SPEEDS_KMH} km/h")
anomalies = flat(anomaly_alerts(silver_stream(spark, source, "6 minutes")))
query_anomalies = started(anomalies, "anomaly_alerts", WORK)
anomalies.printSchema()

# %% [markdown]
# Pourquoi `append` ? `complete` réécrirait toute la table à chaque fois et garderait toutes les fenêtres en mémoire
# pour toujours ; `update` changerait des lignes déjà lues par d'autres. En `append`, qui lit voit chaque fenêtre une
# fois, définitive.
#
# > Why `append`? `complete` would rewrite the whole table each time and keep every window in memory for ever;
# > `update` would change rows that others have read. With `append` a reader sees each window once, final.

# %% [markdown]
# ## 5. La surveillance · The watch
#
# Toutes les 30 secondes (`VIGIE_NOTEBOOK_WATCH_S` change ce délai) on regarde : les flux vivent-ils, jusqu'où est
# allé leur filigrane, combien de fenêtres sont dans gold, et y a-t-il une alerte, un pays dont plus de 10 % des
# messages sont impossibles ? On lit la table Delta **pendant** qu'elle s'écrit : Delta montre toujours un état
# complet. La boucle finit quand tout ce qui attendait a été lu, ou au bout de dix minutes.
#
# > Every 30 seconds (`VIGIE_NOTEBOOK_WATCH_S` changes that) we look: are the streams alive, how far is their
# > watermark, how many windows are in gold, and is there an alert, a country with more than 10 % of impossible
# > reports? We read the Delta table **while** it is being written: Delta always shows a whole state. The loop ends
# > when all that was waiting has been read, or after ten minutes.

# %% tags=["varies"]
queries = (query_aggregations, query_anomalies)


def gold(name):
    return spark.read.format("delta").load(str(WORK / name))


def is_done(query):
    """Batches were taken, none is under way, and the last look found nothing new."""
    status = query.status
    return bool(query.lastProgress) and not status["isDataAvailable"] and not status["isTriggerActive"]


def is_there(name):
    return (WORK / name / "_delta_log/00000000000000000000.json").is_file()


def look():
    for query in queries:
        if problem := query.exception():
            raise problem
        reached = (query.lastProgress or {}).get("eventTime", {}).get("watermark", "none yet")
        windows = gold(query.name).count() if is_there(query.name) else 0
        print(f"{query.name:20} watermark {reached}  {windows:4} windows")
    if is_there("anomaly_alerts"):
        critical = gold("anomaly_alerts").where(F.col("anomaly_rate") > CRITICAL)
        until = F.date_format("window_end", "HH:mm").alias("until")
        newest = critical.orderBy(F.desc("window_end"), F.desc("anomaly_rate"), "origin_country")
        for row in newest.select(until, "origin_country", "anomaly_rate", "total_observations").take(3):
            print(f"  ALERT {row.until} {row.origin_country}: {row.anomaly_rate:.0%} of {row.total_observations}")


last_look = time.monotonic() + 600
while not all(is_done(query) for query in queries) and time.monotonic() < last_look:
    time.sleep(WATCH_EVERY_S)
    look()
look()

# %% [markdown]
# ## 6. Arrêter · Stop
#
# `.stop()` laisse finir ce qui est en cours d'écriture. Relancé, un flux reprend à son checkpoint : rien n'est perdu,
# rien n'est compté deux fois. `spark.streams.active` montre qu'il ne reste rien en marche.
#
# > `.stop()` lets what is being written finish. Started again, a stream goes on at its checkpoint: nothing is lost,
# > nothing is counted twice. `spark.streams.active` shows that nothing is left running.

# %%
query_aggregations.stop()
query_anomalies.stop()
print("running:", spark.streams.active)

# %% [markdown]
# ## 7. Ce que gold dit maintenant · What gold says now
#
# Dans le lac d'exemple, de 12 h 20 à 12 h 28, les avions du Royaume-Uni envoient leur altitude en pieds au lieu de
# mètres : un avion en croisière semble voler à 36 000 m. C'est le genre de panne que ces alertes existent pour
# montrer.
#
# > In the sample lake, from 12:20 to 12:28, the aircraft of the United Kingdom send their altitude in feet instead of
# > metres: one in cruise seems to fly at 36,000 m. This is the kind of failure that these alerts exist to show.

# %%
counts = gold("flight_phase_counts")
counts.orderBy(F.desc("window_start"), "flight_phase").limit(10).toPandas()

# %%
shown = (
    "window_start",
    "window_end",
    "origin_country",
    "total_observations",
    "anomaly_rate",
    "max_altitude",
    "max_velocity",
)
critical = gold("anomaly_alerts").where(F.col("anomaly_rate") > CRITICAL)
critical.select(*shown).orderBy(F.desc("window_end"), F.desc("anomaly_rate"), "origin_country").limit(10).toPandas()

# %% [markdown]
# ## 8. Les mêmes fenêtres que le produit · The same windows as the product's
#
# `vigie run` fait tourner les deux mêmes fonctions. Tant qu'aucun message n'est plus en retard que le filigrane, les
# fenêtres closes ici et là sont les mêmes, ligne à ligne. Les moyennes sont comparées au millionième : une somme de
# nombres à virgule dépend de leur ordre. Le début du rejeu coupe les premières fenêtres, on les laisse de côté.
#
# > `vigie run` runs the same two functions. As long as no message is later than the watermark, the windows closed
# > here and there are the same, row by row. Averages are compared to a millionth: a sum of floating-point numbers
# > depends on their order. The replay begins in the middle of the first windows, which are left out.


# %%
def is_the_same(name, kind):
    ours, theirs = F.col(f"ours.{name}"), F.col(f"theirs.{name}")
    return ours.eqNullSafe(theirs) | (F.abs(ours - theirs) <= 1e-6 if kind == "double" else F.lit(False))


begins = spark.read.format("delta").load(str(source)).agg(F.min("event_timestamp")).first()[0]
for name, key in (("flight_phase_counts", "flight_phase"), ("anomaly_alerts", "origin_country")):
    ours = gold(name)
    until = ours.agg(F.max("window_end")).first()[0]
    whole = (F.col("window_start") >= F.lit(begins)) & (F.col("window_end") <= F.lit(until))
    of = [F.col(f"ours.{each}").eqNullSafe(F.col(f"theirs.{each}")) for each in ("window_start", key)]
    both = ours.where(whole).alias("ours").join(spark.table(name).where(whole).alias("theirs"), of, "full")
    same = both
    for column, kind in ours.dtypes:
        same = same.where(is_the_same(column, kind))
    print(f"{name}: {both.count()} windows here or in the product's, {same.count()} of them the same")

# %%
spark.stop()
