"""A real Chromium, and what it was asked for and complained of."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect, sync_playwright

FLAGS = (
    "--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--enable-unsafe-swiftshader",
)  # fmt: skip
expect.set_options(timeout=60_000)  # a test waits for what it wants to see; a busy machine takes its time
NAMES = ("chromium", "chromium-browser", "google-chrome")


@dataclass(slots=True)
class Seen:
    """A page, what left it, and what its console had to say."""

    page: Page
    hosts: set[str] = field(default_factory=set)
    complaints: list[str] = field(default_factory=list)


def _host(url: str) -> set[str]:
    """The machine that is asked, if any: what the page made itself has none."""
    host = urlsplit(url).hostname
    return {host} if host else set()


@contextmanager
def chromium(width: int = 1280, height: int = 900, *, dark: bool = False, touch: bool = False) -> Iterator[Seen]:
    """A page of a browser of its own."""
    program = next((found for name in NAMES if (found := shutil.which(name))), None)
    if program is None:
        pytest.fail("There is no Chromium on this machine: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(FLAGS))
        context = browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme="dark" if dark else "light",
            timezone_id="Europe/Paris",
            has_touch=touch,
            is_mobile=touch,
        )
        seen = Seen(context.new_page())
        seen.page.on("request", lambda request: seen.hosts.update(_host(request.url)))
        seen.page.on("pageerror", lambda problem: seen.complaints.append(str(problem)))
        seen.page.on("console", lambda said: seen.complaints.append(said.text) if said.type == "error" else None)
        try:
            yield seen
        finally:
            browser.close()
