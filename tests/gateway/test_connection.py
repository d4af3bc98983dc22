"""Connections hold a head back until its body comes, and set a timeout when it matters."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.server.connection import Connection, Listener

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n"


@pytest.fixture
def pair() -> Iterator[tuple[Connection, socket.socket]]:
    """Give our end of a connection, and the client's, which never waits."""
    plain, client = socket.socketpair()
    client.settimeout(0)
    ours = Connection(plain.family, plain.type, plain.proto, fileno=plain.detach())
    with ours, client:
        yield ours, client


def received(client: socket.socket) -> bytes:
    """Return what has come by now."""
    try:
        return client.recv(65536)
    except BlockingIOError:
        return b""


def test_head_waits_for_its_body(pair: tuple[Connection, socket.socket]) -> None:
    ours, client = pair
    ours.sendall(HEAD)
    assert received(client) == b""
    ours.sendall(b"body")
    assert received(client) == HEAD + b"body"
    ours.sendall(b"more")
    assert received(client) == b"more"


def test_flush_sends_a_head_once(pair: tuple[Connection, socket.socket]) -> None:
    ours, client = pair
    ours.sendall(HEAD)
    ours.flush()
    ours.flush()
    assert received(client) == HEAD


@pytest.mark.parametrize(
    "data",
    [b"HTTP/1.1 100 Continue\r\n\r\n", b"5\r\nhello\r\n", HEAD + b"body", b"text\r\n\r\n"],
)
def test_anything_else_goes_at_once(pair: tuple[Connection, socket.socket], data: bytes) -> None:
    ours, client = pair
    ours.sendall(data)
    assert received(client) == data


def test_file_comes_after_its_head(pair: tuple[Connection, socket.socket], tmp_path: Path) -> None:
    ours, client = pair
    file = tmp_path / "file"
    file.write_bytes(b"body")
    ours.sendall(HEAD)
    with file.open("rb") as opened:
        ours.sendfile(opened)
    assert received(client) == HEAD + b"body"
    ours.sendall(HEAD)
    ours.send(b"body")
    assert received(client) == HEAD + b"body"


def test_timeout_holds_when_it_is_used(pair: tuple[Connection, socket.socket]) -> None:
    ours, client = pair
    ours.setblocking(False)
    assert ours.gettimeout() is None
    ours.settimeout(0.01)
    assert ours.gettimeout() == 0.01
    with pytest.raises(TimeoutError):
        ours.recv(1)
    ours.settimeout(None)
    client.send(b"x")
    assert ours.recv(1) == b"x"


def test_listener_gives_such_connections() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        listener = Listener(server)
        with socket.create_connection(server.getsockname()) as client:
            ours, address = listener.accept()
            with ours:
                assert address == client.getsockname()
                assert ours.getpeername() == address
                ours.sendall(b"text")
                assert client.recv(10) == b"text"
    assert isinstance(ours, Connection)
