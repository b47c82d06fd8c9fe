"""What a person asks of `vigie run`."""

from __future__ import annotations

from dataclasses import dataclass, field

from vigie.address import Address
from vigie.lake import Lake


@dataclass(frozen=True, slots=True)
class OwnKafka:
    """A Kafka that is started for the run; 0 is the port that it had in this lake before, or one that is free."""

    port: int = 0


@dataclass(frozen=True, slots=True)
class Request:
    """What a person asked `vigie run` to do. `every` is in seconds; `sources` are where messages come from."""

    lake: Lake
    sources: dict[str, Address] = field(default_factory=dict)
    once: bool = False
    every: float = 0.5
    kafka: OwnKafka | None = None
