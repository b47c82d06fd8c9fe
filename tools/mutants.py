"""Which small mistakes in the pipelines, the verdict and the detectors would pass the tests.

    make mutants                              every module: an hour or more on two cores
    make mutants PARTS="flights limits"       those whose path has one of these words
    python -m tools.mutants --list flights    the mutants, without running anything

A mutant is a module with one mistake in it (tools/mutations.py). It is killed when a test that holds the module fails;
a survivor is listed in docs/mutants.md. The tests of a module come in stages, the quick ones first, and the next stage
is for what survived. Each mutant runs in a fork of a process that has imported what takes long and started the
engines; nothing is written to the sources. It ends with 1 when a pipeline has a survivor.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_loader
from pathlib import Path
from types import CodeType, ModuleType
from typing import TYPE_CHECKING, NoReturn

import pytest

from tests.sail import a_sail
from tools.mutations import Mutant, mutants

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

HOUSE = Path(__file__).resolve().parent.parent
RESULTS = HOUSE / "docs/mutants.md"
HEAD = """# Mutants

`make mutants` makes small mistakes in the pipelines, the verdict and the detectors, one at a time, and runs the tests that hold them. What no test sees is listed here; `tools/mutants.py` says of which mutants nothing can be seen, and why.

| module | mutants | killed | equivalent | survived | on | commit |
|---|---|---|---|---|---|---|
"""  # noqa: E501
DEAR = (
    "hypothesis", "numpy", "pandas", "polars", "pyarrow", "duckdb", "sqlglot", "deltalake", "httpx",
    "pyspark.sql.functions", "pyspark.sql.connect.session", "bench.classic",
)  # fmt: skip
PLUGINS = ("pytest_timeout", "_hypothesis_pytestplugin")  # of pytest: to load the others takes a second
PASSED, FAILED, INTERRUPTED, NOT_BEGUN = 0, 1, 2, 4  # pytest's own; it does not begin where a conftest breaks
TOOK_TOO_LONG, FELL, NOT_IMPORTED = 97, 98, 99
KILLS = {FAILED, TOOK_TOO_LONG}
LONGEST_S = 600.0


@dataclass(frozen=True, slots=True)
class Held:
    """A module and the tests that hold it, in stages. A pipeline's names are mutated too, and none may survive."""

    path: str
    stages: tuple[tuple[str, ...], ...]
    is_pipeline: bool = False

    @property
    def module(self) -> str:
        return self.path.removeprefix("src/").removesuffix(".py").replace("/", ".")

    @property
    def file(self) -> str:
        return str(HOUSE / self.path)

    def mutants(self) -> list[Mutant]:
        return list(mutants(Path(self.file).read_text(), self.file, names=self.is_pipeline))


FLIGHTS = (
    ("tests/flights/test_declared.py",),
    ("tests/flights/test_prediction_tables.py", "tests/flights/test_pipeline.py"),
)
DECLARED = ("tests/sensors/test_declared.py", "tests/activity/test_declared.py")
REFERENCE = "tests/detectors/test_against_the_reference.py"
# The rules of tests/detectors/readings.py that run a module of detectors; of the others' none needs to be tried.
RULES = {
    "limits": ("HIGH", "LOW"),
    "streaks": ("ROW",),
    "bursts": ("BURST", "ODD_BURST", "WAR"),
    "changes": ("JUMP", "RISING", "STRICT", "STUCK"),
    "exact": ("JUMP", "RISING", "STRICT"),
    "usual": ("UNUSUAL", "OUTLIER", "FAR_OUT"),
    "course": (),
    "silence": (),
}
ALL_RULES = tuple(rule for rules in RULES.values() for rule in rules)


def of_a_detector(name: str) -> tuple[tuple[str, ...], ...]:
    """Its own tests, those of what all share, those of what is declared, and the reference."""
    shared = [] if name in RULES else list(RULES)
    files = [f"tests/detectors/test_{each}.py" for each in (name, "defaults", "settings", "judging", *shared)]
    own, *others = dict.fromkeys(file for file in files if (HOUSE / file).exists())
    judged = f"{REFERENCE}::test_what_it_says_is_what_the_reference_says"
    rules = tuple(f"{judged}[{rule}]" for rule in dict.fromkeys(RULES.get(name, ALL_RULES)))
    return tuple(filter(None, ((own,), tuple(others), DECLARED, rules)))


MODULES = (
    Held("src/vigie/flights/pipeline.py", FLIGHTS, is_pipeline=True),
    Held("src/vigie/flights/phases.py", (("tests/flights/test_phases.py",),), is_pipeline=True),
    Held("src/vigie/flights/classes.py", (("tests/flights/test_phases.py",),), is_pipeline=True),
    Held(
        "src/vigie/flights/limits.py",
        (("tests/flights/test_limits.py",), ("tests/flights/test_pipeline.py",)),
        is_pipeline=True,
    ),
    Held("src/vigie/flights/questions.py", (("tests/flights/test_questions.py",),), is_pipeline=True),
    Held(
        "src/vigie/sensors/pipeline.py",
        (("tests/sensors/test_declared.py",), ("tests/sensors/test_pipeline.py",)),
        is_pipeline=True,
    ),
    Held(
        "src/vigie/activity/pipeline.py",
        (("tests/activity/test_declared.py",), ("tests/activity/test_tables.py", "tests/activity/test_pipeline.py")),
        is_pipeline=True,
    ),
    Held("src/vigie/core/ingest/verdict.py", (("tests/core/ingest/test_verdict.py",),)),
    *(
        Held(f"src/vigie/detectors/{name}.py", of_a_detector(name))
        for name in (
            "limits",
            "streaks",
            "bursts",
            "changes",
            "usual",
            "course",
            "exact",
            "silence",
            "judgement",
            "judging",
            "readings",
        )  # fmt: skip
    ),
)


@dataclass(frozen=True, slots=True)
class Equivalent:
    """A mutant that nothing can tell from the module: where, what it is there, and why."""

    path: str
    line: str  # a part of the line
    now: str
    why: str

    def covers(self, held: Held, mutant: Mutant, line: str) -> bool:
        return self.path in held.path and self.line in line and self.now == mutant.now


EQUIVALENT = (
    Equivalent("/", "F.count(F.lit(1))", "2", "rows are counted, whatever stands in each"),
    Equivalent("flights/pipeline", "F.least(half_chord", "1.001", "of 40 million half chords none is so far beyond 1"),
    Equivalent("sensors/pipeline", ', "left")', "'left_'", "PySpark reads the name of a join without its underscores"),
    Equivalent("activity/pipeline", 'bool_and("is_whole")', "F.bool_or", "all events of a part say the same of it"),
    Equivalent("detectors/limits", "SIGN = ", "2", "both sides of what is compared are multiplied by it"),
    Equivalent("flights/phases", "rate = F.coalesce(", "0.001", "a missing rate is level, as is one of 1 mm/s"),
)


@dataclass(frozen=True, slots=True)
class Mutated(MetaPathFinder, Loader):
    """Imports a module from other code than its file's."""

    module: str
    code: CodeType
    imported: list[str]

    def find_spec(self, name: str, _path: object = None, _target: object = None) -> ModuleSpec | None:
        return spec_from_loader(name, self, origin=self.code.co_filename) if name == self.module else None

    def exec_module(self, module: ModuleType) -> None:
        module.__file__ = self.code.co_filename
        self.imported.append(self.module)
        exec(self.code, module.__dict__)


@dataclass(slots=True, eq=False)
class Nearest:
    """A plugin of pytest: tests in which a function's name stands come first. It sees when a file of tests breaks."""

    name: str
    is_broken: bool = False

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        self.is_broken |= report.failed

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items.sort(key=lambda item: not self._is_named_in(item))

    def _is_named_in(self, item: pytest.Item) -> bool:
        return isinstance(item, pytest.Function) and self.name in item.function.__code__.co_names


def main() -> int:
    parser = argparse.ArgumentParser(description="Make small mistakes, and list those that no test sees.")
    parser.add_argument("words", nargs="*", help="only modules whose path has one of these words in it")
    parser.add_argument("--list", action="store_true", help="list the mutants, and run nothing")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 2, help="how many run at once")
    asked = parser.parse_args()
    held = [each for each in MODULES if not asked.words or any(word in each.path for word in asked.words)]
    if not held:
        parser.error(f"no module has {' or '.join(asked.words)} in its path")
    if asked.list:
        for each in held:
            sys.stdout.writelines(f"{line_of(each, mutant)}\n" for mutant in each.mutants())
        return 0
    os.chdir(HOUSE)
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    for name in DEAR + PLUGINS:
        importlib.import_module(name)
    gc.freeze()
    with a_sail() as port:
        os.environ["VIGIE_TESTS_SAIL"] = str(port)  # one for all forks
        survived = {each: survivors(each, asked.jobs) for each in held}
    return 1 if any(left for each, left in survived.items() if each.is_pipeline) else 0


def survivors(held: Held, jobs: int) -> list[Mutant]:
    """Judge the mutants of a module, write down what came of them, and give those that no test saw."""
    every = held.mutants()
    lines = Path(held.file).read_text().splitlines()
    left = [one for one in every if not any(each.covers(held, one, lines[one.line - 1]) for each in EQUIVALENT)]
    judged, began = len(left), time.monotonic()
    for at, stage in enumerate(held.stages):
        # What a pipeline's functions compute is not for the tests of what it declares.
        passed_on = [one for one in left if held.is_pipeline and one.within and at < len(held.stages) - 1]
        tried = [one for one in left if one not in passed_on]
        left = passed_on + (stage_of(held, stage, tried, jobs) if tried else [])
    seconds = time.monotonic() - began
    sys.stderr.write(f"{held.path}: {judged} judged, {len(left)} survived, {seconds / 60:.0f} min\n")
    sys.stderr.writelines(f"{line_of(held, mutant)}\n" for mutant in left)
    left.sort(key=lambda one: one.line)
    write_down(held, len(every), judged, left)
    return left


def stage_of(held: Held, tests: Sequence[str], left: Sequence[Mutant], jobs: int) -> list[Mutant]:
    texts = [(HOUSE / test.partition("::")[0]).read_text() for test in tests]
    shared = the_spark() if any("spark: SparkSession" in text for text in texts) else None
    patience = max(60.0, 5 * jobs * seconds_without_a_mutant(held, tuple(tests), shared))

    def work(mutant: Mutant) -> Callable[[], int]:
        return lambda: judge(held.module, mutant, tests, shared)

    survived = []
    for mutant, status in forked([(one, work(one)) for one in left], jobs, patience):
        if status != PASSED and status not in KILLS:
            raise SystemExit(f"{line_of(held, mutant)}: the tests could not be run ({status}); see MUTANTS_TRANSCRIPT")
        sys.stderr.write({PASSED: "s", FAILED: ".", TOOK_TOO_LONG: "t"}[status])
        sys.stderr.flush()
        survived += [mutant] if status == PASSED else []
    sys.stderr.write("\n")
    if any("SparkSession" in text for text in texts):  # or what killed them may have been an engine that had died
        must_pass(held, tests, shared)
    return survived


TOOK: dict[tuple[str, ...], float] = {}  # seconds that tests took without a mutant


def seconds_without_a_mutant(held: Held, tests: tuple[str, ...], shared: SparkSession | None) -> float:
    """Measured once for tests that hold several modules."""
    if tests not in TOOK:
        began = time.monotonic()
        must_pass(held, tests, shared)
        TOOK[tests] = time.monotonic() - began
    return TOOK[tests]


def must_pass(held: Held, tests: Sequence[str], shared: SparkSession | None) -> None:
    nothing = Mutant(0, "", "", compile(Path(held.file).read_text(), held.file, "exec"))
    [(_, status)] = forked([(nothing, lambda: judge(held.module, nothing, tests, shared))], 1, LONGEST_S)
    if status != PASSED:
        raise SystemExit(f"{held.path}: without a mutant, {' '.join(tests)} failed or never imported it ({status})")


def judge(module: str, mutant: Mutant, tests: Sequence[str], shared: SparkSession | None) -> int:
    """Run the tests with the module's code in place: 0 when all passed."""
    if shared is not None:
        borrow(shared)
    mutated = Mutated(module, mutant.code, [])
    sys.meta_path.insert(0, mutated)
    quiet = (
        "-q",
        "-p",
        "pytest_timeout",
        "-p",
        "_hypothesis_pytestplugin",
        "-p",
        "no:cacheprovider",
        "-W",
        "ignore::pytest.PytestAssertRewriteWarning",
    )
    nearest = Nearest(mutant.within)
    status = int(pytest.main(["-x", *quiet, "--timeout", "0", *tests], [nearest]))
    if not mutated.imported:
        return NOT_IMPORTED
    has_broken = status == NOT_BEGUN or (status == INTERRUPTED and nearest.is_broken)
    return FAILED if has_broken else status


def the_spark() -> SparkSession:
    """One Spark for all forks, or the one that there is already."""
    from bench import classic
    from vigie.settings import Settings

    os.environ.setdefault("SPARK_SUBMIT_OPTS", classic.BRIEF)
    return classic.start(Settings(), "mutants")


def borrow(shared: SparkSession) -> None:
    """In a fork: talk to the parent's Spark over a connection of our own, and leave it running."""
    from bench import classic

    gateway = shared.sparkContext._gateway
    assert gateway is not None
    client = gateway._gateway_client
    client.lent = (list(client.deque), client.thread_connection)  # to be kept: what is freed is closed
    client.deque.clear()
    client.thread_connection = threading.local()
    vars(shared)["stop"] = lambda: None
    vars(classic)["start"] = lambda *_, **__: shared


def git(*command: str) -> str:
    return subprocess.run(["git", *command], cwd=HOUSE, capture_output=True, text=True, check=True).stdout.strip()


def line_of(held: Held, mutant: Mutant) -> str:
    return f"`{held.path}:{mutant.line}`: `{flat(mutant.was)}` → `{flat(mutant.now)}`"


def flat(text: str) -> str:
    return " ".join(text.replace("\\n", " ").split()).replace("`", "'")


def forked(
    works: Sequence[tuple[Mutant, Callable[[], int]]], jobs: int, patience: float
) -> Iterator[tuple[Mutant, int]]:
    """Do each in a fork, so many at once; what it gave, or less than 0 when somebody else killed it."""
    waiting, running = list(works)[::-1], dict[int, tuple[Mutant, float]]()
    while waiting or running:
        while waiting and len(running) < jobs:
            mutant, work = waiting.pop()
            if (child := os.fork()) == 0:
                alone(work)
            running[child] = mutant, time.monotonic() + patience
        for child, (mutant, until) in list(running.items()):
            ended, status = os.waitpid(child, os.WNOHANG)
            if ended:
                del running[child]
                yield mutant, os.waitstatus_to_exitcode(status)
            elif time.monotonic() > until:
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)
                del running[child]
                yield mutant, TOOK_TOO_LONG
        time.sleep(0.02)


def alone(work: Callable[[], int]) -> NoReturn:
    """In a fork: do it unheard, and end without what the parent does at its end.

    MUTANTS_TRANSCRIPT names a file for what the last of them said.
    """
    status = FELL
    with tempfile.TemporaryFile() as unheard:
        os.dup2(unheard.fileno(), 1)
        os.dup2(unheard.fileno(), 2)
        try:
            status = work()
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            if transcript := os.environ.get("MUTANTS_TRANSCRIPT"):
                unheard.seek(0)
                Path(transcript).write_bytes(unheard.read())
            os._exit(status)


def write_down(held: Held, every: int, judged: int, left: Sequence[Mutant]) -> None:
    """Replace what docs/mutants.md says of a module."""
    commit = git("rev-parse", "--short", "HEAD") + ("-dirty" if git("status", "--short", "src", "tests") else "")
    counts = (every, judged - len(left), every - judged, len(left))
    row = f"| `{held.path}` | {' | '.join(map(str, counts))} | {datetime.now(UTC):%Y-%m-%d} | {commit} |"
    lines = RESULTS.read_text().splitlines() if RESULTS.exists() else []
    rows = {each.path: line for each in MODULES for line in lines if line.startswith(f"| `{each.path}` |")}
    rows[held.path] = row
    listed = [line for line in lines if line.startswith("- `") and not line.startswith(f"- `{held.path}:")]
    listed += [f"- {line_of(held, mutant)}" for mutant in left]
    order = [each.path for each in MODULES]
    listed.sort(key=lambda line: order.index(line[3:].split(":")[0]))
    table = "\n".join(rows[path] for path in order if path in rows)
    RESULTS.write_text(f"{HEAD}{table}\n" + ("\n## Survivors\n" + "\n".join(listed) + "\n" if listed else ""))


if __name__ == "__main__":
    sys.exit(main())
