"""The command line: each command parses what a person typed, calls one function, and prints."""

from __future__ import annotations

from importlib import metadata
from typing import TYPE_CHECKING, Annotated

import typer

from vigie import choosing, memory
from vigie.cli_alerts import alerts, backtest
from vigie.cli_lists import ledger, quarantine, query, show
from vigie.cli_models import models, train
from vigie.cli_monitoring import dashboard, measured, status
from vigie.cli_papers import handin, report
from vigie.errors import BadSetting, RequestError
from vigie.extras import need_embedded
from vigie.flags import (
    At,
    DrawnAs,
    EngineName,
    EngineToFetch,
    Every,
    Faults,
    Form,
    From,
    Interval,
    Json,
    Kafka,
    KafkaPort,
    Keys,
    Labels,
    Live,
    Master,
    MayCost,
    MetricsHost,
    MetricsPort,
    Name,
    NameToCheck,
    OlderThan,
    Once,
    Period,
    QuestionName,
    Rate,
    Rows,
    SchemaFile,
    Seed,
    SourceName,
    Start,
    To,
    addresses,
    lake_at,
    span,
)  # fmt: skip
from vigie.terminal import STOPPING, able_to_say_anything, command, leave, meter, put, say, stop_when_asked

if TYPE_CHECKING:
    from vigie.core.request import OwnKafka
    from vigie.pipeline import Pipeline


app = typer.Typer(
    help="Vigie keeps watch over live data: declare a pipeline in one Python file, and every row is "
    "accounted for.\n\nStart here: [bold]vigie demo flights[/bold]",
    rich_markup_mode="rich",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _which(is_asked: bool) -> None:
    if is_asked:
        put(f"Vigie {metadata.version('vigie')}")
        raise typer.Exit


@app.callback()
def about(
    *,
    _version: Annotated[
        bool, typer.Option("--version", callback=_which, is_eager=True, help="Say which Vigie this is.")
    ] = False,
) -> None:
    """What may stand before a command."""


@app.command()
@command
def demo(  # noqa: PLR0913  (each is a flag)
    pipeline: Name = "flights",
    *,
    kafka: Kafka = False,
    kafka_port: KafkaPort = None,
    metrics_port: MetricsPort = None,
    metrics_host: MetricsHost = "127.0.0.1",
    lake: At = None,
) -> None:
    """See a pipeline at work: a simulated feed, the tables it fills, the ledger. Ctrl-C ends it.

    The feed starts in the past, so the first windows close at once.

    [dim]vigie demo flights[/dim]
    """
    from vigie.demo import demo as show
    from vigie.settings import read_settings

    settings, declared, place = read_settings(), _pipeline(pipeline), lake_at(lake)
    with measured(declared, place, metrics_port, metrics_host) as beside:
        show(declared, settings, place, _own_kafka(kafka, kafka_port), stop_when_asked(STOPPING), beside=beside)


def _own_kafka(asked: bool, port: int | None) -> OwnKafka | None:
    """The Kafka that is to be started, if one is."""
    from vigie.core.request import OwnKafka

    return OwnKafka(port or 0) if asked or port else None


@app.command()
@command
def feed(  # noqa: PLR0913  (each is a flag)
    pipeline: Name,
    source: SourceName = None,
    *,
    live: Live = False,
    to: To = None,
    rate: Rate = None,
    rows: Rows = None,
    keys: Keys = None,
    interval: Interval = None,
    seed: Seed = None,
    faults: Faults = None,
    labels: Labels = None,
    start: Start = None,
    schema: SchemaFile = None,
    may_cost: MayCost = None,
    lasts: Period = None,
    lake: At = None,
) -> None:
    """Bring messages to where a pipeline reads them: simulated, or --live. Ctrl-C stops with nothing lost.

    [dim]vigie feed flights --keys 500 --interval 1s[/dim]
    [dim]vigie feed flights --rows 200000 --seed 7 --faults 0.02 --to inbox:./inbox[/dim]
    [dim]vigie feed sensors --faults 0.02 --labels faults.jsonl[/dim]
    [dim]vigie feed flights --live --for 30m --to kafka://localhost:9092/flights-raw[/dim]
    """
    from vigie import feeding
    from vigie.address import Inbox, parse_address
    from vigie.feed import Pace
    from vigie.feed import feed as send

    feeding.positive(rate=rate, rows=rows)
    found = feeding.source_of(_pipeline(pipeline), source)
    address = parse_address(to) if to else Inbox(lake_at(lake).inbox(found.name))
    seconds = None if interval is None else span(interval, "--interval").total_seconds()
    period = None if lasts is None else span(lasts, "--for").total_seconds()
    asked = feeding.Wish(keys, seconds, seed, faults, start, labels, schema, may_cost, period)
    stop = stop_when_asked()
    ticks = feeding.live(found, asked, stop) if live else feeding.simulated(found, asked, rows)
    pace = Pace(real_time=live or rows is None, rate=rate)
    ticks = feeding.framed(found, ticks, address, schema=schema)
    sent = send(ticks, address, pace=pace, stop=stop, progress=meter(), rows=rows)
    say(f"{sent:,} messages are in {address}.")


@app.command()
@command
def run(  # noqa: PLR0913  (each is a flag)
    pipeline: Name,
    *,
    come_from: From = None,
    once: Once = False,
    every: Every = "500ms",
    kafka: Kafka = False,
    kafka_port: KafkaPort = None,
    engine: EngineName = None,
    master: Master = None,
    metrics_port: MetricsPort = None,
    metrics_host: MetricsHost = "127.0.0.1",
    lake: At = None,
) -> None:
    """Run a pipeline until Ctrl-C, or with --once until all that is there has gone through.

    [dim]vigie run flights[/dim]
    [dim]vigie run flights --from kafka://localhost:9092/flights-raw --every 5s[/dim]
    [dim]vigie run path/to/mine.py --from inbox:./inbox --once[/dim]
    [dim]vigie run flights --metrics-port 9464 --log-format json[/dim]
    [dim]vigie run flights --master 'local[4]'[/dim]
    """
    seconds = span(every, "--every").total_seconds()
    if seconds <= 0:
        raise BadSetting("a trigger cannot be every 0 seconds", where="--every", do="Write for example 1s.")
    declared = _pipeline(pipeline)
    sources = addresses(come_from or [], declared.graph())
    if (kafka or kafka_port) and sources:
        raise BadSetting("--kafka brings its own source", where="--from", do="Use one of --kafka and --from.")
    from vigie.settings import read_settings

    settings = read_settings()
    place = lake_at(lake)
    from vigie.core.observer import THE_LOG, both
    from vigie.core.request import Request

    request = Request(place, sources, once, seconds, _own_kafka(kafka, kafka_port))
    with measured(declared, place, metrics_port, metrics_host) as beside:
        evaluator = choosing.engine(engine, master, settings)
        from vigie import running

        running.run(declared, request, settings, stop_when_asked(STOPPING), both(THE_LOG, beside), evaluator)


@app.command()
@command
def engine(name: EngineToFetch) -> None:
    """Fetch Spark into an environment of its own, once, where its client alone is installed; --engine spark finds it.

    [dim]vigie engine spark[/dim]
    """
    from vigie.engines.spark.environment import made
    from vigie.settings import read_settings

    put(f"{name.value} is in {made(read_settings().cache, say)}")


@app.command()
@command
def check(pipeline: NameToCheck = None, json: Json = False) -> None:
    """Find everything that is wrong with a pipeline's declarations. Starts nothing; takes a second or two.

    [dim]vigie check path/to/mine.py[/dim]
    """
    from vigie.check import problems
    from vigie.pipeline import SHIPPED
    from vigie.remarks import remarks

    if pipeline is None:
        raise RequestError(
            "no pipeline is named",
            do=f"Name one that ships with Vigie ({', '.join(SHIPPED)}), or a file of your own: path/to/file.py.",
        )
    declared = _pipeline(pipeline)
    found = problems(declared, functions_too=True)
    if json:
        from vigie.listing import Listing

        show(
            Listing(("kind", "what", "where", "do"), [(p.kind, p.what, str(p.place), p.do) for p in found]),
            json,
        )
        raise typer.Exit(2 if found else 0)
    for problem in found:
        say(f"{problem}\n")
    if found:
        noun = "problem" if len(found) == 1 else "problems"
        say(f"{len(found)} {noun} in pipeline '{declared.name}'.")
        raise typer.Exit(2)
    tables = len(list(declared.graph().nodes()))
    put(f"Pipeline '{declared.name}' makes sense: {tables} table{'s' if tables > 1 else ''}.")
    for remark in remarks(declared.graph()):
        put(f"Worth knowing: {remark}.")


@app.command()
@command
def graph(pipeline: Name, form: DrawnAs = Form.TEXT) -> None:
    """Draw which table follows from which.

    [dim]vigie graph flights[/dim]
    [dim]vigie graph flights --form svg > flights.svg[/dim]
    """
    from vigie.drawing import draw

    put(draw(_pipeline(pipeline).graph(), form.value))


app.command()(ledger)
app.command()(status)
app.command()(dashboard)


app.command()(quarantine)


@app.command()
@command
def ask(pipeline: Name, question: QuestionName = None, json: Json = False, lake: At = None) -> None:
    """Ask one of a pipeline's batch questions: a PySpark function over the lake's tables as they are now.

    [dim]vigie ask flights[/dim]
    """
    from vigie.listing import Listing

    declared = _pipeline(pipeline)
    if question is None:
        listed = [(each.name, " ".join(each.about.split())) for each in declared.questions.values()]
        show(Listing(("question", "about"), listed), json)
        return
    if question not in declared.questions:
        names = ", ".join(declared.questions) or "none"
        raise RequestError(f"'{declared.name}' has no question '{question}'", do=f"It has: {names}.")
    need_embedded()
    from vigie.asking import answer

    asked = answer(declared, declared.questions[question], lake_at(lake))
    show(Listing(asked.columns, asked.rows), json)


app.command()(train)
app.command()(models)
app.command()(query)
app.command()(alerts)
app.command()(backtest)
app.command()(report)
app.command()(handin)


@app.command()
@command
def maintain(older_than: OlderThan = "7d", json: Json = False, lake: At = None) -> None:
    """Put small files together and delete those no longer needed; may run beside a pipeline.

    What a run may still need stays, however old it is.

    [dim]vigie maintain --older-than 3d[/dim]
    """
    from dataclasses import asdict, fields

    from vigie.listing import Listing
    from vigie.maintenance import Upkeep
    from vigie.maintenance import maintain as look_after

    work = look_after(lake_at(lake), span(older_than, "--older-than"), say)
    done = [asdict(upkeep) for upkeep in work]
    show(Listing.of(done, [field.name for field in fields(Upkeep)]), json)


def _pipeline(text: str) -> Pipeline:
    from vigie.pipeline import load

    return load(text)


def main() -> None:
    memory.give_back()
    able_to_say_anything()
    try:
        app()
    except SystemExit as ending:
        leave(ending)
