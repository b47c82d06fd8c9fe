"""The flags of the command line, and what a person may write behind them."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import Annotated

import typer

from vigie.address import Address, parse_address
from vigie.duration import parse_duration
from vigie.errors import BadSetting
from vigie.graph import Graph
from vigie.lake import Lake
from vigie.language import Language
from vigie.redaction import redacted

Name = Annotated[
    str,
    typer.Argument(metavar="PIPELINE", help="A pipeline that ships (flights, sensors, activity), or path/to/file.py."),
]
NameToCheck = Annotated[
    str | None, typer.Argument(metavar="PIPELINE", help="One that ships, or path/to/file.py; their list without it.")
]
At = Annotated[
    str | None,
    typer.Option("--lake", metavar="ADDRESS", help="The lake's folder; ./lake, or VIGIE_LAKE, unless said."),
]
Json = Annotated[bool, typer.Option("--json", help="JSON alone on standard output, for programs.")]
Kafka = Annotated[bool, typer.Option("--kafka", help="Start a real Kafka on this machine, and use it.")]
EngineName = Annotated[
    str | None,
    typer.Option(
        "--engine",
        help="What evaluates the functions: embedded (this machine, no Java), spark, or a Spark Connect server, "
        "sc://host:port. embedded unless said, or spark with a master.",
    ),
]


class Fetched(StrEnum):
    SPARK = "spark"


EngineToFetch = Annotated[Fetched, typer.Argument(metavar="ENGINE", help="Which one: spark.")]
Master = Annotated[
    str | None,
    typer.Option(
        "--master",
        metavar="URL",
        help="Where Spark is started: local[4], spark://host:7077, yarn or k8s://...; VIGIE_SPARK_MASTER, or this "
        "machine, unless said.",
    ),
]
KafkaPort = Annotated[
    int | None,
    typer.Option(
        "--kafka-port", min=1, max=65535, help="The port of that Kafka; one that is free, and then kept for the lake."
    ),
]

From = Annotated[
    list[str] | None,
    typer.Option(
        "--from",
        metavar="[SOURCE=]ADDRESS",
        help="Where messages come from: inbox:FOLDER, kafka://host:port/topic or tcp://host:port. "
        "The lake's own inbox unless said. Once for each source.",
    ),
]
Once = Annotated[bool, typer.Option("--once", help="Take all that is there, give every closed window, and stop.")]
Every = Annotated[
    str,
    typer.Option("--every", metavar="SPAN", help="How often new messages are taken: 5s, 500ms, '2 minutes'."),
]
MetricsPort = Annotated[
    int | None,
    typer.Option("--metrics-port", min=1, max=65_535, help="Serve metrics for Prometheus on this port while it runs."),
]
MetricsHost = Annotated[
    str,
    typer.Option("--metrics-host", metavar="ADDRESS", help="Where metrics are served; 0.0.0.0 for every network."),
]

SourceName = Annotated[
    str | None, typer.Argument(metavar="[SOURCE]", help="Which source, where a pipeline has several.")
]
Live = Annotated[bool, typer.Option("--live", help="The real world instead of a simulation.")]
To = Annotated[
    str | None,
    typer.Option(
        "--to",
        metavar="ADDRESS",
        help="inbox:FOLDER, kafka://host:port/topic, or tcp://host:port to listen on. "
        "The lake's own inbox unless said.",
    ),
]
Rate = Annotated[float | None, typer.Option("--rate", help="Messages a second, at most.")]
Rows = Annotated[int | None, typer.Option("--rows", help="Stop after this many messages, sent at once.")]
Keys = Annotated[int | None, typer.Option("--keys", help="How many aircraft, sensors, users or pages; 2,000.")]
Interval = Annotated[
    str | None,
    typer.Option("--interval", metavar="SPAN", help="Time between two messages of one of them; 10s."),
]
MayCost = Annotated[
    int | None,
    typer.Option("--credits", help="With --live: how many of OpenSky's credits it may spend; those of a day."),
]
Period = Annotated[
    str | None,
    typer.Option("--for", metavar="SPAN", help="With --live: for how long credits are to last, and it then ends; 30m."),
]
Seed = Annotated[int | None, typer.Option("--seed", help="The same seed gives the same bytes; 0.")]
Faults = Annotated[float | None, typer.Option("--faults", metavar="SHARE", help="Share of broken messages, 0 to 1; 0.")]
Labels = Annotated[
    str | None,
    typer.Option("--labels", metavar="FILE", help="Where each injected fault is written down, as a line of JSON."),
]
Start = Annotated[
    str | None,
    typer.Option(
        "--start",
        metavar="TIME",
        help="ISO-8601 or epoch seconds; now, less the span that --rows needs, unless said.",
    ),
]
SchemaFile = Annotated[
    str | None,
    typer.Option(
        "--schema",
        metavar="FILE",
        help="For Avro on Kafka: the .avsc to write with; the newest that the source declares, unless said.",
    ),
]

Verb = Annotated[str, typer.Argument(metavar="[list]", help="What to do.")]
Rule = Annotated[str | None, typer.Option("--rule", help="Only rows that broke this rule.")]
Limit = Annotated[
    int | None,
    typer.Option("--limit", min=1, help="How many rows, newest first. [default: 50 in a table, all with --json]"),
]
QuestionName = Annotated[str | None, typer.Argument(metavar="[QUESTION]", help="Which one; without it, their list.")]
Sql = Annotated[str, typer.Argument(metavar="SQL", help="One statement that reads.")]
Timeout = Annotated[str, typer.Option("--timeout", metavar="SPAN", help="How long DuckDB may work on it.")]
Memory = Annotated[str, typer.Option("--memory", metavar="SIZE", help="How much memory it may take: 500MB, 4GB.")]
OlderThan = Annotated[
    str,
    typer.Option("--older-than", metavar="SPAN", help="Delete files replaced longer ago than this."),
]

OneLook = Annotated[bool, typer.Option("--once", help="One report, and end.")]
Plain = Annotated[bool, typer.Option("--plain", help="Reports as text, at a terminal too.")]
LooksEvery = Annotated[
    str | None,
    typer.Option("--every", metavar="SPAN", help="How often it looks; 2s live and 30s in plain text, unless said."),
]

Watched = Annotated[str | None, typer.Argument(metavar="[PIPELINE]", help="The pipeline whose page is shown first.")]
Host = Annotated[str, typer.Option("--host", help="Where it listens; this machine alone unless said.")]
Names = Annotated[
    list[str] | None,
    typer.Option("--name", metavar="NAME", help="Another name by which browsers reach it; may be said again."),
]
AllowActions = Annotated[
    bool, typer.Option("--allow-actions", help="Whoever opens it may acknowledge alerts and silence them.")
]
Port = Annotated[int, typer.Option("--port", min=1, max=65535, help="The port of the dashboard.")]


Kind = Annotated[str | None, typer.Option("--kind", help="Only this kind of model; each unless said.")]
MostRows = Annotated[int, typer.Option("--rows", min=1_000, help="Learn from so many rows, at most.")]
TakeInUse = Annotated[bool, typer.Option("--use", help="Predict with the best of them from now on.")]
Version = Annotated[int | None, typer.Argument(metavar="[VERSION]", help="A model, by its number.")]
OtherVersion = Annotated[int | None, typer.Argument(metavar="[OTHER]", help="The model it is compared with.")]


class ModelVerb(StrEnum):
    LIST = "list"
    SHOW = "show"
    USE = "use"
    COMPARE = "compare"

    @property
    def takes(self) -> int:
        """How many versions are named."""
        return {"list": 0, "compare": 2}.get(self.value, 1)


AboutModels = Annotated[ModelVerb, typer.Argument(help="What to do.")]


class AlertVerb(StrEnum):
    LIST = "list"
    ACK = "ack"
    SILENCE = "silence"
    UNSILENCE = "unsilence"
    EXPLAIN = "explain"


AboutAlerts = Annotated[AlertVerb, typer.Argument(metavar="VERB", help="list, ack, silence, unsilence or explain.")]
AlertId = Annotated[str | None, typer.Argument(metavar="ID", help="Which alert: its id, or how it begins.")]
StillOpen = Annotated[bool, typer.Option("--open", help="Only alerts that are open.")]
OfRule = Annotated[str | None, typer.Option("--rule", metavar="RULE", help="The rule that is meant.")]
OfKey = Annotated[str | None, typer.Option("--key", metavar="KEY", help="The sensor, user or aircraft that is meant.")]
Severity = Annotated[str | None, typer.Option("--severity", help="Only these: info, warning or critical.")]
Lasts = Annotated[str | None, typer.Option("--for", metavar="SPAN", help="How long a silence lasts; 1h.")]
Note = Annotated[str | None, typer.Option("--note", metavar="TEXT", help="What others should know.")]
Changed = Annotated[
    list[str],
    typer.Option(
        "--set",
        metavar="RULE[.SETTING]=VALUE",
        help="What is tried: HIGH_TEMP=28, HIGH_TEMP.clears_at=27. Once for each setting.",
    ),
]
LabelsOf = Annotated[
    str | None,
    typer.Option("--labels", metavar="FILE", help="What was really wrong, as `vigie feed --labels` wrote it down."),
]

ReportFile = Annotated[
    str, typer.Option("--out", metavar="FILE", help="Where it goes; a file of that name is replaced.")
]
HandinFolder = Annotated[
    str, typer.Option("--out", metavar="FOLDER", help="Where it is gathered; the ZIP is beside it.")
]
InLanguage = Annotated[Language, typer.Option("--language", help="What it is written in.")]


class Form(StrEnum):
    TEXT = "text"
    MERMAID = "mermaid"
    SVG = "svg"


DrawnAs = Annotated[Form, typer.Option("--form", help="What it is drawn as.")]


def lake_at(address: str | None) -> Lake:
    """The lake that was named, or the one that the settings name."""
    if address is None:
        from vigie.settings import read_settings  # costs a third of a second, which `check` does not have

        address = read_settings().lake
    return Lake.at(address)


def span(text: str, flag: str) -> timedelta:
    try:
        return parse_duration(text)
    except ValueError as problem:
        raise BadSetting(str(problem), where=flag) from problem


def addresses(texts: list[str], graph: Graph) -> dict[str, Address]:
    """What `--from` said, by source. Where it names none, the one that is no context is meant."""
    found: dict[str, Address] = {}
    pipeline, sources = graph.name, [source.name for source in graph.sources]
    for text in texts:
        where = f"--from {redacted(text)}"
        name, equals, address = text.partition("=")
        if not equals or ":" in name:
            if len(graph.main_sources) != 1:
                raise BadSetting(
                    f"pipeline '{pipeline}' has {len(sources)} sources",
                    where=where,
                    do=f"Say which: --from SOURCE={redacted(text)}, where SOURCE is one of {', '.join(sources)}.",
                )
            name, address = graph.main_sources[0].name, text
        if name not in sources:
            known = ", ".join(sources)
            raise BadSetting(
                f"pipeline '{pipeline}' has no source '{redacted(name)}'", where=where, do=f"It has: {known}."
            )
        if name in found:
            raise BadSetting(f"source '{name}' is given twice", where=where, do="Give it once.")
        found[name] = parse_address(address)
    return found
