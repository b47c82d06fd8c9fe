"""Jobs of BigQuery that are run once: each has an id that says what it does, by which BigQuery knows a repeat."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vigie.errors import BadSetting
from vigie.sinks import NotNow, Refused

if TYPE_CHECKING:
    from google.api_core.exceptions import GoogleAPICallError
    from google.cloud.bigquery import Client

Job = Any  # of whatever kind the id turns out to name

ONCE: Any = None  # for Google's own types: its documentation has it for a call that is not tried again
CALL_S = 30.0
UPLOAD_S = 120.0
PATIENCE_S = 120.0
LOOK_EVERY_S = 0.5
QUOTA_S = 600.0
MARK = "_vigie_"  # in the name of the table beside
KEPT = timedelta(days=1)  # what a process that died left beside the table

# https://cloud.google.com/bigquery/docs/error-messages
PASSING = frozenset(
    {"backendError", "internalError", "rateLimitExceeded", "badGateway", "tableUnavailable", "timeout", "stopped"}
    | {"jobBackendError", "jobInternalError", "jobRateLimitExceeded"}
)
REMEDIES = {
    "accessDenied": "Grant the account the roles BigQuery Data Editor on the dataset and BigQuery Job User.",
    "billingNotEnabled": "Turn billing on for the project: without it BigQuery takes no MERGE.",
    "notFound": "Make the dataset, in a region of your choice: config/bigquery/monitoring_datalake.sql has how.",
    "invalidQuery": "The table there has other columns than the one that is delivered: mend it (ALTER TABLE ... ADD "
    "COLUMN), or name another.",
}


@dataclass(frozen=True, slots=True)
class Attempt:
    """The first attempt at a batch that has not failed, and what BigQuery knows of its two jobs."""

    beside: str
    number: int
    load: Job | None = None
    merge: Job | None = None

    def id(self, kind: str) -> str:
        return f"vigie-{self.beside}-{kind}-{self.number}"


class Jobs:
    """A dataset, and the jobs that are run there; connected when it is used.

    Google's client would try again by itself for ten minutes. It is told not to: a batch that waits says so in the
    log, and gives up when the run is to end.
    """

    def __init__(self, project: str, dataset: str, endpoint: str | None, look_every: float = LOOK_EVERY_S) -> None:
        self._project = project
        self._dataset = dataset
        self._endpoint = endpoint
        self._look_every = look_every
        self._client: Client | None = None
        self._location: str | None = None

    def name(self, table: str) -> str:
        return f"{self._project}.{self._dataset}.{table}"

    def attempt(self, beside: str) -> Attempt:
        """What there is of a batch. A job that failed stays known by its id, so what follows has the next number."""
        for number in itertools.count():
            attempt = Attempt(beside, number)
            load = self._known(attempt.id("load"))
            merge = self._known(attempt.id("merge")) if load is not None else None
            if not any(job is not None and job.error_result for job in (load, merge)):
                break
        return replace(attempt, load=load, merge=merge)

    def load(self, attempt: Attempt, file: Path, columns: Mapping[str, str]) -> Attempt:
        """Have a file loaded into the table beside, in place of whatever is there."""
        from google.cloud.bigquery import LoadJobConfig, SchemaField, SourceFormat, Table, WriteDisposition

        client = self._opened()
        schema = [SchemaField(name, kind) for name, kind in columns.items()]
        beside = Table(self.name(attempt.beside), schema)
        beside.expires = datetime.now(UTC) + KEPT
        client.create_table(beside, exists_ok=True, retry=ONCE, timeout=CALL_S)
        config = LoadJobConfig(
            source_format=SourceFormat.PARQUET, write_disposition=WriteDisposition.WRITE_TRUNCATE, schema=schema
        )
        name = attempt.id("load")

        def begin() -> Job:
            with file.open("rb") as parquet:
                return client.load_table_from_file(
                    parquet,
                    self.name(attempt.beside),
                    num_retries=0,
                    job_id=name,
                    location=self._location,
                    job_config=config,
                    timeout=UPLOAD_S,
                )

        return replace(attempt, load=self._begun(name, begin))

    def merge(self, attempt: Attempt, sql: str) -> Attempt:
        """Have the table beside brought into the one that it is for."""
        name = attempt.id("merge")
        return replace(attempt, merge=self._begun(name, lambda: self._asked(sql, name)))

    def run(self, sql: str) -> None:
        """A statement that may be said any number of times."""
        self.wait(self._asked(sql))

    def wait(self, job: Job) -> None:
        """Until a job is done; NotNow when that takes long, and then it is met again under its id."""
        deadline = time.monotonic() + PATIENCE_S
        while not job.done(retry=ONCE, timeout=CALL_S):
            if time.monotonic() > deadline:
                raise NotNow(f"BigQuery is still at {job.job_id}")
            time.sleep(self._look_every)
        if job.error_result:
            raise _answer(job.error_result.get("reason", ""), job.error_result.get("message", ""))

    def drop(self, table: str) -> None:
        self._opened().delete_table(self.name(table), not_found_ok=True, retry=ONCE, timeout=CALL_S)

    @contextmanager
    def speaking(self) -> Iterator[None]:
        """Whatever BigQuery or its client says of what is done in here, as an error of ours."""
        from google.api_core.exceptions import GoogleAPICallError
        from google.auth.exceptions import DefaultCredentialsError, GoogleAuthError
        from requests import RequestException

        try:
            yield
        except GoogleAPICallError as problem:
            raise _answer(_reason(problem), problem.message or "") from problem
        except DefaultCredentialsError as problem:
            raise BadSetting(
                "there are no credentials for BigQuery",
                where="GOOGLE_APPLICATION_CREDENTIALS",
                do="Set it to the path of a service account's key, or run 'gcloud auth application-default login'.",
            ) from problem
        except GoogleAuthError as problem:
            if problem.retryable:
                raise NotNow(f"Google did not say who asks: {problem}") from problem
            raise Refused(
                f"Google refused the credentials: {problem.args[0] if problem.args else problem}",
                where="GOOGLE_APPLICATION_CREDENTIALS",
                do="Make a new key for the service account, and set the variable to its path.",
            ) from problem
        except (RequestException, ConnectionError) as problem:
            raise NotNow(f"BigQuery cannot be reached ({type(problem).__name__})") from problem

    def _opened(self) -> Client:
        from google.auth.credentials import AnonymousCredentials
        from google.cloud.bigquery import Client

        if self._client is None:
            if self._endpoint:
                options = {"api_endpoint": self._endpoint}
                client = Client(self._project, AnonymousCredentials(), client_options=options)  # type: ignore[no-untyped-call]
            else:
                client = Client(self._project)
            dataset = client.get_dataset(f"{self._project}.{self._dataset}", retry=ONCE, timeout=CALL_S)
            self._client, self._location = client, dataset.location
        return self._client

    def _asked(self, sql: str, name: str | None = None) -> Job:
        client = self._opened()
        return client.query(sql, job_id=name, location=self._location, retry=ONCE, timeout=CALL_S, job_retry=None)

    def _known(self, name: str) -> Job | None:
        from google.api_core.exceptions import NotFound

        client = self._opened()
        try:
            return client.get_job(name, location=self._location, retry=ONCE, timeout=CALL_S)
        except NotFound:
            return None

    def _begun(self, name: str, begin: Callable[[], Job]) -> Job:
        """The job, begun; or met, when its id is there already: its answer was lost, or a run that died began it."""
        from google.api_core.exceptions import Conflict

        try:
            return begin()
        except Conflict:
            job = self._known(name)
        if job is None:
            raise NotNow(f"BigQuery has the job {name}, and does not find it yet")
        return job


def _answer(reason: str, said: str) -> NotNow | Refused:
    lost = reason == "notFound" and MARK in said  # the table beside was dropped for its age: it is loaded anew
    if reason in PASSING or lost:
        return NotNow(f"BigQuery: {said or reason}")
    if reason == "quotaExceeded":
        return NotNow(f"a quota of BigQuery is used up: {said}", QUOTA_S)
    return Refused(
        f"BigQuery refused a batch: {said} ({reason})",
        do=REMEDIES.get(reason, "Mend what it says and start again: the batch is delivered again."),
    )


def _reason(problem: GoogleAPICallError) -> str:
    """Why, in BigQuery's own word when there is one: what stands between may answer too, and knows but a number."""
    for error in problem.errors:
        if isinstance(error, dict) and error.get("reason"):
            return str(error["reason"])
    code = int(problem.code or 0)
    return "backendError" if code >= 500 or code in {408, 429} else str(code)
