"""Which pages there are."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Page:
    """A page: the module whose function `page(view)` draws it. `pipeline` is the one that it is about, and
    `tables` are what it shows, of which one is enough."""

    title: str
    module: str
    icon: str
    pipeline: str = ""
    tables: tuple[str, ...] = ()

    @property
    def address(self) -> str:
        """Where it is, below the root."""
        return self.title.lower()


PAGES = (
    Page("Flights", "vigie.flights.page", ":material/flight:", "flights", ("silver/flights_ml",)),
    Page("Sensors", "vigie.sensors.page", ":material/thermostat:", "sensors", ("silver/sensor_readings",)),
    Page(
        "Activity",
        "vigie.activity.page",
        ":material/group:",
        "activity",
        ("silver/user_activity", "silver/recent_changes"),
    ),
    Page("Alerts", "vigie.dashboard.alerts", ":material/notifications:"),
    Page("Health", "vigie.dashboard.health", ":material/monitor_heart:"),
)
