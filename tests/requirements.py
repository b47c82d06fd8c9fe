"""What packages ask of each other: Vigie's own extras, and what an environment does not meet."""

from __future__ import annotations

import tomllib
from importlib.metadata import Distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PROJECT = Path(__file__).parent.parent / "pyproject.toml"


def wanted(extra: str) -> str:
    """The packages of an extra, as pyproject.toml declares them, ready to be typed."""
    declared = tomllib.loads(PROJECT.read_text())["project"]["optional-dependencies"][extra]
    found = sorted(map(Requirement, declared), key=lambda each: each.name)
    return " ".join(f"'{each}'" for each in found)


def unmet(environment: Path) -> list[str]:
    """Each requirement of each package, of the extras that any package asks of it too, that is not met."""
    [site] = environment.glob("lib/python*/site-packages")
    packages = {canonicalize_name(each.name): each for each in Distribution.discover(path=[str(site)])}
    asked = [(name, "") for name in packages]
    found: set[str] = set()
    seen: set[tuple[str, str]] = set()
    while asked:
        name, extra = asked.pop()
        if (name, extra) in seen:
            continue
        seen.add((name, extra))
        for requirement in map(Requirement, packages[name].requires or []):
            if requirement.marker and not requirement.marker.evaluate({"extra": extra}):
                continue
            who, what = f"{name}[{extra}]" if extra else name, f"{requirement.name}{requirement.specifier}"
            there = packages.get(canonicalize_name(requirement.name))
            if there is None:
                found.add(f"{who} asks for {what}, which is not there")
            elif not requirement.specifier.contains(there.version, prereleases=True):
                found.add(f"{who} asks for {what}, and {there.version} is there")
            else:
                asked += [(canonicalize_name(requirement.name), each) for each in requirement.extras]
    return sorted(found)
