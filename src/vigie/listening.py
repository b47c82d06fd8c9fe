"""Where a program may listen: on an address that somebody named, at a port that is free."""

from __future__ import annotations

import socket

from vigie.errors import BadSetting


def must_be_named(host: str, flag: str) -> None:
    """BadSetting for no address at all, which a server takes for every network."""
    if not host:
        raise BadSetting(
            "no address is named, which would be every network", where=flag, do="Leave it out, or name one."
        )


def nowhere(host: str, flag: str, problem: OSError) -> BadSetting:
    """For an address that this machine does not have."""
    return BadSetting(
        f"'{host}' is no address of this machine: {problem.strerror}",
        where=flag,
        do="Leave it out for this machine alone, or say 0.0.0.0 for every network.",
    )


def trouble(host: str, port: int) -> OSError | None:
    """Why nothing can listen there, if so."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        # As Java and Python's servers do: a port whose last connection is only waiting to be forgotten is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as problem:
            return problem
    return None
