"""Regenerate src/vigie/flights/airliners.json from the statistics that OpenAP publishes.

Run it with a Python that has openap and PyYAML, which Vigie itself does not need:

    python -m venv /somewhere && /somewhere/bin/pip install --no-deps openap==2.6.2 pyyaml
    /somewhere/bin/python tools/airliner_performance.py
"""

from __future__ import annotations

import csv
import json
import re
import sys
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]  # not a dependency of Vigie

TARGET = Path(__file__).parents[1] / "src" / "vigie" / "flights" / "airliners.json"

# Our name for a figure: OpenAP's variable, and the factor that turns it into SI units and a positive number.
FIGURES = {
    "lift_off_speed": ("to_v_lof", 1),
    "take_off_acceleration": ("to_acc_tof", 1),
    "initial_climb_speed": ("ic_va_avg", 1),
    "initial_climb_rate": ("ic_vs_avg", 1),
    "climb_cas": ("cl_v_cas_const", 1),
    "climb_mach": ("cl_v_mach_const", 1),
    "climb_cas_altitude": ("cl_h_cas_const", 1000),
    "climb_mach_altitude": ("cl_h_mach_const", 1000),
    "climb_rate_low": ("cl_vs_avg_pre_cas", 1),
    "climb_rate_cas": ("cl_vs_avg_cas_const", 1),
    "climb_rate_mach": ("cl_vs_avg_mach_const", 1),
    "cruise_mach": ("cr_v_mach_mean", 1),
    "cruise_altitude": ("cr_h_mean", 1000),
    "descent_mach": ("de_v_mach_const", 1),
    "descent_cas": ("de_v_cas_const", 1),
    "descent_mach_altitude": ("de_h_mach_const", 1000),
    "descent_cas_altitude": ("de_h_cas_const", 1000),
    "descent_rate_mach": ("de_vs_avg_mach_const", -1),
    "descent_rate_cas": ("de_vs_avg_cas_const", -1),
    "descent_rate_low": ("de_vs_avg_after_cas", -1),
    "approach_speed": ("fa_va_avg", 1),
    "approach_rate": ("fa_vs_avg", -1),
    "touch_down_speed": ("ld_v_app", 1),
    "braking": ("ld_acc_brk", -1),
}
KG_PER_LITRE = 0.8
NOT_GIVEN_RANGE_KM = 3000


def main() -> None:
    openap = distribution("openap")
    data = Path(str(openap.locate_file("openap"))) / "data"
    synonyms = _synonyms(data / "wrap" / "_synonym.csv")
    types = {}
    for path in sorted((data / "aircraft").glob("*.yml")):
        aircraft = yaml.safe_load(path.read_text(encoding="utf-8"))
        flown_like = synonyms.get(path.stem, path.stem)
        wrap = _wrap(data / "wrap" / f"{flown_like}.txt")
        types[path.stem.upper()] = _record(aircraft, wrap, flown_like.upper())
    document = {"source": "OpenAP", "version": openap.version, "units": "SI, km for range", "types": types}
    one_figure_a_line = re.sub(r"\[\s+(.+?),\s+(.+?),\s+(.+?)\s+\]", r"[\1, \2, \3]", json.dumps(document, indent=1))
    TARGET.write_text(one_figure_a_line + "\n", encoding="utf-8")
    sys.stderr.write(f"{len(types)} types to {TARGET}\n")


def _synonyms(path: Path) -> dict[str, str]:
    with path.open(encoding="utf-8") as lines:
        return {row["orig"]: row["new"] for row in csv.DictReader(lines)}


def _wrap(path: Path) -> dict[str, tuple[float, float, float]]:
    """The least, most likely and greatest value of each variable of a WRAP file."""
    figures = {}
    header, *lines = path.read_text(encoding="utf-8").splitlines()
    for line in lines:
        likely, least, greatest = line[header.index(" opt ") :].split()[:3]
        figures[line.split()[0]] = (float(least), float(likely), float(greatest))
    return figures


def _record(aircraft: dict[str, Any], wrap: dict[str, tuple[float, float, float]], like: str) -> dict[str, Any]:
    figures = {}
    for name, (variable, factor) in FIGURES.items():
        figures[name] = sorted(round(value * factor, 3) for value in wrap[variable])
    for name in ("climb_mach", "cruise_mach", "descent_mach"):
        # A type that is flown like another keeps to its own limits: a Citation is no Embraer.
        figures[name] = [min(value, aircraft["cruise"]["mach"] + 0.02) for value in figures[name]]
    return {
        "name": aircraft["aircraft"],
        "flown_like": like,
        "take_off_mass_max_kg": aircraft["mtow"],
        "empty_mass_kg": aircraft["oew"],
        "fuel_max_kg": round(aircraft.get("mfc", 0) * KG_PER_LITRE),
        "seats": aircraft["pax"]["max"],
        "range_km": aircraft["cruise"].get("range", NOT_GIVEN_RANGE_KM),
        "ceiling_m": aircraft["ceiling"],
        "figures": figures,
    }


if __name__ == "__main__":
    main()
