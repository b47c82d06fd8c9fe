"""Which engine was asked for, by its name and its master."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from vigie.errors import BadSetting
from vigie.extras import need_client, need_embedded
from vigie.settings import Settings

if TYPE_CHECKING:
    from vigie.engines.embedded.engine import Embedded
    from vigie.engines.spark.engine import Spark


def engine(name: str | None, master: str | None, settings: Settings) -> Callable[[], Embedded | Spark]:
    """What makes it; BadSetting for one that there is not. A server that was named is asked whether it is there."""
    if master is not None and name not in {None, "spark"}:
        raise BadSetting(f"--engine {name} is started on no master", where="--master", do="Use --engine spark.")
    master = master or settings.spark_master
    name = name or ("spark" if master else "embedded")
    if name == "embedded":
        need_embedded()
        from vigie.engines.embedded.engine import Embedded

        return Embedded
    if name == "spark":
        need_client()
        from vigie.engines.spark.engine import started
        from vigie.engines.spark.server import Server

        return partial(started, Server(settings, master))
    if name.startswith("sc://"):
        need_client()
        from vigie.engines.spark.engine import answering, reached

        return partial(reached, answering(name), settings.spark_few)
    raise BadSetting(f"there is no engine '{name}'", where="--engine", do="Name embedded, spark or sc://host:port.")
