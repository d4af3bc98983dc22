"""What all clients together have a worker keep in memory is bounded, and the slowest pay for it."""

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from typing import Any

import pytest
from support.served_front import ServedFront

from gateway.server.buffers import Unsent
from gateway.server.limits import Limits

LIMITS = Limits(
    max_body_bytes=100_000,
    max_connections=50,
    received_bytes=150_000,
    owner_unsent_bytes=1_000_000,
    linger_seconds=0.3,
    stopping_seconds=0.1,
)
LARGE_BYTES = 10_000_000
SLOW_SECONDS, MOMENT_SECONDS = 0.4, 0.1
HEAD = b"POST / HTTP/1.1\r\nContent-Length: 100000\r\n\r\n"


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
    """Answer with much, or slowly."""
    start_response("200 OK", [])
    if environ["PATH_INFO"] == "/slow":
        time.sleep(SLOW_SECONDS)
    return [b"x" * (LARGE_BYTES if environ["PATH_INFO"] == "/large" else 10)]


@pytest.fixture
def front() -> Iterator[ServedFront]:
    served = ServedFront(application, LIMITS)
    served.start()
    yield served
    served.stop()


class Clients(ExitStack):
    """Connections that are closed at the end."""

    def send(self, front: ServedFront, sent: bytes) -> socket.socket:
        """Send on a new connection, and leave the server a moment."""
        client = socket.socket()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.settimeout(5)
        client.connect(("127.0.0.1", front.port))
        self.enter_context(closing(client))
        client.sendall(sent)
        time.sleep(MOMENT_SECONDS)
        return client


def get(path: bytes, key: bytes = b"") -> bytes:
    """Return a request; `key` is its credential."""
    return b"GET %b HTTP/1.1\r\nHost: x\r\nx-api-key: %b\r\n\r\n" % (path, key)


def test_slowest_of_too_many_bodies_gives_up(front: ServedFront):
    with Clients() as clients:
        small = clients.send(front, HEAD + b"x")
        slow, other = (clients.send(front, HEAD + b"x" * 70_000) for _ in range(2))
        last = clients.send(front, HEAD + b"x" * 70_000)
        answer = slow.recv(4096)
        assert answer.startswith(b"HTTP/1.1 503")
        assert b"Retry-After: 1\r\n" in answer
        for client, missing in ((small, 99_999), (other, 30_000), (last, 30_000)):
            client.sendall(b"x" * missing)
            assert client.recv(4096).startswith(b"HTTP/1.1 200")


def test_requests_behind_another_are_dropped_when_too_many(front: ServedFront):
    with Clients() as clients:
        waiting = clients.send(front, get(b"/slow"))
        waiting.sendall(get(b"/") * 2000)  # They are read, but not yet parsed.
        time.sleep(MOMENT_SECONDS / 2)
        for _ in range(2):
            clients.send(front, HEAD + b"x" * 60_000)
        received = b""
        while piece := waiting.recv(65536):
            received += piece
        assert received.count(b"HTTP/1.1 200") == 1
        assert b"Connection: close" in received


def test_requests_that_come_at_once_count_too(front: ServedFront):
    with Clients() as clients:
        waiting = clients.send(front, get(b"/slow") + get(b"/") * 1520)
        for _ in range(2):
            clients.send(front, HEAD + b"x" * 60_000)
        received = b""
        while piece := waiting.recv(65536):
            received += piece
        assert received.count(b"HTTP/1.1 200") == 1


def test_unread_responses_stop_their_credential_alone(front: ServedFront):
    with Clients() as clients:
        for key in (b"one", b"two"):  # A credential is known once it has opened something.
            assert clients.send(front, get(b"/", key)).recv(4096)
        unread = clients.send(front, get(b"/large", b"one"))
        same = clients.send(front, get(b"/", b"one"))
        assert clients.send(front, get(b"/", b"two")).recv(4096).startswith(b"HTTP/1.1 200")
        same.settimeout(MOMENT_SECONDS)
        with pytest.raises(TimeoutError):
            same.recv(1)
        unread.close()
        same.settimeout(5)
        assert same.recv(4096).startswith(b"HTTP/1.1 200")


def test_clients_that_read_nothing_get_no_more():
    unsent = Unsent(replace(LIMITS, stuck_seconds=0.1))
    sender = Sender()
    unsent.add(sender)
    assert (unsent.is_behind(b"one"), unsent.is_stuck(b"one")) == (True, False)
    time.sleep(0.15)
    assert unsent.is_stuck(b"one")
    sender.unsent_bytes -= 1  # Something is taken in.
    unsent.refresh()
    assert (unsent.is_behind(b"one"), unsent.is_stuck(b"one")) == (True, False)
    unsent.discard(sender)
    assert not unsent.is_behind(b"one")


class Sender:
    """A client of one credential that takes in nothing by itself."""

    owner = b"one"
    progressed_at = 0.0
    unsent_bytes = LIMITS.owner_unsent_bytes + 1

    def evict(self) -> None:
        """Never asked to."""
        raise AssertionError


def test_strangers_stop_nobody(front: ServedFront):
    with Clients() as clients:
        clients.send(front, get(b"/large"))
        assert clients.send(front, get(b"/")).recv(4096).startswith(b"HTTP/1.1 200")


def test_response_survives_unread_requests_at_the_end(front: ServedFront):
    with Clients() as clients:
        client = clients.send(front, get(b"/slow") + get(b"/"))
        client.sendall(get(b"/") * 5000)
        front.loop.call_soon_threadsafe(front.front.stop)
        time.sleep(SLOW_SECONDS + MOMENT_SECONDS)  # By now a reset would have destroyed it.
        received = b""
        while piece := client.recv(65536):
            received += piece
        assert received.startswith(b"HTTP/1.1 200")
        assert received.count(b"HTTP/1.1") == 1


def test_trailers_gain_no_time():
    served = ServedFront(application, Limits(max_body_bytes=9, max_connections=9, body_seconds=0.4))
    served.start()
    with Clients() as clients:
        client = clients.send(served, b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n")
        client.settimeout(0.05)
        begun, received = time.monotonic(), b""
        while not received and time.monotonic() - begun < 3:
            client.sendall(b"X")
            try:
                received = client.recv(4096)
            except TimeoutError:
                continue
        assert received.startswith(b"HTTP/1.1 408")
    served.stop()
