"""A model of flights for tests, made by hand: what a training writes down, without one."""

from __future__ import annotations

from pathlib import Path

from tests.models import a_stump
from vigie.lake import Lake
from vigie.models import Bin, Card, Examination, Findings, Learnt, Models, Training

CONFUSION = {
    "Heavy": {"Heavy": 8_120, "Light": 31, "Other": 9},
    "Light": {"Heavy": 44, "Light": 2_205, "Other": 151},
    "Other": {"Heavy": 12, "Light": 208, "Other": 380},
}
BASELINE = {name: {"Heavy": sum(row.values())} for name, row in CONFUSION.items()}
AIRCRAFT = {"Heavy": 412, "Light": 203, "Other": 61}
EXAMINED = {"Heavy": 124, "Light": 61, "Other": 18}


def add_model(lake: Lake, confusion: dict[str, dict[str, int]] | None = None) -> Card:
    """A model in the lake, which is in use from now on."""
    found = Findings(
        examination=Examination(CONFUSION if confusion is None else confusion),
        baseline=Examination(BASELINE),
        importances={"altitude_meters": 0.31, "velocity_kmh": 0.52, "vertical_rate_ms": 0.17},
        calibration=[Bin(rows=900, sure=0.91, right=0.93)],
        searched={"depth 6, 20 trees": 0.83},
        sure_from=0.8,
        sure=0.871,
        right_when_sure=0.984,
    )
    forest = a_stump("velocity_kmh", 320.0, [0, 0.8, 0.2], [1.0, 0, 0])
    parameters = {"depth": 6, "trees": 20}
    learnt = Learnt(forest, Path.mkdir, parameters, found, 121_946, 41_234, AIRCRAFT, EXAMINED)
    models = Models(lake, "flights")
    card = models.add(learnt, Training("report", "silver/flights_ml", 3, 0, 48.2, "4.1.1"))
    models.use(card.version)
    return card
