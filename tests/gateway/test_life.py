"""The life of a service: reloads under load, restarted workers, a reader of the log that stalls."""

import fcntl
import http.client
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from threading import Event, Thread

import pytest
from support.gateway_process import ROOT, free_port

START_SECONDS = 30
STOP_SECONDS = 40
PIPE_BYTES, LINE_BYTES = 65_536, 300
LAST = b"the-last-line"
Running = tuple[int, "subprocess.Popen[bytes]"]


def get(connection: http.client.HTTPConnection, path: str) -> int:
    """Return the status of a request on a kept connection."""
    connection.request("GET", path)
    response = connection.getresponse()
    response.read()
    return response.status


@pytest.fixture
def unread(database_url: str, redis_url: str) -> Iterator[Running]:
    """Give the port and the master of a service whose log nobody reads."""
    port = free_port()
    command = [sys.executable, "-m", "gateway", "serve", "--port", str(port), "--workers", "2"]
    environ = {"DATABASE_URL": database_url, "REDIS_URL": redis_url, "PATH": os.environ["PATH"]}
    process = subprocess.Popen(
        command, cwd=ROOT, env=environ, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=5)) as connection:
            try:
                if get(connection, "/health/ready"):
                    break
            except OSError:
                time.sleep(0.05)
    yield port, process
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=STOP_SECONDS)
    assert process.returncode == 0


def test_stalled_reader_costs_no_request(unread: Running):
    port, _ = unread
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    begun = time.monotonic()
    statuses = {get(connection, "/activities") for _ in range(3 * PIPE_BYTES // LINE_BYTES)}
    connection.close()
    assert statuses == {401}
    assert time.monotonic() - begun < 20


def test_reader_gets_more_than_a_pipe_holds(unread: Running):
    port, process = unread
    read = bytearray()
    assert process.stdout is not None
    output = process.stdout.fileno()

    def read_on() -> None:
        while LAST not in read and (piece := os.read(output, 2**16)):
            read.extend(piece)

    reader = Thread(target=read_on, daemon=True)
    reader.start()
    fcntl.fcntl(output, fcntl.F_SETPIPE_SZ, 4096)
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    for number in ['"' * 128] * 1500 + [LAST.decode()]:
        connection.request("GET", "/activities", headers={"X-Request-Id": number})
        connection.getresponse().read()
    connection.close()
    # A pipe that is filled ten times a second would take 20 s for them.
    reader.join(5)
    assert LAST in read
    assert read.count(b'\\"' * 128) == 1500


def test_stalled_reader_keeps_no_worker_from_being_replaced(unread: Running):
    port, process = unread
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    for _ in range(3 * PIPE_BYTES // LINE_BYTES):
        get(connection, "/activities")
    connection.close()
    before = workers_of(process.pid)
    for victim in before:
        os.kill(int(victim), signal.SIGKILL)
    deadline = time.monotonic() + START_SECONDS
    while (before & (now := workers_of(process.pid)) or len(now) < 2) and (
        time.monotonic() < deadline
    ):
        time.sleep(0.1)
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as again:
        assert get(again, "/health/live") == 200
    assert not before & workers_of(process.pid)


def test_reload_loses_no_request(unread: Running):
    port, process = unread
    statuses: list[int] = []
    ended = Event()

    def load() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        while not ended.is_set():
            statuses.append(get(connection, "/version"))
        connection.close()

    threads = [Thread(target=load) for _ in range(4)]
    for thread in threads:
        thread.start()
    before = workers_of(process.pid)
    process.send_signal(signal.SIGHUP)
    deadline = time.monotonic() + START_SECONDS
    while before & workers_of(process.pid) and time.monotonic() < deadline:
        time.sleep(0.1)
    ended.set()
    for thread in threads:
        thread.join()
    assert not before & workers_of(process.pid)
    assert set(statuses) == {200}


def workers_of(master: int) -> set[str]:
    """Return the processes of the workers."""
    with open(f"/proc/{master}/task/{master}/children") as children:
        return set(children.read().split())
