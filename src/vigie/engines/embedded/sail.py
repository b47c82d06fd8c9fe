"""sail in a child process, and the sessions that are open to it. It ends when whoever started it does."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

from vigie.core.engine import EngineDied
from vigie.engines.connected import LOOKS_AT_CALLERS, Session, opened

STARTS_WITHIN_S = 60.0


class Sail:
    """One that listens. `calls` is how many it was asked, `at_work` how many of them it has not answered yet, and
    `is_kept` whether somebody has a session of their own."""

    def __init__(self, memory: int) -> None:
        pool = {
            "SAIL_RUNTIME__MEMORY_POOL__TYPE": "greedy",
            "SAIL_RUNTIME__MEMORY_POOL__GREEDY__MAX_SIZE": str(memory),
            "RUST_LOG": os.environ.get("RUST_LOG", "error"),
        }
        self.calls, self.at_work, self.is_kept = 0, 0, False
        self._free: list[Session] = []  # sessions that nobody is at work with
        self.process = subprocess.Popen(
            [sys.executable, "-m", "vigie.engines.embedded.child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **pool},
            start_new_session=True,  # Ctrl-C is for us: what has begun is finished
        )
        timer = threading.Timer(STARTS_WITHIN_S, self.process.kill)
        timer.start()
        assert self.process.stdout is not None
        said = self.process.stdout.readline()
        timer.cancel()
        if not said.strip().isdecimal():
            self.end()
            raise EngineDied("the embedded engine did not start", do="Look at what it said above.")
        self.address = f"sc://127.0.0.1:{int(said)}"

    @property
    def is_alive(self) -> bool:
        return self.process.poll() is None

    def begins(self) -> Session | None:
        """A call begins: a session that is free for it, if there is one."""
        self.calls += 1
        self.at_work += 1
        return self._free.pop() if self._free else None

    def opened(self) -> Session:
        return opened(self.address, {LOOKS_AT_CALLERS: "false"})

    def ends(self, session: Session | None) -> None:
        """A call is answered, or never will be."""
        self.at_work -= 1
        if session is not None:
            self._free.append(session)

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                stream.close()
        while self._free:
            self._free.pop().client._channel.close()
