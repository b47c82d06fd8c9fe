"""The rules of the house that a machine can hold."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import vigie

HOUSE = Path(__file__).parent.parent
MODULES = sorted((HOUSE / "src").rglob("*.py"))
VAGUE = {
    "base",
    "common",
    "handler",
    "helper",
    "helpers",
    "manager",
    "misc",
    "processor",
    "service",
    "util",
    "utils",
}

# Written as patterns, so that this file does not hold what it looks for.
FOREIGN = re.compile(
    r"pypi\.org|pythonhosted\.org|maven\.org|maven\.apache\.org/maven2|registry\.npmjs\.org|proxy\.golang\.org"
    r"|(?:static|index)\.crates\.io|deb\.debian\.org|(?<![\w./-])/(?:work|root|tmp/v)/"
)

# Imports what can be imported, and ends with the first thing that an import should not do.
IMPORT_ALL = """
import pkgutil, sys, vigie

def watch(event, arguments):
    if event in {"socket.connect", "socket.bind", "subprocess.Popen", "os.posix_spawn", "os.fork"}:
        raise SystemExit(f"{name}: {event} {arguments}")

name = "vigie"
sys.addaudithook(watch)
for module in pkgutil.walk_packages(vigie.__path__, "vigie."):
    name = module.name
    try:
        __import__(name)
    except ModuleNotFoundError as problem:
        if problem.name.startswith("vigie"):
            raise
        print(name, "needs the extra of", problem.name)
spark = sys.modules.get("pyspark")
if spark and spark.SparkContext._active_spark_context:
    raise SystemExit("a Spark was started")
"""


def tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=HOUSE, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("this is no git checkout")
    return [HOUSE / name for name in listed.stdout.split("\0") if name]


def test_imports_point_the_way_the_design_draws_them() -> None:
    linter = Path(sys.executable).with_name("lint-imports")

    linted = subprocess.run([linter, "--no-logo"], cwd=HOUSE, capture_output=True, text=True, check=False)

    assert linted.returncode == 0, linted.stdout + linted.stderr


def test_no_tracked_file_names_a_package_registry_or_a_path_of_one_machine() -> None:
    found = [
        f"{path.relative_to(HOUSE)}:{number}: {line.strip()[:100]}"
        for path in tracked()
        if path.is_file()
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1)
        if FOREIGN.search(line)
    ]

    assert found == []


def test_the_public_names_are_what_all_says_and_no_more_than_twelve() -> None:
    offered = {
        name for name, value in vars(vigie).items() if not name.startswith("_") and not isinstance(value, type(sys))
    }

    assert offered | {"spark"} == set(vigie.__all__)
    assert callable(vigie.spark)  # which is looked up when it is asked for
    assert vigie.__all__ == sorted(vigie.__all__)
    assert len(vigie.__all__) <= 12


def test_importing_any_module_starts_nothing_and_opens_nothing() -> None:
    imported = subprocess.run([sys.executable, "-c", IMPORT_ALL], capture_output=True, text=True, check=False)

    assert imported.returncode == 0, imported.stdout + imported.stderr


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(HOUSE / "src")))
def test_a_module_is_a_noun_with_a_docstring_and_of_a_readable_length(module: Path) -> None:
    source = module.read_text()

    assert not VAGUE & set(module.stem.split("_"))
    assert ast.get_docstring(ast.parse(source)), "what is in it, in one sentence"
    assert len(source.splitlines()) <= 400
