"""The report on a lake of flights, from its tables to a PDF."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from vigie.flights import pictures
from vigie.flights.report.content import confusion_of, content
from vigie.flights.report.figures import Drawn, Reader
from vigie.flights.report.screens import Screens, screens
from vigie.flights.report.typeset import check_installed, typeset

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from vigie.flights.report.figures import Figures
    from vigie.lake import Lake
    from vigie.language import Language
    from vigie.settings import Settings

Say = Callable[[str], None]


def report(lake: Lake, settings: Settings, language: Language, say: Say) -> bytes:
    """The report as PDF. What is wrong with the request or the lake is said before anything is drawn."""
    check_installed()
    reader = Reader(lake)
    say(f"Reading {lake}: {reader.span['reports']:,} reports ...")
    figures, drawn = reader.figures(), reader.drawn()
    say("Drawing pictures, and taking pictures of the dashboard ...")
    with TemporaryDirectory(prefix="vigie-dashboard-") as folder, ThreadPoolExecutor(1, "screens") as beside:
        taking = beside.submit(screens, lake, Path(folder), say)
        images = images_of(figures, drawn, language)
        taken = taking.result()
    say("Typesetting ...")
    return paper(figures, images, taken, settings, language)


def paper(figures: Figures, images: dict[str, bytes], taken: Screens, settings: Settings, language: Language) -> bytes:
    at = datetime.now(UTC).replace(microsecond=0)
    shots = {f"screen-{name}.png": image for name, image in taken.pictures.items()}
    told = content(figures, settings, language, at, _version()) | {
        "pictures": {name.partition(".")[0]: name for name in images},
        "screens": {name: f"screen-{name}.png" for name in taken.pictures},
        "missing_screens": taken.missing,
    }
    [pdf] = typeset(told, images | shots, language, at)
    return pdf


def images_of(figures: Figures, drawn: Drawn, language: Language) -> dict[str, bytes]:
    """Each picture as SVG, by the name of its file."""
    made = {
        "phases": pictures.phases(drawn.sample, language),
        "altitudes": pictures.altitudes(drawn.sample, language),
        "speeds": pictures.speeds(drawn.sample, language),
        "correlations": pictures.correlations(drawn.sample, language),
        "traffic": pictures.traffic_counted(drawn.traffic.set_index("minute")["aircraft"], language),
        "classes": pictures.classes(drawn.sample, language),
    }
    if figures.model is not None:
        made["confusion"] = pictures.confusion(confusion_of(figures.model), language)
    return {f"{name}.svg": _svg(figure) for name, figure in made.items()}


def _svg(figure: Figure) -> bytes:
    file = BytesIO()
    figure.savefig(file, format="svg", metadata={"Date": None})
    return file.getvalue()


def _version() -> str:
    try:
        return installed("vigie")
    except PackageNotFoundError:  # run from its source
        return ""
