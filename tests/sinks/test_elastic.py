"""What Elasticsearch is asked for, and what its answers mean; without one."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import SecretStr

from tests.gate import Answer, Request, a_gate
from tests.rows import a_table
from tests.sinks.receivers import a_free_port
from vigie import Pipeline
from vigie.arrow_types import arrow_schema
from vigie.check import problems
from vigie.contracts import Surroundings
from vigie.errors import BadSetting
from vigie.settings import Settings, read_settings
from vigie.sinks import NotNow, Refused, elastic_bulk
from vigie.sinks.elastic import Elastic, documents
from vigie.sinks.elastic_bulk import Line, judged, put
from vigie.sinks.elastic_cluster import ELASTICSEARCH, OPENSEARCH, Cluster, Login
from vigie.sinks.elastic_templates import LONGEST_TERM, fields, lifecycle, state_management, template

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ITSELF = (("X-Elastic-Product", "Elasticsearch"),)
DONE = Answer(200, b'{"errors": false}', ITSELF)


def a_login(address: str, **secrets: Any) -> Login:
    return Login.of(Settings(elastic=address, **secrets))


@contextmanager
def a_cluster(decide: Callable[[Request], Answer | None], product: str = ELASTICSEARCH) -> Iterator[Cluster]:
    """A cluster that answers as it is told."""
    with a_gate(decide) as address, Cluster(a_login(address), product) as cluster:
        yield cluster


def answering(status: int, body: bytes = b"{}", **headers: str) -> Callable[[Request], Answer]:
    named = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return lambda _: Answer(status, body, (*ITSELF, *named))


def item(status: int, kind: str = "some_exception", why: str = "no") -> dict[str, Any]:
    return {"create": {"status": status, "error": {"type": kind, "reason": why}}}


def lines(*ids: str) -> list[Line]:
    return [Line("events", id, json.dumps({"id": id})) for id in ids]


def test_without_an_address_it_is_off() -> None:
    assert Elastic("events", id="id").missing(Surroundings(Settings(elastic=None))) == "VIGIE_ELASTIC is not set"


@pytest.mark.parametrize(
    ("sink", "what"),
    [
        (Elastic("Events", id="id"), "'Events' is no name of an index"),
        (Elastic("-events", id="id"), "'-events' is no name of an index"),
        (Elastic("events", id="id", dead_letters="../x"), "'../x' is no name of an index"),
        (Elastic("events", id="id", dead_letters="events"), "cannot go to the index that refuses it"),
        (Elastic("events", id=()), "id is the name of a column"),
        (Elastic("events", id=5), "id is the name of a column"),  # type: ignore[arg-type]
        (Elastic("events", id="id", keep="for ever"), "keep: 'for ever' is not a span of time"),
        (Elastic("events", id="id", keep="0 days"), "keep"),
        (Elastic("events", id="id", keep=5), "keep"),  # type: ignore[arg-type]
    ],
)
def test_what_cannot_be_declared_is_found_by_check(sink: Elastic, what: str) -> None:
    pipeline = Pipeline("p")
    numbers = pipeline.source("numbers", schema="n BIGINT")
    pipeline.deliver(numbers, to=sink)

    [found] = [problem for problem in problems(pipeline) if problem.kind == "BadSink"]

    assert what in found.what


@pytest.mark.parametrize(
    ("said", "what"),
    [
        ({"": "localhost:9200"}, "VIGIE_ELASTIC is wrong: it is not an address of the web"),
        ({"": "http://me:a-secret@localhost:9200"}, "an address must not hold a name"),
        ({"": "http://example.com:9200"}, "it must be https"),
        ({"": "http://elastic:9200", "_API_KEY": "a-secret"}, "VIGIE_ELASTIC is wrong: a password goes there"),
        ({"_USER": "me"}, "VIGIE_ELASTIC_USER is set, but VIGIE_ELASTIC_PASSWORD is not"),
        ({"_USER": "me", "_PASSWORD": "a-secret", "_API_KEY": "a-secret"}, "VIGIE_ELASTIC_API_KEY are both set"),
    ],
)
def test_an_address_or_an_account_that_cannot_be_is_refused_without_a_secret(
    said: dict[str, str], what: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, value in said.items():
        monkeypatch.setenv(f"VIGIE_ELASTIC{name}", value)

    with pytest.raises(BadSetting, match=what) as refusal:
        read_settings()
    assert "a-secret" not in str(refusal.value)


@pytest.mark.parametrize("text", [None, "no certificate"])
def test_an_authority_that_is_none_is_named(text: str | None, tmp_path: Path) -> None:
    if text:
        (tmp_path / "http_ca.crt").write_text(text)

    with pytest.raises(BadSetting, match="there is no certificate at .*http_ca.crt"):
        a_login("https://localhost:9200", elastic_ca=tmp_path / "http_ca.crt")


@pytest.mark.parametrize(
    ("address", "whole"),
    [
        ("https://cloud.example.com", "https://cloud.example.com:443"),
        ("http://localhost", "http://localhost:9200"),
        ("https://localhost:9243/behind/a/proxy", "https://localhost:9243/behind/a/proxy"),
        ("http://[::1]", "http://[::1]:9200"),
    ],
)
def test_an_address_without_a_port_has_the_usual_one(address: str, whole: str) -> None:
    assert a_login(address).address == whole


def test_a_column_has_the_field_that_holds_its_values() -> None:
    schema = arrow_schema(
        "name STRING, at TIMESTAMP, day DATE, count BIGINT, exact DECIMAL(12, 3), many ARRAY<DOUBLE>, "
        "named MAP<STRING, STRING>, inside STRUCT<at: TIMESTAMP>"
    )

    assert fields(schema) == {
        "name": {"type": "keyword", "ignore_above": LONGEST_TERM},
        "at": {"type": "date"},
        "day": {"type": "date"},
        "count": {"type": "long"},
        "exact": {"type": "double"},
        "many": {"type": "double"},
        "named": {"type": "object", "enabled": False},
        "inside": {"properties": {"at": {"type": "date"}}},
    }


def test_an_index_that_is_cut_by_months_is_found_under_its_own_name_and_one_that_is_not_has_no_lifecycle() -> None:
    cut = template("events", {}, is_cut=True, policy="vigie-events")
    whole = template("events", {}, is_cut=False)

    assert (cut["index_patterns"], cut["template"]["aliases"]) == (["events-*"], {"events": {}})
    assert cut["template"]["settings"]["index"]["lifecycle.name"] == "vigie-events"
    assert whole["index_patterns"] == ["events"]
    assert not {"aliases", "lifecycle.name"} & {*whole["template"], *whole["template"]["settings"]["index"]}


def test_a_month_is_kept_until_its_last_day_is_old_enough() -> None:
    seconds = (30 + 31) * 86_400

    policy = lifecycle(timedelta(days=30))["policy"]["phases"]
    states = state_management("events", timedelta(days=30))["policy"]["states"]

    assert policy["delete"] == {"min_age": f"{seconds}s", "actions": {"delete": {}}}
    assert states[0]["transitions"][0]["conditions"] == {"min_index_age": f"{seconds}s"}


@pytest.mark.parametrize("secrets", [{"elastic_user": "me", "elastic_password": SecretStr("a-secret")}, {}])
def test_elasticsearch_is_asked_by_its_client_and_opensearch_in_plain_json(secrets: dict[str, Any]) -> None:
    asked: list[Request] = []

    def elasticsearch(request: Request) -> Answer:
        asked.append(request)
        return Answer(200, b"{}", ITSELF)

    def opensearch(request: Request) -> Answer:
        asked.append(request)
        return Answer(200, b'{"version": {"distribution": "opensearch"}}')

    for decide in (elasticsearch, opensearch):
        with a_gate(decide) as address, Cluster(a_login(address, **secrets)) as cluster:
            cluster.ask("POST", "/_bulk", b"{}\n", lines=True)

    kinds = [request.headers["Content-Type"] for request in asked if request.method == "POST"]
    assert kinds == ["application/vnd.elasticsearch+x-ndjson; compatible-with=8", "application/x-ndjson"]
    assert {request.headers["Authorization"] for request in asked} == {"Basic bWU6YS1zZWNyZXQ=" if secrets else None}


def test_an_api_key_is_said_as_it_is_and_shown_to_nobody() -> None:
    login = a_login("https://localhost", elastic_api_key=SecretStr("a-secret"))

    assert login.authorization == "ApiKey a-secret"
    assert "a-secret" not in repr(login)


@pytest.mark.parametrize(
    "answer", [Answer(200, b'{"hello": "world"}'), Answer(200, b"<html>", (("Content-Type", "text/html"),))]
)
def test_what_is_neither_of_the_two_is_refused(answer: Answer) -> None:
    with (
        a_cluster(lambda _: answer, "") as cluster,
        pytest.raises(Refused, match="neither Elasticsearch nor OpenSearch"),
    ):
        cluster.recognise()


@pytest.mark.parametrize(("status", "seconds"), [(429, 7.0), (503, 7.0), (502, 7.0), (408, 7.0)])
@pytest.mark.parametrize("product", [ELASTICSEARCH, OPENSEARCH])
def test_what_passes_is_waited_for_and_for_as_long_as_is_asked(status: int, seconds: float, product: str) -> None:
    decide = answering(status, b'{"error": {"type": "circuit_breaking_exception", "reason": "full"}}', Retry_After="7")

    with a_cluster(decide, product) as cluster, pytest.raises(NotNow, match="circuit_breaking_exception: full") as wait:
        cluster.ask("POST", "/_bulk")
    assert wait.value.wait == seconds


@pytest.mark.parametrize("product", [ELASTICSEARCH, OPENSEARCH])
def test_a_gateway_that_answers_with_a_page_is_waited_for(product: str) -> None:
    decide = answering(502, b"<html>Bad Gateway</html>", Content_Type="text/html")

    with a_cluster(decide, product) as cluster, pytest.raises(NotNow, match="502"):
        cluster.ask("GET", "/")


def test_nobody_there_is_waited_for() -> None:
    address = f"http://127.0.0.1:{a_free_port()}"

    with Cluster(a_login(address)) as cluster, pytest.raises(NotNow, match=f"{address} cannot be reached"):
        cluster.ask("GET", "/")


def test_a_name_that_may_not_is_refused_with_what_to_do() -> None:
    with a_cluster(answering(401)) as cluster, pytest.raises(Refused, match="VIGIE_ELASTIC_API_KEY") as refusal:
        cluster.ask("GET", "/")
    assert refusal.value.where == cluster._login.address


def test_a_server_without_lifecycles_is_told_from_one_that_refuses_this_one() -> None:
    unknown = answering(400, b'{"error": "no handler found for uri [/_ilm/policy/p] and method [PUT]", "status": 400}')
    wrong = answering(400, b'{"error": {"type": "illegal_argument_exception", "reason": "a bad age"}}')

    with a_cluster(unknown) as cluster:
        assert not cluster.put("/_ilm/policy/p", {})
    with a_cluster(wrong) as cluster, pytest.raises(Refused, match="a bad age"):
        cluster.put("/_ilm/policy/p", {})


def prepared(decide: Callable[[Request], Answer], keep: str | None = "30 days") -> list[tuple[str, Any]]:
    """What a server that answers so is asked for before the first document, and with what."""
    asked: list[tuple[str, Any]] = []

    def noted(request: Request) -> Answer:
        body = json.loads(request.body) if request.body else None
        asked.append((f"{request.method} {request.path.partition('&')[0]}", body))
        return decide(request)

    with a_gate(noted) as address:
        index = Elastic("events", id="at", keep=keep).opened(Surroundings(Settings(elastic=address)))
        index._prepared(arrow_schema("at TIMESTAMP"), "at")
    return asked


def test_elasticsearch_is_given_a_lifecycle_and_then_the_template_that_names_it() -> None:
    asked = prepared(answering(200))

    assert [what for what, _ in asked] == [
        "GET /",
        "PUT /_ilm/policy/vigie-events",
        "PUT /_index_template/vigie-events",
        "PUT /_index_template/vigie-events_dead_letters",
        "PUT /events-*/_mapping?allow_no_indices=true",
    ]
    bodies = dict(asked)
    assert bodies["PUT /_ilm/policy/vigie-events"] == lifecycle(timedelta(days=30))
    assert (
        bodies["PUT /_index_template/vigie-events"]["template"]["settings"]["index"]["lifecycle.name"] == "vigie-events"
    )


def test_what_is_kept_for_ever_has_no_lifecycle() -> None:
    asked = dict(prepared(answering(200), keep=None))

    assert not any("policy" in what for what in asked)
    assert "lifecycle.name" not in asked["PUT /_index_template/vigie-events"]["template"]["settings"]["index"]


def test_opensearch_is_given_a_policy_of_its_own_kind_and_again_under_the_number_that_it_has() -> None:
    itself = Answer(200, b'{"version": {"distribution": "opensearch"}, "_seq_no": 7, "_primary_term": 1}')

    asked = dict(prepared(lambda _: itself))

    assert asked["PUT /_plugins/_ism/policies/vigie-events?if_seq_no=7"] == state_management(
        "events", timedelta(days=30)
    )


def test_without_a_lifecycle_the_log_says_that_nothing_is_deleted(caplog: pytest.LogCaptureFixture) -> None:
    none = Answer(400, b'{"error": "no handler found for uri [/_ilm/policy/vigie-events] and method [PUT]"}', ITSELF)

    asked = dict(prepared(lambda request: none if "_ilm" in request.path else Answer(200, b"{}", ITSELF)))

    assert "events: this Elasticsearch takes no lifecycle, so nothing is deleted after 30 days" in caplog.text
    assert "lifecycle.name" not in asked["PUT /_index_template/vigie-events"]["template"]["settings"]["index"]


def test_a_bulk_is_cut_into_requests_and_once_more_where_the_server_takes_less(monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[int] = []

    def at_most_two(request: Request) -> Answer:
        count = request.body.count(b"\n") // 2
        if count > 2:
            return Answer(413, b"", ITSELF)
        taken.append(count)
        return DONE

    six = lines(*"abcdef")
    monkeypatch.setattr(elastic_bulk, "AT_ONCE", sum(len(line.written()) for line in six[:4]))
    with a_cluster(at_most_two) as cluster:
        assert list(put(cluster, six)) == []
    assert taken == [2, 2, 2]


def test_a_document_that_is_too_large_alone_is_refused_and_the_others_are_not() -> None:
    large = Line("events", "b", json.dumps({"text": "x" * 10_000}))
    full = Answer(413, b"", ITSELF)

    with a_cluster(lambda request: full if len(request.body) > 9_000 else DONE) as cluster:
        [(line, why)] = put(cluster, [*lines("a"), large, *lines("c")])

    assert line == large
    assert why.startswith("it is too large: 10,0")


def test_a_document_whose_index_has_no_month_is_refused_unsent() -> None:
    undated = Line(None, "b", "{}")

    with a_cluster(lambda _: DONE) as cluster:
        assert [line for line, _ in put(cluster, [*lines("a"), undated])] == [undated]


def test_an_id_that_is_there_is_no_fault_and_a_document_that_has_no_form_there_is_its_own() -> None:
    items = [item(409), {"create": {"status": 201}}, item(400, "document_parsing_exception", "failed to parse")]

    [(line, why)] = judged(lines("a", "b", "c"), items, ELASTICSEARCH)

    assert (line.id, why) == ("c", "document_parsing_exception: failed to parse")


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_document_for_which_there_is_no_room_now_is_waited_for(status: int) -> None:
    with pytest.raises(NotNow, match="es_rejected_execution_exception"):
        list(judged(lines("a"), [item(status, "es_rejected_execution_exception")], ELASTICSEARCH))


@pytest.mark.parametrize("kind", ["index_closed_exception", "validation_exception"])
def test_an_index_that_takes_nothing_is_not_the_documents_fault(kind: str) -> None:
    with pytest.raises(Refused, match=kind):
        list(judged(lines("a"), [item(400, kind)], ELASTICSEARCH))


@pytest.mark.parametrize(("status", "do"), [(403, "VIGIE_ELASTIC_USER"), (404, "Mend what it says")])
def test_what_no_document_is_to_blame_for_ends_the_run(status: int, do: str) -> None:
    with pytest.raises(Refused, match=do):
        list(judged(lines("a"), [item(status)], ELASTICSEARCH))


def test_a_row_is_the_index_of_its_month_an_id_of_its_columns_and_itself_as_json() -> None:
    july = datetime(2025, 7, 31, 23, 59, 59, 999_999, UTC)
    table = a_table(
        "at TIMESTAMP, k STRING, v DOUBLE, many ARRAY<DOUBLE>",
        (july, "a", float("nan"), [float("inf")]), (None, "b", 0.5, None), (july, "é" * 300, None, None),
    )  # fmt: skip

    found = [Line(*row.values()) for part in table.to_batches()
             for row in documents(part, "events", ("at", "k"), "at").to_pylist()]  # fmt: skip

    at = "2025-07-31T23:59:59.999999Z"
    assert found[0] == Line(
        "events-2025.07.01", f'{{"at":"{at}","k":"a"}}', f'{{"at":"{at}","k":"a","v":null,"many":["Infinity"]}}'
    )
    assert found[1] == Line(None, '{"at":null,"k":"b"}', '{"at":null,"k":"b","v":0.5,"many":null}')
    assert (found[2].into, len(found[2].id)) == ("events-2025.07.01", 64)


def test_a_table_without_a_moment_in_its_id_has_one_index() -> None:
    [part] = a_table("k STRING, day DATE", ("a", date(2025, 7, 1))).to_batches()

    assert documents(part, "events", ("k",), "")["index"].to_pylist() == ["events"]
    assert documents(part, "events", ("day", "k"), "day")["index"].to_pylist() == ["events-2025.07.01"]
