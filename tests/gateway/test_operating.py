"""What operators rely on, with real processes: ports, proxies, details, and the life of workers."""

import http.client
import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
from support.gateway_process import Gateway, free_port, running, served
from support.raw_http import connect

from core.domain.model import Tenant
from core.storage.credential_store import SCOPES, Credentials
from core.storage.database import Database
from core.storage.tenant_store import Tenants

TENANT_ID, USER_ID = 88_001, 7
OPS_PATHS = ("/health/live", "/health/ready", "/health/startup", "/metrics")
TIMEOUT_SECONDS = 2
SLOW_CLIENTS = 12
REQUESTS, JITTER = 150, 50
REPLACED_SECONDS = 30
FAR_AWAY, ELSEWHERE = "203.0.113.9", "203.0.113.10"
Logs = pytest.TempPathFactory


def get(port: int, path: str, **headers: str) -> tuple[int, bytes]:
    """Return status and body of a request on a connection of its own."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
        connection.request("GET", path, headers=sent)
        response = connection.getresponse()
        return response.status, response.read()


@pytest.fixture(scope="module")
def two_ports(database_url: str, redis_url: str, tmp_path_factory: Logs) -> Iterator[list[int]]:
    """Give the main port and the operators' of a gateway behind a proxy of this machine."""
    ops_port = free_port()
    environ = {
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "GATEWAY_OPS_PORT": str(ops_port),
        "GATEWAY_TRUSTED_PROXIES": "127.0.0.0/8",
        "GATEWAY_FAILED_LOGIN_LIMIT": "2/minute",
    }
    with served(environ, log=tmp_path_factory.mktemp("ops") / "log", workers=1) as port:
        yield [port, ops_port]


@pytest.mark.parametrize("path", OPS_PATHS)
def test_operators_have_a_port_of_their_own(two_ports: list[int], path: str):
    main, ops = two_ports
    assert [get(main, path)[0], get(main, f"{path}/")[0], get(ops, path)[0]] == [404, 404, 200]
    assert get(main, f"/x{path}", SCRIPT_NAME="/x")[0] == 404


def test_failed_logins_are_the_proxied_clients(two_ports: list[int]):
    def refused(address: str) -> int:
        return get(two_ports[0], "/activities", x_api_key="k", X_Forwarded_For=address)[0]

    assert [refused(f"{ELSEWHERE}, {FAR_AWAY}") for _ in range(3)] == [401, 401, 429]
    assert refused(f"{FAR_AWAY}, {ELSEWHERE}") == 401  # What a client says of itself counts less.


@pytest.fixture(scope="module")
def keys(database_url: str) -> dict[str, str]:
    """Give a key with every scope, and one with the usual ones."""
    with closing(Database(database_url)) as database:
        Tenants(database).create(Tenant(TENANT_ID, "Operated", "UTC", "UTC"))
        create = Credentials(database).create
        return {
            "admin": create(tenant_id=TENANT_ID, user_id=USER_ID, scopes=SCOPES),
            "user": create(tenant_id=TENANT_ID, user_id=USER_ID),
        }


@pytest.fixture(scope="module")
def without_redis(database_url: str, tmp_path_factory: Logs) -> Iterator[tuple[Gateway, Path]]:
    """Give a gateway that misses its Redis, with a short timeout for workers, and its log."""
    environ = {
        "DATABASE_URL": database_url,
        "REDIS_URL": f"redis://127.0.0.1:{free_port()}",
        "GATEWAY_FAILED_LOGIN_LIMIT": "2/minute",
        "GUNICORN_CMD_ARGS": f"--timeout {TIMEOUT_SECONDS}",
    }
    log = tmp_path_factory.mktemp("timeouts") / "log"
    with running(environ, log=log) as gateway:
        yield gateway, log


def redis_check(gateway: Gateway, **headers: str) -> dict[str, Any]:
    """Return what readiness tells of Redis."""
    status, body = get(gateway.port, "/health/ready", **headers)
    assert status == 200
    check: dict[str, Any] = json.loads(body)["checks"]["redis"][0]
    assert check["status"] == "fail"
    return check


def test_administrators_are_told_the_details(
    without_redis: tuple[Gateway, Path], keys: dict[str, str]
):
    gateway, _ = without_redis
    for _ in range(2):  # The credential is new, and then known.
        assert "127.0.0.1" in redis_check(gateway, x_api_key=keys["admin"])["output"]
    for headers in ({}, {"x_api_key": keys["user"]}, {"x_api_key": "wrong"}):
        assert redis_check(gateway, **headers)["output"] == "unreachable"


def test_forwarded_addresses_of_strangers_do_not_count(without_redis: tuple[Gateway, Path]):
    gateway, _ = without_redis
    statuses = [
        get(gateway.port, "/activities", x_api_key="k", X_Forwarded_For=f"203.0.113.{number}")[0]
        for number in range(9)  # On two workers, each of which counts for itself.
    ]
    assert 429 in statuses


def test_slow_clients_cost_no_worker(without_redis: tuple[Gateway, Path]):
    gateway, log = without_redis
    before = gateway.worker_pids()
    with ExitStack() as stack:
        clients = [stack.enter_context(connect(gateway.port)) for _ in range(SLOW_CLIENTS)]
        for client in clients[1::2]:
            client.sendall(b"POST /activities HTTP/1.1\r\nContent-Length: 500\r\n\r\n")
        deadline = time.monotonic() + 2 * TIMEOUT_SECONDS
        while time.monotonic() < deadline:
            for client in clients:
                client.sendall(b"G")
            time.sleep(0.2)
    assert gateway.worker_pids() == before
    assert "WORKER TIMEOUT" not in log.read_text()


def test_stuck_worker_is_replaced(without_redis: tuple[Gateway, Path]):
    gateway, log = without_redis
    victim = gateway.worker_pids()[0]
    os.kill(victim, signal.SIGSTOP)  # Its threads too, as a loop that never comes back would.
    deadline = time.monotonic() + REPLACED_SECONDS
    while victim in gateway.worker_pids() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert victim not in gateway.worker_pids()
    assert "WORKER TIMEOUT" in log.read_text()
    assert get(gateway.port, "/health/live")[0] == 200


def test_workers_take_turns_without_an_error(database_url: str, redis_url: str, tmp_path: Path):
    arguments = f"--max-requests {REQUESTS} --max-requests-jitter {JITTER}"
    environ = {
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "GUNICORN_CMD_ARGS": arguments,
    }
    statuses: list[int] = []
    ended = Event()

    def load(path: str) -> None:
        with closing(http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=10)) as client:
            while not ended.is_set():
                client.request("GET", path)
                response = client.getresponse()
                response.read()
                statuses.append(response.status)
        statuses.append(0)

    with running(environ, log=tmp_path / "log") as gateway:
        before = set(gateway.worker_pids())
        threads = [Thread(target=load, args=(path,)) for path in ("/version", "/health/live") * 2]
        for thread in threads:
            thread.start()
        deadline = time.monotonic() + REPLACED_SECONDS
        while before & set(gateway.worker_pids()) and time.monotonic() < deadline:
            time.sleep(0.1)
        ended.set()
        for thread in threads:
            thread.join()
        assert not before & set(gateway.worker_pids())
    assert statuses.count(0) == len(threads)  # None of them ended early.
    assert set(statuses) == {0, 200}
    assert len(statuses) > REQUESTS
