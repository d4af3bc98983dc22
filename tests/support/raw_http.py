"""HTTP by the byte: requests as text, and everything that comes back on their connection."""

import json
import socket
import ssl
import time
from dataclasses import dataclass
from typing import Any

from support.tls_client import TlsClient

FIRST_FINAL_STATUS = 200
QUIET_SECONDS = 0.15  # Long enough for a second response, had one been on its way.
TIMEOUT_SECONDS = 20.0

tls_ports: dict[int, ssl.SSLContext] = {}
"""The ports of this machine where TLS is spoken, and whom to trust there."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """What came back on a connection.

    `seconds` passed until the first byte. `is_closed`: the server then closed the connection.
    """

    received: bytes
    seconds: float
    is_closed: bool

    @property
    def statuses(self) -> list[int]:
        """The status of every response, in order; a 100 Continue is none."""
        rest, found = self.received, []
        while rest:
            head, _, rest = rest.partition(b"\r\n\r\n")
            status = int(head.split(b" ", 2)[1])
            rest = rest[_content_length(head) :]
            if status >= FIRST_FINAL_STATUS:
                found.append(status)
        return found

    @property
    def status(self) -> int:
        """The status of the one response."""
        (status,) = self.statuses
        return status

    @property
    def json(self) -> Any:
        """The body of the one response."""
        return json.loads(self.received.partition(b"\r\n\r\n")[2])


def _content_length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line.partition(b":")[2])
    return 0


def request(
    target: str, *, method: str = "GET", headers: dict[str, str], body: bytes | None = None
) -> bytes:
    """Return a request as it goes over the wire; one with a `body` says how long it is."""
    lines = [f"{method} {target} HTTP/1.1", "Host: 127.0.0.1"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    if body is not None:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + (body or b"")


def connect(
    port: int, timeout: float = TIMEOUT_SECONDS, *, receive_bytes: int | None = None
) -> socket.socket | TlsClient:
    """Return a connection to a server of this machine; the kernel may keep so much unread."""
    plain = socket.socket()
    if receive_bytes is not None:
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
    plain.settimeout(timeout)
    plain.connect(("127.0.0.1", port))
    return TlsClient(plain, tls_ports[port]) if port in tls_ports else plain


def exchange(port: int, sent: bytes, *, is_half_closed: bool = False) -> Exchange:
    """Send bytes on a new connection; return all that comes back until it closes or is quiet.

    `is_half_closed`: nothing more will be sent, and the server is told so.
    """
    with connect(port) as connection:
        begun = time.monotonic()
        connection.sendall(sent)
        if is_half_closed:
            connection.shutdown(socket.SHUT_WR)
        received = connection.recv(65536)
        seconds = time.monotonic() - begun
        connection.settimeout(QUIET_SECONDS)
        last = received
        try:
            while last:
                last = connection.recv(65536)
                received += last
        except TimeoutError:
            return Exchange(received, seconds, is_closed=False)
        except ConnectionResetError:  # It closed before it had read everything.
            return Exchange(received, seconds, is_closed=True)
        return Exchange(received, seconds, is_closed=True)
