"""Connections by the byte, with bounds of fractions of a second: each is closed in time.

All of it holds with TLS and without.
"""

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress

import pytest
from support.certificates import Certificates, make_certificates
from support.raw_http import Exchange, connect, exchange, tls_ports
from support.served_front import ServedFront
from support.small_application import LARGE_BYTES, LIMITS, SLOW_SECONDS, serving

SWEEP_SECONDS = 0.05
CLOSING_SECONDS = 3.0
GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.fixture(scope="module", params=["plain", "TLS"])
def certificates(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Certificates | None:
    """Give what TLS is spoken with, or nothing."""
    if request.param == "plain":
        return None
    return make_certificates(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def port(certificates: Certificates | None) -> Iterator[int]:
    """Give the port of a front."""
    with serving(certificates) as served:
        yield served.port


@pytest.fixture
def own(certificates: Certificates | None) -> Iterator[ServedFront]:
    """Give a front that the test may stop."""
    with serving(certificates) as served:
        yield served


def everything(port: int, sent: bytes, *, is_half_closed: bool = False) -> tuple[bytes, float]:
    """Send bytes, and return all that comes until the server closes, and when that was."""
    begun = time.monotonic()
    with connect(port, CLOSING_SECONDS) as client:
        client.sendall(sent)
        if is_half_closed:
            client.shutdown(socket.SHUT_WR)
        received = b""
        while piece := client.recv(65536):
            received += piece
    return received, time.monotonic() - begun


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"", b""),
        (b"GET /activities HTTP/1.1\r\nHost", b"HTTP/1.1 408"),
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nx", b"HTTP/1.1 408"),
        (GET, b"HTTP/1.1 200"),
    ],
    ids=["silent", "head", "body", "idle"],
)
def test_slow_clients_are_closed(port: int, sent: bytes, status: bytes):
    received, seconds = everything(port, sent)
    assert received.startswith(status)
    assert received.count(b"HTTP/1.1") == bool(status)
    assert 0.2 < seconds < 2


def test_dripping_gains_no_time(port: int):
    begun = time.monotonic()
    with connect(port) as client:
        client.sendall(b"POST / HTTP/1.1\r\nContent-Length: 5000\r\n\r\n")
        with suppress(ConnectionResetError, BrokenPipeError):
            while time.monotonic() - begun < CLOSING_SECONDS:
                client.sendall(b"x")
                time.sleep(0.05)
    assert time.monotonic() - begun < 2


def test_unread_response_is_given_up(port: int):
    with connect(port, receive_bytes=4096) as client:
        client.sendall(GET.replace(b" / ", b" /large "))
        time.sleep(1.8)
        received = 0
        with suppress(ConnectionResetError):
            while piece := client.recv(2**20):
                received += len(piece)
    assert received < LARGE_BYTES


def test_slow_reader_gets_all(port: int):
    with connect(port, 5) as client:
        client.sendall(GET.replace(b" / ", b" /large "))
        received, begun = 0, time.monotonic()
        while received < LARGE_BYTES:
            received += len(client.recv(200_000))
            if time.monotonic() - begun < 1.5:
                time.sleep(0.1)
    assert received > LARGE_BYTES


def test_full_worker_closes_the_oldest(port: int):
    with ExitStack() as stack:
        clients = [stack.enter_context(connect(port)) for _ in range(LIMITS.max_connections + 1)]
        clients[-1].sendall(GET)
        assert clients[-1].recv(100).startswith(b"HTTP/1.1 200")
        clients[0].settimeout(0.2)
        assert clients[0].recv(1) == b""


def send(port: int, *requests: bytes, is_half_closed: bool = False) -> Exchange:
    """Send requests at once; return what came back."""
    return exchange(port, b"".join(requests), is_half_closed=is_half_closed)


def test_request_sent_during_another_stops_nothing(port: int):
    slow = GET.replace(b"/", b"/slow", 1)
    with connect(port, 2) as connection:
        for sent in (slow, GET):
            connection.sendall(sent)
            time.sleep(SLOW_SECONDS / 3)
        received = b""
        while received.count(b"HTTP/1.1 200") < 2:
            received += connection.recv(65536)
        time.sleep(SLOW_SECONDS)
        connection.sendall(GET)
        assert b"HTTP/1.1 200" in connection.recv(65536)


def test_pipelined_requests_are_answered_in_turn(port: int):
    requests = [b"GET /%d HTTP/1.1\r\n\r\n" % number for number in range(200)]
    for is_half_closed in (False, True):
        answer = send(port, *requests, is_half_closed=is_half_closed)
        assert answer.statuses == [200] * 200
        assert answer.received.index(b"/7 ") < answer.received.index(b"/150 ")
        assert answer.is_closed == is_half_closed


def test_half_closed_connection_ends_with_the_last_response(port: int):
    for last in (b"\r\n", b"GET /cut HT"):  # Both are less than a request.
        slow = GET.replace(b"/", b"/slow", 1)
        received, seconds = everything(port, slow + last, is_half_closed=True)
        assert received.count(b"HTTP/1.1 200") == 1
        assert seconds < LIMITS.head_seconds


@pytest.mark.parametrize("is_client", [True, False], ids=["client", "server"])
def test_end_is_noted_while_a_response_is_read(own: ServedFront, is_client: bool):
    with connect(own.port, 4) as client:
        client.sendall(b"GET /large HTTP/1.1\r\n\r\n")
        received = len(client.recv(1000))
        if is_client:
            client.shutdown(socket.SHUT_WR)
        else:
            own.loop.call_soon_threadsafe(own.front.stop)
        time.sleep(SWEEP_SECONDS)
        while piece := len(client.recv(2**20)):
            received += piece
            read_at = time.monotonic()
        assert received >= LARGE_BYTES
        assert time.monotonic() - read_at < LIMITS.idle_seconds / 2


def test_chunked_body_is_whole(port: int):
    head = b"POST /c HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
    answer = send(port, head, b"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nX-Api-Key: k\r\n\r\n")
    assert answer.received.endswith(b"/c abcde")


def test_expectation_is_met_before_the_body(port: int):
    head = b"POST /e HTTP/1.1\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n"
    with connect(port, 2) as client:
        client.sendall(head)
        assert client.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(b"ok")
        assert client.recv(1000).endswith(b"/e ok")


@pytest.mark.parametrize("path", [b"/v1/crm/activities", b"/activities", b"/nowhere"])
@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET %b HTTP/1.1\r\nX: " + b"x" * 70_000 + b"\r\n\r\n", 431),
        (b"GET %b?" + b"x" * 9000 + b" HTTP/1.1\r\n\r\n", 414),
        (b"POST %b HTTP/1.1\r\nContent-Length: 1001\r\n\r\n", 413),
        (b"GET %b HTTP/1.1\r\nExpect: more\r\n\r\n", 417),
        (b"GET %b HTTP/1.1\r\nno colon\r\n\r\n", 400),
        (b"GET %b HTTP/9.9\r\n\r\n", 400),
    ],
    ids=["long head", "long URL", "large body", "expectation", "no colon", "version"],
)
def test_refusals_speak_the_dialect(port: int, path: bytes, request_: bytes, status: int):
    answer = send(port, request_.replace(b"%b", path), GET)
    assert (answer.status, answer.is_closed, answer.json["code"]) == (status, True, status)
    head = answer.received.partition(b"\r\n\r\n")[0]
    assert (b"Cache-Control: private, no-cache" in head) == (path != b"/nowhere")
    for line in (b"X-Request-Id: ", b"X-Content-Type-Options: nosniff", b"Connection: close"):
        assert line in head
    assert b"Server:" not in head


def test_head_has_no_body(port: int):
    answer = send(port, GET.replace(b"GET", b"HEAD") * 2)
    assert answer.received.count(b"HTTP/1.1 200 OK") == 2
    assert answer.received.endswith(b"\r\n\r\n")


def test_empty_status_has_no_length(port: int):
    answer = send(port, GET.replace(b" / ", b" /none "))
    assert answer.status == 204
    assert b"Content-Length" not in answer.received


@pytest.mark.parametrize(("line", "is_kept"), [(b"", False), (b"Connection: keep-alive\r\n", True)])
def test_old_clients_are_kept_if_they_say(port: int, line: bytes, is_kept: bool):
    answer = send(port, b"GET / HTTP/1.0\r\n" + line + b"\r\n")
    assert (answer.status, answer.is_closed) == (200, not is_kept)
    assert (b"Connection: keep-alive" in answer.received) == is_kept


def test_upgrades_are_answered_as_they_are(port: int):
    answer = send(port, b"GET /u HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n")
    assert answer.received.endswith(b"/u ")


def test_full_worker_closes_silent_handshakes(own: ServedFront):
    """Clients that never shake hands count as connections, and go first."""
    with ExitStack() as stack:
        silent = [
            stack.enter_context(socket.create_connection(("127.0.0.1", own.port)))
            for _ in range(LIMITS.max_connections)
        ]
        time.sleep(SWEEP_SECONDS)
        assert len(own.front.connections) == LIMITS.max_connections
        client = stack.enter_context(connect(own.port, 2))
        client.sendall(GET)
        assert client.recv(1000).startswith(b"HTTP/1.1 200")
        silent[0].settimeout(LIMITS.head_seconds / 2)
        assert silent[0].recv(1) == b""


@pytest.mark.parametrize("sent", [b"", b"\x16", b"\x16\x03\x01\x02\x00\x01\x00"], ids=len)
def test_unfinished_handshake_is_given_up(port: int, sent: bytes):
    with socket.create_connection(("127.0.0.1", port), timeout=CLOSING_SECONDS) as client:
        client.sendall(sent)
        begun = time.monotonic()
        with suppress(ConnectionResetError):
            client.recv(1000)  # Without TLS it is no request.
        assert time.monotonic() - begun < 2 * LIMITS.head_seconds + SWEEP_SECONDS


def test_application_knows_the_scheme(port: int):
    answer = send(port, GET.replace(b" / ", b" /scheme "))
    assert answer.received.endswith(b" https" if port in tls_ports else b" http")
