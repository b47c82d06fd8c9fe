"""What aircraft can do, held against facts that are published elsewhere than where the figures come from."""

from __future__ import annotations

import numpy as np
import pytest

from vigie.flights import jets
from vigie.flights.airliners import AIRLINERS, Airliner
from vigie.flights.atmosphere import crossover_altitude, density, pressure, speed_of_sound, true_airspeed
from vigie.flights.jets import FOOT, GRAVITY, KNOT
from vigie.flights.light import ENVELOPES
from vigie.flights.performance import performance
from vigie.flights.profile import draw_figures

JETS = {jet.code: jet for jet in AIRLINERS}
every_jet = pytest.mark.parametrize("jet", AIRLINERS, ids=[jet.code for jet in AIRLINERS])

# ICAO Doc 8643's wake turbulence categories; the limits of mass are of Doc 4444, in tonnes.
WAKE = {
    "J": "A388",
    "H": "A332 A333 A343 A359 B744 B748 B763 B772 B773 B77W B788 B789",
    "M": "A318 A319 A320 A321 A19N A20N A21N BCS3 B734 B737 B738 B739 B38M B39M B752 CRJ9 E145 E170 E75L E190 E195 "
    "C56X CL60 GLF6",
    "L": "C550",
}
WAKE_TONNES = {"J": (136, 600), "H": (136, 600), "M": (7, 136), "L": (0, 7)}
# ICAO Doc 8168: speed at the threshold, with the greatest landing mass, in knots.
APPROACH_CATEGORY = {"B": "C550 C56X", "C": "A318 A319 A320 E145 E170 E190 A332 B752", "D": "B744 B77W B748 B773"}
APPROACH_KNOTS = {"B": (91, 120), "C": (121, 140), "D": (141, 165)}
# EASA CS-25.121(b): the gradient that is left with an engine out, take-off flaps and the wheels up.
ENGINE_OUT_GRADIENT = {2: 0.024, 4: 0.030}
# Manufacturers' brochures: metres of runway with the greatest mass at sea level, and feet a minute after take-off.
TAKE_OFF_METRES = {"A320": 2_100, "B738": 2_300, "E190": 2_050, "B77W": 3_050, "A388": 3_000}
CLIMB_FEET_A_MINUTE = {"C550": 3_190, "C56X": 3_500}


def drawn(jet: Airliner, mass: float, flights: int = 500) -> dict[str, np.ndarray[tuple[int], np.dtype[np.float64]]]:
    """The figures of many flights of one mass."""
    types = performance()
    kind = np.full(flights, types.codes.index(jet.code))
    draws = np.random.default_rng(1).random((len(types.figures), flights))
    return draw_figures(types, kind, np.full(flights, mass), draws)


def of(code: str, name: str) -> float:
    """The likely value of a figure."""
    return jets.figures(JETS[code])[name][1]


@pytest.mark.parametrize(
    ("altitude", "temperature", "pascals", "kilograms"),
    [(0, 288.15, 101_325, 1.2250), (5_000, 255.65, 54_020, 0.7361), (11_000, 216.65, 22_632, 0.3639)],
)
def test_the_air_is_that_of_the_standard_atmosphere(
    altitude: float, temperature: float, pascals: float, kilograms: float
) -> None:
    height = np.array([altitude], dtype=float)

    assert pressure(height)[0] == pytest.approx(pascals, rel=1e-3)
    assert density(height)[0] == pytest.approx(kilograms, rel=1e-3)
    assert speed_of_sound(height)[0] == pytest.approx((1.4 * 287.053 * temperature) ** 0.5, rel=1e-3)


def test_at_the_crossover_both_rules_give_the_same_speed() -> None:
    cas, mach = np.meshgrid(np.arange(110.0, 180.0, 10.0), np.arange(0.6, 0.9, 0.05))

    altitude = crossover_altitude(cas, mach)

    by_cas, by_mach = true_airspeed(altitude, cas, np.array(9.0)), mach * speed_of_sound(altitude)
    high = altitude > 3_048  # below, no more than 250 knots are flown
    assert high.sum() > 30
    assert np.allclose(by_cas[high], by_mach[high])
    # 300 knots are Mach 0.78 at 29,300 feet: what a pilot's chart says.
    assert crossover_altitude(np.array(300 * KNOT), np.array(0.78)) == pytest.approx(29_300 * FOOT, abs=100 * FOOT)


def test_every_type_has_a_wake_category_and_a_mass_within_it() -> None:
    category = {code: wake for wake, codes in WAKE.items() for code in codes.split()}

    assert category.keys() == JETS.keys()
    for code, wake in category.items():
        least, greatest = WAKE_TONNES[wake]
        assert least < JETS[code].take_off_t <= greatest


@every_jet
def test_masses_of_a_jet_are_in_proportion(jet: Airliner) -> None:
    payload = 0.095 * jet.seats

    assert jet.empty_t < jet.landing_t < jet.take_off_t
    assert 0.42 < jet.empty_t / jet.take_off_t < 0.65
    assert jet.empty_t + payload < jet.landing_t
    assert jet.empty_t + jet.fuel_t < jet.take_off_t
    # Pressed onto the wing: from a business jet to a 747, kilograms a square metre.
    assert 200 < jet.take_off_mass / jet.wing_m2 < 850
    assert 7 < jet.span**2 / jet.wing_m2 < 12
    assert 0.2 < jets.thrust_to_weight(jet) < 0.45


@every_jet
def test_no_flight_of_a_jet_is_beyond_its_certificate(jet: Airliner) -> None:
    for mass in (jet.empty_mass, 0.8 * jet.take_off_mass, jet.take_off_mass):
        figures = drawn(jet, mass)

        for name in ("climb_cas", "descent_cas"):
            assert (figures[name] < jet.speed_limit_kt * KNOT).all()
        for name in ("climb_mach", "cruise_mach", "descent_mach"):
            assert (figures[name] <= jet.mach_limit).all()
        assert (figures["cruise_altitude"] <= jet.ceiling_ft * FOOT).all()


@every_jet
def test_a_jet_cruises_where_and_as_fast_as_jets_do(jet: Airliner) -> None:
    figures = drawn(jet, 0.8 * jet.take_off_mass)

    assert np.abs(figures["cruise_mach"] - jet.cruise_mach).max() <= 0.021
    assert 0.6 < jet.cruise_mach < jet.mach_limit
    assert (figures["cruise_altitude"] > 28_000 * FOOT).all()
    # However loaded, something is left of the climb: 300 feet a minute is a service ceiling.
    for mass in (jet.take_off_mass, 0.8 * jet.take_off_mass):
        highest = np.array([jets.cruise_altitude(jet, mass)])
        assert jets.climb_rate(jet, mass, 1.0, highest, (np.inf, jet.cruise_mach))[0] * 60 / FOOT >= 300


@every_jet
def test_a_jet_climbs_with_an_engine_out_as_cs_25_asks(jet: Airliner) -> None:
    left = (jet.engines - 1) / jet.engines

    rate = jets.initial_climb_rate(jet, np.array([jet.take_off_mass]), np.array([left]))[0]

    gradient = rate / jets.figures(jet)["initial_climb_speed"][2]
    assert ENGINE_OUT_GRADIENT[jet.engines] < gradient < 0.12


@every_jet
def test_climbs_and_descents_are_those_of_jets_with_passengers(jet: Airliner) -> None:
    figures = drawn(jet, 0.85 * jet.take_off_mass)

    def feet_a_minute(name: str) -> tuple[float, float]:
        return figures[name].min() * 60 / FOOT, figures[name].max() * 60 / FOOT

    for name, (least, greatest) in {
        "initial_climb_rate": (1_300, 3_300),
        "climb_rate_low": (1_200, 3_300),
        "climb_rate_cas": (600, 3_000),
        "climb_rate_mach": (300, 2_700),
        "descent_rate_mach": (1_200, 3_000),
        "descent_rate_cas": (1_100, 2_700),
        "descent_rate_low": (900, 1_700),
        "approach_rate": (450, 850),
    }.items():
        slowest, fastest = feet_a_minute(name)
        assert least <= slowest <= fastest <= greatest, name


@every_jet
def test_climbing_gets_slower_with_height_and_with_load(jet: Airliner) -> None:
    low, middle, high = (jets.figures(jet)[name] for name in ("climb_rate_low", "climb_rate_cas", "climb_rate_mach"))
    masses = (jet.take_off_mass, 1.15 * jet.empty_mass)
    heavy, light = (drawn(jet, mass) for mass in masses)
    loaded, empty = (jets.climb_rate(jet, mass, 1.0, np.array([6_000.0]), (140.0, 0.7))[0] for mass in masses)

    assert 0 < loaded < empty
    assert low[1] > middle[1] > high[1]
    for name in ("climb_rate_low", "climb_rate_cas", "climb_rate_mach", "cruise_altitude"):
        assert heavy[name].mean() <= light[name].mean()
    for name in ("lift_off_speed", "approach_speed"):
        assert heavy[name].mean() > light[name].mean()


@pytest.mark.parametrize("quad", ["A343", "A388", "B744", "B748"])
@pytest.mark.parametrize("light", ["C550", "C56X", "CL60"])
def test_a_heavy_climbs_slower_than_a_light_jet(quad: str, light: str) -> None:
    for name in ("initial_climb_rate", "climb_rate_low", "climb_rate_cas", "climb_rate_mach"):
        assert of(quad, name) < of(light, name)


def test_approach_speeds_are_those_of_the_approach_categories() -> None:
    for category, codes in APPROACH_CATEGORY.items():
        slowest, fastest = APPROACH_KNOTS[category]
        for code in codes.split():
            assert slowest <= jets.figures(JETS[code])["approach_speed"][2] / KNOT <= fastest, code


@pytest.mark.parametrize(("code", "metres"), TAKE_OFF_METRES.items())
def test_the_roll_of_a_loaded_jet_fits_the_published_runway(code: str, metres: float) -> None:
    figures = jets.figures(JETS[code])

    roll = figures["lift_off_speed"][2] ** 2 / (2 * figures["take_off_acceleration"][2])

    assert 0.45 * metres < roll < 0.85 * metres


@pytest.mark.parametrize(("code", "published"), CLIMB_FEET_A_MINUTE.items())
def test_a_business_jet_climbs_as_its_brochure_says(code: str, published: float) -> None:
    jet = JETS[code]

    rate = jets.initial_climb_rate(jet, np.array([jet.take_off_mass]), np.ones(1))[0] * 60 / FOOT

    assert rate == pytest.approx(published, rel=0.2)


def test_thrust_falls_with_height_and_drag_has_a_least() -> None:
    jet = JETS["A320"]
    speeds = np.arange(70.0, 240.0, 5.0)

    drags = jets.drag(jet, jet.take_off_mass, np.full_like(speeds, 3_000.0), speeds, jets.CLEAN_DRAG)

    assert jets.thrust(jet, jets.SEA_LEVEL, np.zeros(1))[0] == pytest.approx(2 * 120_100, rel=1e-3)
    assert (np.diff(jets.thrust(jet, np.arange(0.0, 12_000.0, 500.0), np.array(200.0))) < 0).all()
    assert 0 < drags.argmin() < len(speeds) - 1
    # The best glide of an airliner: 15 to 20 metres forward for each down.
    assert 15 < jet.take_off_mass * GRAVITY / drags.min() < 20


def test_every_row_names_the_documents_it_is_from() -> None:
    for jet in AIRLINERS:
        assert jet.source.data_sheet.startswith(("EASA.", "FAA ")) and len(jet.source.manual) > 20

    assert len(JETS) == len(AIRLINERS) == 38


def test_what_is_no_jet_flies_lower_and_slower_than_jets() -> None:
    for envelope in ENVELOPES:
        assert envelope.heaviest <= 23_000
        assert envelope.cruise_speed < 0.5 * 340 and envelope.cruise_height[2] <= 8_500
        assert 1.0 < envelope.climb_rate < 11.0
        if envelope.category == 8:
            assert envelope.cruise_height[2] <= 1_000 and envelope.lift_off_speed < 10
