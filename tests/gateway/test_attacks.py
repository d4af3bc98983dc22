"""A few clients that once stopped the service: beside each, it says at once that it lives."""

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from support.gateway_process import make_keys, served
from support.own_servers import OwnServer, server_directory
from support.raw_http import connect, exchange, request

from core.domain.model import Tenant
from core.storage import migrate
from core.storage.database import Database
from core.storage.tenant_store import Tenants
from gateway.embedded.engines import start_postgres

TENANT_ID, USER_ID = 88_101, 7
PROBES, PAUSE_SECONDS = 12, 0.05
SOON_SECONDS = 0.5  # On a machine with nothing else to do it takes a hundredth of that.
LARGE_PATH = "/docs/assets/swagger-ui-bundle.js"
FAST = ("fsync=off", "synchronous_commit=off", "max_connections=100")


@dataclass
class Service:
    """A gateway of two workers, the server behind it, and a key."""

    port: int
    postgres: OwnServer
    key: str
    stack: ExitStack

    def open(self, number: int, sent: bytes = b"") -> None:
        """Open connections until the end of the test, and say so much on each."""
        for _ in range(number):
            client = self.stack.enter_context(closing(socket.socket()))
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.connect(("127.0.0.1", self.port))
            client.sendall(sent)

    def ask(self, number: int, target: str, body: bytes | None = None) -> None:
        """Have requests of one credential under way."""
        method = "GET" if body is None else "POST"
        sent = request(target, method=method, headers={"x-api-key": self.key}, body=body)
        for _ in range(number):
            self.stack.enter_context(connect(self.port)).sendall(sent)


@pytest.fixture(scope="module")
def running_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Give a service whose PostgreSQL may be frozen."""
    with server_directory() as directory, ExitStack() as stack:
        postgres = OwnServer(lambda: start_postgres(directory, FAST))
        stack.callback(postgres.stop)
        with closing(Database(postgres.url)) as database:
            migrate.upgrade(database)
            Tenants(database).create(Tenant(TENANT_ID, "Attacked", "UTC", "UTC"))
        key = make_keys(postgres.url, user_id=USER_ID, attacked=TENANT_ID)["attacked"]["key"]
        environ = {"DATABASE_URL": postgres.url, "REDIS_URL": "none"}
        log: Path = tmp_path_factory.mktemp("attacks") / "log"
        port = stack.enter_context(served(environ, log=log))
        yield Service(port, postgres, key, stack)


@pytest.fixture
def service(running_service: Service) -> Iterator[Service]:
    """Give the service; what a test opened is closed at its end."""
    with ExitStack() as stack:
        yield Service(running_service.port, running_service.postgres, running_service.key, stack)


def drip(service: Service) -> None:
    """Begin heads, bodies, and bodies that are refused."""
    service.open(2, b"GET /activities HTTP/1.1\r\nX-")
    for length in (500, 5_000_000):
        head = f"POST /activities HTTP/1.1\r\nContent-Length: {length}\r\n\r\n"
        service.open(2, head.encode() + b"x")


def freeze(service: Service) -> None:
    """Ask for lists of a server that does not answer any more."""
    service.postgres.freeze()
    service.stack.callback(service.postgres.thaw)
    service.ask(8, "/activities")


def lock(service: Service, statement: str) -> None:
    """Hold a lock in a transaction."""
    connection = service.stack.enter_context(psycopg.connect(service.postgres.url))
    connection.execute(statement)


def lock_row(service: Service) -> None:
    """Ask for creates whose row is locked."""
    lock(service, "SELECT FROM tenants FOR UPDATE")
    service.ask(5, "/activities", b'{"subject": "x"}')


def lock_table(service: Service) -> None:
    """Ask for searches that take as long as they may."""
    lock(service, "LOCK TABLE activities")
    service.ask(6, "/activities?subject[$like]=%25a%25b%25")


ATTACKS: dict[str, Callable[[Service], None]] = {
    "12 that say nothing": lambda service: service.open(12),
    "60 that do not close": lambda service: service.open(
        60, b"GET /version HTTP/1.1\r\nConnection: close\r\n\r\n"
    ),
    "8 malformed requests left open": lambda service: service.open(
        8, b"GET / HTTP/1.1\r\n:\r\n\r\n"
    ),
    "6 that drip": drip,
    "5 that do not read": lambda service: service.open(
        5, f"GET {LARGE_PATH} HTTP/1.1\r\n\r\n".encode()
    ),
    "8 lists of a frozen server": freeze,
    "5 creates behind a lock": lock_row,
    "6 slow searches": lock_table,
}


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS.keys())
def test_attack_delays_nobody(
    service: Service,
    attack: Callable[[Service], None],
    record_property: Callable[[str, object], None],
):
    attack(service)
    seconds = []
    for _ in range(PROBES):  # New connections, to reach both workers.
        time.sleep(PAUSE_SECONDS)
        begun = time.monotonic()
        answer = exchange(service.port, b"GET /health/live HTTP/1.1\r\nConnection: close\r\n\r\n")
        assert answer.status == 200
        seconds.append(min(answer.seconds, time.monotonic() - begun))
    record_property("slowest_ms", round(max(seconds) * 1000, 1))
    assert max(seconds) < SOON_SECONDS
