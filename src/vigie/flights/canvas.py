"""What pictures share: a figure that stands alone, one look, and labels in two languages."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from io import BytesIO
from typing import TYPE_CHECKING, Any

from vigie.language import Language
from vigie.oneline import on_one_line

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SIZE = (6.4, 3.6)  # inches
DOTS_PER_INCH = 110  # in a notebook
FEW = 8  # instants on an axis, and points that are drawn one by one
INK, QUIET = "#14202b", "#55616d"


def _figure(size: tuple[float, float]) -> Figure:
    """A figure that stands alone: no window and no list of open figures; a notebook shows it by itself."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    class Picture(Figure):
        def _repr_png_(self) -> bytes:
            file = BytesIO()
            self.savefig(file, format="png", dpi=DOTS_PER_INCH)
            return file.getvalue()

    figure = Picture(figsize=size, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


@contextmanager
def picture(title: str, size: tuple[float, float] = SIZE) -> Iterator[tuple[Figure, Axes]]:
    """A figure with one pair of axes, in the look of all of them."""
    import matplotlib as mpl
    import seaborn as sns

    look: Any = sns.axes_style("whitegrid") | sns.plotting_context("paper", font_scale=1.1)
    look |= dict.fromkeys(("text.color", "axes.labelcolor", "xtick.color", "ytick.color"), INK)
    look |= {"font.family": "DejaVu Sans"}  # Matplotlib brings it, and it has the narrow blank of French numbers
    with mpl.rc_context(look):
        figure = _figure(size)
        axes = figure.add_subplot()
        axes.set_title(title, loc="left", fontweight="bold", pad=10)
        yield figure, axes
        sns.despine(ax=axes, left=True, bottom=True)


def nothing(title: str, language: Language) -> Figure:
    with picture(title, (6.4, 1.8)) as (figure, axes):
        axes.set_axis_off()
        said = language.of("Nothing to draw: no row has these values.", "Rien à tracer : aucune ligne n’a ces valeurs.")
        axes.text(0.5, 0.5, said, ha="center", va="center", color=QUIET, transform=axes.transAxes)
    return figure


def note(figure: Figure, text: str) -> None:
    """A line below the picture, which the layout makes room for."""
    if text:
        figure.supxlabel(text, x=0.01, ha="left", fontsize=8, color=QUIET)


def thousands(axes: Axes, language: Language, *which: str) -> None:
    for name in which:
        axis = axes.xaxis if name == "x" else axes.yaxis
        axis.set_major_formatter(lambda value, _: language.number(value, 0 if value == int(value) else 1))


def clock(axes: Axes, minutes: Sequence[Any], language: Language) -> None:
    """Time of day below a picture, and the day or days in its label."""
    from matplotlib.dates import AutoDateLocator, DateFormatter

    if len(minutes) > FEW:
        axes.xaxis.set_major_locator(AutoDateLocator(maxticks=FEW))
    else:
        axes.set_xlim(minutes[0] - timedelta(minutes=1), minutes[-1] + timedelta(minutes=1))
        axes.set_xticks(list(minutes))
    axes.xaxis.set_major_formatter(DateFormatter("%H:%M"))
    days = dict.fromkeys((language.day(minutes[0]), language.day(minutes[-1])))
    axes.set_xlabel(language.of("Time (UTC), ", "Heure (UTC), ") + language.of(" to ", " au ").join(days))


def short(name: str, longest: int = 28) -> str:
    """A name from the data, as far as there is room; it is no markup for formulas."""
    text = on_one_line(name)
    text = text if len(text) <= longest else f"{text[: longest - 1]}…"
    return text.replace("$", r"\$")
