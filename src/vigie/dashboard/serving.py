"""The dashboard's server: Streamlit, on this machine alone unless said, telling nobody of its use."""

from __future__ import annotations

import errno
import fcntl
import importlib.util
import ipaddress
import os
import re
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import gettempdir
from typing import TYPE_CHECKING, Any, TypedDict

import httpx

from vigie.dashboard.hosts import KnownHosts, own_names
from vigie.dashboard.pages import PAGES
from vigie.errors import BadSetting, VigieError
from vigie.extras import install_extra
from vigie.lake import Lake
from vigie.listening import must_be_named, nowhere, trouble
from vigie.settings import read_settings
from vigie.tied import ended, started

if TYPE_CHECKING:
    from starlette.middleware import Middleware
    from starlette.requests import Request
    from starlette.responses import HTMLResponse
    from starlette.routing import BaseRoute

HOST = "127.0.0.1"
PORT, LAST_PORT = 8501, 65_535
APP = Path(__file__).with_name("app.py")
STOP_LIMIT_S = 5.0
LOOK_EVERY_S = 0.2
A_NAME = re.compile(r"[^\s/:@]+")

THE_SERVER = "<script>window.__streamlit = {BACKEND_BASE_URL: window.location.origin}</script>"
ROOT = '<div id="root">'  # what is in it gives way to the page, once its scripts are here
OPENING = f"""{ROOT}<style>:root {{ color-scheme: light dark; font: 1rem sans-serif }}</style>
<p style="margin: 3rem">The dashboard opens: on a busy machine that takes some seconds.</p>"""

OPTIONS: dict[str, Any] = {
    "browser.gatherUsageStats": False,
    "client.showErrorDetails": "none",
    "client.toolbarMode": "viewer",
    "server.headless": True,
    "server.enableStaticServing": True,
    "server.fileWatcherType": "none",
    "logger.hideWelcomeMessage": True,
    "theme.headingFontSizes": ["2.25rem", "1.5rem", "1.25rem"],
    "theme.light.primaryColor": "#1b639f",
    "theme.light.backgroundColor": "#ffffff",
    "theme.light.secondaryBackgroundColor": "#f2f5f8",
    "theme.light.textColor": "#0a1119",  # at six tenths, as captions have it, still 4.5 : 1
    "theme.light.codeTextColor": "#0a1119",
    "theme.dark.primaryColor": "#6db3ea",
    "theme.dark.backgroundColor": "#0f151c",
    "theme.dark.secondaryBackgroundColor": "#19222c",
    "theme.dark.textColor": "#e8eef4",
    "theme.dark.codeTextColor": "#e8eef4",
}


def check(host: str, port: int, names: Iterable[str] = ()) -> None:
    """BadSetting when the dashboard is not installed, something else listens there, or a name cannot be one."""
    check_installed()
    must_be_named(host, "--host")
    if wrong := [name for name in names if not A_NAME.fullmatch(name)]:
        raise BadSetting(
            f"'{wrong[0]}' cannot be the name of a machine", where="--name", do="Leave out http:// and the port."
        )
    problem = trouble(host, port)
    if isinstance(problem, socket.gaierror) or (problem and problem.errno == errno.EADDRNOTAVAIL):
        raise nowhere(host, "--host", problem)
    if isinstance(problem, PermissionError):
        raise BadSetting(
            f"port {port} needs rights that you do not have", where=f"{host}:{port}", do="Name one above 1023: --port."
        )
    if problem:
        another = port + 1 if port < LAST_PORT else PORT
        raise BadSetting(
            f"port {port} cannot be used: {problem.strerror}",
            where=f"{host}:{port}",
            do=f"Stop what listens there, or name another: vigie dashboard --port {another}",
        )


@dataclass(frozen=True, slots=True)
class Door:
    """Where a dashboard listens, by which other names it is known, and whether whoever comes in may act."""

    host: str = HOST
    port: int = PORT
    names: tuple[str, ...] = ()
    allow_actions: bool = False

    @property
    def is_open(self) -> bool:
        """Whether others than this machine can come in."""
        try:
            return not ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host.lower() != "localhost"

    def said(self) -> Iterator[str]:
        """What whoever opens it to others should know."""
        if self.is_open:
            yield (
                "Whoever can reach this machine there sees all that the lake holds, raw messages included: there is no "
                "password. A proxy in front of it can ask for one."
            )
        if self.is_open and self.allow_actions:
            yield "They can acknowledge alerts and silence them, too: --allow-actions."


class Parts(TypedDict):
    """What a `streamlit.App` is made of beside its script."""

    routes: Sequence[BaseRoute]
    middleware: Sequence[Middleware]


def serve(lake: Lake, pipeline: str | None, door: Door) -> None:
    """Serve until Ctrl-C or SIGTERM."""
    import streamlit as st

    for asked in (signal.SIGINT, signal.SIGTERM):
        signal.signal(asked, lambda *_: sys.exit(0))  # Uvicorn stops for them first, and then raises them again
    sys.argv[0] = str(APP)
    st.App(APP, **_parts(lake, pipeline, door)).run(
        config=OPTIONS | {"server.address": door.host, "server.port": door.port}
    )


def page_of(pipeline: str) -> Parts:
    """What a file for `streamlit run` makes its `streamlit.App` of, beside APP: the page of a pipeline, over the lake
    that VIGIE_LAKE names. Where it listens, and how it looks, is in the `.streamlit/config.toml` beside that file."""
    try:
        return _parts(Lake.at(read_settings().lake), pipeline, Door())
    except VigieError as problem:
        sys.stderr.write(f"{problem}\n")
        sys.exit(problem.exit_code)


def _parts(lake: Lake, pipeline: str | None, door: Door) -> Parts:
    """What Streamlit's server is given beside the script. It hands the arguments of this process to the script."""
    from starlette.middleware import Middleware
    from starlette.routing import Route

    sys.argv[1:] = _arguments(lake, pipeline, door)
    routes = [Route(f"/{address}", _at_its_own_address) for address in ("", *(page.address for page in PAGES))]
    return {"routes": routes, "middleware": [Middleware(KnownHosts, names=own_names(door.host, door.names))]}


async def _at_its_own_address(_request: Request) -> HTMLResponse:
    """Streamlit's page, told where its server is: it would try below the page's address first, and find nothing.

    Until its scripts are here it says so.
    """
    import streamlit
    from starlette.responses import HTMLResponse

    html = Path(streamlit.__file__).with_name("static").joinpath("index.html").read_text()
    html = html.replace("<head>", f"<head>{THE_SERVER}", 1).replace(ROOT, OPENING, 1)
    return HTMLResponse(html, headers={"Cache-Control": "no-cache"})


def log_of(lake: Lake) -> Path:
    """What the dashboard beside a demo has to say."""
    return lake.root / "_dashboard.log"


@contextmanager
def beside(lake: Lake, pipeline: str | None) -> Iterator[tuple[str, bool]]:
    """A dashboard in a process of its own, its address, and whether that is the usual one: where it is not free,
    another port is taken."""
    check_installed()
    lake.root.mkdir(parents=True, exist_ok=True)
    with _usual_port_claimed() as is_ours:
        is_usual = is_ours and not trouble(HOST, PORT)
        with _running(lake, pipeline, PORT if is_usual else _free_port(), log_of(lake)) as place:
            yield place, is_usual


@contextmanager
def _usual_port_claimed() -> Iterator[bool]:
    """Whether no other demo of this user has, or is about to have, the usual port: a dashboard listens some seconds
    after it was started."""
    path = Path(gettempdir(), f"vigie-port-{PORT}-{os.getuid()}.lock")
    with ExitStack() as closing:
        try:
            lock = closing.enter_context(open(os.open(path, os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW, 0o600), "w"))
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:  # another demo's, or another user's
            yield False
        else:
            yield True


@contextmanager
def unseen(lake: Lake, pipeline: str, log: Path) -> Iterator[str]:
    """A dashboard for this process alone, and its address: on a port that nobody else uses, and the lake is not
    written; what it has to say goes to `log`."""
    with _running(lake, pipeline, _free_port(), log) as place:
        yield place


@contextmanager
def _running(lake: Lake, pipeline: str | None, port: int, log: Path) -> Iterator[str]:
    check_installed()
    words = [sys.executable, "-c", "from vigie.cli import main; main()", "dashboard"]
    words += [pipeline] if pipeline is not None else []
    with log.open("wb") as said:
        server = started("dashboard", [*words, "--lake", str(lake.root), "--port", str(port)], said)
    try:
        yield address(HOST, port)
    finally:
        ended(server, STOP_LIMIT_S)


def answers(address: str, limit_s: float, stop: threading.Event) -> bool:
    """Whether a dashboard that was started has come to answer; waits for it, but for no longer than is worth it."""
    until = time.monotonic() + limit_s
    while time.monotonic() < until and not stop.wait(LOOK_EVERY_S):
        try:
            if httpx.get(f"{address}/_stcore/health", timeout=5).is_success:
                return True
        except httpx.TransportError:
            continue
    return False


def check_installed() -> None:
    missing = [name for name in ("streamlit", "plotly") if importlib.util.find_spec(name) is None]
    if missing:
        raise BadSetting(
            "the dashboard is not installed",
            where=", ".join(missing),
            do=install_extra("dashboard", "streamlit plotly"),
        )


def address(host: str, port: int) -> str:
    """Where a browser on this machine finds it."""
    if host in {"0.0.0.0", "::"}:
        host = "localhost"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _arguments(lake: Lake, pipeline: str | None, door: Door) -> list[str]:
    actions = ["--allow-actions"] if door.allow_actions else []
    return ["--lake", str(lake.root), *(["--pipeline", pipeline] if pipeline is not None else []), *actions]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
    return port
