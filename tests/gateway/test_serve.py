"""The service as gunicorn runs it: connections, limits, workers, logs."""

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.callers import JWT_SECRET
from support.gateway_process import ROOT, free_port, served
from support.own_servers import files_parent

from core.domain.model import Tenant
from core.storage.credential_store import Credentials
from core.storage.database import Database
from core.storage.tenant_store import Tenants
from gateway.embedded import engines, processes
from gateway.observability.log_lines import FLUSH_SECONDS

WORKERS, THREADS = 2, 2
MAX_BODY_BYTES = 2048
STOP_SECONDS = 45  # A worker that SIGTERM missed while it booted is killed after 30.
TENANT_ID = 2_000_001


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the file that the service logs to."""
    return tmp_path_factory.mktemp("serve") / "log"


@pytest.fixture(scope="module")
def port(database_url: str, redis_url: str, log: Path) -> Iterator[int]:
    """Give the port of a service with two workers."""
    environ = {
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "GATEWAY_JWT_SECRET": JWT_SECRET,
        "GATEWAY_MAX_BODY_BYTES": str(MAX_BODY_BYTES),
    }
    with served(environ, log=log, workers=WORKERS) as port:
        yield port


@pytest.fixture(scope="module")
def key(database_url: str) -> str:
    """Give a key of a tenant of this module's own."""
    database = Database(database_url)
    Tenants(database).put(Tenant(TENANT_ID, "Served", "UTC", "UTC"))
    key = Credentials(database).create(tenant_id=TENANT_ID, user_id=1)
    database.close()
    return key


def exchange(port: int, *parts: bytes) -> bytes:
    """Send bytes as they are; return all that comes until the connection is closed or silent."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        for part in parts:
            connection.sendall(part)
        connection.settimeout(1)
        received = b""
        try:
            while chunk := connection.recv(65536):
                received += chunk
        except TimeoutError:
            received += b"(still open)"
        return received


def head(method: str, path: str, *lines: str) -> bytes:
    """Return the head of a request."""
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: x", *lines, "", ""]).encode()


def test_connections_are_kept(port: int):
    answers = exchange(port, head("GET", "/version"), head("GET", "/version"))
    assert answers.count(b"HTTP/1.1 200 OK") == 2
    assert answers.endswith(b"(still open)")


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_unframed_body_closes_the_connection(port: int, method: str):
    request = head(method, "/activities", "Content-Type: application/json")
    answers = exchange(port, request, b'{"query": {"done": true}}')
    assert answers.startswith(b"HTTP/1.1 401")
    assert answers.count(b"HTTP/1.1") == 1
    assert b"Connection: close" in answers
    assert not answers.endswith(b"(still open)")


def test_framed_body_keeps_the_connection(port: int):
    body = b'{"query": {}}'
    lines = ("Content-Type: application/json", f"Content-Length: {len(body)}")
    answers = exchange(port, head("GET", "/activities", *lines), body, head("GET", "/version"))
    assert [answers.count(status) for status in (b"HTTP/1.1 401", b"HTTP/1.1 200")] == [1, 1]


@pytest.mark.parametrize(("size", "status"), [(MAX_BODY_BYTES, 400), (MAX_BODY_BYTES + 1, 413)])
@pytest.mark.parametrize("path", ["/activities", "/v1/crm/activities"])
@pytest.mark.parametrize("chunked", [False, True])
def test_body_is_bounded_to_the_byte(
    port: int, key: str, path: str, size: int, status: int, chunked: bool
):
    framing = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {size}"
    sent = b"%x\r\n%b\r\n0\r\n\r\n" % (size, b" " * size) if chunked else b" " * size
    lines = ("Content-Type: application/json", framing, f"x-api-key: {key}")
    answers = exchange(port, head("POST", path, *lines), sent)
    assert answers.startswith(b"HTTP/1.1 %d" % status)
    assert b'"code":%d' % status in answers


def test_broken_chunk_is_the_clients_fault(port: int, key: str):
    lines = ("Content-Type: application/json", "Transfer-Encoding: chunked", f"x-api-key: {key}")
    answers = exchange(port, head("POST", "/activities", *lines), b"zz\r\n{}\r\n0\r\n\r\n")
    assert answers.startswith(b"HTTP/1.1 400")
    assert not answers.endswith(b"(still open)")


def test_pausing_clients_are_given_up(port: int, log: Path):
    paused = [socket.create_connection(("127.0.0.1", port)) for _ in range(WORKERS * THREADS + 1)]
    for connection in paused:
        connection.sendall(b"GET /version HTTP/1.1\r\nHost: x\r\nX-")
    begun = time.monotonic()
    assert "version" in get(port, "/version")
    assert time.monotonic() - begun < 15
    for connection in paused:
        connection.close()
    assert "Traceback" not in log.read_text()


def test_too_long_line_is_414(port: int):
    assert exchange(port, head("GET", "/" + "x" * 9000)).startswith(b"HTTP/1.1 414")


def test_line_of_eight_kibibytes_is_read(port: int):
    assert exchange(port, head("GET", "/" + "x" * 8100)).startswith(b"HTTP/1.1 404")


def get(port: int, path: str) -> str:
    """Return the body of an answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request("GET", path, headers={"Connection": "close"})
    body = connection.getresponse().read().decode()
    connection.close()
    return body


def count(port: int, route: str) -> float:
    """Return how often a route was answered, by all workers."""
    for line in get(port, "/metrics").splitlines():
        if line.startswith("crm_gateway_requests_total{") and f'route="{route}"' in line:
            return float(line.rpartition(" ")[2])
    return 0.0


def workers_of(master: int) -> list[int]:
    """Return the processes of the workers."""
    children = Path(f"/proc/{master}/task/{master}/children").read_text().split()
    return [int(child) for child in children]


def test_numbers_of_all_workers_are_added(port: int):
    before = count(port, "/health/live")
    for _ in range(20):
        get(port, "/health/live")
    assert count(port, "/health/live") == before + 20


def test_every_line_is_json(port: int, log: Path):
    get(port, "/activities?token=hunter2")
    time.sleep(3 * FLUSH_SECONDS)
    first, *rest = log.read_text().splitlines()
    assert first.startswith("Database: ")  # The command's own line, on standard error.
    lines = [json.loads(line) for line in rest]
    events = [line["event"] for line in lines]
    assert any(event.startswith("Listening at:") for event in events)
    assert events.count("request") >= 1
    assert "hunter2" not in log.read_text()


@contextmanager
def master(
    environ: Mapping[str, str], log: Path
) -> Iterator[tuple[int, "subprocess.Popen[bytes]"]]:
    """Give the port and the master of a service that the test may end."""
    port = free_port()
    command = [sys.executable, "-m", "gateway", "serve", "--port", str(port), "--workers", "2"]
    with log.open("ab") as output:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={"PATH": "/usr/bin:/bin", **environ},
            stdout=output,
            stderr=output,
        )
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            get(port, "/health/ready")
            break
        except OSError:
            time.sleep(0.05)
    try:
        yield port, process
    finally:
        process.terminate()
        process.wait(STOP_SECONDS)


@pytest.fixture
def alone(
    tmp_path: Path, database_url: str, redis_url: str
) -> Iterator[tuple[int, "subprocess.Popen[bytes]"]]:
    """Give a service of this test's own on the shared servers; it must end well."""
    environ = {"DATABASE_URL": database_url, "REDIS_URL": redis_url}
    with master(environ, tmp_path / "log") as (port, process):
        yield port, process
    assert process.returncode == 0


def test_killed_worker_is_replaced_and_counted(alone: tuple[int, "subprocess.Popen[bytes]"]):
    port, process = alone
    for _ in range(10):
        get(port, "/health/live")
    victim = workers_of(process.pid)[0]
    os.kill(victim, signal.SIGKILL)
    deadline = time.monotonic() + 10
    while victim in workers_of(process.pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert count(port, "/health/live") == 10


def test_request_under_way_is_answered_on_sigterm(alone: tuple[int, "subprocess.Popen[bytes]"]):
    port, process = alone
    body = b'{"subject": "x"}'
    lines = ("Content-Type: application/json", f"Content-Length: {len(body)}", "x-api-key: none")
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(head("POST", "/activities", *lines) + body[:5])
        time.sleep(0.3)
        process.terminate()
        time.sleep(0.3)
        connection.sendall(body[5:])
        assert connection.recv(65536).startswith(b"HTTP/1.1 401")


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """Give a data directory for embedded servers."""
    directory = Path(tempfile.mkdtemp(prefix="crm-tests-", dir=files_parent()))
    yield directory
    engines.stop_redis(directory / "redis")
    engines.stop_postgres(directory / "postgres")
    shutil.rmtree(directory)


def test_embedded_servers_end_with_the_service(data_dir: Path, tmp_path: Path):
    lock = data_dir / "postgres/data/postmaster.pid"
    with master({"GATEWAY_DATA_DIR": str(data_dir)}, tmp_path / "log") as (port, _):
        assert json.loads(get(port, "/health/ready"))["status"] == "pass"
        assert lock.exists()
    assert not lock.exists()
    assert not (data_dir / "redis/pid").exists()


def wait_for_end(pids: list[int]) -> None:
    """Wait for processes that are nobody's children any more."""
    deadline = time.monotonic() + 10
    while any(map(processes._lives, pids)) and time.monotonic() < deadline:
        time.sleep(0.05)


def test_servers_of_a_killed_service_are_adopted(data_dir: Path, tmp_path: Path):
    lock = data_dir / "postgres/data/postmaster.pid"
    environ = {"GATEWAY_DATA_DIR": str(data_dir)}
    with master(environ, tmp_path / "log") as (_, process):
        left_over = lock.read_text().split()[0]
        orphans = workers_of(process.pid)
        process.kill()
    wait_for_end(orphans)
    with master(environ, tmp_path / "log") as (port, _):
        assert json.loads(get(port, "/health/ready"))["status"] == "pass"
        assert lock.read_text().split()[0] == left_over
    assert not lock.exists()
