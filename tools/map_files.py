"""Makes what the dashboard's map is drawn from, the countries of the world, and the icon of its tab.

    npm pack world-atlas@2.0.2 && tar xzf world-atlas-2.0.2.tgz
    python tools/map_files.py package src/vigie/dashboard/static

Countries are Natural Earth's (public domain), as world-atlas (ISC) packs them: at 1:50 million around Europe, where the
feed of flights is, and at 1:110 million elsewhere.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

NEAR = (-32.0, 22.0, 50.0, 73.0)  # degrees: west, south, east, north
DIGITS = 2  # of a degree: about a kilometre

# An aircraft that heads north, in the square from -1 to 1, y downwards.
ARROW = np.array([(0.0, -0.92), (0.66, 0.78), (0.0, 0.42), (-0.66, 0.78)])
BLUE = np.array([27, 99, 159])

Rings = list[list[list[float]]]


def countries(package: Path) -> dict[str, Any]:
    near, far = (_features(package / f"countries-{scale}.json") for scale in ("50m", "110m"))
    kept = {name: rings for name, rings in near.items() if _is_near(rings)}
    features = [_feature(rings) for name, rings in sorted((far | kept).items())]
    return {"type": "FeatureCollection", "features": features}


def _features(file: Path) -> dict[str, list[Rings]]:
    """The polygons of each country, from TopoJSON: borders are arcs that two countries share, written as steps."""
    topology = json.loads(file.read_text())
    scale, move = topology["transform"]["scale"], topology["transform"]["translate"]
    arcs = [np.cumsum(arc, axis=0) * scale + move for arc in topology["arcs"]]

    def ring(numbers: list[int]) -> list[list[float]]:
        parts = [arcs[number] if number >= 0 else arcs[~number][::-1] for number in numbers]
        points = np.concatenate([parts[0], *(part[1:] for part in parts[1:])]).round(DIGITS)
        moves = np.append(True, (np.diff(points, axis=0) != 0).any(axis=1))
        found: list[list[float]] = points[moves].tolist()
        return found

    found: dict[str, list[Rings]] = {}
    for country in topology["objects"]["countries"]["geometries"]:
        several = country["arcs"] if country["type"] == "MultiPolygon" else [country["arcs"]]
        polygons = [[ring(numbers) for numbers in polygon] for polygon in several]
        found[country["properties"]["name"]] = [polygon for polygon in polygons if len(polygon[0]) > 3]
    return found


def _is_near(polygons: list[Rings]) -> bool:
    west, south, east, north = NEAR
    points = np.concatenate([polygon[0] for polygon in polygons])
    inside = (points[:, 0] > west) & (points[:, 0] < east) & (points[:, 1] > south) & (points[:, 1] < north)
    return bool(inside.mean() > 0.2)


def _feature(polygons: list[Rings]) -> dict[str, Any]:
    return {"type": "Feature", "properties": {}, "geometry": {"type": "MultiPolygon", "coordinates": polygons}}


def icon() -> Image.Image:
    """What a browser shows on the tab: the arrow, on a round of blue."""
    side = 64
    at = np.stack(np.meshgrid(np.arange(side) + 0.5, np.arange(side) + 0.5), axis=-1)
    inside = np.clip(0.5 - _distance(at, (ARROW * 0.6 + 1) / 2 * side), 0, 1)[..., None]
    round_ = np.clip(side / 2 - np.linalg.norm(at - side / 2, axis=-1), 0, 1)
    pixels = np.concatenate([BLUE * (1 - inside) + 255 * inside, 255 * round_[..., None]], axis=-1)
    return Image.fromarray(pixels.round().astype(np.uint8), "RGBA")


def _distance(at: NDArray[Any], corners: NDArray[Any]) -> NDArray[Any]:
    """How far each point is from a polygon's edge; less than nothing inside it."""
    nearest = np.full(at.shape[:2], np.inf)
    inside = np.zeros(at.shape[:2], bool)
    for start, end in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        side = end - start
        along = np.clip(((at - start) @ side) / (side @ side), 0, 1)
        nearest = np.minimum(nearest, np.linalg.norm(at - start - along[..., None] * side, axis=-1))
        crosses = (start[1] > at[..., 1]) != (end[1] > at[..., 1])
        with np.errstate(divide="ignore", invalid="ignore"):
            inside ^= crosses & (at[..., 0] < start[0] + (at[..., 1] - start[1]) / side[1] * side[0])
    return np.where(inside, -nearest, nearest)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("package", type=Path, help="the folder of world-atlas")
    parser.add_argument("static", type=Path, help="where the files go")
    asked = parser.parse_args()
    text = json.dumps(countries(asked.package), separators=(",", ":"))
    (asked.static / "land.json").write_text(text.replace(".0,", ",").replace(".0]", "]") + "\n")
    icon().save(asked.static / "icon.png", optimize=True)


if __name__ == "__main__":
    main()
