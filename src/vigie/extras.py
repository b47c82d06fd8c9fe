"""What to type for a library that is missing: the packages themselves, at the versions that this Vigie declares."""

from __future__ import annotations

import importlib.util
import re
import sys
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

from vigie.errors import BadSetting

OF_DEVELOPERS = ("report", "notebooks", "spark")  # what `make setup` leaves out, and `make setup-dev` brings
DECLARED = re.compile(r"(?P<package>[\w.-]+)(?P<more>[^;]*)(?:;\s*extra == ['\"](?P<extra>[\w-]+)['\"])?")


def install_extra(extra: str, module: str) -> str:
    """The command for all that an extra brings; `module` is what a sink of a user's own imports."""
    if extra in OF_DEVELOPERS and (Path(sys.prefix) / "installed").is_file():
        return "make setup-dev"  # in the checkout whose environment this is: it has no pip
    wanted = [f"'{package}{more}'" for package, more, of in _declared() if of == extra]
    return f"pip install {' '.join(wanted) or module.partition('.')[0]}"


def install_package(name: str) -> str:
    """The command for one package of those that Vigie cannot do without."""
    return next((f"pip install '{package}{more}'" for package, more, _ in _declared() if package == name), name)


def need_embedded() -> None:
    """BadSetting when the embedded engine is not there."""
    if not is_installed("pysail") or not is_installed("pyspark.sql.connect"):
        raise BadSetting("the embedded engine is not installed", where="pysail", do=install_extra("embedded", "pysail"))


def need_client() -> None:
    """BadSetting when Spark's Connect client is not there."""
    if not is_installed("pyspark.sql.connect"):
        raise BadSetting("Spark's client is not installed", where="pyspark", do=install_extra("embedded", "pyspark"))


def installed_spark() -> Path | None:
    """The home of a Spark that is installed as a package of Python; its client alone is none."""
    spec = importlib.util.find_spec("pyspark")
    home = Path(spec.origin).parent if spec is not None and spec.origin is not None else None
    return home if home is not None and (home / "jars").is_dir() else None


def is_installed(module: str) -> bool:
    """Whether a library is there."""
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # of a package above it; `google` alone is there without any library of BigQuery's
        return False


def _declared() -> list[tuple[str, str, str | None]]:
    try:
        found = [DECLARED.match(each) for each in requires("vigie") or []]
    except PackageNotFoundError:  # run from its source
        return []
    return [(each["package"], each["more"].strip(), each["extra"]) for each in found if each]
