"""A Chromium without a window: opens a page, waits until it shows what is wanted, takes a picture of it.

It is spoken to over two pipes, in its DevTools protocol: no port is opened, and it ends when they close, also when this
process is killed. https://chromedevtools.github.io/devtools-protocol/
"""

from __future__ import annotations

import base64
import fcntl
import itertools
import os
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec

from vigie.errors import VigieError
from vigie.tied import ended

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    "--headless", "--remote-debugging-pipe", "--no-first-run", "--disable-background-networking", "--disable-quic",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--hide-scrollbars", "--lang=en",
    "--enable-unsafe-swiftshader",
)  # fmt: skip
# It reads what it is told from 3 and answers on 4, whatever these are here.
ON_3_AND_4 = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.dup2(int(sys.argv[2]), 4)
os.execv(sys.argv[3], sys.argv[3:])
"""
BEYOND_4 = 10
ANSWERS_WITHIN_S = 30.0
STOP_LIMIT_S = 5.0
AT_ONCE = 1 << 16
LOOK_AGAIN_MS = 100


class NoPicture(VigieError):
    """A page that could not be drawn, or a Chromium that could not draw it."""


def program() -> str | None:
    """The Chromium of this machine, if it has one."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


@contextmanager
def page(chromium: str, width: int, height: int) -> Iterator[Page]:
    """A page of a browser of its own, light and without a history. NoPicture when it does not start."""
    told, tells = _pipe()
    hears, said = _pipe()
    with TemporaryDirectory(prefix="vigie-chromium-", ignore_cleanup_errors=True) as profile:
        flags = [*FLAGS, f"--user-data-dir={profile}", f"--window-size={width},{height}"]
        if os.geteuid() == 0:
            flags.append("--no-sandbox")  # it does not start as root otherwise
        words = [sys.executable, "-I", "-S", "-c", ON_3_AND_4, str(told), str(said), chromium, *flags]
        with open(Path(profile) / "log", "wb") as log:
            process = subprocess.Popen(
                words, stdin=subprocess.DEVNULL, stdout=log, stderr=log, pass_fds=(told, said), start_new_session=True
            )
        os.close(told)
        os.close(said)
        try:
            yield Page(tells, hears, width, height)
        finally:
            os.close(tells)
            os.close(hears)
            ended(process, STOP_LIMIT_S)


class Page:
    """One page, and all that can be asked of it."""

    def __init__(self, tells: int, hears: int, width: int, height: int) -> None:
        self._tells, self._hears = tells, hears
        self._numbers = itertools.count(1)
        self._read = b""
        self._session: str | None = None
        target = self._call("Target.createTarget", {"url": "about:blank"})["targetId"]
        self._session = self._call("Target.attachToTarget", {"targetId": target, "flatten": True})["sessionId"]
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self._call("Emulation.setDeviceMetricsOverride", size)

    def open(self, address: str) -> None:
        if problem := self._call("Page.navigate", {"url": address}).get("errorText"):
            raise NoPicture(f"Chromium cannot open the page: {problem}", where=address)

    def wait_for(self, condition: str, limit_s: float) -> None:
        """Wait until an expression of JavaScript is true; NoPicture when it is not in time."""
        until = (
            "new Promise(done => { const look = () => { let is = false; "
            f"try {{ is = Boolean({condition}) }} catch {{}} "
            f"is ? done(true) : setTimeout(look, {LOOK_AGAIN_MS}) }}; look() }})"
        )
        self._call("Runtime.evaluate", {"expression": until, "awaitPromise": True}, limit_s)

    def value(self, expression: str) -> Any:
        """What an expression of JavaScript gives."""
        said = self._call("Runtime.evaluate", {"expression": expression, "returnByValue": True})
        return said["result"].get("value")

    def picture(self, left: float, top: float, width: float, height: float) -> bytes:
        """A part of the page as PNG."""
        clip = {"x": left, "y": top, "width": width, "height": height, "scale": 1}
        shot = self._call("Page.captureScreenshot", {"format": "png", "clip": clip})
        return base64.b64decode(shot["data"])

    def _call(self, method: str, parameters: dict[str, Any], limit_s: float = ANSWERS_WITHIN_S) -> dict[str, Any]:
        number = next(self._numbers)
        message: dict[str, Any] = {"id": number, "method": method, "params": parameters}
        if self._session is not None:
            message["sessionId"] = self._session
        try:
            self._write(msgspec.json.encode(message) + b"\0")
        except BrokenPipeError:
            raise NoPicture("Chromium ended before it drew anything") from None
        until = time.monotonic() + limit_s
        while True:
            answer = msgspec.json.decode(self._next(method, until))
            if answer.get("id") == number:
                break
        if problem := answer.get("error"):
            raise NoPicture(f"Chromium refuses {method}: {problem.get('message')}")
        found: dict[str, Any] = answer["result"]
        return found

    def _write(self, message: bytes) -> None:
        while message:
            message = message[os.write(self._tells, message) :]

    def _next(self, method: str, until: float) -> bytes:
        """What it says next, up to the byte that ends it."""
        while b"\0" not in self._read:
            ready, _, _ = select.select([self._hears], [], [], max(0.0, until - time.monotonic()))
            if not ready:
                raise NoPicture(f"Chromium did not answer {method} in time")
            more = os.read(self._hears, AT_ONCE)
            if not more:
                raise NoPicture("Chromium ended before it drew anything")
            self._read += more
        message, _, self._read = self._read.partition(b"\0")
        return message


def _pipe() -> tuple[int, int]:
    """A pipe whose ends no other program inherits by chance."""
    ends = os.pipe()
    try:
        reads, writes = (fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, BEYOND_4) for end in ends)
    finally:
        for end in ends:
            os.close(end)
    return reads, writes
