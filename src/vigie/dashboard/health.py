"""The page of health: what became of each row, how far behind each table is, and what broke a rule."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from vigie.dashboard.chart import chart
from vigie.dashboard.declared import called, declared, making, named
from vigie.dashboard.look import BLUE, GREY, INK, INK_DARK, OUTCOME_COLOURS, Tile, literal, tiles
from vigie.dashboard.reading import Slice
from vigie.dashboard.states import age, ago, awaited, live, unit_of
from vigie.dashboard.view import View
from vigie.graph import Graph
from vigie.lake import Lake
from vigie.monitoring.glance import Glance, glance, is_context
from vigie.monitoring.standing import delivered
from vigie.oneline import harmless
from vigie.pipeline import SHIPPED

if TYPE_CHECKING:
    from pandas import DataFrame

EVERY_S = 3.0
BROKEN_SPAN = timedelta(hours=24)
EXAMPLES = 3  # of each rule
SHOWN_BYTES = 4_000  # of a message, of which a slice has a little more
MOST_COUNTED, MOST_LOOKED_AT = 1_000_000, 20_000
OUTCOMES = tuple(OUTCOME_COLOURS)

BY_TABLE = """
    SELECT "table", query, max(batch) AS batch, max("at") AS "at",
        CAST(sum("read") AS BIGINT) AS "read", CAST(sum(accepted) AS BIGINT) AS accepted,
        CAST(sum(quarantined) AS BIGINT) AS quarantined, CAST(sum(duplicate) AS BIGINT) AS duplicate,
        CAST(sum(late) AS BIGINT) AS late, CAST(arg_max("read", "at") AS BIGINT) AS last_read
    FROM entries GROUP BY ALL ORDER BY "table"
"""
LAST_MINUTE = """
    SELECT CAST(coalesce(sum("read"), 0) AS BIGINT) AS "read"
    FROM entries, (SELECT max("at") AS newest FROM entries)
    WHERE "table" LIKE 'silver/%' AND "at" > newest - INTERVAL 1 MINUTE
"""
BY_RULE = """
    SELECT rule, count(*) AS "rows", max(received_at) AS newest
    FROM (SELECT unnest(rules) AS rule, received_at FROM broken) GROUP BY ALL ORDER BY "rows" DESC, rule
"""
OF_A_RULE = f"""
    SELECT received_at, "table", rules, topic, "partition", "offset", file, line, "value" FROM broken
    WHERE list_contains(rules, ?) ORDER BY received_at DESC, "offset" DESC, line DESC LIMIT {EXAMPLES}
"""


def page(view: View) -> None:
    names = view.pipelines_with(ledger)
    if not names:
        first = named(view.pipeline) or "flights"
        awaited(view, first, making(view, first), *(ledger(name).table for name in (first, *SHIPPED)))
        return
    own = named(view.pipeline) or names[0]
    name = own if own in names else names[0]
    if len(names) > 1:
        name = st.radio("Pipeline", names, index=names.index(name), horizontal=True)
    totals(view, name)
    flow(view, name)
    queries(view, name)
    lag(view, name)
    broken_rules(view, name)


def ledger(pipeline: str) -> Slice:
    columns = ("query", "table", "batch", "read", *OUTCOMES, "at")
    return Slice(f"_vigie/{pipeline}/ledger", columns)


def quarantine(pipeline: str) -> Slice:
    """What is counted; without the messages, of which there may be very many."""
    columns = ("received_at", "rules")
    return Slice(f"quarantine/{pipeline}", columns, by="received_at", last=BROKEN_SPAN, most=MOST_COUNTED)


def messages(pipeline: str) -> Slice:
    """Where examples are looked for."""
    columns = ("table", "topic", "partition", "offset", "file", "line", "value", "received_at", "rules")
    return Slice(f"quarantine/{pipeline}", columns, by="received_at", last=BROKEN_SPAN, most=MOST_LOOKED_AT)


@live(EVERY_S, "vigie run {}")
def totals(view: View, pipeline: str) -> None:
    tables = view.ask(BY_TABLE, entries=ledger(pipeline))
    [minute] = view.ask(LAST_MINUTE, entries=ledger(pipeline)).to_dict("records")
    silver = tables[tables["table"].str.startswith("silver/")]
    sums = {part: _total(silver, part) for part in ("read", *OUTCOMES)}
    owed = sums["read"] - sum(sums[part] for part in OUTCOMES)
    newest = None if tables.empty else tables["at"].max().to_pydatetime()
    age(view, pipeline, newest, f"vigie run {called(view, pipeline)}", "batch")
    tiles(
        [
            Tile("Rows read", sums["read"], about="By the silver tables, since the lake began."),
            Tile("Rows a minute", minute["read"], about="In the minute before the newest batch."),
            Tile("Rows quarantined", sums["quarantined"], about="They broke a rule, and are kept."),
            Tile("Rows not accounted for", owed, about="Read, and nothing became of them."),
        ]
    )


@live(EVERY_S, "vigie run {}")
def flow(view: View, pipeline: str) -> None:
    st.header("What became of each row")
    tables = view.ask(BY_TABLE, entries=ledger(pipeline))
    silver = tables[tables["table"].str.startswith("silver/")]
    if silver.empty:
        st.info("No silver table has a batch yet.")
        return
    drawn = sankey(silver)
    drawn.update_traces(textfont={"size": 13, "color": INK_DARK if view.dark else INK})
    chart(drawn, f"health-flow-{pipeline}", 120 + 90 * max(2, len(silver)))
    st.caption("Rows, since the lake began. Read = accepted + quarantined + duplicate + late, for each batch.")


def sankey(silver: DataFrame) -> go.Figure:
    """From each silver table's rows read to what became of them."""
    names = [*(f"{table}, read" for table in silver["table"]), *OUTCOMES]
    totals = [int(each) for each in silver["read"]] + [_total(silver, outcome) for outcome in OUTCOMES]
    links = [
        (start, len(silver) + end, int(row[outcome]), OUTCOME_COLOURS[outcome])
        for start, row in enumerate(silver.to_dict("records"))
        for end, outcome in enumerate(OUTCOMES)
        if row[outcome] > 0
    ]
    return go.Figure(
        go.Sankey(
            node={
                "label": [f"{name}: {total:,}" for name, total in zip(names, totals, strict=True)],
                "color": [GREY] * len(silver) + list(OUTCOME_COLOURS.values()),
                "pad": 24,
                "thickness": 14,
                "hovertemplate": "%{label} rows<extra></extra>",
            },
            link={
                "source": [link[0] for link in links],
                "target": [link[1] for link in links],
                "value": [link[2] for link in links],
                "color": [_faint(link[3]) for link in links],
                "hovertemplate": "%{value:,} rows<extra></extra>",
            },
        )
    )


@live(EVERY_S, "vigie run {}")
def queries(view: View, pipeline: str) -> None:
    st.header("Last batch of each query")
    written = view.ask(BY_TABLE, entries=ledger(pipeline))
    sent = pd.DataFrame([(each.query, each.batch, each.at) for each in delivered(view.lake, pipeline)])
    if written.empty and sent.empty:
        st.info("No query has written a batch yet.")
        return
    found = pd.concat([written, sent.set_axis(["query", "batch", "at"], axis=1)]) if len(sent) else written
    shown = pd.DataFrame(
        {
            "Query": found["query"],
            "Writes": found["table"].fillna("outside the lake"),
            "Batch": found["batch"],
            "Rows read": found["last_read"].astype("Int64"),
            f"At ({view.zone.key})": view.local(found["at"]).dt.strftime("%Y-%m-%d %H:%M:%S"),
            "Ago": [ago(_seconds_since(view, at)) for at in found["at"]],
        }
    )
    rows = st.column_config.NumberColumn(format="localized")
    st.dataframe(shown, hide_index=True, width="stretch", column_config={"Rows read": rows})


@live(EVERY_S, "vigie run {}")
def lag(view: View, pipeline: str) -> None:
    st.header("How far behind each table is")
    graph = declared(view, pipeline)
    if graph is None:
        st.info("Name the pipeline's file to see its event times: `vigie dashboard path/to/file.py`")
        return
    seen = [(table, each) for table, each in _glances(str(view.lake.root), pipeline, graph) if each.newest is not None]
    if not seen:
        st.info("No table has a row yet.")
        return
    lags = [each.lag_s(view.now()) or 0.0 for _, each in seen]
    unit, length = unit_of(max(lags))
    drawn = go.Figure(
        go.Bar(
            x=[seconds / length for seconds in lags],
            y=[table for table, _ in seen],
            orientation="h",
            marker={"color": BLUE},
            text=[ago(seconds) for seconds in lags],
            customdata=[[each.rows] for _, each in seen],
            hovertemplate="%{y}: %{text} behind, %{customdata[0]:,} rows<extra></extra>",
        )
    )
    drawn.update_traces(textangle=0)
    drawn.update_layout(xaxis_title=f"Behind ({unit})")
    names = [table for table, _ in seen]
    two_lines = ["/<br>".join(name.rsplit("/", 1)) for name in names]  # a phone has no room for one
    drawn.update_yaxes(autorange="reversed", tickvals=names, ticktext=two_lines)
    chart(drawn, f"health-lag-{pipeline}", 110 + 34 * len(seen))
    st.caption("By its newest event or the end of its newest window, which appears once late rows are waited for.")


@st.cache_data(ttl=EVERY_S, show_spinner=False)
def _glances(root: str, pipeline: str, _graph: Graph) -> list[tuple[str, Glance]]:
    """Each table of a pipeline that is expected to be new, as its log has it; looked at once for all viewers."""
    assert pipeline == _graph.name  # which is what tells one pipeline's answer from another's
    lake = Lake.at(root)
    return [(node.table, glance(lake, _graph, node)) for node in _graph.nodes() if not is_context(_graph, node)]


@live(10.0, "vigie run {}")
def broken_rules(view: View, pipeline: str) -> None:
    st.header("What broke a rule")
    broken = quarantine(pipeline)
    if not view.has(broken.table):
        st.success("Nothing is in quarantine.")
        return
    rules = view.ask(BY_RULE, broken=broken)
    if rules.empty:
        st.success("Nothing is in quarantine.")
        return
    everything = view.typed(f"vigie quarantine {called(view, pipeline)}")
    st.caption(
        f"The last 24 h of quarantine, {MOST_COUNTED:,} messages at most, by rule; a message may break several. "
        f"All: `{everything}`"
    )
    at = st.column_config.DatetimeColumn(f"Newest ({view.zone.key})", format="YYYY-MM-DD HH:mm:ss")
    st.dataframe(
        rules.assign(newest=view.local(rules["newest"])),
        hide_index=True,
        width="stretch",
        column_config={"rule": "Rule", "rows": st.column_config.NumberColumn("Rows", format="localized"), "newest": at},
    )
    for rule in rules["rule"]:
        with st.expander(f"Examples: {literal(rule)}"):
            examples = view.ask(OF_A_RULE, rule, broken=messages(pipeline)).to_dict("records")
            if not examples:
                st.caption(f"None of the newest {MOST_LOOKED_AT:,} messages in quarantine broke it.")
            for example in examples:
                st.caption(
                    f"{literal(_origin(example))}, received {view.clock(example['received_at'])} {view.zone.key}"
                )
                _message(bytes(example["value"] or b""), everything)


def _message(value: bytes, everything: str) -> None:
    """A message letter by letter, or the beginning of one that is huge."""
    said = value[:SHOWN_BYTES].decode(errors="backslashreplace")
    st.code(harmless(said), language="json", wrap_lines=True)
    if len(value) > SHOWN_BYTES:
        st.caption(f"Cut off here, after {SHOWN_BYTES:,} bytes. In full: `{everything} --json`")


def _origin(row: dict[str, Any]) -> str:
    if row["topic"] is not None:
        return f"{row['topic']}/{row['partition']}@{row['offset']}"
    return f"{str(row['file']).rpartition('/')[2]}:{row['line']}"


def _total(tables: DataFrame, column: str) -> int:
    return int(tables[column].fillna(0).sum())


def _seconds_since(view: View, at: datetime) -> float:
    return max(0.0, (view.now() - at).total_seconds())


def _faint(colour: str) -> str:
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return f"rgba({red},{green},{blue},0.4)"
