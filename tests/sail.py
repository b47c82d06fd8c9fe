"""The embedded engine's child process alone, for sessions of a test's own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def a_sail() -> Iterator[int]:
    """The port at which it listens until this is left."""
    command = [sys.executable, "-m", "vigie.engines.embedded.child"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        yield int(child.stdout.readline())
        child.stdin.close()
