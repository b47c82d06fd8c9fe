import subprocess
import sys
from pathlib import Path
from textwrap import dedent
from typing import Any, cast

import pytest
from pyspark.sql import functions as F

from vigie import Last, Pipeline
from vigie.address import Inbox
from vigie.check import checked, problems
from vigie.detectors import Above, InARow, Silent, SuddenChange
from vigie.errors import BadDeclaration, BadSetting, RequestError
from vigie.feeding import source_of
from vigie.flags import addresses
from vigie.pipeline import load
from vigie.remarks import remarks
from vigie.sinks.bigquery import BigQuery
from vigie.sinks.console import Console
from vigie.sinks.elastic import Elastic
from vigie.sinks.kafka import KafkaAlerts, KafkaTopic
from vigie.sinks.mongo import Mongo
from vigie.sinks.mongo_messages import MongoMessages
from vigie.sinks.postgres import Postgres
from vigie.sinks.webhook import Webhook

SILVER = {
    "schema": "k STRING, at TIMESTAMP, v DOUBLE",
    "event_time": "at",
    "late_by": "6 minutes",
    "unique": ("k",),
}


SPANS = "k STRING, starts_at TIMESTAMP, ends_at TIMESTAMP, what STRING, where STRING"


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


def test_a_command_that_names_no_source_means_the_one_that_is_no_context() -> None:
    pipeline = a_pipeline()
    pipeline.source("weather", schema="k STRING", context=True)

    assert source_of(pipeline, None).name == "raw"
    assert source_of(pipeline, "weather").name == "weather"
    assert addresses(["inbox:./a", "weather=inbox:./b"], pipeline.graph()) == {
        "raw": Inbox(Path("a")),
        "weather": Inbox(Path("b")),
    }


def test_a_command_that_names_none_of_two_sources_is_told_their_names() -> None:
    pipeline = a_pipeline()
    pipeline.source("other", schema="k STRING")

    with pytest.raises(RequestError, match="has 2 sources"):
        source_of(pipeline, None)
    with pytest.raises(BadSetting, match="has 2 sources"):
        addresses(["inbox:./a"], pipeline.graph())


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
        ({"expect": {"r": "v"}}, "BadExpectation", "is the column 'v', which says not whether something holds"),
        ({"expect": {"r": "at < current_timestamp()"}}, "BadExpectation", "not what time it is now"),
        ({"expect": {"r": "at < current_date"}}, "BadExpectation", "not what time it is now"),
        ({"schema": "k STRING, at TIMESTAMP, d DECIMAL(39, 3)"}, "BadSchema", "a DECIMAL has up to 38 digits"),
        ({"schema": "k STRING, at TIMESTAMP, d ARRAY<DECIMAL(3, 4)>"}, "BadSchema", "a DECIMAL has up to 38 digits"),
        ({"schema": f"k STRING, at TIMESTAMP, d {'ARRAY<' * 3_000}INT{'>' * 3_000}"}, "BadSchema", "deeper than"),
        ({"expect": {"has a key": "v > 1"}}, "DuplicateName", "the name of a rule that every row is held to"),
        ({"schema": "k STRING, at TIMESTAMP, _rules INT"}, "BadSchema", "'_rules' is the engine's own"),
        ({"schema": "k STRING, at TIMESTAMP, `a.b` INT"}, "BadSchema", "a dot means a field within one"),
        ({"schema": "k STRING, at TIMESTAMP, K INT"}, "BadSchema", "'K' stands twice"),
        ({"schema": """k STRING, at TIMESTAMP, "q" INT"""}, "BadSchema", "the name 'q' stands in quotes"),
        ({"schema": "k STRING, at TIMESTAMP, s STRUCT<'q': INT>"}, "BadSchema", "the name 'q' stands in quotes"),
        ({"schema": """k STRING, at TIMESTAMP, `"q"` INT"""}, "BadSchema", "no double quotes, backslashes or"),
        ({"schema": """k STRING, at TIMESTAMP, s ARRAY<STRUCT<`"`: INT>>"""}, "BadSchema", "no double quotes"),
        ({"expect": {"r": "v IS NOT"}}, "BadExpectation", "the rule 'r' of 'good' is not a condition"),
        ({"expect": {"r": "v > 1; DROP TABLE x"}}, "BadExpectation", "is not a condition"),
        ({"expect": {"r": "max(v) > 1"}}, "BadExpectation", "no subquery, aggregate or window"),
        ({"expect": {"r": "vv > 1"}}, "UnknownColumn", "the rule 'r' of 'good' names 'vv'"),
        ({"schema": "k STRING, at TIMESTAMP,, v"}, "BadSchema", "the schema of 'good' cannot be read"),
        (
            {"schema": "k STRING, at TIMESTAMP, v QUUX"},
            "BadSchema",
            "the schema of 'good' cannot be read: 'QUUX' is no",
        ),
        ({"schema": "k STRING, at TIMESTAMP, v DUBLE"}, "BadSchema", "'DUBLE' is no type; did you mean DOUBLE?"),
    ],
)
def test_what_a_silver_table_promises_in_vain_is_reported(silver: dict[str, Any], kind: str, words: str) -> None:
    found = problems(a_pipeline(**silver))

    assert any(problem.kind == kind and words in str(problem) for problem in found), found


def test_a_rule_may_speak_of_the_source_and_of_the_time_of_receipt() -> None:
    assert problems(a_pipeline(expect={"r": "t > 0 AND at <= received_at + INTERVAL 1 MINUTE"})) == []


def test_a_rule_may_be_a_column_that_says_whether_it_holds() -> None:
    fields = {"schema": "k STRING, at TIMESTAMP, v DOUBLE, ok BOOLEAN, s STRUCT<v: BOOLEAN>"}

    assert kinds(a_pipeline(**fields, expect={"is well": "ok", "is well within": "s.v"})) == []


def test_a_key_that_the_source_does_not_have_is_reported() -> None:
    assert kinds(a_pipeline(key="kk")) == ["UnknownColumn"]


def test_how_far_a_message_may_be_ahead_is_a_span() -> None:
    pipeline = Pipeline("p")
    pipeline.source("s", schema="k STRING", future="a while")

    [problem] = [each for each in problems(pipeline) if each.kind == "BadDuration"]

    assert "future of 's': 'a while' is not a span of time" in problem.what


def test_a_key_that_may_come_by_two_partitions_is_worth_knowing() -> None:
    def said(unique: tuple[str, ...], by: str, key: str | None) -> list[str]:
        pipeline = Pipeline("p")
        source = pipeline.source("s", schema="k STRING, n DOUBLE, t TIMESTAMP", key=key)
        table = pipeline.silver(
            "t", reads=source, schema="k STRING, n DOUBLE, t TIMESTAMP", event_time="t", late_by="1m", unique=unique
        )(lambda rows: rows)
        pipeline.watch(table, key=by).alert("HIGH", Above("n", 1))
        return list(remarks(pipeline.graph()))

    assert said(("k", "t"), "k", "k") == []
    [repeats, watched] = said(("n", "t"), "n", "k")
    assert "'t' is unique by n and t, and its source's key is k: of two such rows" in repeats
    assert "what watches 't' judges each n, and its source's key is k" in watched
    assert ["and its source has no key" in each for each in said(("k", "t"), "k", None)] == [True, True]


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


@pytest.mark.parametrize("module", ["no_such_library", "pyarrow.no_such_part", "no_such_library.part"])
def test_a_sink_whose_library_is_missing_names_what_to_install(module: str) -> None:
    pipeline = a_pipeline()
    sink = NowhereSink()
    sink.module = module
    pipeline.deliver("windows", to=sink)

    [problem] = problems(pipeline)
    assert problem.kind == "MissingExtra"
    assert problem.do == f"pip install {module.partition('.')[0]}"


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


def test_a_function_that_would_have_to_be_awaited_is_found() -> None:
    pipeline = a_pipeline()

    async def later(rows: object) -> object:
        return rows

    pipeline.silver("later", reads="raw", schema="k STRING")(later)

    assert kinds(pipeline) == ["BadFunction"]


def test_a_name_that_is_longer_than_a_folder_s_may_be_is_found() -> None:
    pipeline = a_pipeline()
    pipeline.silver("s" * 200, reads="raw", schema="k STRING")(lambda rows: rows)
    assert kinds(pipeline) == []

    pipeline.silver("s" * 201, reads="raw", schema="k STRING")(lambda rows: rows)

    assert kinds(pipeline) == ["BadName"]


def test_a_sink_that_is_given_what_can_be_no_column_is_found_with_all_else_that_is_wrong() -> None:
    pipeline = a_pipeline(gold_late_by="1 hour")
    pipeline.deliver("good", to=Mongo("x", id="k", indexes=5))  # type: ignore[arg-type]

    assert kinds(pipeline) == ["LateBy", "BadSink"]


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


def the_last(pipeline: Pipeline, **declared: Any) -> Pipeline:
    pipeline.gold("last", **{"reads": "good", "latest_by": "k", **declared})(lambda rows: rows)
    return pipeline


def test_a_table_of_last_values_needs_no_late_by() -> None:
    assert problems(the_last(a_pipeline())) == []


@pytest.mark.parametrize(
    ("last", "kind", "words"),
    [
        (Last(0, of="k", within="1 hour"), "BadLast", "looks back at the last 0 rows of each key"),
        (Last(True, of="k", within="1 hour"), "BadLast", "looks back at the last True rows of each key"),
        (Last(1, of=(), within="1 hour"), "BadLast", "looks back at the last rows of nobody"),
        (Last(1, of="w", within="1 hour"), "UnknownColumn", "looks_back of 'last' names 'w', which 'good' does not"),
        (Last(1, of=cast("Any", 5), within="1 hour"), "BadLast", "looks back at the last rows of nobody"),
        (Last(1, of=cast("Any", [["k"]]), within="1 hour"), "BadLast", "looks back at the last rows of nobody"),
        (Last(1, of="k", within=cast("Any", None)), "BadLast", "looks back at the last rows of each key without end"),
        (Last(1, of="k", within="99999 days"), "BadDuration", "is 99999 days: a hundred years are the most"),
        (Last(1, of="k", within="an hour"), "BadDuration", "looks_back of 'last': 'an hour' is not a span of time"),
    ],
)
def test_what_a_table_cannot_look_back_at_is_reported_with_its_line(last: Last, kind: str, words: str) -> None:
    pipeline = the_last(a_pipeline(), late_by="2 minutes", latest_by=(), looks_back=last)

    [problem] = problems(pipeline)
    assert (problem.kind, problem.place) == (kind, pipeline.graph().gold[-1].place)
    assert words in problem.what


@pytest.mark.parametrize(
    ("declared", "kind", "words"),
    [
        ({"late_by": "2 minutes"}, "LatestBy", "keeps the last row of each k, and cannot have a late_by too"),
        ({"looks_back": "2 minutes"}, "LatestBy", "and cannot have a looks_back too"),
        ({"latest_by": ("k", "w")}, "UnknownColumn", "latest_by of 'last' names 'w', which 'good' does not have"),
    ],
)
def test_what_a_table_of_last_values_cannot_keep_is_reported_with_its_line(
    declared: dict[str, Any], kind: str, words: str
) -> None:
    pipeline = the_last(a_pipeline(), **declared)

    [problem] = problems(pipeline)
    assert (problem.kind, problem.place) == (kind, pipeline.graph().gold[-1].place)
    assert words in problem.what


@pytest.mark.parametrize("sink", ["nowhere", None, Console])
def test_what_is_no_sink_is_reported_with_all_else_that_is_wrong(sink: Any) -> None:
    pipeline = a_watch(("HIGH", Above("vv", 30)))
    pipeline.deliver("good", to=sink)
    pipeline.watch("good", key="v").deliver(to=sink)

    kinds = [problem.kind for problem in problems(pipeline)]

    assert kinds.count("BadSink") == 2
    assert "UnknownColumn" in kinds


@pytest.mark.parametrize(
    ("sink", "words"),
    [
        (Webhook(timeout=-1), "Webhook of deliver(): timeout is -1"),
        (Webhook(timeout=float("nan")), "Webhook of deliver(): timeout is nan"),
        (KafkaAlerts("bad topic/"), "KafkaAlerts of deliver(): 'bad topic/' cannot be the name of a topic"),
    ],
)
def test_what_a_sink_of_alerts_cannot_use_is_reported(sink: Any, words: str) -> None:
    pipeline = a_watch(("HIGH", Above("v", 30)))
    pipeline.watch("other", key="v").deliver(to=sink)

    [said] = [problem.what for problem in problems(pipeline) if problem.kind == "BadSink"]
    assert words in said


@pytest.mark.parametrize(
    "sink",
    [
        Postgres("t", id=("k", "sensr")),
        Mongo("t", id="k", indexes=("at", ("v", "sensr"))),
        Elastic("t", id=("k", "sensr")),
        BigQuery("t", id="k", partition_by="at", cluster_by="sensr"),
        KafkaTopic("t", key="sensr"),
    ],
    ids=lambda sink: type(sink).__name__,
)
def test_a_column_that_a_sink_names_and_the_table_does_not_have_is_reported(sink: Any) -> None:
    pipeline = a_pipeline()
    pipeline.deliver("good", to=sink)

    [problem] = problems(pipeline)
    assert (problem.kind, problem.place) == ("UnknownColumn", pipeline.graph().deliveries[0].place)
    assert f"{type(sink).__name__} of deliver() names 'sensr', which is no column of 'good'" in problem.what


def test_a_column_that_no_message_comes_with_is_reported_of_a_source() -> None:
    pipeline = a_pipeline()
    pipeline.deliver("raw", to=Mongo("t", id=("offset", "ofset")))

    [problem] = problems(pipeline)
    assert problem.kind == "UnknownColumn"
    assert "names 'ofset', which is no column of 'raw'" in problem.what
    assert "Did you mean 'offset'?" in problem.do


def test_messages_are_delivered_of_a_source_under_a_field_that_they_have() -> None:
    pipeline = a_pipeline()
    pipeline.deliver("raw", to=MongoMessages("t", id="k"))

    assert problems(pipeline) == []


@pytest.mark.parametrize(
    ("table", "id", "kind", "words"),
    [
        ("good", "k", "WrongInput", "takes messages as they come, and deliver() gives it the table 'silver/good'"),
        ("raw", "kk", "UnknownColumn", "names the id 'kk', which is no field of 'raw'"),
        ("raw", "k..id", "BadSink", "'k..id' is no field, nor one within another"),
        ("raw", "", "BadSink", "'' is no field"),
    ],
)
def test_messages_of_what_is_no_source_or_under_no_field_are_reported(
    table: str, id: str, kind: str, words: str
) -> None:
    pipeline = a_pipeline()
    pipeline.deliver(table, to=MongoMessages("t", id=id))

    [problem] = problems(pipeline)
    assert (problem.kind, problem.place) == (kind, pipeline.graph().deliveries[0].place)
    assert words in problem.what


def test_rows_cannot_be_delivered_to_what_is_no_topic() -> None:
    pipeline = a_pipeline()
    pipeline.deliver("good", to=KafkaTopic("..", key="k"))

    [problem] = problems(pipeline)
    assert (problem.kind, problem.place) == ("BadSink", pipeline.graph().deliveries[0].place)


def test_a_table_whose_rows_are_replaced_cannot_be_delivered() -> None:
    pipeline = the_last(a_pipeline())
    pipeline.deliver("last", to=NowhereSink())

    assert "deliver() names 'gold/last', whose rows are replaced" in problems(pipeline)[0].what


def beside(pipeline: Pipeline, function: Any, **declared: Any) -> Pipeline:
    spans = {"late_by": "2 minutes", "looks_back": "1 minute"}
    pipeline.gold("joined", **{"reads": "good", **spans, "beside": "good", **declared})(function)
    return pipeline


def test_a_table_that_looks_back_may_be_given_others_beside_its_rows() -> None:
    assert problems(beside(a_pipeline(), lambda rows, good: (rows, good))) == []


@pytest.mark.parametrize(
    ("declared", "kind", "words"),
    [
        ({"beside": "god"}, "UnknownInput", "gold table 'joined' is given, beside its rows, 'god'"),
        ({"beside": "raw"}, "WrongInput", "is given 'bronze/raw' beside its rows, which is not a silver table"),
        ({"beside": ["windows"]}, "WrongInput", "is given 'gold/windows' beside its rows"),
        ({"looks_back": None}, "WrongInput", "is given tables beside its rows, and does not look back"),
    ],
)
def test_what_cannot_lie_beside_rows_is_reported(declared: dict[str, Any], kind: str, words: str) -> None:
    [problem] = problems(beside(a_pipeline(), lambda rows, good: (rows, good), **declared))

    assert problem.kind == kind
    assert words in problem.what


def test_a_function_is_held_to_the_tables_beside_its_rows() -> None:
    [problem] = problems(beside(a_pipeline(), lambda rows: rows))

    assert "the function of 'joined' cannot be called with rows and good" in problem.what
    assert "def joined(rows, good)" in problem.do


def test_a_pipeline_is_about_something_that_is_no_context() -> None:
    pipeline = Pipeline("p")
    pipeline.source("weather", schema="k STRING", context=True)

    [problem] = problems(pipeline)
    assert problem.what == "every source of pipeline 'p' is context"


def test_a_table_within_the_folder_of_another_is_found() -> None:
    pipeline = a_pipeline()
    pipeline.gold("windows/by_hour", reads="good", late_by="2 minutes")(lambda rows: rows)

    [problem] = problems(pipeline)
    assert "'gold/windows/by_hour' would lie within the folder of 'gold/windows'" in problem.what


def a_watch(
    *rules: tuple[str, Any], severity: str = "warning", key: str = "k", table: Any = "good", **silver: Any
) -> Pipeline:
    pipeline = a_pipeline(**silver)
    watched = pipeline.watch(table, key=key)
    for name, detector in rules:
        watched.alert(name, detector, severity=severity)
    return pipeline


@pytest.mark.parametrize("pipeline", ["sensors", "activity"])
def test_what_ships_with_vigie_has_no_problems(pipeline: str) -> None:
    assert problems(load(pipeline)) == []


def test_alerts_are_delivered_from_a_severity_that_there_is() -> None:
    pipeline = a_pipeline()
    watched = pipeline.watch("good", key="k")
    watched.alert("HIGH", Above("v", 30))
    watched.deliver(to=Webhook(), at_least="warnings")

    [problem] = problems(pipeline)
    assert (problem.kind, problem.what) == ("BadSeverity", "at_least of the delivery is 'warnings'")
    assert "Did you mean 'warning'?" in problem.do


def test_a_sound_watch_has_no_problems() -> None:
    assert problems(a_watch(("HIGH", Above("v", 30)), ("SILENT", Silent()), ("THREE", InARow("k = 'x'")))) == []


@pytest.mark.parametrize(
    ("pipeline", "kind", "words"),
    [
        (a_watch(("HIGH", Above("v", 30)), table="god"), "UnknownInput", "Did you mean 'good'?"),
        (a_watch(("HIGH", Above("v", 30)), table="windows"), "WrongInput", "'gold/windows', which is not a silver"),
        (a_watch(("HIGH", Above("v", 30)), table="raw"), "WrongInput", "'bronze/raw', which is not a silver"),
        (a_watch(("HIGH", Above("v", 30)), key="kk"), "UnknownColumn", "has the key 'kk'"),
        (a_watch(("HIGH", Above("vv", 30))), "UnknownColumn", "Did you mean 'v'?"),
        (a_watch(("HIGH", Above("k", 30))), "BadType", "measures 'k', which is of the type STRING"),
        (a_watch(("HIGH", InARow("w > 1"))), "UnknownColumn", "looks at 'w'"),
        (a_watch(("HIGH", InARow("v >"))), "BadDetector", "is not a condition in SQL"),
        (a_watch(("HIGH", InARow("v > 1", times=1))), "BadDetector", "times is 1"),
        (a_watch(("HIGH", InARow("v > rand()"))), "BadDetector", "nothing random"),
        (a_watch(("HIGH", InARow("nosuch(v) > 1"))), "BadDetector", "cannot be asked: Catalog Error"),
        (a_watch(("HIGH", InARow("v"))), "BadDetector", "it gives a value of the type DOUBLE"),
        (a_watch(("HIGH", Above("v", 30, clears_at=31))), "BadDetector", "which is above its limit of 30"),
        (a_watch(("HIGH", Silent("soon"))), "BadDetector", "'soon' is not a span of time"),
        (a_watch(("HIGH", Silent("0s"))), "BadDetector", "after is nothing"),
        (a_watch(("HIGH", SuddenChange("v", by=0))), "BadDetector", "by is 0"),
        (a_watch(("HIGH", 30)), "BadDetector", "it cannot be used as 30"),
        (a_watch(("high", Above("v", 30))), "BadName", "'high' cannot be a rule's name"),
        (a_watch(("HIGH", Above("v", 30)), severity="Warning"), "BadSeverity", "Did you mean 'warning'?"),
        (
            a_watch(("HIGH", Above("v", 30)), ("HIGH", Above("v", 3))),
            "DuplicateName",
            "the rule 'HIGH' is declared twice",
        ),
        (a_watch(), "NoRule", "has no rule"),
        (
            a_watch(("HIGH", Above("moment", 30)), schema="k STRING, at TIMESTAMP, moment DOUBLE"),
            "BadDetector",
            "cannot be called 'moment'",
        ),
        (
            a_watch(("HIGH", Above("v", 30)), schema="k ARRAY<STRING>, at TIMESTAMP, v DOUBLE"),
            "BadKey",
            "of the type ARRAY<STRING>",
        ),
    ],
)
def test_a_watch_that_could_not_keep_watch_is_reported_where_it_stands(
    pipeline: Pipeline, kind: str, words: str
) -> None:
    [problem] = problems(pipeline)

    assert problem.kind == kind
    assert words in str(problem)
    assert problem.place.file == __file__


def test_a_watched_table_needs_an_event_time() -> None:
    pipeline = a_watch(("HIGH", Above("v", 30)), event_time=None, late_by=None, unique=())

    found = [problem.what for problem in problems(pipeline) if problem.kind == "NoEventTime"]

    assert any("'good' is watched, and has no event time in whose order" in what for what in found)


def test_a_table_is_watched_by_one_key_once_and_a_rule_s_name_is_one_of_the_pipeline() -> None:
    pipeline = a_watch(("HIGH", Above("v", 30)))
    again = pipeline.watch("silver/good", key="k")
    again.alert("HIGH", Above("v", 31))

    assert kinds(pipeline) == ["DuplicateName", "DuplicateName"]


@pytest.mark.parametrize(
    ("schema", "named", "kind", "words"),
    [
        (SPANS, {"table": "goood"}, "UnknownInput", "quiet_during() names 'goood'"),
        (SPANS, {"table": "raw"}, "WrongInput", "'bronze/raw', which is not a silver table"),
        (SPANS.replace("ends_at TIMESTAMP", "ends_at STRING"), {}, "BadType", "'ends_at' of 'spans'"),
        (SPANS.replace("what STRING,", ""), {}, "UnknownColumn", "no column of 'spans'"),
        (SPANS, {"on": "where"}, "UnknownColumn", "names 'where', which is no column of 'good'"),
    ],
)
def test_spans_without_alerts_that_could_not_be_told_are_reported(
    schema: str, named: dict[str, str], kind: str, words: str
) -> None:
    pipeline = a_pipeline()

    @pipeline.silver("spans", reads="raw", schema=schema)
    def declared(rows: object) -> object:
        return rows

    watched = pipeline.watch("good", key="k")
    watched.alert("HIGH", Above("v", 30))
    watched.quiet_during(**{"table": "spans", "on": "k", **named})

    [problem] = problems(pipeline)

    assert problem.kind == kind
    assert words in str(problem)


def test_two_sinks_of_one_name_would_keep_one_note() -> None:
    pipeline = a_pipeline()
    watched = pipeline.watch("good", key="k")
    watched.alert("HIGH", Above("v", 30))
    watched.deliver(to=Webhook())
    watched.deliver(to=Webhook())

    [problem] = problems(pipeline)

    assert (problem.kind, problem.do.partition(":")[0]) == ("DuplicateName", "Give one of them another name")


def test_all_that_is_wrong_with_a_watch_comes_at_once() -> None:
    pipeline = a_watch(("high", Above("vv", 30, clears_at=31)), ("LOW", Above("k", 1)), severity="bad", key="kk")

    assert sorted(kinds(pipeline)) == [
        "BadDetector", "BadName", "BadSeverity", "BadSeverity", "BadType", "UnknownColumn",
    ]  # fmt: skip


def test_detectors_are_declared_and_checked_without_what_judges() -> None:
    loaded = "import sys, vigie.detectors, vigie.check; print(*sys.modules.keys() & {'duckdb', 'pyarrow', 'pyspark'})"

    said = subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, check=True)

    assert said.stdout == "\n"


@pytest.mark.parametrize("feed", [{"simulated": 3}, {"live": "opensky"}])
def test_a_feed_that_is_no_function_is_found_before_anybody_feeds(feed: dict[str, Any]) -> None:
    pipeline = Pipeline("p")
    pipeline.source("raw", schema="k STRING", **feed)

    [problem] = problems(pipeline)

    assert problem.kind == "BadFunction"
    assert f"{next(iter(feed))}={next(iter(feed.values()))!r} of 'raw' is no function" in str(problem)


@pytest.mark.parametrize(("column", "is_refused"), [("told", True), ("TOLD", True), ("at", False), ("AT", False)])
def test_windows_are_cut_by_the_event_time_which_they_close_by(column: str, is_refused: bool) -> None:
    pipeline = Pipeline("timed")
    raw = pipeline.source("raw", schema="k STRING, at TIMESTAMP, told TIMESTAMP", key="k")
    pipeline.silver(
        "good", reads=raw, schema="k STRING, at TIMESTAMP, told TIMESTAMP", event_time="at", late_by="1 minute"
    )(lambda rows: rows)
    pipeline.gold("counted", reads="good", late_by="1 minute")(
        lambda rows: rows.groupBy(F.window(column, "1 minute")).count()
    )

    found = problems(pipeline, functions_too=True)

    assert [problem.kind for problem in found] == (["BadWindow"] if is_refused else [])
    assert all(f"cuts '{column}' into windows, and they would close by 'at'" in problem.what for problem in found)


def test_a_question_over_a_source_may_ask_for_what_comes_with_each_message() -> None:
    pipeline = Pipeline("p")
    pipeline.source("raw", schema="k STRING")

    @pipeline.question
    def how_large(raw: Any) -> Any:
        """How many bytes are they?"""
        return raw.select(F.length("value"), "batch")

    assert problems(pipeline, functions_too=True) == []


@pytest.mark.parametrize("layer", ["silver", "gold"])
def test_a_function_that_forgets_its_return_is_found(layer: str) -> None:
    pipeline = a_pipeline()
    forgets = {"schema": "k STRING"} if layer == "silver" else {"late_by": "1 minute"}
    getattr(pipeline, layer)("forgets", reads="raw" if layer == "silver" else "good", **forgets)(lambda _rows: None)

    [problem] = [each for each in problems(pipeline, functions_too=True) if each.kind == "GivesNoRows"]

    assert f"the function of {layer} table 'forgets' gives back NoneType, and not rows" in problem.what
    assert "return" in problem.do


def test_a_column_that_a_function_names_where_it_is_not_is_found_with_the_one_that_is_meant() -> None:
    pipeline = a_pipeline()
    pipeline.gold("counted", reads="good", late_by="1 minute")(
        lambda rows: rows.groupBy(F.window("at", "1 minute")).agg(F.max("vv"))
    )

    [problem] = [each for each in problems(pipeline, functions_too=True) if each.kind == "UnknownColumn"]

    assert "the function of gold table 'counted' names 'vv'" in problem.what
    assert "Did you mean 'v'?" in problem.do
