"""Published facts about airliners and business jets, one row a type, each with the documents it is from.

A row states one usual variant. Masses (to a tenth of a tonne), limiting speeds, ceiling and engines are those of the
type certificate's data sheet; take-off thrust is of the engine's own. Empty mass, fuel, seats, range, span and wing are
rounded from the manufacturer's planning manual or brochure. Cruise Mach and approach speed, which brochures give, are
rounded to 0.01 and 5 knots. What no document states is computed in `jets`.
"""

from __future__ import annotations

from typing import NamedTuple


class Source(NamedTuple):
    """The data sheet of a type certificate, by its number at EASA or the FAA, and what the manufacturer publishes."""

    data_sheet: str
    manual: str


class Airliner(NamedTuple):
    """A type by its designator in ICAO Doc 8643; in tonnes, metres and kilonewtons, else as the name says."""

    code: str
    take_off_t: float  # the greatest
    landing_t: float  # the greatest
    empty_t: float
    fuel_t: float
    seats: int
    range_km: float
    span: float
    wing_m2: float
    engines: int
    thrust: float  # of one engine, for take-off, standing at sea level
    speed_limit_kt: float  # VMO, calibrated
    mach_limit: float  # MMO
    ceiling_ft: float  # the highest pressure altitude that is certified
    cruise_mach: float
    approach_kt: float  # at the greatest landing mass
    source: Source

    @property
    def take_off_mass(self) -> float:
        """Kilograms, as are the others."""
        return 1_000 * self.take_off_t

    @property
    def landing_mass(self) -> float:
        return 1_000 * self.landing_t

    @property
    def empty_mass(self) -> float:
        return 1_000 * self.empty_t

    @property
    def fuel_mass(self) -> float:
        return 1_000 * self.fuel_t


PLANNING = "Airplane Characteristics for Airport Planning"
CHARACTERISTICS = "Aircraft Characteristics, Airport and Maintenance Planning"

A320 = Source("EASA.A.064", f"Airbus, {CHARACTERISTICS}: A318, A319, A320, A321")
A220 = Source("EASA.IM.A.570", "Airbus Canada, A220-300 Airport Planning Publication")
A330 = Source("EASA.A.004", f"Airbus, A330 {CHARACTERISTICS}")
A340 = Source("EASA.A.015", f"Airbus, A340-200/-300 {CHARACTERISTICS}")
A350 = Source("EASA.A.151", f"Airbus, A350 {CHARACTERISTICS}")
A380 = Source("EASA.A.110", f"Airbus, A380 {CHARACTERISTICS}")
B737 = Source("EASA.IM.A.120", f"Boeing D6-58325-6 (737) and D6-38A004 (737 MAX), {PLANNING}")
B747 = Source("EASA.IM.A.196", f"Boeing D6-58326-1 (747-400) and D6-58326-3 (747-8), {PLANNING}")
B757 = Source("FAA A2NM", f"Boeing D6-58327, 757 {PLANNING}")
B767 = Source("FAA A1NM", f"Boeing D6-58328, 767 {PLANNING}")
B777 = Source("EASA.IM.A.003", f"Boeing D6-58329 and D6-58329-2, 777 {PLANNING}")
B787 = Source("EASA.IM.A.115", f"Boeing D6-58333, 787 {PLANNING}")
CL600 = Source("FAA A21EA", "Bombardier, brochures and airport planning manuals of CRJ900 and Challenger 605")
E145 = Source("FAA T00011AT", "Embraer, airport planning manual of the EMB-145")
E170 = Source("EASA.IM.A.001", "Embraer, airport planning manuals of the EMBRAER 170 and 175")
E190 = Source("EASA.IM.A.071", "Embraer, airport planning manuals of the EMBRAER 190 and 195")
C500 = Source("EASA.IM.A.207", "Cessna, specification and description of the Citation Bravo and of the Citation XLS+")
G650 = Source("FAA T00015AT", "Gulfstream, brochure of the G650")

# fmt: off
AIRLINERS = (
    # Tonnes: take-off, landing, empty, fuel; seats, range; span, wing; engines; VMO, MMO, ceiling; cruise, approach.
    Airliner("A318", 68, 57.5, 39.5, 19, 131, 5_700, 34.10, 122.6, 2, 103.6, 350, 0.82, 39_100, 0.78, 125, A320),
    Airliner("A319", 75.5, 62.5, 40.8, 19, 144, 6_900, 34.10, 122.6, 2, 104.5, 350, 0.82, 39_100, 0.78, 125, A320),
    Airliner("A320", 78, 66, 42.6, 18.7, 180, 6_100, 34.10, 122.6, 2, 120.1, 350, 0.82, 39_100, 0.78, 135, A320),
    Airliner("A321", 93.5, 77.8, 48.5, 18.6, 212, 5_900, 34.10, 122.6, 2, 142.3, 350, 0.82, 39_100, 0.78, 140, A320),
    Airliner("A19N", 75.5, 63.9, 42.7, 18.6, 150, 6_900, 35.80, 122.6, 2, 106.8, 350, 0.82, 39_100, 0.78, 125, A320),
    Airliner("A20N", 79, 67.4, 44.3, 18.6, 186, 6_300, 35.80, 122.6, 2, 120.6, 350, 0.82, 39_100, 0.78, 135, A320),
    Airliner("A21N", 97, 79.2, 50.1, 25.8, 224, 7_400, 35.80, 122.6, 2, 143, 350, 0.82, 39_100, 0.78, 140, A320),
    Airliner("BCS3", 67.6, 58.7, 37.1, 17.2, 145, 5_600, 35.10, 112.3, 2, 103.6, 330, 0.82, 41_000, 0.78, 135, A220),
    Airliner("A332", 242, 182, 120.5, 109.2, 250, 13_400, 60.30, 361.6, 2, 316.3, 330, 0.86, 41_100, 0.82, 135, A330),
    Airliner("A333", 242, 187, 125, 109.2, 290, 11_700, 60.30, 361.6, 2, 316.3, 330, 0.86, 41_100, 0.82, 135, A330),
    Airliner("A343", 276.5, 192, 131, 110.4, 270, 13_500, 60.30, 361.6, 4, 151.2, 330, 0.86, 41_100, 0.82, 140, A340),
    Airliner("A359", 280, 207, 142, 110.5, 325, 15_000, 64.75, 442, 2, 374.5, 340, 0.89, 43_100, 0.85, 140, A350),
    Airliner("A388", 560, 386, 277, 253.8, 520, 14_800, 79.75, 845, 4, 334.3, 340, 0.89, 43_000, 0.85, 140, A380),
    Airliner("B734", 68, 56.2, 33.2, 16.1, 150, 4_200, 28.88, 105.4, 2, 104.5, 340, 0.82, 37_000, 0.74, 140, B737),
    Airliner("B737", 70.1, 58.6, 37.6, 20.9, 140, 6_200, 34.32, 124.6, 2, 107.6, 340, 0.82, 41_000, 0.78, 130, B737),
    Airliner("B738", 79, 66.4, 41.4, 20.9, 186, 5_500, 34.32, 124.6, 2, 117, 340, 0.82, 41_000, 0.78, 140, B737),
    Airliner("B739", 85.1, 71.3, 44.7, 20.9, 189, 5_500, 34.32, 124.6, 2, 121.4, 340, 0.82, 41_000, 0.78, 145, B737),
    Airliner("B38M", 82.2, 69.3, 45.1, 20.7, 189, 6_500, 35.92, 127, 2, 124.7, 340, 0.82, 41_000, 0.79, 140, B737),
    Airliner("B39M", 88.3, 74.3, 46.6, 20.7, 193, 6_100, 35.92, 127, 2, 130.4, 340, 0.82, 41_000, 0.79, 145, B737),
    Airliner("B744", 396.9, 285.8, 178.8, 174, 400, 13_400, 64.44, 524.9, 4, 257, 365, 0.92, 45_100, 0.85, 155, B747),
    Airliner("B748", 447.7, 312.1, 220.1, 191, 410, 14_300, 68.40, 554, 4, 295.8, 365, 0.9, 43_100, 0.86, 150, B747),
    Airliner("B752", 115.7, 95.3, 57.8, 34.3, 200, 7_200, 38.05, 185.2, 2, 178.4, 350, 0.86, 42_000, 0.8, 135, B757),
    Airliner("B763", 186.9, 145.2, 90, 73.4, 250, 11_000, 47.57, 283.3, 2, 267, 360, 0.86, 43_100, 0.8, 145, B767),
    Airliner("B772", 297.6, 213.2, 138.1, 137.5, 310, 13_100, 60.93, 428, 2, 416.8, 330, 0.87, 43_100, 0.84, 140, B777),
    Airliner("B773", 299.4, 237.7, 160.5, 137.5, 365, 11_100, 60.93, 428, 2, 407.5, 330, 0.87, 43_100, 0.84, 150, B777),
    Airliner("B77W", 351.5, 251.3, 167.8, 145.5, 370, 13_600, 64.80, 437, 2, 513.9, 330, 0.89, 43_100, 0.84, 150, B777),
    Airliner("B788", 227.9, 172.4, 120, 101, 250, 13_600, 60.12, 377, 2, 311, 350, 0.9, 43_100, 0.85, 140, B787),
    Airliner("B789", 254, 192.8, 128.9, 101, 290, 14_000, 60.12, 377, 2, 341, 350, 0.9, 43_100, 0.85, 145, B787),
    Airliner("CRJ9", 38.3, 34.1, 21.8, 8.8, 90, 2_900, 24.85, 71.1, 2, 61.3, 335, 0.84, 41_000, 0.8, 135, CL600),
    Airliner("E145", 22, 19.3, 12.1, 5.1, 50, 2_900, 20.04, 51.2, 2, 33.7, 320, 0.78, 37_000, 0.74, 125, E145),
    Airliner("E170", 37.2, 32.8, 21.1, 9.3, 76, 3_900, 26.00, 72.7, 2, 61.4, 320, 0.82, 41_000, 0.78, 125, E170),
    Airliner("E75L", 38.8, 34, 21.8, 9.3, 84, 4_000, 26.00, 72.7, 2, 61.4, 320, 0.82, 41_000, 0.78, 125, E170),
    Airliner("E190", 50.3, 43, 27.9, 12.9, 100, 4_500, 28.72, 92.5, 2, 82.3, 320, 0.82, 41_000, 0.78, 125, E190),
    Airliner("E195", 50.8, 45, 28.7, 12.9, 116, 4_200, 28.72, 92.5, 2, 82.3, 320, 0.82, 41_000, 0.78, 125, E190),
    Airliner("C550", 6.713, 6.123, 4.2, 2.19, 8, 3_000, 15.91, 30, 2, 12.8, 275, 0.7, 45_000, 0.65, 110, C500),
    Airliner("C56X", 9.163, 8.482, 5.8, 3.06, 9, 3_400, 17.17, 34.4, 2, 18.3, 305, 0.75, 45_000, 0.72, 115, C500),
    Airliner("CL60", 21.863, 17.237, 12.3, 9.07, 12, 7_400, 19.61, 48.3, 2, 38.8, 348, 0.85, 41_000, 0.8, 125, CL600),
    Airliner("GLF6", 45.2, 37.9, 24.5, 20, 16, 13_000, 30.36, 119.2, 2, 75.2, 340, 0.925, 51_000, 0.85, 120, G650),
)
# fmt: on
