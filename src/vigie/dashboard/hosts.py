"""By which names a dashboard is known: a page elsewhere can make its own name lead to this machine, and read along."""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

REFUSED = (
    "This dashboard is not known by that name. Open it at the address that `vigie dashboard` gave, or start it with "
    "--name and the name that stands in the browser.\n"
)
HOST_AND_PORT = re.compile(r"(?:\[(?P<figures>[^\]]+)\]|(?P<name>[^:]+))(?::\d+)?")
MISDIRECTED, POLICY = 421, 1008


def own_names(host: str, others: Iterable[str] = ()) -> frozenset[str]:
    """The names of this machine, of what it listens on, and those that somebody says it has."""
    return frozenset(_plain(name) for name in ("localhost", socket.gethostname(), host, *others))


def is_known(header: str, names: frozenset[str]) -> bool:
    """Whether a request that says so was meant for here. An address in figures always was: no name led to it."""
    found = HOST_AND_PORT.fullmatch(header)
    if found is None:
        return False
    name = _plain(found["figures"] or found["name"])
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return name in names
    return True


def _plain(name: str) -> str:
    return name.lower().removesuffix(".")


class KnownHosts:
    """Answers requests that were meant for this machine, and no others."""

    def __init__(self, app: ASGIApp, names: frozenset[str]) -> None:
        self._app = app
        self._names = names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        from starlette.datastructures import Headers
        from starlette.responses import PlainTextResponse
        from starlette.websockets import WebSocketClose

        if scope["type"] not in {"http", "websocket"} or is_known(Headers(scope=scope).get("host", ""), self._names):
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await WebSocketClose(POLICY)(scope, receive, send)
        else:
            await PlainTextResponse(REFUSED, MISDIRECTED)(scope, receive, send)
