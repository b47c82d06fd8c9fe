"""A schema registry with Confluent's API, and what it answers, in words that a person can act on."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import SecretStr

from vigie.avro.evolution import broken_promises
from vigie.errors import BadAddress, BadSetting, RequestError, RunFailed
from vigie.extras import install_extra
from vigie.graph import Source
from vigie.redaction import redacted
from vigie.settings import Settings, registry_address

if TYPE_CHECKING:
    from confluent_kafka.schema_registry import SchemaRegistryClient

ANSWER_S = 10.0
AVRO = "AVRO"
BACKWARD = "BACKWARD"
NOT_FOUND, CONFLICT, UNPROCESSABLE, BUSY, FAILING = 404, 409, 422, 429, 500
NOT_THERE = range(40_401, 40_500)  # a code of its own, which what else may answer at a wrong address has not
NUMBERS = range(2**31)
UNAUTHORISED = {401, 403}
MODULES = ("confluent_kafka", "fastavro", "authlib")
CREDENTIALS = "VIGIE_REGISTRY_USER and VIGIE_REGISTRY_PASSWORD"

Answer = TypeVar("Answer")


class RegistryAway(RunFailed):
    """The registry does not answer, or not now: time may mend it."""


@dataclass(frozen=True)
class Registry:
    """Where the schemas of messages are. Nothing is connected before something is asked."""

    url: str
    user: str = ""
    password: SecretStr = field(default=SecretStr(""))

    def schema(self, number: int) -> str | None:
        """The Avro schema of that number; none when the registry has none, or one that is not Avro alone."""
        found = self._ask(lambda client: client.get_schema(number)) if number in NUMBERS else None
        if found is None or (found.schema_type or AVRO) != AVRO or found.references:
            return None
        return str(found.schema_str)

    def newest(self, subject: str) -> str | None:
        """The newest schema under a subject, and none when there is no such subject; RegistryAway when nobody answers,
        BadAddress when what answers is no registry."""
        found = self._ask(lambda client: client.get_latest_version(subject))
        return None if found is None else str(found.schema.schema_str)

    def register(self, subject: str, text: str, where: str) -> int:
        """The number of a schema, which is put in under the subject if it is not there; RequestError when the
        registry refuses it as a new version.

        Where the registry promises nothing of versions, the subject does from here on: BACKWARD.
        """
        from confluent_kafka.schema_registry import Schema

        before = self.newest(subject)
        if before is not None:
            self._promise(subject)
        try:
            number = self._ask(lambda client: client.register_schema(subject, Schema(text, AVRO)))
        except _Refused as refused:
            raise _incompatible(subject, before, text, refused, where) from refused
        if before is None:
            self._promise(subject)
        assert number is not None
        return number

    def _promise(self, subject: str) -> None:
        level = self._ask(lambda client: client.get_compatibility(subject))
        level = level or self._ask(lambda client: client.get_compatibility())
        if level in {None, "NONE"}:
            self._ask(lambda client: client.set_compatibility(subject, BACKWARD))

    def _ask(self, asked: Callable[[SchemaRegistryClient], Answer]) -> Answer | None:
        """The registry's answer; none when it does not have what was asked for."""
        from confluent_kafka.schema_registry.error import SchemaRegistryError

        try:
            return asked(self._client)
        except SchemaRegistryError as problem:
            if problem.http_status_code == NOT_FOUND and (problem.error_code or 0) in NOT_THERE:
                return None
            raise self._said(problem.http_status_code, problem.error_code, problem.error_message) from problem
        except _unanswered() as problem:
            raise RegistryAway(
                f"the schema registry does not answer: {str(problem) or type(problem).__name__}",
                where=self.url,
                do="Look whether it runs, and at VIGIE_REGISTRY; then start again.",
            ) from problem
        except ValueError as problem:  # an answer that is not JSON
            raise self._no_registry() from problem

    def _said(self, status: int, code: int | None, said: str) -> Exception:
        if status in UNAUTHORISED:
            asked = f"does not take what {CREDENTIALS} say" if self.user else "asks for a name and a password"
            return BadSetting(
                f"the schema registry {asked} (HTTP {status})", where=self.url, do=f"Set {CREDENTIALS}, and try again."
            )
        if status == BUSY or status >= FAILING:
            return RegistryAway(f"the schema registry cannot answer now: {said} (HTTP {status})", where=self.url)
        if status in {CONFLICT, UNPROCESSABLE}:
            return _Refused(said, where=self.url)
        return self._no_registry() if code in {None, -1} or status == NOT_FOUND else _Refused(said, where=self.url)

    def _no_registry(self) -> BadAddress:
        return BadAddress(
            "what answers there is no schema registry with Confluent's API",
            where=self.url,
            do="Mend the address: VIGIE_REGISTRY, or registry= of the source. Apicurio's ends with /apis/ccompat/v7.",
        )

    @cached_property
    def _client(self) -> SchemaRegistryClient:
        if missing := [module for module in MODULES if find_spec(module) is None]:
            raise BadSetting(
                f"Avro needs the package {missing[0]}, which is not installed",
                where=self.url,
                do=install_extra("avro", missing[0]),
            )
        client = importlib.import_module("confluent_kafka.schema_registry").SchemaRegistryClient
        settings: dict[str, Any] = {"url": self.url, "timeout": ANSWER_S, "max.retries": 0}
        if self.user:
            settings["basic.auth.user.info"] = f"{self.user}:{self.password.get_secret_value()}"
        made: SchemaRegistryClient = client(settings)
        return made


class _Refused(RunFailed):
    """The registry understood, and said no."""


def _unanswered() -> tuple[type[Exception], ...]:
    """What its client raises when nothing answers: of whichever of these it was built on."""
    return tuple(importlib.import_module(name).TransportError for name in ("httpx", "httpx2") if find_spec(name))


def _incompatible(subject: str, before: str | None, text: str, refused: _Refused, where: str) -> RequestError:
    reasons = "; ".join(broken_promises(before, text)) if before else ""
    said = f"\nThe registry says: {refused.what}"
    return RequestError(
        f"the registry refuses this schema as the next version of '{subject}'{': ' if reasons else ''}{reasons}",
        where=where,
        do="Give a new field a default, and leave the name and the type of others as they are; or write to another "
        f"topic.{said}",
    )


def registry_of(source: Source, settings: Settings) -> Registry:
    """The registry of an Avro source; BadSetting when nobody has said where it is."""
    url = source.registry or settings.registry
    if url is None:
        raise BadSetting(
            f"source '{source.name}' is Avro on Kafka, and nobody has said where its schema registry is",
            where=str(source.place),
            do="Set VIGIE_REGISTRY, for example to http://localhost:8081, or declare registry=.",
        )
    password = settings.registry_password
    try:
        url = registry_address(url, with_password=password is not None)
    except ValueError as problem:
        raise BadSetting(
            f"the registry of '{source.name}' is wrong: {problem}",
            where=redacted(url),
            do="Write an address that begins with https://.",
        ) from problem
    return Registry(url, settings.registry_user or "", password or SecretStr(""))


def subject_of(topic: str) -> str:
    """Under what a topic's schema is registered: Confluent's own way, by the topic's name."""
    return f"{topic}-value"
