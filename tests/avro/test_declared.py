"""What `check` says of a source that declares Avro."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest

from tests.avro.messages import DDL, V1, V2, a_schema, schema_file
from tests.requirements import wanted
from vigie import Pipeline
from vigie.avro import registry
from vigie.check import problems
from vigie.errors import BadSetting
from vigie.problem import Problem


def found(folder: Path, schema: str = DDL, **source: Any) -> list[Problem]:
    pipeline = Pipeline("p")
    files = [schema_file(folder, f"{at}.avsc", text) for at, text in enumerate(source.pop("texts", ()))]
    pipeline.source("raw", schema=schema, **{"format": "avro", "avro": files, **source})
    return problems(pipeline)


def test_two_versions_of_which_the_newest_has_every_field_make_sense(tmp_path: Path) -> None:
    assert found(tmp_path, texts=[V1, V2], registry="http://registry:8081") == []


def test_files_are_named_from_the_folder_of_the_declaration() -> None:
    pipeline = Pipeline("p")

    source = pipeline.source("raw", schema=DDL, format="avro", avro="schemas/event.avsc")

    assert source.avro == (Path(__file__).parent / "schemas" / "event.avsc",)


@pytest.mark.parametrize(
    ("source", "kind", "words"),
    [
        ({"format": "xml"}, "BadFormat", "has the format 'xml', which Vigie does not read"),
        ({"format": "json", "texts": [V2]}, "BadFormat", "has a schema or a registry, and is not Avro"),
        ({"format": "json", "registry": "http://registry"}, "BadFormat", "has a schema or a registry, and is not Avro"),
        ({"registry": "registry:8081"}, "BadRegistry", "it is not an address of the web"),
        ({"registry": "http://me:secret@registry"}, "BadRegistry", "must not hold a name, a password"),
        ({"registry": "http://registry.example.com"}, "BadRegistry", "so it must be https"),
        ({"avro": "gone.avsc"}, "BadAvro", "the Avro schema cannot be read: No such file or directory: "),
        ({"texts": ["{"]}, "BadAvro", "this is no Avro schema: it is not JSON: Expecting"),
        ({"texts": ['{"type": "record", "fields": []}']}, "BadAvro", "this is no Avro schema"),
        ({"texts": ['"string"']}, "BadAvro", "it is the schema of no record"),
        ({"texts": ['["null", "string"]']}, "BadAvro", "it is the schema of no record"),
        ({"texts": ["5"]}, "BadAvro", "this is no Avro schema"),
        ({"texts": [a_schema("quux")]}, "BadAvro", "it names the type quux, which it does not define"),
        ({"texts": [V2, V1]}, "UnknownColumn", "declares the field 'referrer', which 1.avsc does not have"),
    ],
)
def test_what_makes_no_sense_is_reported_with_its_line(
    tmp_path: Path, source: dict[str, Any], kind: str, words: str
) -> None:
    [problem] = found(tmp_path, **source)

    assert problem.kind == kind
    assert words in problem.what
    assert Path(problem.place.file).name == "test_declared.py"
    assert "me:secret" not in str(problem)


DAY = {"type": "int", "logicalType": "date"}
PRICE = {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}


@pytest.mark.parametrize(
    ("kind", "column", "words"),
    [
        ("long", "STRING", "a long has no place in a string"),
        ("string", "INT", "a string has no place in an int32"),
        ("long", "TIMESTAMP", "a long has no place in a timestamp"),
        (DAY, "TIMESTAMP", "a date has no place in a timestamp"),
        (PRICE, "DOUBLE", "a decimal has no place in a double"),
        ("bytes", "STRING", "a bytes has no place in a string"),
        (["null", "int", "string"], "INT", "a string has no place in an int32"),
        ({"type": "array", "items": "string"}, "ARRAY<INT>", "a string has no place in an int32"),
        ({"type": "map", "values": "string"}, "MAP<STRING, BOOLEAN>", "a string has no place in a bool"),
        ({"type": "array", "items": "string"}, "STRING", "an array has no place in a string"),
        ({"type": "record", "name": "R", "fields": [{"name": "a", "type": "long"}]}, "STRUCT<a: STRING>",
         "a long has no place in a string"),
    ],
)  # fmt: skip
def test_a_field_whose_type_its_column_cannot_hold_is_reported(
    tmp_path: Path, kind: Any, column: str, words: str
) -> None:
    [problem] = found(tmp_path, f"it {column}, n INT", texts=[a_schema(kind)])

    assert problem.kind == "BadAvro"
    assert f"0.avsc does not fit source 'raw': the field 'it' is declared as {column}" in problem.what
    assert words in problem.what


@pytest.mark.parametrize(
    ("kind", "column"),
    [
        ("int", "BIGINT"),
        ("long", "INT"),
        ("long", "DOUBLE"),
        ("float", "DOUBLE"),
        (["null", "string"], "TIMESTAMP"),
        (DAY, "DATE"),
        (PRICE, "DECIMAL(9, 2)"),
        ({"type": "enum", "name": "E", "symbols": ["A"]}, "STRING"),
        ({"type": "record", "name": "R", "fields": [{"name": "a", "type": "long"}]}, "STRUCT<a: BIGINT, later: INT>"),
        ({"type": "array", "items": ["null", "int"]}, "ARRAY<INT>"),
    ],
)
def test_a_field_whose_type_its_column_can_hold_is_fine(tmp_path: Path, kind: Any, column: str) -> None:
    assert found(tmp_path, f"it {column}, n INT", texts=[a_schema(kind)]) == []


def test_without_the_library_a_source_may_still_be_read_from_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "fastavro" else there(name))

    assert found(tmp_path, texts=[V2]) == []


def test_a_library_that_is_missing_is_named_with_what_installs_it_when_the_registry_is_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    there = importlib.util.find_spec
    monkeypatch.setattr(registry, "find_spec", lambda name: None if name == "fastavro" else there(name))

    with pytest.raises(BadSetting, match="needs the package fastavro") as raised:
        registry.Registry("http://localhost:8081").schema(1)

    assert raised.value.do == f"pip install {wanted('avro')}"


def a_pipeline_with_a_rule(rule: str, **source: Any) -> Pipeline:
    pipeline = Pipeline("p")
    raw = pipeline.source("raw", schema="k STRING", **source)

    @pipeline.silver("good", reads=raw, schema="k STRING", expect={rule: "k > ''"})
    def good(rows: object) -> object:
        return rows

    return pipeline


@pytest.mark.parametrize("rule", ["is valid Avro", "has a known schema"])
def test_the_engines_rules_of_avro_are_taken_names_for_an_avro_source_alone(rule: str) -> None:
    [problem] = problems(a_pipeline_with_a_rule(rule, format="avro"))

    assert problem.kind == "DuplicateName"
    assert problems(a_pipeline_with_a_rule(rule)) == []


def test_a_schema_is_no_matter_of_how_its_json_is_set(tmp_path: Path) -> None:
    wide = json.dumps(json.loads(V2), indent=8)

    assert found(tmp_path, texts=[wide]) == []
