"""What the packages of an environment ask of each other, and do not find."""

from __future__ import annotations

from importlib.metadata import Distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name


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
