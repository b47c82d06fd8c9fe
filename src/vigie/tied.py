"""Another program that lives no longer than this one, however this one ends."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
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
