"""Addresses as they may be shown: without the names, passwords and queries that somebody put into them."""

from __future__ import annotations

import re

START = re.compile(r"(?:[\w-]+=)?(?:[a-z][a-z0-9+.-]*://|inbox:)", re.IGNORECASE)
USER_ENDS = re.compile("@|%40")
QUERY = re.compile(r"[?#;&=\s]|%(?:2[036]|3[BDF])", re.IGNORECASE)
SERVER = re.compile(r"(\[[0-9a-f:.]+\]|[^:\[\]]*)(:\d{1,5})?", re.IGNORECASE)
IN_TEXT = re.compile(r"([a-z][a-z0-9+.-]*://)[^\s'\"()]*(?:@|%40)", re.IGNORECASE)
NAMED = re.compile(r"([\w.-]*(?:password|passwd|pwd|secret|token|api_?key)[\w.-]*=)[^\s&'\",;)]+", re.IGNORECASE)


def redacted(address: str) -> str:
    """An address that may be wrong, with *** for all that could be a secret: what was mistyped has no safe parts."""
    match = START.match(address)
    start = match.group() if match else ""
    rest = address[len(start) :]
    if start.endswith("inbox:"):
        return address
    if USER_ENDS.search(rest):  # which of several it is that ends the password, only its owner knows
        return f"{start}***"
    if query := QUERY.search(rest):
        rest = f"{rest[: query.start()]}***"
    servers = rest.partition("/")[0].split(",")
    if all(SERVER.fullmatch(server) for server in servers):
        return f"{start}{rest}"
    return f"{start}{servers[0].partition(':')[0]}:***"  # where a port should be: "user:password", without a host


def without_secrets(text: str) -> str:
    """A sentence that may hold addresses."""
    return NAMED.sub(r"\1***", IN_TEXT.sub(r"\1***@", text))
