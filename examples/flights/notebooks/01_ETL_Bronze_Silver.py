# %% [markdown]
# # 01 · Du message brut à la table propre · From raw message to clean table
#
# Ce notebook fait à la main, en PySpark, ce que `vigie run flights` fait tout seul : il reçoit des messages, les
# garde tels quels (bronze), les nettoie (silver), les interroge en Spark SQL, puis compare chaque avion à lui-même
# (auto-jointure). À la fin, ses tables sont comparées à celles du produit.
#
# > This notebook does by hand, in PySpark, what `vigie run flights` does by itself: it takes messages in, keeps them
# > as they came (bronze), cleans them (silver), asks questions in Spark SQL, then compares each aircraft with itself
# > (self-join). At the end its tables are compared with those of the product.

# %%
import inspect
import shutil
from pathlib import Path

from pyspark.sql import functions as F

import vigie
from vigie.flights import questions
from vigie.flights.opensky import STATE_VECTOR
from vigie.flights.pipeline import FLIGHTS_ML, flights, flights_ml, great_circle_m, movements
from vigie.flights.sample_lake import sample_feed, sample_lake, sample_seed

WORK = Path("lake-notebooks/01")
shutil.rmtree(WORK, ignore_errors=True)
lake = sample_lake()
spark = vigie.spark(lake.root, engine="spark")

# %% [markdown]
# ## 1. L'ingestion · Taking messages in
#
# Un message est un avion vu à un instant, en JSON, tel que l'API OpenSky le décrit. On le lit comme un **flux** :
# depuis Kafka si `KAFKA` nomme un serveur, sinon depuis un dossier de fichiers, une ligne par message. La suite du
# notebook ne voit pas la différence, et c'est voulu : changer de source ne doit changer ni le nettoyage ni les
# requêtes. Si votre lac a été rempli par Kafka, il n'a pas de dossier ; le notebook en simule alors un.
#
# > A message is one aircraft seen at one instant, in JSON, as the OpenSky API describes it. We read it as a
# > **stream**: from Kafka if `KAFKA` names a server, else from a folder of files, one message a line. The rest of the
# > notebook cannot tell which, on purpose: another source should change neither the cleaning nor the queries. If your
# > lake was filled from Kafka it has no such folder; the notebook then simulates one.

# %%
KAFKA = ""  # "localhost:9092"
is_the_lakes = lake.inbox("flights_raw").is_dir()
inbox = lake.inbox("flights_raw") if is_the_lakes else sample_feed(WORK / "inbox", sample_seed())


def messages():
    if KAFKA:
        return (
            spark.readStream.format("kafka")
            .option("kafka.bootstrap.servers", KAFKA)
            .option("subscribe", "flights-raw")
            .option("startingOffsets", "earliest")
            .load()
            .select("topic", "partition", "offset", F.col("timestamp").alias("received_at"), "key", "value")
        )
    lines = spark.readStream.format("text").option("lineSep", "\n").option("pathGlobFilter", "*.jsonl").load(str(inbox))
    return lines.select(
        F.col("_metadata.file_name").alias("file"),
        F.current_timestamp().alias("received_at"),
        F.col("value").cast("binary"),
    )


# %% [markdown]
# ## 2. Bronze : ne rien perdre · Bronze: lose nothing
#
# Bronze garde l'octet près ce qui est arrivé, même illisible, avec sa provenance et l'heure de réception. Pourquoi ne
# pas nettoyer tout de suite ? Parce qu'une règle peut être fausse : tant que le brut est là, on peut la corriger et
# rejouer. Le flux écrit en `append` dans Delta ; le **checkpoint** retient ce qui a été lu, si bien qu'un redémarrage
# ne perd et ne répète rien. `availableNow` lit tout ce qui attend puis s'arrête : pratique dans un notebook.
#
# > Bronze keeps what arrived, byte for byte, readable or not, with where it came from and when. Why not clean it at
# > once? Because a rule may be wrong: as long as the raw message is there, we can fix the rule and replay. The stream
# > appends to Delta; the **checkpoint** remembers what was read, so a restart loses and repeats nothing.
# > `availableNow` reads all that is waiting and then stops, which suits a notebook.

# %%
bronze_query = (
    messages()
    .writeStream.format("delta")
    .outputMode("append")
    .option("checkpointLocation", str(WORK / "checkpoints/bronze"))
    .trigger(availableNow=True)
    .start(str(WORK / "bronze"))
)
bronze_query.awaitTermination()

bronze = spark.read.format("delta").load(str(WORK / "bronze"))
print(f"{bronze.count():,} messages")
sent = bronze.select(F.col("value").cast("string"))
print(sent.where("value LIKE '{%}'").orderBy("value").first().value)

# %% [markdown]
# ## 3. Silver : typer, nommer les unités, trier le bon du mauvais · Silver: types, units, good and bad apart
#
# `flights_ml`, la fonction que le pipeline déclare, convertit (m/s en km/h, secondes en instant UTC), nettoie
# l'indicatif et déduit la phase de vol et la classe. Les **règles** sont aussi celles du pipeline. Une ligne qui en
# enfreint une n'est pas jetée : elle part en quarantaine avec le nom des règles. Une valeur absente (`null`) n'est
# pas une faute : beaucoup d'avions n'envoient pas tout.
#
# `from_json` est indulgent : il accepte des guillemets simples, `NaN`, ou du texte après l'objet. La première règle
# le rend aussi strict que le produit.
#
# > `flights_ml`, the function that the pipeline declares, converts (m/s to km/h, seconds to a UTC instant), trims the
# > callsign and works out the phase of flight and the class. The **rules** are the pipeline's, too. A row that breaks
# > one is not thrown away: it goes to quarantine with the names of the rules. A missing value (`null`) is no fault:
# > many aircraft do not send everything.
# >
# > `from_json` is lenient: it takes single quotes, `NaN`, or text after the object. The first rule makes it as strict
# > as the product.

# %%
declared = next(node for node in flights.graph().nodes() if node.name == "flights_ml")
IS_ONE_OBJECT = r"is_valid_utf8(text) AND unreadable IS NULL AND rlike(text, r'^\s*\{[^{}]*\}\s*$')"
rules = {"is one JSON object of these types": IS_ONE_OBJECT, **declared.expect}
STRICT = {
    "columnNameOfCorruptRecord": "unreadable",
    "allowSingleQuotes": "false",
    "allowNonNumericNumbers": "false",
}


def checked(messages):
    """Each message with its fields, in the units of silver, and the names of the rules that it breaks."""
    text = messages.withColumn("text", F.col("value").cast("string"))
    state = F.from_json("text", f"{STATE_VECTOR}, unreadable STRING", STRICT)
    rows = flights_ml(text.withColumn("state", state).select("value", "text", "received_at", "state.*"))
    broken = [F.when(~F.coalesce(F.expr(rule), F.lit(False)), F.lit(name)) for name, rule in rules.items()]
    return rows.withColumn("rules", F.array_compact(F.array(*broken)))


rows = checked(spark.readStream.format("delta").load(str(WORK / "bronze")))

# %% [markdown]
# Deux flux partent de là. Le bon : un **filigrane** (*watermark*) de 6 minutes, la même patience que le pipeline, et
# `dropDuplicatesWithinWatermark` sur (avion, instant), car OpenSky répète une position jusqu'à 15 secondes. Sans
# filigrane, Spark devrait se souvenir de toutes les positions pour toujours. Chaque flux a son propre checkpoint.
#
# > Two streams start here. The good one: a **watermark** of 6 minutes, as patient as the pipeline, and
# > `dropDuplicatesWithinWatermark` on (aircraft, instant), since OpenSky repeats a position for up to 15 seconds.
# > Without a watermark Spark would have to remember every position for ever. Each stream has a checkpoint of its own.

# %%
columns = [field.split()[0] for field in FLIGHTS_ML.split(",")]


def written(stream, name):
    return (
        stream.writeStream.format("delta")
        .outputMode("append")
        .option("checkpointLocation", str(WORK / f"checkpoints/{name}"))
        .trigger(availableNow=True)
        .start(str(WORK / name))
    )


good = (
    rows.where(F.size("rules") == 0)
    .withWatermark("event_timestamp", "6 minutes")
    .dropDuplicatesWithinWatermark(["icao24", "time_position"])
    .select(columns)
)
bad = rows.where(F.size("rules") > 0).select("value", "rules")

for query in (written(good, "silver"), written(bad, "quarantine")):
    query.awaitTermination()

# %%
silver = spark.read.format("delta").load(str(WORK / "silver"))
quarantine = spark.read.format("delta").load(str(WORK / "quarantine"))
read, accepted, quarantined = bronze.count(), silver.count(), quarantine.count()
print(
    f"{read:,} read = {accepted:,} accepted + {quarantined:,} quarantined + {read - accepted - quarantined:,} repeated"
)
quarantine.groupBy(F.col("rules")[0].alias("rule")).count().orderBy(F.desc("count"), "rule").show(truncate=False)

# %%
silver.orderBy("event_timestamp", "icao24").limit(5).toPandas()

# %% [markdown]
# ### Le même résultat que le produit ? · The same as the product?
#
# Mêmes messages, mêmes lignes, à une exception près : Spark fixe son watermark entre deux lots, donc dans un premier
# lot rien n'est en retard ; le produit juge chaque ligne d'après celles qui la précèdent, et met les retardataires à
# part, dans `late/flights`. Hors celles-là, `exceptAll` dans les deux sens doit donner zéro. (Sur un lac qui continue
# de recevoir, ou rempli par Kafka, les entrées diffèrent, donc les nombres aussi.)
#
# > Same messages, same rows, but for one thing: Spark moves its watermark between two batches, so in a first batch
# > nothing is late; the product judges each row by those before it, and sets aside what came too late, in
# > `late/flights`. But for these, `exceptAll` must give nothing either way. (On a lake that is still being fed, or was
# > filled from Kafka, the inputs differ and so do the numbers.)

# %%
product = spark.table("flights_ml").select(columns)
aside = (
    spark.read.format("delta")
    .load(str(lake.late("flights")))
    .select(F.from_json(F.col("value").cast("string"), "icao24 STRING, time_position BIGINT").alias("said"))
)
only_here = silver.exceptAll(product)
unexplained = only_here.join(aside.select("said.*"), ["icao24", "time_position"], "left_anti")
print(
    f"only here: {only_here.count():,}, of which {unexplained.count():,} are not late rows of the product's; "
    f"only in the product's: {product.exceptAll(silver).count():,}"
)

# %% [markdown]
# ## 4. Spark SQL
#
# Une vue temporaire donne un nom SQL à une table ; le plan d'exécution est le même qu'avec l'API DataFrame, donc on
# choisit ce qui se lit le mieux. Ici : combien d'avions, à quelle altitude et à quelle vitesse, dans chaque phase de
# vol ?
#
# > A temporary view gives a table a name in SQL; the plan that runs is the same as with the DataFrame API, so we
# > choose what reads best. Here: how many aircraft, how high and how fast, in each phase of flight?

# %%
silver.createOrReplaceTempView("silver")
spark.sql(
    """
    SELECT flight_phase, count(DISTINCT icao24) AS aircraft, count(*) AS reports,
        round(percentile(altitude_meters, 0.5)) AS median_altitude_m,
        round(percentile(velocity_kmh, 0.5)) AS median_speed_kmh
    FROM silver
    GROUP BY flight_phase
    ORDER BY reports DESC
    """
).toPandas()

# %% [markdown]
# La question que le pipeline déclare pour Spark SQL est une fonction ordinaire ; `vigie ask flights fastest_by_phase`
# pose la même dans un terminal. Elle classe les avions dans chaque phase par `row_number`, et ne garde que les cinq
# premiers.
#
# > The question that the pipeline declares for Spark SQL is an ordinary function; `vigie ask flights
# > fastest_by_phase` asks the same in a terminal. It ranks the aircraft within each phase by `row_number` and keeps
# > the first five.

# %%
questions.fastest_by_phase(silver).where("place <= 2").toPandas()

# %% [markdown]
# ## 5. L'auto-jointure · The self-join
#
# Un message seul ne dit pas si un avion a bougé de façon possible. On joint donc la table **à elle-même** : chaque
# message avec le précédent du même avion. On obtient le temps écoulé, la distance (formule de haversine), les
# variations de vitesse et d'altitude, et la vitesse qu'il aurait fallu ; au-delà de 1 500 km/h, `is_jump` signale un
# saut qu'aucun avion ne fait.
#
# Sur une table au repos, `row_number` numérote les messages de chaque avion, et on joint chaque numéro au précédent.
# Voici la fonction du pipeline (un avion simulé ne saute jamais ; un récepteur réel en fait sauter) :
#
# > One message alone does not say whether an aircraft moved in a way it can. So we join the table **to itself**: each
# > message with the one before it of the same aircraft. That gives the time between them, the distance (haversine),
# > the changes of speed and altitude, and the speed it would have taken; above 1,500 km/h `is_jump` flags a jump that
# > no aircraft makes.
# >
# > On a table at rest, `row_number` numbers the messages of each aircraft, and each number is joined to the one
# > before. This is the pipeline's function (a simulated aircraft never jumps; a real receiver makes some jump):

# %%
print(inspect.getsource(movements))

# %%
moved = movements(silver).cache()
moved.select(
    F.count(F.lit(1)).alias("pairs"),
    F.round(F.avg("seconds"), 1).alias("avg_seconds"),
    F.round(F.avg("distance_m")).alias("avg_distance_m"),
    F.round(F.max("implied_speed_kmh")).alias("fastest_kmh"),
    F.count_if("is_jump").alias("jumps"),
).show()

# %%
moved.orderBy(F.desc("implied_speed_kmh"), "icao24", "event_timestamp").limit(5).toPandas()

# %% [markdown]
# ### La même jointure, sur le flux · The same join, on the stream
#
# Un flux n'a pas de fin : `row_number`, qui trie tout, y est interdit. On joint alors **deux lectures du même flux**
# dans un **intervalle de temps** : les messages du même avion vus dans les deux minutes qui précèdent. Le filigrane
# des deux côtés et l'intervalle bornent l'état : Spark sait quand un message ne peut plus servir et l'oublie.
# Plusieurs messages peuvent tomber dans l'intervalle ; `max_by` ne garde que le plus récent, donc le précédent.
#
# > A stream has no end: `row_number`, which sorts everything, is not to be had there. So we join **two readings of
# > the same stream** within a **time range**: the messages of the same aircraft seen in the two minutes before. The
# > watermark on both sides and the range bound the state: Spark knows when a message can no longer matter, and
# > forgets it. Several messages may fall into the range; `max_by` keeps the newest of them, which is the one before.


# %%
def reports():
    stream = spark.readStream.format("delta").option("withEventTimeOrder", "true").load(str(WORK / "silver"))
    return stream.withWatermark("event_timestamp", "2 minutes")


now, before = reports().alias("now"), reports().alias("before")
pairs = now.join(
    before,
    F.expr(
        """now.icao24 = before.icao24
        AND before.event_timestamp < now.event_timestamp
        AND before.event_timestamp >= now.event_timestamp - INTERVAL 2 MINUTES"""
    ),
)
seconds = (F.unix_micros("now.event_timestamp") - F.unix_micros("before.event_timestamp")) / 1e6
candidates = pairs.select(
    F.col("now.icao24"),
    F.col("now.event_timestamp"),
    F.struct(
        seconds.alias("seconds"),
        great_circle_m("before", "now").alias("distance_m"),
        (F.col("now.velocity_kmh") - F.col("before.velocity_kmh")).alias("speed_change_kmh"),
        (F.col("now.altitude_meters") - F.col("before.altitude_meters")).alias("altitude_change_m"),
    ).alias("move"),
)
previous = (
    candidates.groupBy("icao24", "event_timestamp")
    .agg(F.min_by("move", "move.seconds").alias("move"))
    .select("icao24", "event_timestamp", "move.*")
)
written(previous, "movements").awaitTermination()

# %% [markdown]
# Le flux n'écrit que ce qui est clos : les deux dernières minutes attendent encore. Pour le reste, les deux jointures
# disent la même chose, paire par paire.
#
# > The stream writes only what is closed: the last two minutes are still waiting. For everything else the two joins
# > say the same, pair by pair.

# %%
streamed = spark.read.format("delta").load(str(WORK / "movements"))
[closed] = streamed.agg(F.max("event_timestamp").alias("until")).collect()
at_rest = moved.where((F.col("seconds") <= 120) & (F.col("event_timestamp") <= closed.until)).select(streamed.columns)
print(f"{streamed.count():,} pairs by the stream, {at_rest.count():,} at rest")
only_streamed, only_at_rest = streamed.exceptAll(at_rest), at_rest.exceptAll(streamed)
print(f"only by the stream: {only_streamed.count():,}; only at rest: {only_at_rest.count():,}")

# %%
assert not spark.streams.active
spark.stop()
