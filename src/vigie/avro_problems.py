"""Whether what a source says of its format makes sense: the files of its schemas, and its fields in them."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator

from vigie import ddl
from vigie.errors import BadDeclaration
from vigie.graph import FORMATS, Source
from vigie.problem import Problem, listed, nearest


def avro_problems(source: Source) -> Iterator[Problem]:
    """Everything that is wrong with the format of a source."""
    if source.format not in FORMATS:
        yield Problem(
            "BadFormat", f"source '{source.name}' has the format '{source.format}', which Vigie does not read",
            source.place, 'Write format="avro", or leave it out: messages are JSON then.',
        )  # fmt: skip
    elif source.format != "avro":
        if source.avro or source.registry is not None:
            yield Problem(
                "BadFormat", f"source '{source.name}' has a schema or a registry, and is not Avro", source.place,
                'Add format="avro", or take out avro= and registry=.',
            )  # fmt: skip
    else:
        yield from _registry(source)
        if importlib.util.find_spec("fastavro") is not None:  # lines of JSON are read without, Kafka is not
            yield from _schemas(source)


def _registry(source: Source) -> Iterator[Problem]:
    if source.registry is None:
        return
    from vigie.settings import registry_address  # costs a third of a second, which `check` does not have

    try:
        registry_address(source.registry)
    except ValueError as problem:
        yield Problem(
            "BadRegistry", f"the registry of '{source.name}' is wrong: {problem}", source.place,
            'Write for example registry="http://localhost:8081", or set VIGIE_REGISTRY instead.',
        )  # fmt: skip


def _schemas(source: Source) -> Iterator[Problem]:
    from vigie.avro.schemas import fields, misfits, parsed, text_of  # pyarrow takes a while, and few are Avro

    try:
        columns = ddl.columns(source.schema)
    except ddl.NotSql:
        return  # reported with the source
    for file in source.avro:
        try:
            text = text_of(file)
        except BadDeclaration as problem:
            yield Problem(
                "BadAvro", f"{problem.what}: {problem.where}, of source '{source.name}'", source.place, problem.do
            )
            continue
        for misfit in misfits(columns, text):
            yield Problem(
                "BadAvro", f"{file.name} does not fit source '{source.name}': {misfit}", source.place,
                "Declare the field as what the schema gives, or mend the schema.",
            )  # fmt: skip
        if file != source.avro[-1]:
            continue  # a version before the newest may lack a field: it is null there
        there = list(fields(parsed(text)))
        for column in columns:
            if column not in there:
                yield Problem(
                    "UnknownColumn", f"source '{source.name}' declares the field '{column}', which {file.name} does "
                    "not have", source.place, f"Name one of: {listed(there)}.{nearest(column, there)}",
                )  # fmt: skip
