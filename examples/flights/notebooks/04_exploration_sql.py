# %% [markdown]
# # 04 · Explorer silver · Exploring silver
#
# Avant de calculer, regarder. Cinq images répondent à cinq questions, chacune avec la requête SQL qui donne les
# nombres exacts : une image montre la forme, une requête donne le compte.
#
# > Look before you compute. Five pictures answer five questions, each with the SQL that gives the exact numbers: a
# > picture shows the shape, a query gives the count.

# %%
from pyspark.sql import functions as F

import vigie
from vigie.flights import pictures
from vigie.flights.sample_lake import sample_lake

LANGUAGE = "fr"  # of the pictures; "en" for English
lake = sample_lake()
spark = vigie.spark(lake.root)
silver = spark.table("flights_ml")
spark.sql(
    """
    SELECT count(*) AS reports, count(DISTINCT icao24) AS aircraft, count(DISTINCT origin_country) AS countries,
        min(event_timestamp) AS first, max(event_timestamp) AS last
    FROM flights_ml
    """
).toPandas()

# %% [markdown]
# ## Un échantillon, pas la table · A sample, not the table
#
# Seaborn travaille dans la mémoire de cette machine ; la table, non. `sample` tire donc **au plus 10 000 lignes** au
# hasard avant `toPandas()`. Mille fois plus de lignes ne changeraient pas la forme d'un histogramme, seulement le
# temps d'attente. La graine fixe rend le tirage reproductible.
#
# > Seaborn works in the memory of this machine; the table does not fit there. So `sample` draws **10,000 rows at
# > most** at random before `toPandas()`. A thousand times as many rows would not change the shape of a histogram,
# > only how long we wait. A fixed seed makes the draw repeatable.

# %%
rows = pictures.sample(silver)
print(f"{len(rows):,} of {silver.count():,} reports")

# %% [markdown]
# ## 1. À quelle altitude vole-t-on ? · How high do they fly?
#
# Deux bosses sont attendues : près du sol, et en croisière entre 10 000 et 12 000 m. La courbe (KDE) est une densité
# lissée ; elle aide l'œil, mais c'est l'histogramme qui compte.
#
# > Two humps are expected: near the ground, and in cruise between 10,000 and 12,000 m. The curve (KDE) is a smoothed
# > density; it helps the eye, but the histogram is what counts.

# %%
pictures.altitudes(rows, LANGUAGE)

# %%
spark.sql(
    """
    SELECT CAST(floor(altitude_meters / 2000) * 2000 AS INT) AS from_m, count(*) AS reports,
        count(DISTINCT icao24) AS aircraft
    FROM flights_ml WHERE altitude_meters IS NOT NULL
    GROUP BY from_m ORDER BY from_m
    """
).toPandas()

# %% [markdown]
# ## 2. Que font-ils ? · What are they doing?
#
# La phase se déduit d'un seul message : au sol ou non, monte ou descend de plus de 2,5 m/s, et à quelle hauteur. Un
# camembert convient ici : peu de parts, et c'est la proportion qui intéresse.
#
# > The phase follows from one report: on the ground or not, climbing or descending by more than 2.5 m/s, and how
# > high. A pie suits this: few slices, and the proportion is what we want to know.

# %%
pictures.phases(rows, LANGUAGE)

# %%
spark.sql(
    """
    SELECT flight_phase, count(*) AS reports, count(DISTINCT icao24) AS aircraft,
        round(100 * count(*) / sum(count(*)) OVER (), 1) AS percent
    FROM flights_ml GROUP BY flight_phase ORDER BY reports DESC
    """
).toPandas()

# %% [markdown]
# ## 3. Qui vole vite ? · Who flies fast?
#
# La vitesse moyenne en vol des quinze pays les plus présents. Les vitesses impossibles sont écartées : une moyenne ne
# résiste pas à une seule valeur absurde. Les traits disent l'incertitude : un pays de deux avions ne se compare pas à
# un pays de cent.
#
# > The mean speed in the air of the fifteen countries seen most. Speeds that cannot be are left out: one absurd value
# > ruins a mean. The lines show how uncertain it is: a country with two aircraft does not compare with one of a
# > hundred.

# %%
pictures.speeds(rows, LANGUAGE)

# %%
spark.sql(
    """
    SELECT origin_country, round(avg(velocity_kmh)) AS mean_speed_kmh, count(*) AS reports,
        count(DISTINCT icao24) AS aircraft
    FROM flights_ml
    WHERE NOT on_ground AND velocity_kmh BETWEEN 0 AND 1000
    GROUP BY origin_country ORDER BY reports DESC, origin_country LIMIT 15
    """
).toPandas()

# %% [markdown]
# ## 4. Qu'est-ce qui va ensemble ? · What goes together?
#
# La corrélation de sept variables. Altitude et vitesse montent ensemble (l'air est plus rare là-haut) ; le taux de
# montée ne va avec rien, puisqu'autant d'avions montent que descendent. Une corrélation nulle ne veut donc pas dire «
# sans intérêt » : une forêt voit des liens qui ne sont pas droits.
#
# > The correlation of seven features. Altitude and speed rise together (the air is thinner up there); the rate of
# > climb goes with nothing, since as many aircraft climb as descend. So a correlation of zero does not mean "of no
# > interest": a forest sees relations that are not straight.

# %%
pictures.correlations(rows, LANGUAGE)

# %% [markdown]
# ## 5. Combien sont en vol, minute par minute ? · How many are in the air, minute by minute?
#
# Le trafic se compte en avions en vol, pas en messages. Or un échantillon de messages oublie des avions ; ici on
# agrège donc **d'abord** dans Spark, sur toute la table, et l'on ne rapporte qu'une ligne par minute.
#
# > Traffic is counted in aircraft in the air, not in reports. But a sample of reports misses aircraft; so here we
# > aggregate **first**, in Spark, over the whole table, and bring back one row per minute.

# %%
minutes = spark.sql(
    """
    SELECT date_trunc('minute', event_timestamp) AS minute, count(DISTINCT icao24) AS aircraft
    FROM flights_ml
    WHERE NOT on_ground AND event_timestamp > (SELECT max(event_timestamp) - INTERVAL 24 HOURS FROM flights_ml)
    GROUP BY minute ORDER BY minute
    """
).toPandas()
pictures.traffic_counted(minutes.set_index("minute")["aircraft"], LANGUAGE)

# %% [markdown]
# ## Et ce qui n'est pas passé ? · And what did not get through?
#
# Une exploration honnête regarde aussi ce qui manque. Chaque message refusé est gardé avec les règles qu'il enfreint.
#
# > An honest exploration also looks at what is missing. Each message that was refused is kept with the rules that it
# > broke.

# %%
quarantine = spark.read.format("delta").load(str(lake.quarantine("flights")))
quarantine.select(F.explode("rules").alias("rule")).groupBy("rule").count().orderBy(F.desc("count"), "rule").toPandas()

# %%
spark.stop()
