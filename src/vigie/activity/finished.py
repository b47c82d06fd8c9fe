"""Whether a day was read to its end: no row of it can come any more."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime

from vigie.duration import parse_duration
from vigie.errors import RequestError

LATE_BY = "10 minutes"  # what comes later than that behind the newest event is no part of silver

COUNT_ALL_THE_SAME = "--unfinished counts what there is of it."


def refuse_unfinished(day: date, end: datetime, newest: Mapping[str, datetime | None]) -> None:
    """RequestError for a day that ends after what was read, going by the newest event of each table.

    A table without any rows is one that is not fed, and says nothing.
    """
    complete = {name: at - parse_duration(LATE_BY) for name, at in newest.items() if at is not None}
    if not complete:
        raise RequestError(
            f"nothing was read yet, so {day} is not over for the pipeline",
            do=f"Run it first: vigie run activity. {COUNT_ALL_THE_SAME}",
        )
    behind = [f"{name} up to {at:%Y-%m-%d %H:%M:%S} UTC" for name, at in complete.items() if at < end]
    if behind:
        raise RequestError(
            f"{day} has not been read to its end: {' and '.join(behind)}",
            do=f"Let `vigie run activity` read on, and run the day again once events of {end:%Y-%m-%d} after "
            f"{end + parse_duration(LATE_BY):%H:%M} are in. {COUNT_ALL_THE_SAME}",
        )
