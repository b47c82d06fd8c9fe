"""The scores of the rules as a picture."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from xml.sax.saxutils import escape

LEFT, BAR, ROW, TOP, WIDTH = 150, 420, 46, 74, 900
RECALL, PRECISION, INK, FAINT = "#4c78a8", "#d4a017", "#1f2933", "#7b8794"


def drawn(said: dict[str, Any]) -> str:
    """An SVG of what `python -m bench scoring` found: for each rule recall and precision, and how long it took."""
    rules = said["rules"]
    height = TOP + len(rules) * ROW + 16
    title = f"{said['sensors']:,} sensors, a reading each {said['interval_s']:g} s, {said['hours']:g} hours"
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" '
            f'height="{height}" font-family="system-ui, sans-serif" font-size="12">',
            f"<title>{escape(title)}: recall and precision of each rule</title>",
            f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
            _text(LEFT, 24, title, INK, size=15),
            *_key(LEFT, "recall", RECALL),
            *_key(LEFT + 80, "precision", PRECISION),
            _text(LEFT + BAR + 70, 52, "delay: median, 95th, and what is found", FAINT),
            *(line for at, rule in enumerate(rules) for line in _row(rule, TOP + at * ROW)),
            "</svg>",
        ]
    )


def _row(rule: dict[str, Any], y: int) -> Iterator[str]:
    yield _text(LEFT - 12, y + 18, rule["rule"], INK, anchor="end")
    for share, colour, top in ((rule["recall"], RECALL, y), (rule["precision"], PRECISION, y + 15)):
        yield f'<rect x="{LEFT}" y="{top}" width="{BAR * share:.1f}" height="13" fill="{colour}"/>'
        yield _text(LEFT + BAR * share + 6, top + 11, f"{share:.1%}", INK)
    if rule["delay_s"] is not None:
        delays = ", ".join(_span(rule[name]) for name in ("delay_s", "delay_p95_s") if rule[name] is not None)
        yield _text(LEFT + BAR + 70, y + 11, delays, INK)
    yield _text(LEFT + BAR + 70, y + 26, ", ".join(rule["kinds"]), FAINT)


def _key(x: int, name: str, colour: str) -> Iterator[str]:
    yield f'<rect x="{x}" y="42" width="12" height="12" fill="{colour}"/>'
    yield _text(x + 18, 52, name, INK)


def _text(x: float, y: float, text: str, colour: str, anchor: str = "start", size: int = 12) -> str:  # noqa: PLR0913
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}" font-size="{size}">{escape(text)}</text>'
    )


def _span(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.1f} min"
