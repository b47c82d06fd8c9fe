"""A TCP socket, one message a line, received into an inbox: a socket cannot be read twice, files can."""

from __future__ import annotations

import logging
import socket
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from vigie.address import Inbox, Tcp
from vigie.connectors.lines import Lines
from vigie.errors import BadAddress, VigieError
from vigie.outlets.inbox import InboxOutlet

PATIENCE_S = 10.0
RETRY_AFTER_S = 1.0
LOOK_UP_S = 0.5  # how often a silent socket is left to publish what came, and to see whether to stop
CHUNK = 1 << 16

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Receiver:
    """A thread that connects, and puts every line it is sent into the inbox, byte for byte.

    What was received but not yet in a file when the process dies is lost: guarantees begin at the inbox. A
    connection that ends is made again, unless the receiver was asked to run `until_it_closes`; a last line
    without its end is a message as well. A line beyond `LONGEST_LINE` is cut off there, and is a message still.
    """

    address: Tcp
    folder: Path
    until_it_closes: bool = False
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None
    _failed: VigieError | None = None

    def __enter__(self) -> Self:
        connection = self._connected()
        outlet = InboxOutlet(Inbox(self.folder), time.time)
        if self.until_it_closes:
            self._receive(connection, outlet)
            outlet.close()
            return self
        self._thread = threading.Thread(target=self._go_on, args=(connection, outlet), daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def check(self) -> None:
        """Raise what stopped the receiver, if anything did."""
        if self._failed is not None:
            raise self._failed

    def _connected(self) -> socket.socket:
        try:
            return socket.create_connection((self.address.host, self.address.port), PATIENCE_S)
        except OSError as problem:
            raise BadAddress(
                f"nothing answers there: {problem.strerror or problem}",
                where=str(self.address),
                do="Start what sends first, for example `vigie feed PIPELINE --to tcp://host:port`.",
            ) from problem

    def _go_on(self, connection: socket.socket, outlet: InboxOutlet) -> None:
        try:
            self._receive(connection, outlet)
            while not self._stop.wait(RETRY_AFTER_S):
                try:
                    connection = self._connected()
                except BadAddress:
                    continue  # it was there once, so it is waited for
                self._receive(connection, outlet)
        except VigieError as problem:
            self._failed = problem
        finally:
            outlet.close()

    def _receive(self, connection: socket.socket, outlet: InboxOutlet) -> None:
        lines = Lines(self._warn)
        with connection:
            connection.settimeout(LOOK_UP_S)
            while not self._stop.is_set():
                try:
                    chunk = connection.recv(CHUNK)
                except TimeoutError:
                    outlet.tend()
                    continue
                except OSError:
                    break  # the sender went away in the middle: what came stands
                if not chunk:
                    break
                outlet.send([(None, line) for line in lines.of(chunk)])
                outlet.tend()
        outlet.send([(None, line) for line in lines.last()])
        outlet.finish()

    def _warn(self, longest: int) -> None:
        log.warning("%s sent a line of more than %s bytes: the rest is cut off, and it goes to quarantine",
                    self.address, f"{longest:,}")  # fmt: skip
