"""Whole responses, and the bytes that they are on the wire."""

import time
from collections.abc import Sequence
from email.utils import formatdate
from http import HTTPStatus
from typing import NamedTuple, Protocol

Headers = Sequence[tuple[str, str]]

STATUS_LINES = {
    status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n" for status in HTTPStatus
}
BODILESS_STATUSES = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED})
LARGE_BYTES = 2**15
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
CLOSE, KEEP = "Connection: close\r\n", "Connection: keep-alive\r\n"
CHUNKED = "Transfer-Encoding: chunked\r\n"


class Stream(Protocol):
    """A body that is longer than memory should be, read from where it is made."""

    def read(self) -> bytes:
        """Return the next piece, at the end an empty one; waits. Raises: OSError, if it broke."""

    def close(self) -> None:
        """Make no more of it; may be called while somebody reads."""


class Response(NamedTuple):
    """A status, headers and the whole body, or the stream of it; all that a request comes to."""

    status: int
    headers: Headers
    body: bytes
    stream: Stream | None = None


def chunk(piece: bytes) -> bytes:
    """Return a piece of a body of unknown length as it is sent; an empty one ends the body."""
    return b"%x\r\n%b\r\n" % (len(piece), piece)


class Writer:
    """Writes responses as bytes, with the headers that every one of them has."""

    def __init__(self) -> None:
        """Begin with the date of now."""
        self.set_date()

    def set_date(self) -> None:
        """Note the date, which is to be done once a second."""
        self._common = (
            f"Date: {formatdate(time.time(), usegmt=True)}\r\nX-Content-Type-Options: nosniff\r\n"
        )

    def to_bytes(
        self, response: Response, *, method: str, is_last: bool, is_old: bool = False
    ) -> list[bytes]:
        """Return a response to a method, up to its stream.

        `is_last` tells the client that the connection closes, and `is_old` that HTTP/1.0 is spoken.
        A large body is a piece of its own, and shared by all responses that have it.
        """
        status, headers, body, stream = response
        connection = CLOSE if is_last else KEEP if is_old else ""
        if stream is not None and not is_old:
            connection += CHUNKED
        if stream is not None:  # Its length is not known.
            headers = [header for header in headers if header[0].lower() != "content-length"]
        lines = "".join([f"{name}: {value}\r\n" for name, value in headers])
        if status in BODILESS_STATUSES or method == "HEAD":
            body = b""
        elif stream is None and not any(name.lower() == "content-length" for name, _ in headers):
            lines += f"Content-Length: {len(body)}\r\n"
        status_line = STATUS_LINES.get(status) or f"HTTP/1.1 {status} \r\n"
        head = f"{status_line}{lines}{self._common}{connection}\r\n".encode("latin-1")
        return [head, body] if len(body) > LARGE_BYTES else [head + body]
