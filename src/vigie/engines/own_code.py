"""A person's own modules go to the workers with the functions that need them: workers cannot import them."""

from __future__ import annotations

import os
import site
import sys
import sysconfig
from pathlib import Path

from pyspark import cloudpickle

NAMES = ("stdlib", "platstdlib", "purelib", "platlib")
PLACES = {
    *(sysconfig.get_path(name) for name in NAMES),
    *(sysconfig.get_path(name, vars={"base": sys.base_prefix}) for name in NAMES),
    *site.getsitepackages(),
    site.getusersitepackages(),
    str(Path(__file__).parents[1]),
}
INSTALLED = tuple(place + os.sep for place in PLACES)

_seen: set[str] = set()


def take_along() -> None:
    """Whatever was imported since, and is installed nowhere: it is pickled whole, and not by its name."""
    for name in sys.modules.keys() - _seen:
        _seen.add(name)
        module = sys.modules[name]
        file = getattr(module, "__file__", None)
        if file and not file.startswith(INSTALLED):
            cloudpickle.register_pickle_by_value(module)  # type: ignore[no-untyped-call]
