"""Elasticsearch or OpenSearch, asked one thing at a time; what it answers is an answer, or an error of ours."""

from __future__ import annotations

import logging
import ssl
import time
from base64 import b64encode
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from vigie.backoff import retry_after
from vigie.errors import BadSetting
from vigie.sinks import NotNow, Refused

if TYPE_CHECKING:
    from elasticsearch import Elasticsearch

    from vigie.settings import Settings

ELASTICSEARCH, OPENSEARCH = "Elasticsearch", "OpenSearch"
CALL_S = 30.0
LONGEST_WAIT_S = 3_600.0
PASSING = frozenset({408, 429})  # and all from 500
NO_SUCH_THING = (404, 405, 410)
ANY_REFUSAL = tuple(range(400, 600))
JSON, LINES = "application/json", "application/x-ndjson"


class Answer(NamedTuple):
    """What was answered: its number, and its content, which is an object unless something else stands between."""

    status: int
    body: Any


@dataclass(frozen=True, slots=True)
class Login:
    """Where a cluster is and how it knows who asks. It is never shown."""

    address: str
    authorization: str
    authority: str

    @classmethod
    def of(cls, settings: Settings) -> Login:
        address = settings.elastic or ""
        parts = urlsplit(address)
        if parts.port is None:  # the client guesses none
            port = 443 if parts.scheme == "https" else 9200
            address = address.replace(parts.netloc, f"{parts.netloc}:{port}", 1)
        authority = str(settings.elastic_ca.resolve()) if settings.elastic_ca else ""
        try:
            if authority:
                ssl.create_default_context(cafile=authority)
        except OSError:
            raise BadSetting(
                f"there is no certificate at {authority}",
                where="VIGIE_ELASTIC_CA",
                do="Copy http_ca.crt from the folder config/certs of Elasticsearch, and name that copy.",
            ) from None
        return cls(address, _authorization(settings), authority)

    def __repr__(self) -> str:
        return f"Login({self.address!r})"


class Cluster:
    """A cluster, connected when it is used.

    Elasticsearch is asked by its own client. That client asks nothing else: what does not call itself Elasticsearch
    in each answer is refused. OpenSearch is therefore asked by the part beneath it, Elastic's transport, in plain JSON.

    The client tries nothing again by itself: a batch that waits says so in the log, and ends when the run does.
    """

    def __init__(self, login: Login, product: str = "") -> None:
        self._login = login
        self._client: Elasticsearch | None = None
        self.product = product

    def __enter__(self) -> Cluster:
        return self

    def __exit__(self, *_: object) -> None:
        if self._client is not None:
            self._client.close()

    def recognise(self) -> str:
        """Which of the two it is, found out once. Elasticsearch says so in a header, whatever it answers."""
        if not self.product:
            status, headers, body = self._plainly("GET", "/", None, JSON)
            if headers.get("x-elastic-product") == ELASTICSEARCH:
                self.product = ELASTICSEARCH
            elif isinstance(body, dict) and body.get("version", {}).get("distribution") == OPENSEARCH.lower():
                self.product = OPENSEARCH
            else:
                self._judge(status, headers, body)
                raise Refused(
                    "what answers there is neither Elasticsearch nor OpenSearch",
                    where=self._login.address,
                    do="Look at VIGIE_ELASTIC: what stands between must pass on the header X-Elastic-Product.",
                )
        return self.product

    def ask(
        self, method: str, path: str, body: Any = None, *, lines: bool = False, expected: tuple[int, ...] = ()
    ) -> Answer:
        """An answer that says yes, or one of those that are expected; NotNow or Refused when it is another.

        `body` is what JSON is to be made of, or with `lines` the bytes of lines of it.
        """
        way = self._by_the_client if self.recognise() == ELASTICSEARCH else self._plainly
        status, headers, found = way(method, path, body, LINES if lines else JSON)
        if status not in expected:
            self._judge(status, headers, found)
        return Answer(status, found)

    def put(self, path: str, body: Any) -> bool:
        """Put something there; False when this server has no such thing: it is a part that not each one has."""
        answer = self.ask("PUT", path, body, expected=(400, *NO_SUCH_THING))
        has_none = answer.status in NO_SUCH_THING or "no handler found" in reason(answer.body)
        if answer.status == 400 and not has_none:
            raise Refused(f"{self.product} refused: {reason(answer.body)}", where=path, do=remedy(400))
        return not has_none

    def _by_the_client(self, method: str, path: str, body: Any, kind: str) -> tuple[int, Any, Any]:
        headers = self._headers(body, kind)
        with _Speaking(self._login):
            client = self._opened().options(ignore_status=ANY_REFUSAL)
            answer = client.perform_request(method, path, headers=headers, body=body)
        return answer.meta.status, answer.meta.headers, answer.body

    def _plainly(self, method: str, path: str, body: Any, kind: str) -> tuple[int, Any, Any]:
        headers = self._headers(body, kind)
        with _Speaking(self._login):
            answer = self._opened().transport.perform_request(
                method, path, headers=headers, body=body, max_retries=0, request_timeout=CALL_S
            )
        return answer.meta.status, answer.meta.headers, answer.body

    def _headers(self, body: Any, kind: str) -> dict[str, str]:
        headers = {"accept": JSON}
        if body is not None:
            headers["content-type"] = kind
        if self._login.authorization:
            headers["authorization"] = self._login.authorization
        return headers

    def _opened(self) -> Elasticsearch:
        from elasticsearch import Elasticsearch

        if self._client is None:
            logging.getLogger("elastic_transport").setLevel(logging.CRITICAL)  # it says of each request how it went
            trust: dict[str, Any] = {"ca_certs": self._login.authority} if self._login.authority else {}
            self._client = Elasticsearch(self._login.address, request_timeout=CALL_S, max_retries=0, **trust)
        return self._client

    def _judge(self, status: int, headers: Any, body: Any) -> None:
        if status < 300:
            return
        said = f"{reason(body)} (HTTP {status})"
        if status in PASSING or status >= 500:
            wait = retry_after(headers.get("retry-after", ""), time.time(), LONGEST_WAIT_S)
            raise NotNow(f"{self.product or self._login.address} cannot take it now: {said}", wait)
        raise Refused(
            f"{self.product or 'what answers there'} refused: {said}", where=self._login.address, do=remedy(status)
        )


def reason(body: Any) -> str:
    """Why something was refused, in the server's own words, if what answers is one."""
    problem = body.get("error", body) if isinstance(body, dict) else body
    if isinstance(problem, dict) and "type" in problem:
        causes = [problem, *([problem["caused_by"]] if problem.get("caused_by") else [])]
        return "; ".join(f"{cause['type']}: {cause.get('reason')}" for cause in causes)
    return str(problem)[:300] if problem else "it gives no reason"


def remedy(status: int) -> str:
    """What a person may do about a refusal."""
    if status in {401, 403}:
        return (
            "Look at VIGIE_ELASTIC_USER and VIGIE_ELASTIC_PASSWORD, or VIGIE_ELASTIC_API_KEY, and at what they may do: "
            "docs/elastic.md has the rights that are needed."
        )
    return "Mend what it says and start again: the batch is delivered again."


class _Speaking:
    """Whatever the client says of what is done in here, as an error of ours."""

    def __init__(self, login: Login) -> None:
        self._login = login

    def __enter__(self) -> None:
        return

    def __exit__(self, _: object, problem: BaseException | None, __: object) -> None:
        from elasticsearch import SerializationError, TransportError, UnsupportedProductError

        if isinstance(problem, UnsupportedProductError):
            raise Refused("what answers there is no longer Elasticsearch", where=self._login.address) from None
        if isinstance(problem, SerializationError):
            raise NotNow(f"{self._login.address} answers, but not in JSON") from None
        if isinstance(problem, TransportError):
            said = str(problem.message)
            if "CERTIFICATE_VERIFY_FAILED" in said:
                raise Refused(
                    f"the certificate of {self._login.address} is signed by nobody who is known here",
                    where="VIGIE_ELASTIC_CA",
                    do="Set VIGIE_ELASTIC_CA to the certificate of whoever signed it: http_ca.crt of Elasticsearch.",
                ) from None
            raise NotNow(f"{self._login.address} cannot be reached: {said}") from None


def _authorization(settings: Settings) -> str:
    if settings.elastic_api_key:
        return f"ApiKey {settings.elastic_api_key.get_secret_value()}"
    if settings.elastic_user and settings.elastic_password:
        pair = f"{settings.elastic_user}:{settings.elastic_password.get_secret_value()}"
        return f"Basic {b64encode(pair.encode()).decode()}"
    return ""
