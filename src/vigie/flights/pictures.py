"""Pictures of flights by Seaborn, for notebooks and the report: each takes a pandas frame and gives a figure.

A frame has rows of `silver/flights_ml`, as `sample` draws them from Spark. Titles and labels are in English or French.
Impossible values are left out and counted below the picture; a frame with nothing to draw gives a picture that says so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from vigie.flights.canvas import FEW, INK, clock, note, nothing, picture, short, thousands
from vigie.flights.features import RATES_MS
from vigie.flights.limits import ALTITUDES_M, SPEEDS_KMH
from vigie.language import Language

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pyspark.sql import DataFrame as SparkFrame

ROWS = 10_000  # what a sample holds at most: enough to see, and little to bring to one machine
SEED = 0
COUNTRIES = 15
BAND_M = 500
HOURS = 24  # of traffic, up to the newest report: a minute is a point
SQUARE = (6.4, 5.2)  # inches

# Okabe and Ito's colours, with a darker green and grey, so that any two differ for people with any colour vision.
SLATE, ORANGE, GREEN, SKY, PURPLE, BLUE = "#3d444b", "#e69f00", "#007a59", "#56b4e9", "#cc79a7", "#0072b2"
PHASES = {"GROUND": SLATE, "TAKEOFF": ORANGE, "CLIMB": GREEN, "CRUISE": SKY, "DESCENT": PURPLE}
CLASSES = {"Light": SKY, "Heavy": BLUE, "Other": ORANGE, "": SLATE}
FRENCH = {
    "GROUND": "Au sol", "TAKEOFF": "Décollage", "CLIMB": "Montée", "CRUISE": "Croisière", "DESCENT": "Descente",
    "Light": "Léger", "Heavy": "Lourd", "Other": "Autre", "Unsure": "Incertain", "": "Sans catégorie",
}  # fmt: skip
FEATURES = {
    "altitude_meters": ("Altitude", "Altitude"),
    "velocity_kmh": ("Speed", "Vitesse"),
    "vertical_rate_ms": ("Vertical rate", "Vitesse verticale"),
    "heading_deg": ("Heading", "Cap"),
    "latitude": ("Latitude", "Latitude"),
    "longitude": ("Longitude", "Longitude"),
    "on_ground": ("On the ground", "Au sol"),
}
CREDIBLE = {"altitude_meters": ALTITUDES_M, "velocity_kmh": SPEEDS_KMH, "vertical_rate_ms": RATES_MS}


def sample(rows: SparkFrame, fraction: float | None = None, seed: int = SEED) -> pd.DataFrame:
    """At most 10,000 rows of a Spark frame, drawn at random; the same seed draws the same rows of the same table.

    Without a fraction the rows are counted first, and about 10,000 of them are drawn from all over the table. A
    fraction that draws more is cut off there, and what is cut off is the end of the table.
    """
    if fraction is None:
        fraction = min(1.0, ROWS / max(1, rows.count()))
    drawn: pd.DataFrame = rows.sample(fraction=fraction, seed=seed).limit(ROWS).toPandas()
    return drawn


def name_of(word: str, language: Language | str = Language.EN) -> str:
    """A phase or a class as a reader knows it; the empty one is that of aircraft that send no category."""
    return Language(language).of(word.capitalize() or "No category", FRENCH.get(word, word))


def altitudes(rows: pd.DataFrame, language: Language | str = Language.EN) -> Figure:
    """How reports are spread over altitudes, as a histogram with its density."""
    import seaborn as sns

    language = Language(language)
    title = language.of("Altitudes of reports", "Répartition des altitudes")
    known, left_out = _credible(rows, "altitude_meters")
    if known.empty:
        return nothing(title, language)
    with picture(title) as (figure, axes):
        sns.histplot(
            known,
            binwidth=BAND_M,
            binrange=(-BAND_M, ALTITUDES_M[1]),
            kde=known.nunique() > 1,
            kde_kws={"clip": ALTITUDES_M},
            color=BLUE,
            ax=axes,
        )
        axes.set(xlabel="Altitude (m)", ylabel=language.of("Reports", "Messages"), xlim=(-BAND_M, ALTITUDES_M[1]))
        thousands(axes, language, "x", "y")
        note(figure, _counted(len(known), left_out, "altitude_meters", "m", language))
    return figure


def phases(rows: pd.DataFrame, language: Language | str = Language.EN) -> Figure:
    """The share of each phase of flight, as a pie."""
    language = Language(language)
    title = language.of("Phases of flight", "Phases de vol")
    counts = _shares(rows["flight_phase"], PHASES)
    if counts.empty:
        return nothing(title, language)
    total = int(counts.sum())
    with picture(title, (6.4, 2.9)) as (figure, axes):
        wedges, *_ = axes.pie(
            counts.to_list(),
            colors=[PHASES[name] for name in counts.index],
            startangle=90,
            counterclock=False,
            wedgeprops={"edgecolor": "white", "linewidth": 1.5},
        )
        axes.legend(
            wedges,
            [
                f"{name_of(name, language)}, {language.percent(count / total)} ({language.number(count)})"
                for name, count in counts.items()
            ],
            loc="center left",
            bbox_to_anchor=(1.05, 0.5),
            frameon=False,
        )
        note(figure, _reports(total, language))
    return figure


def speeds(rows: pd.DataFrame, language: Language | str = Language.EN) -> Figure:
    """The mean speed aloft of the 15 countries with the most reports, with what its error may be."""
    import seaborn as sns

    language = Language(language)
    title = language.of(
        f"Mean speed in the air, {COUNTRIES} busiest countries",
        f"Vitesse moyenne en vol, {COUNTRIES} pays les plus présents",
    )
    aloft = rows[~_is_true(rows["on_ground"])].reset_index(drop=True)
    known, left_out = _credible(aloft, "velocity_kmh")
    named = pd.DataFrame({"speed": known, "country": aloft["origin_country"].reindex(known.index)}).dropna()
    if named.empty:
        return nothing(title, language)
    counts = named["country"].value_counts().rename_axis("country").reset_index(name="reports")
    most = counts.sort_values(["reports", "country"], ascending=[False, True]).head(COUNTRIES)
    shown = named[named["country"].isin(most["country"])]
    means = shown.groupby("country")["speed"].mean().sort_values(ascending=False, kind="stable")
    with picture(title, (6.4, 1.5 + 0.21 * len(means))) as (figure, axes):
        sns.barplot(
            shown, x="speed", y="country", order=list(means.index), color=BLUE, saturation=1, errorbar=("se", 2),
            ax=axes, err_kws={"linewidth": 1, "color": INK},
        )  # fmt: skip
        axes.set(xlabel=language.of("Mean speed (km/h)", "Vitesse moyenne (km/h)"), ylabel="")
        axes.set_yticks(range(len(means)), [short(country) for country in means.index])
        thousands(axes, language, "x")
        lines = language.of("Lines are two standard errors.", "Les traits valent deux erreurs types.")
        note(figure, f"{_counted(len(shown), left_out, 'velocity_kmh', 'km/h', language)}\n{lines}")
    return figure


def correlations(rows: pd.DataFrame, language: Language | str = Language.EN) -> Figure:
    """Which of the seven numeric features go together: Pearson's correlation of each pair."""
    import numpy as np
    import seaborn as sns

    language = Language(language)
    title = language.of("Correlation of seven features", "Corrélation de sept variables")
    features = pd.DataFrame({name: _within(rows[name], name) for name in FEATURES})
    table = features.corr()
    if table.isna().all(axis=None):
        return nothing(title, language)
    names = [language.of(*said) for said in FEATURES.values()]
    texts = [["" if np.isnan(value) else language.number(value, 2) for value in row] for row in table.to_numpy()]
    with picture(title, SQUARE) as (figure, axes):
        sns.heatmap(
            table, vmin=-1, vmax=1, cmap="RdBu_r", annot=np.array(texts), fmt="", annot_kws={"size": 8}, square=True,
            linewidths=1, cbar_kws={"ticks": [-1, -0.5, 0, 0.5, 1]}, xticklabels=names, yticklabels=names, ax=axes,
        )  # fmt: skip
        axes.grid(visible=False)
        axes.tick_params(axis="x", rotation=45)
        for label in axes.get_xticklabels():
            label.set(ha="right", rotation_mode="anchor")
        bar = axes.collections[0].colorbar
        assert bar is not None
        bar.ax.yaxis.set_major_formatter(lambda value, _: language.number(value, 1))
        note(figure, _reports(len(rows), language))
    return figure


def traffic(rows: pd.DataFrame, language: Language | str = Language.EN) -> Figure:
    """How many aircraft were heard in each minute of the last 24 hours of these rows."""
    language = Language(language)
    return traffic_counted(aircraft_by_minute(rows), language, _reports(len(rows), language))


def traffic_counted(counts: pd.Series, language: Language | str = Language.EN, said: str = "") -> Figure:
    """The same from aircraft counted by the minute. The minutes at both ends, which may not be whole, are left out."""
    import seaborn as sns

    language = Language(language)
    title = language.of("Traffic by minute", "Trafic par minute")
    if counts.empty:
        return nothing(title, language)
    counts = each_minute(counts)
    with picture(title) as (figure, axes):
        marker = "o" if len(counts) <= FEW else None  # a line of one point is not seen
        sns.lineplot(x=counts.index, y=counts.to_numpy(), color=BLUE, marker=marker, ax=axes)
        axes.set(ylabel=language.of("Aircraft heard in a minute", "Avions entendus dans la minute"))
        axes.set_ylim(bottom=0)
        thousands(axes, language, "y")
        clock(axes, counts.index, language)
        note(figure, said)
    return figure


def each_minute(counts: pd.Series) -> pd.Series:
    """Counts for each whole minute in UTC, with those in which nothing was."""
    index = pd.to_datetime(counts.index, utc=True).tz_localize(None)
    every = pd.date_range(index.min(), index.max(), freq="min")
    whole = counts.set_axis(index).reindex(every, fill_value=0)
    return whole.iloc[1:-1] if len(whole) > 2 else whole


def aircraft_by_minute(rows: pd.DataFrame) -> pd.Series:
    """Aircraft heard in each minute in which any was, of the last 24 hours of these rows."""
    known = rows[["event_timestamp", "icao24"]].dropna()
    times = pd.to_datetime(known["event_timestamp"], utc=True)
    recent = times > times.max() - pd.Timedelta(hours=HOURS)
    return known.loc[recent, "icao24"].groupby(times[recent].dt.floor("min")).nunique()


def confusion(counts: pd.DataFrame, language: Language | str = Language.EN) -> Figure:
    """What a model took each class for. Its rows are classes as they are, its columns what they were taken for."""
    import numpy as np
    import seaborn as sns

    language = Language(language)
    title = language.of("Confusion matrix", "Matrice de confusion")
    total = int(counts.to_numpy().sum()) if counts.size else 0
    if not total:
        return nothing(title, language)
    shares = counts.div(counts.sum(axis=1).replace(0, np.nan), axis=0)
    texts = [
        [
            f"{language.percent(share)}\n{language.number(count)}" if count else "0"
            for share, count in zip(*row, strict=True)
        ]
        for row in zip(shares.fillna(0).to_numpy(), counts.to_numpy(), strict=True)
    ]
    with picture(title, (6.4, 1.6 + 0.75 * len(counts))) as (figure, axes):
        sns.heatmap(
            shares.fillna(0), vmin=0, vmax=1, cmap="Blues", annot=np.reshape(texts, counts.shape), fmt="",
            linewidths=1, ax=axes,
            xticklabels=[name_of(str(name), language) for name in counts.columns],
            yticklabels=[name_of(str(name), language) for name in counts.index],
        )  # fmt: skip
        axes.set(xlabel=language.of("Predicted", "Prédit"), ylabel=language.of("Actual", "Réel"))
        axes.tick_params(axis="y", rotation=0)
        bar = axes.collections[0].colorbar
        assert bar is not None
        bar.ax.yaxis.set_major_formatter(lambda value, _: language.percent(value, 0))
        note(figure, _reports(total, language))
    return figure


def classes(rows: pd.DataFrame, language: Language | str = Language.EN) -> Figure:
    """How many reports come from each class of aircraft, and how many from those that send no category."""
    import seaborn as sns

    language = Language(language)
    title = language.of("Classes of aircraft", "Classes d'avions")
    counts = _shares(rows["aircraft_class"].fillna(""), CLASSES)
    if counts.empty:
        return nothing(title, language)
    total = int(counts.sum())
    names = [name_of(name, language) for name in counts.index]
    with picture(title, (6.4, 2.8)) as (figure, axes):
        sns.barplot(
            x=counts.to_numpy(), y=names, hue=names, palette=[CLASSES[name] for name in counts.index], legend=False,
            saturation=1, ax=axes,
        )  # fmt: skip
        for place, count in enumerate(counts):
            axes.annotate(
                f"{language.number(count)} ({language.percent(count / total)})", (count, place), (4, 0),
                textcoords="offset points", va="center", fontsize=9,
            )  # fmt: skip
        axes.set(xlabel=language.of("Reports", "Messages"), ylabel="", xlim=(0, 1.25 * counts.max()))
        thousands(axes, language, "x")
        note(figure, _reports(total, language))
    return figure


def _credible(rows: pd.DataFrame, column: str) -> tuple[pd.Series, tuple[int, int]]:
    """The values within their limits; how many are impossible, and how many missing."""
    known = pd.to_numeric(rows[column], errors="coerce").dropna()
    within = known[known.between(*CREDIBLE[column])]
    return within, (len(known) - len(within), len(rows) - len(known))


def _within(values: pd.Series, column: str) -> pd.Series:
    if column == "on_ground":
        return values.map({True: 1.0, False: 0.0}).astype(float)
    known = pd.to_numeric(values, errors="coerce").astype(float)
    return known.where(known.between(*CREDIBLE.get(column, (-360, 360))))


def _shares(values: pd.Series, order: dict[str, str]) -> pd.Series:
    """How often each value occurs, in this order, without those that do not."""
    return values.value_counts().reindex(list(order)).dropna().astype(int)


def _is_true(values: pd.Series) -> pd.Series:
    return values.map(lambda value: value is True or value == 1).astype(bool)


def _reports(count: int, language: Language) -> str:
    return language.of(f"From {language.number(count)} reports.", f"D’après {language.number(count)} messages.")


def _counted(count: int, left_out: tuple[int, int], column: str, unit: str, language: Language) -> str:
    low, high = (language.number(limit) for limit in CREDIBLE[column])
    beyond, missing = (language.number(number) for number in left_out)
    return language.of(
        f"From {language.number(count)} reports; {beyond} outside {low} to {high} {unit} and {missing} without a value "
        "are left out.",
        f"D’après {language.number(count)} messages ; {beyond} hors de {low} à {high} {unit} et {missing} sans valeur "
        "sont écartés.",
    )
