from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from vigie import Pipeline
from vigie.check import checked, problems
from vigie.errors import BadDeclaration
from vigie.pipeline import load

SILVER = {
    "schema": "k STRING, at TIMESTAMP, v DOUBLE",
    "event_time": "at",
    "late_by": "6 minutes",
    "unique": ("k",),
}


class NowhereSink:
    module = "no_such_library"
    extra = "nowhere"

    def write(self, rows: object, batch: int) -> None:
        raise AssertionError(f"nothing is ever delivered here, but {rows} came in batch {batch}")


def a_pipeline(gold_late_by: str | None = "2 minutes", key: str | None = "k", **silver: Any) -> Pipeline:
    pipeline = Pipeline("p")
    raw = pipeline.source("raw", schema="k STRING, t BIGINT, v DOUBLE", key=key)

    @pipeline.silver("good", **{"reads": raw, **SILVER, **silver})
    def good(rows: object) -> object:
        return rows

    @pipeline.gold("windows", reads=good, late_by=gold_late_by)
    def windows(rows: object) -> object:
        return rows

    return pipeline


def kinds(pipeline: Pipeline) -> list[str]:
    return [problem.kind for problem in problems(pipeline)]


def test_a_sound_pipeline_has_no_problems() -> None:
    assert problems(a_pipeline()) == []


def test_the_flights_that_ship_with_vigie_have_no_problems() -> None:
    assert problems(load("flights")) == []


@pytest.mark.parametrize(
    ("silver", "kind", "words"),
    [
        ({"late_by": None}, "NoWatermark", "has an event time but no late_by"),
        ({"event_time": None, "unique": ()}, "NoEventTime", "has a late_by but no event time"),
        ({"event_time": None}, "NoEventTime", "unique within a time"),
        ({"unique": ("q",)}, "UnknownColumn", "the unique key of 'good' names 'q'"),
        ({"event_time": "att"}, "UnknownColumn", "the event time of 'good' names 'att'"),
        ({"event_time": "v"}, "BadEventTime", "is not a TIMESTAMP"),
        ({"late_by": "6 minits"}, "BadDuration", "'6 minits' is not a span of time"),
        ({"late_by": 5}, "BadDuration", "5 is no text; write for example"),
        ({"expect": {"r": "v + 1"}}, "BadExpectation", "gives a value, and not whether something holds"),
        ({"expect": {"r": "'yes'"}}, "BadExpectation", "gives a value, and not whether something holds"),
        ({"expect": {"has a key": "v > 1"}}, "DuplicateName", "the name of a rule that every row is held to"),
        ({"schema": "k STRING, at TIMESTAMP, _rules INT"}, "BadSchema", "'_rules' is the engine's own"),
        ({"schema": "k STRING, at TIMESTAMP, `a.b` INT"}, "BadSchema", "a dot means a field within one"),
        ({"schema": "k STRING, at TIMESTAMP, K INT"}, "BadSchema", "'K' stands twice"),
        ({"expect": {"r": "v IS NOT"}}, "BadExpectation", "the rule 'r' of 'good' is not a condition"),
        ({"expect": {"r": "v > 1; DROP TABLE x"}}, "BadExpectation", "is not a condition"),
        ({"expect": {"r": "max(v) > 1"}}, "BadExpectation", "no subquery, aggregate or window"),
        ({"expect": {"r": "vv > 1"}}, "UnknownColumn", "the rule 'r' of 'good' names 'vv'"),
        ({"schema": "k STRING, at TIMESTAMP,, v"}, "BadSchema", "the schema of 'good' cannot be read"),
        ({"schema": "k STRING, at TIMESTAMP, v QUUX"}, "BadSchema", "the schema of 'good' cannot be read"),
    ],
)
def test_what_a_silver_table_promises_in_vain_is_reported(silver: dict[str, Any], kind: str, words: str) -> None:
    found = problems(a_pipeline(**silver))

    assert any(problem.kind == kind and words in str(problem) for problem in found), found


def test_a_rule_may_speak_of_the_source_and_of_the_time_of_receipt() -> None:
    assert problems(a_pipeline(expect={"r": "t > 0 AND at <= received_at + INTERVAL 1 MINUTE"})) == []


def test_a_key_that_the_source_does_not_have_is_reported() -> None:
    assert kinds(a_pipeline(key="kk")) == ["UnknownColumn"]


def test_a_field_of_a_type_that_json_has_no_form_for_is_reported() -> None:
    pipeline = Pipeline("p")
    pipeline.source("raw", schema="k STRING, parts ARRAY<BINARY>")

    [problem] = problems(pipeline)
    assert "the field 'parts' of 'raw' is a BINARY" in problem.what


def test_a_gold_table_cannot_wait_longer_than_its_silver() -> None:
    [problem] = problems(a_pipeline(gold_late_by="7 minutes"))

    assert problem.kind == "LateBy"
    assert "waits 7 minutes for late rows, but 'good' takes none later than 6 minutes" in problem.what


def test_a_gold_table_needs_a_late_by() -> None:
    assert kinds(a_pipeline(gold_late_by=None)) == ["NoWatermark"]


def test_reading_what_was_never_declared_says_what_can_be_read() -> None:
    pipeline = a_pipeline()

    def stray(rows: object) -> object:
        return rows

    @pipeline.gold("lost", reads=stray, late_by="2 minutes")
    def lost(rows: object) -> object:
        return rows

    [problem] = problems(pipeline)
    assert str(problem).startswith("UnknownInput: table 'lost' reads 'stray', which pipeline 'p' does not declare")
    assert "name one of: raw, good, windows, lost" in problem.do
    assert problem.place.file == __file__


def test_a_circle_is_reported_once() -> None:
    pipeline = a_pipeline()

    @pipeline.gold("hen", reads="egg", late_by="1 minute")
    def hen(rows: object) -> object:
        return rows

    @pipeline.gold("egg", reads=hen, late_by="1 minute")
    def egg(rows: object) -> object:
        return rows

    assert kinds(pipeline).count("Cycle") == 1


def test_two_tables_of_one_layer_cannot_share_a_name_but_two_layers_can() -> None:
    pipeline = a_pipeline()
    pipeline.source("good", schema="a STRING")
    assert problems(pipeline) == []

    pipeline.source("raw", schema="a STRING")
    assert kinds(pipeline) == ["DuplicateName"]


def test_a_sink_whose_library_is_missing_names_the_extra() -> None:
    pipeline = a_pipeline()
    pipeline.deliver("windows", to=NowhereSink())

    [problem] = problems(pipeline)
    assert problem.kind == "MissingExtra"
    assert problem.do == "pip install 'vigie[nowhere]'"


def test_all_problems_come_at_once_with_their_lines(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(
        dedent(
            """\
            from vigie import Pipeline
            mine = Pipeline("mine")
            raw = mine.source("raw", schema="a STRING", key="b")

            @mine.silver("good", reads=raw, schema="a STRING", unique=("z",))
            def good(rows):
                return rows

            @mine.gold("late", reads=good, late_by="soon")
            def late(rows):
                return rows
            """
        )
    )

    with pytest.raises(BadDeclaration) as raised:
        checked(load(str(file)))

    assert "pipeline 'mine' has 5 problems" in str(raised.value)
    for line in (3, 5, 9):
        assert f"(mine.py:{line})" in str(raised.value)


def test_a_unique_column_may_be_named_alone() -> None:
    assert problems(a_pipeline(unique="k")) == []


def test_rules_without_names_are_refused_where_they_stand() -> None:
    with pytest.raises(BadDeclaration, match="expect holds rules without names"):
        a_pipeline(expect=["v > 1"])


def test_a_function_that_cannot_be_called_with_rows_alone_is_found() -> None:
    pipeline = Pipeline("p")
    raw = pipeline.source("raw", schema="k STRING, v DOUBLE")

    @pipeline.silver("good", reads=raw, schema="k STRING")
    def good(rows: object, more: object) -> object:
        return rows

    [problem] = problems(pipeline)
    assert "cannot be called with rows alone" in problem.what


def test_a_question_about_a_table_that_is_not_declared_is_found() -> None:
    pipeline = a_pipeline()

    @pipeline.question
    def how_many(god: object) -> object:
        return god

    [problem] = problems(pipeline)
    assert (problem.kind, problem.place.line) == ("UnknownTable", how_many.__code__.co_firstlineno)
    assert "Did you mean 'good'?" in problem.do


def test_a_source_and_a_gold_table_of_one_name_would_share_a_checkpoint() -> None:
    pipeline = a_pipeline()
    pipeline.source("windows", schema="k STRING")

    assert kinds(pipeline) == ["DuplicateName"]


def test_a_source_cannot_bring_a_column_that_every_row_is_given() -> None:
    pipeline = Pipeline("p")
    pipeline.source("raw", schema="k STRING, received_at TIMESTAMP")

    [problem] = problems(pipeline)
    assert "the name of a column that every row is given" in problem.what


def test_a_table_within_the_folder_of_another_is_found() -> None:
    pipeline = a_pipeline()
    pipeline.gold("windows/by_hour", reads="good", late_by="2 minutes")(lambda rows: rows)

    [problem] = problems(pipeline)
    assert "'gold/windows/by_hour' would lie within the folder of 'gold/windows'" in problem.what
