"""Where messages come from and go to: `inbox:FOLDER`, `kafka://host:port/topic`, `tcp://host:port`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from vigie.errors import BadAddress
from vigie.redaction import redacted

FORMS = "inbox:FOLDER, kafka://host:port/topic or tcp://host:port"
NO_HOST = re.compile(r"@|%40|\s")
TOPIC = re.compile(r"[A-Za-z0-9._-]{1,249}")


@dataclass(frozen=True, slots=True)
class Inbox:
    """A folder of `*.jsonl` and `*.json` files, one message a line."""

    folder: Path

    def __str__(self) -> str:
        return f"inbox:{self.folder}"


@dataclass(frozen=True, slots=True)
class Kafka:
    """A topic on a broker, or on several named with commas between."""

    servers: str
    topic: str

    def __str__(self) -> str:
        return redacted(f"kafka://{self.servers}/{self.topic}")


@dataclass(frozen=True, slots=True)
class Tcp:
    """A socket that carries one message a line."""

    host: str
    port: int

    def __str__(self) -> str:
        return redacted(f"tcp://{self.host}:{self.port}")


Address = Inbox | Kafka | Tcp


def parse_address(text: str) -> Address:
    """The address that `text` spells, or BadAddress with the mend."""
    if text.startswith("inbox:"):
        folder = text.removeprefix("inbox:")
        if not folder.strip():
            raise BadAddress("the inbox has no folder", where=text, do="Write inbox:FOLDER, for example inbox:./inbox.")
        try:
            return Inbox(at_home(Path(folder)))
        except ValueError as problem:
            raise BadAddress(str(problem), where=text, do="Name a folder that is there.") from problem
    if text.startswith("kafka://"):
        return _kafka(text)
    if text.startswith("tcp://"):
        host, port = _host_and_port(text, text.removeprefix("tcp://").rstrip("/"))
        return Tcp(host, port)
    raise BadAddress(f"'{redacted(text)}' is not an address Vigie knows", do=f"Write {FORMS}.")


def at_home(path: Path) -> Path:
    """The path with `~` and `~name` made folders; ValueError where there is nobody of that name."""
    try:
        return path.expanduser()
    except RuntimeError as problem:
        raise ValueError("there is nobody of that name here") from problem


def _kafka(text: str) -> Kafka:
    servers, _, topic = text.removeprefix("kafka://").partition("/")
    if not is_topic(topic):
        raise BadAddress(
            "the Kafka address names no topic" if not topic else "that cannot be the name of a Kafka topic",
            where=redacted(text),
            do="Write kafka://host:port/topic; a topic has letters, digits, '.', '_' and '-'.",
        )
    for server in servers.split(","):
        _host_and_port(text, server)
    return Kafka(servers, topic)


def is_topic(name: str) -> bool:
    """Whether a topic of Kafka can be called so."""
    return TOPIC.fullmatch(name) is not None and name not in {".", ".."}


def _host_and_port(address: str, text: str) -> tuple[str, int]:
    try:
        parts = urlsplit(f"//{text}")
        host, port = parts.hostname, parts.port
    except ValueError:
        raise _no_host(address, text) from None  # the cause repeats a part of the address
    if not host or not port or parts.path or parts.query or parts.fragment or NO_HOST.search(text):
        raise _no_host(address, text)
    return host, port


def _no_host(address: str, text: str) -> BadAddress:
    if "@" in text or "%40" in text:
        return BadAddress(
            "an address must not hold a name or a password", where=redacted(address), do=f"Write {FORMS}."
        )
    return BadAddress("a part of the address is not a host and a port", where=redacted(address), do=f"Write {FORMS}.")
