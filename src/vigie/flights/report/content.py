"""What the report's template is told: the numbers, and the words that depend on the language, as JSON can hold them."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any

from vigie.drawing import grain
from vigie.flights import pictures
from vigie.flights.limits import ALTITUDES_M, SPEEDS_KMH
from vigie.flights.pipeline import flights, movements
from vigie.flights.report.figures import CRITICAL, Figures
from vigie.language import Language
from vigie.models import UNSURE
from vigie.oneline import on_one_line

if TYPE_CHECKING:
    from pandas import DataFrame

    from vigie.models import Card
    from vigie.settings import Settings

LONGEST = 60  # characters of a text, all of which stand in columns or in a line


def content(figures: Figures, settings: Settings, language: Language, at: datetime, version: str) -> dict[str, Any]:
    """All that stands in the report but its pictures. `at` is when it is written, `version` that of Vigie."""
    told = asdict(figures) | {"model": None if figures.model is None else _model(figures.model)}
    told |= {
        "language": language.value,
        "made": at,
        "vigie": version,
        "adds_up": figures.adds_up,
        "api": _api(settings),
        "gold": _gold(language),
        "lookback": _lookback(),
        "limits": {"altitude": ALTITUDES_M, "speed": SPEEDS_KMH, "critical": CRITICAL},
        "sample": pictures.ROWS,
        "band": pictures.BAND_M,
        "words": {
            "phases": {name: pictures.name_of(name, language) for name in pictures.PHASES},
            "classes": {name: pictures.name_of(name, language) for name in (*pictures.CLASSES, UNSURE)},
        },
    }
    plain: dict[str, Any] = _plain(told, language)
    return plain


def confusion_of(card: Card) -> DataFrame:
    """The examination as a picture takes it: classes as they are, by what they were taken for."""
    import pandas as pd

    table = pd.DataFrame.from_dict(card.found.examination.confusion, orient="index").fillna(0).astype(int)
    columns = [*card.classes, *(name for name in table.columns if name not in card.classes)]
    return table.reindex(index=card.classes, columns=columns, fill_value=0)


def _api(settings: Settings) -> dict[str, str]:
    box = {name: f"{value:g}" for name, value in settings.opensky_box._asdict().items()}
    return {"url": f"{settings.opensky_url}/states/all", **box}


def _gold(language: Language) -> list[dict[str, str]]:
    return [
        {"name": table.name.rpartition("/")[2], "grain": grain(table), "late_by": _span(table.late_by or "", language)}
        for table in flights.graph().gold
    ]


def _span(text: str, language: Language) -> str:
    """A span of time as it was declared, in the report's language."""
    for english, french in (("second", "seconde"), ("hour", "heure"), ("day", "jour")):
        text = text.replace(english, language.of(english, french))
    return text


def _lookback() -> str:
    return next(table.looks_back or "" for table in flights.graph().gold if table.function is movements)


def _model(card: Card) -> dict[str, Any]:
    found, learnt = card.found, card.learnt
    examined = found.examination
    return {
        "version": card.version,
        "kind": card.kind,
        "trained_at": card.trained_at,
        "seconds": card.seconds,
        "table": learnt.table,
        "data_version": learnt.version,
        "rows": learnt.rows,
        "drawn": learnt.drawn,
        "accuracy": examined.accuracy,
        "macro_f1": examined.macro_f1,
        "baseline_accuracy": found.baseline.accuracy,
        "baseline_f1": found.baseline.macro_f1,
        "sure_from": found.sure_from,
        "sure": found.sure,
        "right_when_sure": found.right_when_sure,
        "classes": [
            {
                "name": name,
                "aircraft": learnt.examined.get(name),
                "precision": examined.precision(name),
                "recall": examined.recall(name),
                "f1": examined.f1(name),
            }
            for name in card.classes
        ],
        "importances": [
            {"name": name, "share": share}
            for name, share in sorted(found.importances.items(), key=lambda each: (-each[1], each[0]))
        ],
    }


def _plain(value: Any, language: Language) -> Any:
    """Instants as a day and a time in the language; what the data says on one line, and no longer than a column."""
    if isinstance(value, datetime):
        return {"day": language.day(value), "time": f"{value:%H:%M:%S}"}
    if isinstance(value, dict):
        return {name: _plain(inner, language) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner, language) for inner in value]
    if isinstance(value, str):
        line = on_one_line(value)
        return line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"
    return value
