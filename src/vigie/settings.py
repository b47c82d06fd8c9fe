"""Facts of the environment: read once, in cli.py, and passed down.

Each is a variable `VIGIE_NAME`, from the environment or from a file `.env` in the working directory; the
environment wins, and an empty value counts as none.
"""

from __future__ import annotations

import os
import re
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, NamedTuple, Self, TypeGuard
from urllib.parse import urlsplit

from dotenv.parser import parse_stream
from pydantic import AfterValidator, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from vigie.address import at_home, parse_address
from vigie.errors import BadAddress, BadSetting

PREFIX = "VIGIE_"
LEAST_MEMORY = 512  # megabytes
OPENSKY = "https://opensky-network.org/api"
WIKIMEDIA = "https://stream.wikimedia.org/v2/stream/recentchange"
OPENSKY_TOKENS = "https://auth.opensky-network.org/auth/realms/opensky-network/protocol/openid-connect/token"


class Box(NamedTuple):
    """A part of the Earth, in degrees, with the names that OpenSky gives its sides."""

    lamin: float
    lamax: float
    lomin: float
    lomax: float


def _address(text: str) -> str:
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise ValueError("it is not an address of the web") from None
    if parts.scheme not in {"http", "https"} or not host:
        raise ValueError("it is not an address of the web")
    if parts.username is not None or parts.query or parts.fragment:
        raise ValueError("an address must not hold a name, a password or a query")
    if parts.scheme == "http" and not _is_this_machine(host):
        raise ValueError("secrets go there, so it must be https")
    return text.rstrip("/")


def _is_this_machine(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _webhook(secret: SecretStr) -> SecretStr:
    """Its path or query is what gives the right to write there, so it crosses no foreign network in the clear."""
    try:
        parts = urlsplit(secret.get_secret_value())
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise ValueError("it is not an address of the web") from None
    if parts.scheme not in {"http", "https"} or not _is_host(host) or not secret.get_secret_value().isprintable():
        raise ValueError("it is not an address of the web")
    if parts.scheme == "http" and not _is_near(host):
        raise ValueError("whoever knows it may write there, so it must be https")
    return secret


def _is_host(name: str | None) -> TypeGuard[str]:
    """Whether a name can be that of a machine: no part of it is empty, too long, or has a blank."""
    try:
        return bool(name) and re.fullmatch(rb"[\w.:-]+", str(name).encode("idna")) is not None
    except UnicodeError:
        return False


def _is_near(host: str) -> bool:
    try:
        return ip_address(host).is_private
    except ValueError:
        return "." not in host


def _contact(text: str) -> str:
    """It goes into a header, which takes no other characters."""
    if not re.fullmatch(r"[!-?A-~]+@[!-?A-~]+|https?://[!-~]+", text):
        raise ValueError("nobody can be reached there")
    return text


def registry_address(text: str, *, with_password: bool = False) -> str:
    """The address of a server that may ask who asks, such as a schema registry, or ValueError."""
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise ValueError("it is not an address of the web") from None
    if parts.scheme not in {"http", "https"} or not host:
        raise ValueError("it is not an address of the web")
    if parts.username is not None or parts.query or parts.fragment:
        raise ValueError("an address must not hold a name, a password or a query")
    if parts.scheme == "http" and with_password and not _is_this_machine(host):
        raise ValueError("a password goes there, so it must be https")
    if parts.scheme == "http" and not _is_near(host):
        raise ValueError("it is not in this network, so it must be https")
    return text.rstrip("/")


def _servers(text: str) -> str:
    try:
        parse_address(f"kafka://{text}/topic")
    except BadAddress:
        raise ValueError("it is not host:port, or several with commas between them") from None
    return text


def _memory(text: str) -> str:
    megabytes = int(text[:-1]) * (1024 if text[-1] in "gG" else 1)
    there = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 1024**2
    if megabytes < LEAST_MEMORY:
        raise ValueError(f"with less than {LEAST_MEMORY}m Spark does not start")
    if megabytes > there:
        raise ValueError(f"this machine has {there}m")
    return text


def _cache() -> Path:
    # The XDG specification has relative paths ignored.
    base = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (base if base.is_absolute() else Path.home() / ".cache") / "vigie"


Web = Annotated[str, AfterValidator(_address)]
Latitude = Annotated[float, Field(ge=-90, le=90, description="degrees north from -90 to 90, for example 41.3")]
Longitude = Annotated[float, Field(ge=-180, le=180, description="degrees east from -180 to 180, for example -5.2")]


class Settings(BaseSettings):
    """What differs from one machine or person to the next. The descriptions say what to write."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_file=".env",
        env_file_encoding="utf-8",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
        str_strip_whitespace=True,
    )

    lake: str = Field(default="./lake", min_length=1, description="a folder, for example ./lake")
    cache: Annotated[Path, AfterValidator(at_home)] = Field(
        default_factory=_cache,
        description="a folder for what is fetched once, for example ~/.cache/vigie",
    )
    demo_minutes: float | None = Field(
        default=None,
        gt=0,
        allow_inf_nan=False,
        description="minutes after which the demo ends, for example 2",
    )
    driver_memory: Annotated[str, Field(pattern=r"^[1-9][0-9]*[mMgG]$"), AfterValidator(_memory)] | None = Field(
        default=None,
        description="memory for Spark, for example 1200m or 2g",
    )
    cores: int | None = Field(default=None, ge=1, description="how many cores Spark may use, for example 2")
    spark_few: int = Field(
        default=10_000,
        ge=0,
        description="of how many messages a batch may be for this process to judge it on Spark; 0 for none",
    )
    spark_master: str | None = Field(
        default=None, description="the master that Spark is started on, for example local[2] or spark://host:7077"
    )
    kafka: Annotated[str, AfterValidator(_servers)] | None = Field(
        default=None, description="host:port of the Kafka that sinks write to, for example localhost:9092"
    )
    registry: Annotated[str, AfterValidator(registry_address)] | None = Field(
        default=None, description="the address of the schema registry, for example http://localhost:8081"
    )
    registry_user: str | None = Field(default=None, description="the name that the schema registry knows you by")
    registry_password: SecretStr | None = Field(default=None, description="the password that goes with it")
    postgres: SecretStr | None = Field(
        default=None, description="postgresql://user:password@host:5432/database, where Postgres() delivers to"
    )
    mongo: SecretStr | None = Field(
        default=None, description="mongodb://user:password@host:27017/database, where Mongo() delivers to"
    )
    elastic: Annotated[str, AfterValidator(registry_address)] | None = Field(
        default=None, description="the address that Elastic() delivers to, for example https://localhost:9200"
    )
    elastic_user: str | None = Field(default=None, description="the name that Elasticsearch knows you by")
    elastic_password: SecretStr | None = Field(default=None, description="the password that goes with it")
    elastic_api_key: SecretStr | None = Field(
        default=None, description="a key of Elasticsearch in its encoded form, in place of a name and a password"
    )
    elastic_ca: Path | None = Field(
        default=None, description="the path of the certificate of whoever signed Elasticsearch's own, http_ca.crt"
    )
    bigquery_project: str | None = Field(
        default=None, description="the id of the Google Cloud project that BigQuery() delivers to"
    )
    bigquery_dataset: Annotated[str, Field(pattern=r"^[A-Za-z0-9_]{1,1024}$")] = Field(
        default="monitoring_datalake", description="the name of a dataset: letters, digits and '_'"
    )
    bigquery_endpoint: Annotated[str, AfterValidator(registry_address)] | None = Field(
        default=None, description="the address of an emulator, for example http://localhost:9050"
    )
    webhook_url: Annotated[SecretStr, AfterValidator(_webhook)] | None = Field(
        default=None, description="the address of an incoming webhook, for example https://hooks.example.com/a-secret"
    )
    notify: SecretStr | None = Field(
        default=None, description="addresses of Apprise, for example mailto://user:password@host?to=person@host"
    )
    contact: Annotated[str, AfterValidator(_contact)] | None = Field(
        default=None, description="where you can be reached, an e-mail or a web address, for example you@example.org"
    )
    wikimedia_url: Web = Field(default=WIKIMEDIA, description=f"an address such as {WIKIMEDIA}")
    opensky_url: Web = Field(default=OPENSKY, description=f"an address such as {OPENSKY}")
    opensky_token_url: Web = Field(default=OPENSKY_TOKENS, description=f"an address such as {OPENSKY_TOKENS}")
    opensky_client_id: str | None = Field(default=None, description="the client id from your OpenSky account page")
    opensky_client_secret: SecretStr | None = Field(
        default=None, description="the client secret from your OpenSky account page"
    )
    opensky_lamin: Latitude = 41.3
    opensky_lamax: Latitude = 51.2
    opensky_lomin: Longitude = -5.2
    opensky_lomax: Longitude = 9.6

    @property
    def opensky_box(self) -> Box:
        """Where OpenSky is asked for aircraft: around France unless set."""
        return Box(self.opensky_lamin, self.opensky_lamax, self.opensky_lomin, self.opensky_lomax)

    @model_validator(mode="after")
    def _has_a_box(self) -> Self:
        box = self.opensky_box
        for axis, low, high in (("LA", box.lamin, box.lamax), ("LO", box.lomin, box.lomax)):
            if low >= high:
                lower, upper = f"{PREFIX}OPENSKY_{axis}MIN", f"{PREFIX}OPENSKY_{axis}MAX"
                raise ValueError(
                    f"{lower} is {low:g} and {upper} is {high:g}, which is no box\n"
                    f"Write a {lower} that is less than {upper}."
                )
        return self

    @model_validator(mode="after")
    def _has_both_halves_of_an_account(self) -> Self:
        names = f"{PREFIX}OPENSKY_CLIENT_ID", f"{PREFIX}OPENSKY_CLIENT_SECRET"
        if bool(self.opensky_client_id) != bool(self.opensky_client_secret):
            there, missing = names if self.opensky_client_id else reversed(names)
            raise ValueError(
                f"{there} is set, but {missing} is not\n"
                f"Set {missing} too, or neither of them: OpenSky then serves you without an account."
            )
        return self

    @model_validator(mode="after")
    def _names_itself_to_the_registry_whole_and_unheard(self) -> Self:
        _check_account("REGISTRY", self.registry_user, self.registry_password)
        _check_unheard("REGISTRY", self.registry, self.registry_password)
        return self

    @model_validator(mode="after")
    def _names_itself_to_elastic_whole_once_and_unheard(self) -> Self:
        _check_account("ELASTIC", self.elastic_user, self.elastic_password)
        if self.elastic_user and self.elastic_api_key:
            name, key = f"{PREFIX}ELASTIC_USER", f"{PREFIX}ELASTIC_API_KEY"
            raise ValueError(f"{name} and {key} are both set\nLeave one of them out: either says who you are.")
        _check_unheard("ELASTIC", self.elastic, self.elastic_password or self.elastic_api_key)
        return self


def _check_account(place: str, user: str | None, password: SecretStr | None) -> None:
    names = f"{PREFIX}{place}_USER", f"{PREFIX}{place}_PASSWORD"
    if bool(user) != bool(password):
        there, missing = names if user else reversed(names)
        raise ValueError(f"{there} is set, but {missing} is not\nSet {missing} too, or neither of them.")


def _check_unheard(place: str, address: str | None, secret: SecretStr | None) -> None:
    """That no secret goes where others may listen."""
    if address is None or secret is None:
        return
    try:
        registry_address(address, with_password=True)
    except ValueError as problem:
        raise ValueError(f"{PREFIX}{place} is wrong: {problem}\nWrite an address that begins with https://.") from None


def read_settings() -> Settings:
    """The settings of this machine, or BadSetting with every variable that is wrong."""
    try:
        _refuse_what_is_no_setting(Path(".env"))
        return Settings()
    except ValidationError as problem:
        pairs = [_explained(error) for error in problem.errors()]  # type: ignore[arg-type]
        what, do = zip(*pairs, strict=True)
        raise BadSetting("; ".join(what), where="environment or .env", do="\n".join(do)) from problem
    except (OSError, UnicodeDecodeError) as problem:
        reason = problem.strerror if isinstance(problem, OSError) else "it is not UTF-8 text"
        raise BadSetting(
            f"the settings cannot be read: {reason}",
            where=str(Path(".env").resolve()),
            do="Make it a text file with a line VIGIE_NAME=value for each setting, or take it away.",
        ) from problem


def _refuse_what_is_no_setting(file: Path) -> None:
    """BadSetting for a line that its reader would pass over."""
    if not file.is_file():
        return
    with file.open(encoding="utf-8") as text:
        broken = next((line for line in parse_stream(text) if line.error), None)
    if broken is not None:
        raise BadSetting(
            "this is no setting, and would be passed over",
            where=f"{file.resolve()}:{broken.original.line}",
            do="Write VIGIE_NAME=value; a quote that is opened is closed on the same line.",
        )


def _explained(error: dict[str, object]) -> tuple[str, str]:
    """What is wrong with one setting, and what to write."""
    text = str(error["msg"]).removeprefix("Value error, ")
    location = error["loc"]
    if not isinstance(location, tuple) or not location:
        what, _, do = text.partition("\n")
        return what, do
    name = str(location[0])
    variable = PREFIX + name.upper()
    # An address may hold a password that was put there by mistake.
    holds_secrets = any(part in name for part in ("secret", "url", "registry", "elastic"))
    hidden = holds_secrets or name in {"mongo", "notify", "postgres"}
    shown = "" if hidden or "@" in str(error["input"]) else f" '{error['input']}'"
    return (
        f"{variable} is wrong: {text[:1].lower()}{text[1:]}{', not' + shown if shown else ''}",
        f"Write {variable} as {Settings.model_fields[name].description}, or leave it out.",
    )
