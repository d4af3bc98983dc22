"""What /metrics tells of connections, of what the server refuses and of what finds no place."""

import asyncio
import http.client
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from flask import Flask
from prometheus_client.parser import text_string_to_metric_families
from support.gateway_process import served

from gateway.server.assembly import assemble
from gateway.server.responses import Response
from gateway.server.thread_pool import ThreadPool

MAX_CONNECTIONS = 16
WAIT_SECONDS = 5.0
Numbers = dict[tuple[str, ...], float]


@pytest.fixture(scope="module")
def port(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Give a gateway of one worker that takes few connections."""
    environ = {
        "DATABASE_URL": database_url,
        "REDIS_URL": "none",
        "GATEWAY_MAX_CONNECTIONS": str(MAX_CONNECTIONS),
    }
    log: Path = tmp_path_factory.mktemp("front") / "log"
    with served(environ, log=log, workers=1) as found:
        yield found


def scrape(port: int) -> Numbers:
    """Return what /metrics shows, by name and labels."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", "/metrics", headers={"Connection": "close"})
    text = connection.getresponse().read().decode()
    connection.close()
    return {
        (sample.name.removeprefix("crm_gateway_"), *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def wait_for(port: int, condition: Callable[[Numbers], bool]) -> Numbers:
    """Return the first numbers of which something is true; levels are half a second late."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not condition(numbers := scrape(port)) and time.monotonic() < deadline:
        time.sleep(0.1)
    return numbers


def connect(stack: ExitStack, port: int, sent: bytes = b"") -> socket.socket:
    """Open a connection until the end of the block, and say so much on it."""
    connection = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=10))
    connection.sendall(sent)
    return connection


def test_connections_are_shown_by_state(port: int):
    before = scrape(port)
    with ExitStack() as stack:
        for sent in (b"", b"", b"GET / HT"):
            connect(stack, port, sent)
        found = wait_for(port, lambda numbers: numbers["connections", "reading"] == 1)
        assert found["connections", "idle"] == 2
        assert found["connections_opened_total",] - before["connections_opened_total",] >= 4
    found = wait_for(port, lambda numbers: numbers["connections", "idle"] == 0)
    assert found["connections", "reading"] == 0


def test_refused_requests_are_counted(port: int):
    before = scrape(port)["requests_refused_total",]
    with ExitStack() as stack:
        connection = connect(stack, port, b"BROKEN\r\n\r\n")
        assert connection.recv(4096).startswith(b"HTTP/1.1 400")
    assert scrape(port)["requests_refused_total",] == before + 1


def test_connections_beyond_the_limit_are_counted(port: int):
    before = scrape(port)["connections_closed_total", "full"]
    with ExitStack() as stack:
        for _ in range(MAX_CONNECTIONS + 2):
            connect(stack, port)
        found = wait_for(
            port, lambda numbers: numbers["connections_closed_total", "full"] >= before + 2
        )
    assert found["connections_closed_total", "full"] >= before + 2


def test_requests_without_a_place_are_counted(
    make_app: Callable[..., Flask], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(ThreadPool, "submit", lambda _pool, _job: False)
    app = make_app()
    loop = asyncio.new_event_loop()
    answers: list[Response] = []
    bridge = assemble(app, loop).clients.bridge
    for path in ("/activities", "/v1/crm/activities", "/directory/contact/1"):
        environ = {"PATH_INFO": path, "REQUEST_METHOD": "GET", "QUERY_STRING": ""}
        bridge.handle(environ, answers.append)
    loop.close()
    for answer in answers:
        assert (answer.status, dict(answer.headers)["Retry-After"]) == (503, "1")
    text = app.test_client().get("/metrics").text
    assert "crm_gateway_requests_shed_total 3.0" in text
    for dialect in ("achieveapex", "deskera"):
        assert f'dialect="{dialect}",method="GET",route="",status="503"}} 1.0' in text
