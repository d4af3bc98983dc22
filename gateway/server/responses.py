"""Whole responses, and the bytes that they are on the wire."""

import time
from collections.abc import Sequence
from email.utils import formatdate
from http import HTTPStatus
from typing import NamedTuple

Headers = Sequence[tuple[str, str]]

STATUS_LINES = {
    status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n" for status in HTTPStatus
}
BODILESS_STATUSES = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED})
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Response(NamedTuple):
    """A status, headers and the whole body; all that a request comes to."""

    status: int
    headers: Headers
    body: bytes


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

    def to_bytes(self, response: Response, *, method: str, connection: str) -> bytes:
        """Return a response to a method; `connection` is a header line or nothing."""
        status, headers, body = response
        lines = "".join([f"{name}: {value}\r\n" for name, value in headers])
        if status in BODILESS_STATUSES or method == "HEAD":
            body = b""
        elif not any(name.lower() == "content-length" for name, _ in headers):
            lines += f"Content-Length: {len(body)}\r\n"
        status_line = STATUS_LINES.get(status) or f"HTTP/1.1 {status} \r\n"
        head = f"{status_line}{lines}{self._common}{connection}\r\n"
        return head.encode("latin-1") + body
