"""Bodies that are too long for memory: into a file while they come, out of a stream piece by piece.

The server alone, with an application that counts bytes; the console's own pages are tested there.
"""

import hashlib
import http.client
import resource
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from support.raw_http import connect, exchange
from support.served_front import ServedFront

from gateway.request import STREAM
from gateway.server.environ import Environ
from gateway.server.limits import Limits
from gateway.server.uploads import UPLOADS_AT_A_TIME, Uploads

LIMITS = Limits(max_body_bytes=1000, max_connections=20, body_seconds=0.5, linger_seconds=0.3)
PIECE = b"x" * 100_000
PIECES = 60
MEBIBYTE = 2**20
MOST_BYTES = 64 * MEBIBYTE
COOKIE = {"Cookie": "session=right"}
SLOT_SECONDS = 5.0


class Pieces:
    """A stream of bytes, which may break; it knows whether it was closed."""

    def __init__(self, number: int, *, breaks: bool = False) -> None:
        """Give so many pieces."""
        self.left = number
        self.breaks = breaks
        self.closed = threading.Event()

    def read(self) -> bytes:
        """Give the next one."""
        if not self.left and self.breaks:
            raise OSError("broken")
        self.left -= 1
        return PIECE if self.left >= 0 else b""

    def close(self) -> None:
        """Note it."""
        self.closed.set()


class Application:
    """Tells the length and the digest of what it was sent, or sends a stream."""

    def __init__(self) -> None:
        """Begin without a stream."""
        self.stream = Pieces(0)

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> list[bytes]:
        """Answer one request."""
        start_response("200 OK", [("Content-Type", "text/plain")])
        if environ["PATH_INFO"].startswith("/stream"):
            breaks = environ["PATH_INFO"] == "/stream/broken"
            self.stream = environ[STREAM] = Pieces(PIECES, breaks=breaks)
            return []
        digest, length = hashlib.sha256(), 0
        while piece := environ["wsgi.input"].read(MEBIBYTE):
            digest.update(piece)
            length += len(piece)
        return [f"{length} {digest.hexdigest()}".encode()]


def admit(environ: Environ) -> int | None:
    """Let who shows the cookie send a file."""
    if environ["PATH_INFO"] != "/upload":
        return None
    if environ.get("HTTP_COOKIE") != COOKIE["Cookie"]:
        return 0
    return MOST_BYTES


@pytest.fixture
def application() -> Application:
    """Give the application."""
    return Application()


@pytest.fixture
def served(application: Application) -> Iterator[ServedFront]:
    """Give a front that serves it."""
    front = ServedFront(application, LIMITS, Uploads(admit))
    front.start()
    yield front
    front.stop()


def send(port: int, body: Any, headers: dict[str, str]) -> tuple[int, str]:
    """Return the status and the text of the answer to an upload."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request("POST", "/upload", body, headers)
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, text


def head(length: int, cookie: str = "session=right") -> bytes:
    """Return the head of an upload."""
    lines = ["POST /upload HTTP/1.1", "Host: x", f"Cookie: {cookie}", f"Content-Length: {length}"]
    return "\r\n".join([*lines, "", ""]).encode()


def test_long_body_arrives_whole(served: ServedFront):
    body = b"0123456789abcdef" * (3 * MEBIBYTE)
    told = f"{len(body)} {hashlib.sha256(body).hexdigest()}"
    assert send(served.port, body, COOKIE) == (200, told)


def test_long_body_takes_little_memory(served: ServedFront):
    length = MOST_BYTES
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with connect(served.port) as connection:
        connection.sendall(head(length))
        for _ in range(length // len(PIECE) + 1):
            length -= connection.send(PIECE[:length])
        while length:
            length -= connection.send(PIECE[:length])
        assert b"200 OK" in connection.recv(65536)
    grown_kibibytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown_kibibytes < 16 * 1024


def test_next_request_follows_long_body(served: ServedFront):
    body = b"y" * MEBIBYTE
    sent = head(len(body)) + body + b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    assert exchange(served.port, sent).statuses == [200, 200]


def test_strangers_fill_no_disk(served: ServedFront):
    refused = exchange(served.port, head(MEBIBYTE, cookie="session=wrong"))
    assert (refused.status, refused.is_closed) == (403, True)


def test_too_long_file_is_refused(served: ServedFront):
    assert exchange(served.port, head(MOST_BYTES + 1)).status == 413


def test_few_files_come_at_a_time(served: ServedFront):
    open_uploads = [connect(served.port) for _ in range(UPLOADS_AT_A_TIME)]
    for connection in open_uploads:
        connection.sendall(head(MEBIBYTE) + b"x")
    time.sleep(0.1)
    assert exchange(served.port, head(MEBIBYTE)).status == 503
    for connection in open_uploads:
        connection.close()
    give_up_at = time.monotonic() + SLOT_SECONDS
    while send(served.port, b"z", COOKIE)[0] != 200:
        assert time.monotonic() < give_up_at


def test_trickled_file_is_given_up(served: ServedFront):
    with connect(served.port) as connection:
        connection.sendall(head(MEBIBYTE))
        begun = time.monotonic()
        connection.settimeout(0.1)
        received = b""
        while not received and time.monotonic() < begun + SLOT_SECONDS:
            connection.sendall(b"x")
            try:
                received = connection.recv(65536)
            except TimeoutError:
                continue
    assert b"408 Request Timeout" in received


def test_stream_comes_in_chunks(served: ServedFront):
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=20)
    for _ in range(2):  # Twice on one connection.
        connection.request("GET", "/stream")
        answer = connection.getresponse()
        assert answer.headers["Transfer-Encoding"] == "chunked"
        assert answer.read() == PIECE * PIECES
    connection.close()


def test_old_clients_read_stream_to_end(served: ServedFront):
    answer = exchange(served.port, b"GET /stream HTTP/1.0\r\nHost: x\r\n\r\n")
    assert answer.is_closed
    assert answer.received.partition(b"\r\n\r\n")[2] == PIECE * PIECES


def test_broken_stream_is_no_whole_answer(served: ServedFront):
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=20)
    connection.request("GET", "/stream/broken")
    with pytest.raises((http.client.IncompleteRead, ConnectionResetError)):
        connection.getresponse().read()
    connection.close()


def test_stream_waits_for_its_reader(served: ServedFront, application: Application):
    with socket.create_connection(("127.0.0.1", served.port)) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.sendall(b"GET /stream HTTP/1.1\r\nHost: x\r\n\r\n")
        assert connection.recv(100)
        time.sleep(0.3)
        assert application.stream.left > 0
    assert application.stream.closed.wait(SLOT_SECONDS)
