"""Seconds, CPU seconds and memory of each program as a picture."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

LEFT, PANEL, BAR, ROW, TOP, WIDTH = 240, 220, 150, 30, 74, 900
INK, FAINT = "#1f2933", "#7b8794"
# Of Okabe and Ito's colours, which are told apart whatever colours an eye sees.
OURS, OTHERS = "#d55e00", "#56b4e9"


@dataclass(frozen=True, slots=True)
class Line:
    """A program and its medians: seconds, CPU seconds, peak MB."""

    title: str
    figures: tuple[float, float, float]
    is_ours: bool


def drawn(title: str, lines: Sequence[Line]) -> str:
    """An SVG of three panels of bars, a row a program; shorter is better in each."""
    height = TOP + len(lines) * ROW + 16
    tallest = [max(line.figures[panel] for line in lines) for panel in range(3)]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" '
            f'height="{height}" font-family="system-ui, sans-serif" font-size="12">',
            f"<title>{escape(title)}: seconds, CPU seconds and peak memory of each program</title>",
            f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
            _text(LEFT, 24, f"{title}: less is better", INK, size=15),
            *(_text(LEFT + at * PANEL, 56, name, FAINT) for at, name in enumerate(("seconds", "CPU s", "peak MB"))),
            *(part for at, line in enumerate(lines) for part in _row(line, tallest, TOP + at * ROW)),
            "</svg>",
            "",
        ]
    )


def _row(line: Line, tallest: Sequence[float], y: int) -> Iterator[str]:
    yield _text(LEFT - 12, y + 14, line.title, INK, anchor="end", weight="bold" if line.is_ours else "normal")
    colour = OURS if line.is_ours else OTHERS
    for at, (figure, most) in enumerate(zip(line.figures, tallest, strict=True)):
        x, width = LEFT + at * PANEL, BAR * figure / most
        yield f'<rect x="{x}" y="{y}" width="{width:.1f}" height="19" fill="{colour}"/>'
        yield _text(x + width + 6, y + 14, f"{figure:,.1f}" if figure < 100 else f"{figure:,.0f}", INK)


def _text(  # noqa: PLR0913  (each is an attribute of SVG's)
    x: float, y: float, text: str, colour: str, *, anchor: str = "start", size: int = 12, weight: str = "normal"
) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}" font-size="{size}" '
        f'font-weight="{weight}">{escape(text)}</text>'
    )
