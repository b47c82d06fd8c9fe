"""What the documents show is what Vigie takes: commands, pipelines, settings, links."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest
import typer
from deltalake import DeltaTable
from typer.core import TyperGroup

from tests.dashboard.lakes import a_lake
from vigie import detectors
from vigie.alerts import ALERTS, EVENTS
from vigie.check import problems
from vigie.cli import app
from vigie.core import ledger
from vigie.core.alerts.dead_letters import DEAD_LETTERS
from vigie.core.ingest import quarantine
from vigie.lake import Lake
from vigie.pipeline import load
from vigie.settings import PREFIX, Settings
from vigie.sql import query

HOUSE = Path(__file__).parent.parent
PAGES = [HOUSE / "README.md", *sorted((HOUSE / "docs").rglob("*.md")), *sorted((HOUSE / "examples").rglob("*.md"))]
WITH_PIPELINES = [HOUSE / "README.md", HOUSE / "docs/declare.md"]
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!https?://|#)([^)#]+)")


def blocks(page: Path, language: str) -> list[str]:
    return [text for said, text in BLOCK.findall(page.read_text()) if said == language]


def named(path: Path) -> str:
    return str(path.relative_to(HOUSE))


def typed(page: Path, program: str) -> Iterator[list[str]]:
    """The words behind each call of a program in the page's shell blocks."""
    for block in blocks(page, "sh"):
        for line in block.replace("\\\n", " ").splitlines():
            for part in re.split(r"&&|\s\|\s|;", line):
                words = shlex.split(part, comments=True)
                while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
                    del words[0]
                if words and words[0] == program:
                    yield words[1 : words.index(">") if ">" in words else None]


def commands() -> TyperGroup:
    group = typer.main.get_command(app)
    assert isinstance(group, TyperGroup)
    return group


def parsed(words: list[str]) -> tuple[str, dict[str, object]]:
    """The command that the words call, and what it is given; an error when it does not take them."""
    group = commands()
    with group.context_class(group) as above:
        name, command, rest = group.resolve_command(above, words)
        assert name is not None
        assert command is not None
        with command.make_context(name, rest, parent=above) as context:
            return name, context.params


SHOWN = [
    pytest.param(words, id=f"{named(page)}: {' '.join(words)}") for page in PAGES for words in typed(page, "vigie")
]


@pytest.mark.parametrize("words", SHOWN)
def test_a_command_that_a_document_shows_is_one_that_vigie_takes(words: list[str]) -> None:
    name, given = parsed(words)

    assert name
    assert "pipeline" not in given or given["pipeline"] is not None


def activity_tables(lake: Lake) -> Iterator[tuple[Path, pa.Schema]]:
    instant, number, text = pa.timestamp("us", "UTC"), pa.int64(), pa.string()
    for name, columns in (
        ("activity_per_minute", {"window_end": instant, "action": text, "page": text, "events": number}),
        ("sessions", {"device": text, "events": number, "started_at": instant, "ended_at": instant}),
        ("edits_per_minute", {"wiki": text, "edits": number, "bot_edits": number, "bytes_changed": number}),
    ):
        yield lake.gold(f"activity/{name}"), pa.schema(list(columns.items()))
    event = {"event_id": text, "event_timestamp": instant, "schema_version": number}
    yield lake.silver("user_activity"), pa.schema(list(event.items()))


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """The tables that the documents ask about, with the columns of the engine and no rows."""
    lake = Lake(tmp_path_factory.mktemp("lake"))
    report = pa.schema([("icao24", pa.string()), ("flight_phase", pa.string())])
    instant, number = pa.timestamp("us", "UTC"), pa.float64()
    reading = pa.schema([("sensor_id", pa.string()), ("temperature_c", number), ("event_timestamp", instant)])
    for path, schema in (
        *activity_tables(lake),
        (lake.silver("flights_ml"), report),
        (lake.gold("streaming_aggregations/flight_phase_counts"), pa.schema([("window_start", instant)])),
        (lake.bronze("user_activity"), pa.schema([("value", pa.binary())])),
        (lake.gold("activity/daily_statistics"), pa.schema([("day", pa.date32())])),
        (lake.gold("sensors/last_values"), reading),
        (lake.gold("sensors/alerts_by_type"), pa.schema([("window_end", instant), ("alert_type", pa.string())])),
        (lake.quarantine("flights"), quarantine.QUARANTINE),
        (lake.late("flights"), quarantine.LATE),
        (lake.ledger("flights"), ledger.SCHEMA),
        (lake.alerts("sensors"), ALERTS),
        (lake.alert_events("sensors"), EVENTS),
        (lake.dead_letters("sensors"), DEAD_LETTERS),
    ):
        DeltaTable.create(str(path), schema=schema)
    return lake


@pytest.mark.parametrize("sql", [words[1] for page in PAGES for words in typed(page, "vigie") if words[0] == "query"])
def test_a_query_that_a_document_shows_can_be_answered(sql: str, lake: Lake) -> None:
    assert query(lake, sql).columns


@pytest.fixture(scope="module")
def flights(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """A lake of flights with rows."""
    return a_lake(tmp_path_factory.mktemp("flights"))


@pytest.mark.parametrize("page", ["docs/doc_04_exploration_sql.md", "docs/doc_07_streaming_gold.md"])
def test_the_questions_of_a_document_about_flights_are_answered_with_rows(page: str, flights: Lake) -> None:
    asked = blocks(HOUSE / page, "sql")

    unanswered = [sql for sql in asked if not query(flights, sql).rows]

    assert asked
    assert unanswered == []


def test_a_flag_that_vigie_does_not_have_is_found() -> None:
    with pytest.raises(Exception, match="No such option"):
        parsed(["run", "flights", "--twice"])


def test_every_command_is_shown_in_the_readme() -> None:
    assert {words[0] for words in typed(HOUSE / "README.md", "vigie")} == set(commands().commands)


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_a_target_that_a_document_makes_is_in_the_makefile(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (HOUSE / "Makefile").read_text(), re.MULTILINE))

    for words in typed(page, "make"):
        assert words[0] in targets


def test_the_pipeline_of_the_readme_makes_sense_and_is_short(tmp_path: Path) -> None:
    [block] = blocks(HOUSE / "README.md", "python")
    (tmp_path / "climate.py").write_text(block)

    found = problems(load(str(tmp_path / "climate.py")))

    assert found == []
    assert len([line for line in block.splitlines() if line]) <= 17


@pytest.mark.parametrize("page", WITH_PIPELINES, ids=named)
def test_python_that_a_document_shows_can_be_compiled_and_its_pipelines_make_sense(page: Path, tmp_path: Path) -> None:
    for number, block in enumerate(blocks(page, "python")):
        compile(block, f"{named(page)}, block {number}", "exec")
        if "Pipeline(" not in block or block.startswith("# wrong.py"):
            continue
        path = tmp_path / f"block_{number}.py"
        path.write_text(block)

        found = problems(load(str(path)))

        assert found == [], block


def test_the_problems_that_the_guide_shows_are_what_check_says(tmp_path: Path) -> None:
    text = (HOUSE / "docs/declare.md").read_text()
    [(wrong, said)] = re.findall(r"```python\n(# wrong\.py\n.*?)```.*?```text\n(.*?)```", text, re.DOTALL)
    (tmp_path / "wrong.py").write_text(wrong)

    found = problems(load(str(tmp_path / "wrong.py")))

    assert "\n\n".join(map(str, found)) + "\n" == said


def test_the_guide_names_every_kind_of_problem() -> None:
    sources = [file.read_text() for file in (HOUSE / "src/vigie").glob("*.py")]
    kinds = {kind for source in sources for kind in re.findall(r'Problem\(\s*"(\w+)"', source)}
    text = (HOUSE / "docs/declare.md").read_text()

    assert len(kinds) > 10
    assert {kind for kind in kinds if f"`{kind}`" not in text} == set()


@pytest.mark.parametrize("pipeline", ["sensors", "activity"])
def test_the_guide_to_a_pipeline_declares_each_rule_as_the_pipeline_does(pipeline: str) -> None:
    text = (HOUSE / f"docs/{pipeline}.md").read_text()
    told = dict(re.findall(r"^\| `([A-Z_]+)`[^|]*\| `(\w+\(.*?\))` \|", text, re.MULTILINE))

    declared = {rule.name: rule.detector for watch in load(pipeline).graph().watches for rule in watch.rules}

    assert {name: eval(said, vars(detectors)) for name, said in told.items()} == declared


def test_every_setting_is_described() -> None:
    text = (HOUSE / "docs/sources-and-feeds.md").read_text()

    assert {name for name in Settings.model_fields if f"`{PREFIX}{name.upper()}`" not in text} == set()


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_a_link_leads_to_a_file_that_is_there(page: Path) -> None:
    targets = LINK.findall(page.read_text())

    assert [target for target in targets if not (page.parent / target).exists()] == []
