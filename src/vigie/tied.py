"""Another program that lives no longer than this one, however this one ends."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from typing import IO

# The pipe that is its standard input closes when the program that started it is gone, however it went: then
# the whole process group goes too. PR_SET_PDEATHSIG would kill it when the *thread* that started it ends.
TIED = 'exec 3<&0; (read -r _ <&3; kill -KILL 0) & exec "$@" </dev/null 3<&-'


def started(name: str, command: Sequence[str], log: IO[bytes]) -> subprocess.Popen[bytes]:
    """The program, in a process group of its own; all it says goes to `log`."""
    return subprocess.Popen(
        ["/bin/sh", "-c", TIED, name, *command],
        stdin=subprocess.PIPE,
        stdout=log,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


def ended(process: subprocess.Popen[bytes], within: float) -> bool:
    """Tell it and all that it started to stop; what has not after so many seconds is killed. Whether it did stop."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(within)
        has_stopped = True
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        has_stopped = False
    if process.stdin:
        process.stdin.close()
    return has_stopped
