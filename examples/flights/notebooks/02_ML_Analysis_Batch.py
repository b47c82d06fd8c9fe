# %% [markdown]
# # 02 · Questions et modèle, en batch · Questions and a model, in batch
#
# Silver est une table au repos : on peut lui poser des questions sur tout le passé, et en **apprendre** quelque
# chose. Question de fond : à sa seule façon de voler (vitesse, altitude, taux de montée), reconnaît-on un avion
# lourd, léger ou autre ? L'étiquette vient de la catégorie que le transpondeur envoie ; beaucoup d'avions n'en
# envoient pas, et c'est pour eux que la prédiction sert.
#
# > Silver is a table at rest: we can ask it questions about all of the past, and **learn** from it. The question
# > behind it all: from the way it flies alone (speed, altitude, rate of climb), can we tell a heavy aircraft from a
# > light one or another? The label is the category that its transponder sends; many aircraft send none, and these are
# > the ones that predictions are for.

# %%
import pandas as pd
from pyspark.sql import functions as F

import vigie
from vigie.flights import pictures, questions
from vigie.flights.canvas import picture
from vigie.flights.learning import learn
from vigie.flights.sample_lake import sample_lake, sample_seed
from vigie.models import Pupil

LANGUAGE = "fr"  # of the pictures; "en" for English
lake = sample_lake()
spark = vigie.spark(lake.root, engine="spark")
silver = spark.table("flights_ml")
print(f"{silver.count():,} reports of {silver.select('icao24').distinct().count():,} aircraft")

# %% [markdown]
# ## 1. Trois requêtes batch · Three batch queries
#
# **Sans fenêtre** : un simple regroupement par pays, sur toute la table. `count_distinct` compte des avions, `count`
# des messages : les confondre est l'erreur classique, car un avion envoie des centaines de messages.
#
# > **Without a window**: a plain grouping by country, over the whole table. `count_distinct` counts aircraft, `count`
# > reports: mixing them up is the classic mistake, as one aircraft sends hundreds of reports.

# %%
questions.busiest_countries(silver).limit(10).toPandas()

# %% [markdown]
# **Avec fenêtre** : le trafic minute par minute, avec ceux qui montent et ceux qui descendent. La même `F.window` que
# dans les flux ; sur une table au repos, pas besoin de filigrane, puisque plus rien n'arrive.
#
# > **With a window**: traffic minute by minute, with who climbs and who descends. The same `F.window` as in the
# > streams; on a table at rest no watermark is needed, since nothing more arrives.

# %%
questions.traffic_by_minute(silver).orderBy(F.desc("minute")).limit(10).toPandas()

# %% [markdown]
# **En Spark SQL** : que taisent les messages ? À savoir avant d'apprendre quoi que ce soit : au sol, l'altitude et le
# taux de montée manquent presque toujours, c'est pourquoi on n'apprend que des messages en vol.
#
# > **In Spark SQL**: what do reports leave unsaid? Worth knowing before learning anything: on the ground, altitude
# > and rate of climb are nearly always missing, which is why we learn only from reports in the air.

# %%
questions.missing_values(silver).toPandas()

# %% [markdown]
# ## 2. Les classes sont inégales · Classes are uneven
#
# Un modèle qui dirait toujours la classe la plus fréquente aurait déjà une bonne exactitude, sans rien savoir. D'où
# deux précautions : chaque message pèse l'inverse de la taille de sa classe, et l'on juge au **F1 macro**, la moyenne
# des classes, où chacune compte autant.
#
# > A model that always said the commonest class would be right quite often and know nothing. Hence two precautions:
# > each report weighs the inverse of the size of its class, and we judge by **macro F1**, the mean over classes, in
# > which each counts the same.

# %%
pictures.classes(pictures.sample(silver), LANGUAGE)

# %% [markdown]
# ## 3. L'apprentissage · Training
#
# `learn` est la fonction que `vigie train` appelle ; le notebook 06 en montre le cœur pas à pas. Trois choix :
#
# - une **forêt aléatoire**, parce que les frontières ne sont pas droites (un jet lent à l'atterrissage n'est pas un
#   avion léger), qu'elle se passe de mise à l'échelle et qu'elle dit quelles variables comptent ;
# - une séparation **par avion** : deux messages du même avion se ressemblent tant que le modèle tricherait en les
#   voyant des deux côtés ;
# - profondeur et nombre d'arbres choisis par validation croisée, **par avion** aussi ; à qualité égale, la plus
#   petite forêt.
#
# > `learn` is the function that `vigie train` calls; notebook 06 shows its heart step by step. Three choices:
# >
# > - a **random forest**, because the borders are not straight (a jet that is slow on approach is no light aircraft),
# >   because it needs no scaling, and because it says which features matter;
# > - a split **by aircraft**: two reports of one aircraft are so alike that the model would cheat if it saw both
# >   sides;
# > - depth and number of trees chosen by cross-validation, **by aircraft** too; of forests equally good, the
# >   smallest.

# %% tags=["learnt"]
learnt = learn(silver, Pupil("report", sample_seed(), 30_000, print))
found = learnt.found
print(f"{learnt.drawn:,} reports drawn of {learnt.labelled:,} with a label")
pd.DataFrame({"aircraft": learnt.aircraft, "kept for the exam": learnt.examined})

# %% [markdown]
# ## 4. L'examen · The examination
#
# Sur des avions qu'aucun arbre n'a vus, à côté de la **référence** qui répond toujours la classe la plus fréquente.
#
# > On aircraft that no tree has seen, beside the **baseline** that always answers the commonest class.

# %% tags=["learnt"]
pd.DataFrame(
    {
        name: {"accuracy": each.accuracy, "macro F1": each.macro_f1}
        for name, each in {"forest": found.examination, "baseline": found.baseline}.items()
    }
).round(2)

# %% tags=["learnt"]
pd.DataFrame(found.examination.by_class()).round(2)

# %% [markdown]
# La matrice de confusion dit *où* il se trompe : une ligne par classe réelle, une colonne par réponse. Tout sur la
# diagonale serait parfait.
#
# > The confusion matrix says *where* it goes wrong: a row for each true class, a column for each answer. All on the
# > diagonal would be perfect.

# %%
pictures.confusion(pd.DataFrame(found.examination.confusion).T, LANGUAGE)

# %% [markdown]
# ## 5. Ce qui compte pour lui · What matters to it
#
# L'importance d'une variable est la part des séparations qu'elle explique dans la forêt. Attention : elle ne dit pas
# dans quel sens, et deux variables liées se partagent la leur.
#
# > A feature's importance is the share of the splits that it explains in the forest. Beware: it does not say in which
# > direction, and two features that go together share theirs.

# %%
import seaborn as sns

from vigie.language import Language

said = Language(LANGUAGE)
importances = pd.Series(found.importances).sort_values(ascending=False)
names = [said.of(*pictures.FEATURES[name]) for name in importances.index]
with picture(said.of("Importance of features", "Importance des variables"), (6.4, 2.2)) as (figure, axes):
    sns.barplot(x=importances.to_numpy(), y=names, color=pictures.BLUE, saturation=1, ax=axes)
    axes.set(xlabel="", ylabel="", xlim=(0, 1))
    axes.xaxis.set_major_formatter(lambda share, _: said.percent(share, 0))
figure

# %% [markdown]
# ## 6. Sait-il quand il ne sait pas ? · Does it know when it does not know?
#
# Parmi les messages dont il est sûr à 80 %, a-t-il raison huit fois sur dix ? Si les deux colonnes se suivent, on
# peut croire ses probabilités. Sous 50 %, le produit répond `Unsure` plutôt que de deviner.
#
# > Of the reports of which it is 80 % sure, is it right eight times out of ten? If the two columns go together, its
# > probabilities can be believed. Below 50 % the product answers `Unsure` rather than guess.

# %% tags=["varies"]
pd.DataFrame([{"rows": each.rows, "sure": each.sure, "right": each.right} for each in found.calibration]).round(2)

# %% [markdown]
# Tout vient d'avions **simulés**, qui volent plus semblablement que les vrais : ces notes disent que la méthode
# marche, pas ce qu'elle vaudrait sur le trafic réel. Pour cela : `vigie feed flights --live`, puis ce même notebook.
#
# > All of this comes from **simulated** aircraft, which fly more alike than real ones: the scores say that the method
# > works, not what it would be worth on real traffic. For that: `vigie feed flights --live`, then this same notebook.

# %%
spark.stop()
