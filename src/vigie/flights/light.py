"""Envelopes of what is no jet: turboprops, light aircraft, helicopters and gliders.

Each mass is the greatest for take-off, as certified; every other figure is a round number near what the type's
handbook says, and aircraft differ by up to a tenth of it.
"""

from __future__ import annotations

from typing import NamedTuple

SOUND_NEAR_THE_GROUND = 335.0  # m/s
SPREAD = 0.1


class Envelope(NamedTuple):
    """What one type does, in metres, seconds and kilograms. Heights are above the ground."""

    code: str
    category: int  # OpenSky's: 2 light, 3 small, 8 rotorcraft, 9 glider
    network: str  # where it flies: a key of `airports.NETWORKS`
    heaviest: float
    lift_off_speed: float
    climb_rate: float
    climb_speed: float
    cruise_speed: float
    cruise_height: tuple[float, float, float]
    descent_rate: float
    approach_speed: float


ENVELOPES = (
    Envelope("AT76", 3, "regional", 23_000, 58, 6.5, 88, 138, (4_900, 5_800, 7_000), 6.0, 59),
    Envelope("B190", 3, "touring", 7_760, 54, 8.0, 82, 128, (3_500, 5_000, 6_500), 7.0, 58),
    Envelope("SW4", 3, "touring", 7_257, 55, 8.5, 80, 125, (3_500, 5_000, 6_300), 7.0, 59),
    Envelope("BE20", 2, "touring", 5_670, 50, 9.5, 80, 133, (4_000, 6_000, 8_000), 7.5, 54),
    Envelope("PC12", 2, "touring", 4_740, 42, 7.5, 67, 132, (4_000, 6_000, 7_900), 6.5, 44),
    Envelope("TBM9", 2, "touring", 3_354, 44, 8.5, 70, 150, (5_000, 7_000, 8_500), 7.5, 46),
    Envelope("SR22", 2, "local", 1_633, 37, 5.0, 53, 88, (700, 1_500, 2_700), 3.6, 41),
    Envelope("P28A", 2, "local", 1_157, 30, 3.3, 41, 60, (500, 900, 1_800), 3.0, 34),
    Envelope("C172", 2, "local", 1_111, 28, 3.4, 38, 58, (500, 900, 1_800), 3.0, 33),
    Envelope("DR40", 2, "local", 1_000, 28, 3.6, 40, 59, (450, 800, 1_500), 3.0, 33),
    Envelope("EC35", 8, "rotor", 2_980, 8, 6.0, 33, 66, (180, 400, 800), 4.5, 15),
    Envelope("AS50", 8, "rotor", 2_250, 8, 6.5, 30, 62, (150, 350, 800), 4.5, 14),
    Envelope("R44", 8, "rotor", 1_134, 7, 4.5, 28, 54, (150, 300, 600), 4.0, 13),
    Envelope("AS21", 9, "gliding", 600, 23, 2.9, 30, 27, (500, 700, 900), 1.6, 26),
    Envelope("DISC", 9, "gliding", 525, 24, 3.0, 31, 31, (600, 800, 1_000), 1.6, 26),
    Envelope("LS8", 9, "gliding", 525, 24, 3.1, 31, 33, (600, 800, 1_000), 1.6, 27),
)


def figures(envelope: Envelope) -> dict[str, tuple[float, float, float]]:
    """The envelope under the names that jets' figures have: least, likely and greatest."""
    climb, cruise = envelope.climb_speed, envelope.cruise_speed
    likely = {
        "lift_off_speed": envelope.lift_off_speed,
        "take_off_acceleration": 1.6,
        "initial_climb_speed": (envelope.lift_off_speed + climb) / 2,
        "initial_climb_rate": envelope.climb_rate,
        "climb_cas": 1.05 * cruise,
        "climb_mach": (climb + cruise) / 2 / SOUND_NEAR_THE_GROUND,
        "climb_cas_altitude": 600.0,
        "climb_mach_altitude": 1_500.0,
        "climb_rate_low": envelope.climb_rate,
        "climb_rate_cas": 0.9 * envelope.climb_rate,
        "climb_rate_mach": 0.75 * envelope.climb_rate,
        "cruise_mach": cruise / SOUND_NEAR_THE_GROUND,
        "descent_mach": cruise / SOUND_NEAR_THE_GROUND,
        "descent_cas": 1.05 * cruise,
        "descent_mach_altitude": 2_500.0,
        "descent_cas_altitude": 1_000.0,
        "descent_rate_mach": 1.1 * envelope.descent_rate,
        "descent_rate_cas": envelope.descent_rate,
        "descent_rate_low": 0.9 * envelope.descent_rate,
        "approach_speed": envelope.approach_speed,
        "approach_rate": min(0.053 * envelope.approach_speed, envelope.descent_rate),
        "touch_down_speed": 0.92 * envelope.approach_speed,
        "braking": 1.1,
    }
    spread = {name: ((1 - SPREAD) * value, value, (1 + SPREAD) * value) for name, value in likely.items()}
    return {**spread, "cruise_altitude": envelope.cruise_height}
