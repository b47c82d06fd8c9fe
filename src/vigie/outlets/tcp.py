"""Messages as lines to whoever connects."""

from __future__ import annotations

import logging
import select
import socket
import time
from collections.abc import Sequence

from vigie.address import Tcp
from vigie.errors import BadAddress
from vigie.outlets import BLINK, Message, check_one_line

log = logging.getLogger(__name__)


class TcpOutlet:
    """Listens, and sends to one client at a time; the others wait in the queue until it is gone.

    Nothing is taken while nobody is connected or the client does not read. A client that goes away, or that
    closes its side, loses what was in flight: the lines in the two machines' socket buffers and the line that
    was half sent. The next client goes on behind them. `delivered` means handed to the network, not read.
    """

    def __init__(self, address: Tcp) -> None:
        self.delivered = 0
        self._address = address
        self._client: socket.socket | None = None
        self._half_line = b""  # what the client still has to get of the line that it has the beginning of
        try:
            family, *_ = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)[0]
            self._listener = socket.create_server((address.host, address.port), family=family)
        except OSError as problem:
            raise BadAddress(
                f"cannot listen on port {address.port} of '{address.host}': {problem.strerror}",
                where=str(address),
                do="Choose a port that is free and an address of this machine, for example tcp://localhost:9999.",
            ) from problem
        self._listener.settimeout(BLINK)
        log.info("waiting for a client on %s", address)

    def send(self, messages: Sequence[Message]) -> int:
        for _, value in messages:
            check_one_line(value, self._address)
        if not self._connected() or self.finish():
            return 0
        lines = b"".join(value + b"\n" for _, value in messages)
        sent = self._write(lines)
        whole = lines.count(b"\n", 0, sent)
        self.delivered += whole
        if self._client and sent < len(lines) and sent and lines[sent - 1 : sent] != b"\n":
            self._half_line = lines[sent : lines.index(b"\n", sent) + 1]
            return whole + 1
        return whole

    def tend(self) -> None:
        self.finish()

    def finish(self) -> int:
        if self._half_line and self._client:
            self._half_line = self._half_line[self._write(self._half_line) :]
            self.delivered += not self._half_line
        if not self._client:
            self._half_line = b""
        return 1 if self._half_line else 0

    def close(self) -> None:
        self._drop_client()
        self._listener.close()

    def _connected(self) -> bool:
        if self._client and self._hung_up(self._client):
            self._drop_client()
        if not self._client:
            try:
                self._client, _ = self._listener.accept()
            except TimeoutError:
                return False
            self._client.setblocking(False)
            log.info("a client is connected to %s", self._address)
        return True

    def _hung_up(self, client: socket.socket) -> bool:
        """Whether the client closed its side. What it says is read and ignored, lest it hide the end."""
        try:
            while said := client.recv(65_536):
                log.debug("the client of %s said %d bytes", self._address, len(said))
        except BlockingIOError:
            return False
        except OSError:
            return True
        return True

    def _write(self, data: bytes) -> int:
        """How many bytes the connection took within a blink. When it broke, there is no client afterwards."""
        if not self._client:
            return 0
        view, sent, deadline = memoryview(data), 0, time.monotonic() + BLINK
        while sent < len(view):
            try:
                sent += self._client.send(view[sent:])
            except BlockingIOError:
                left = deadline - time.monotonic()
                if left <= 0 or not select.select([], [self._client], [], left)[1]:
                    break
            except OSError:
                self._drop_client()
                break
        return sent

    def _drop_client(self) -> None:
        if self._client:
            self._client.close()
            log.info("the client of %s is gone", self._address)
        self._client, self._half_line = None, b""
