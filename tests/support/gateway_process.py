"""The gateway as it is run: gunicorn's master and workers on a free port of this machine."""

import http.client
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support.secrets_in_logs import secrets_in

from core.storage.credential_store import DEFAULT_SCOPES, Credentials
from core.storage.database import Database

ROOT = Path(__file__).parents[2]
START_SECONDS = 30
STOP_SECONDS = 15


def free_port() -> int:
    """Return a port of the loopback interface that nothing listened on a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass(frozen=True, slots=True)
class Gateway:
    """A gateway that runs: its port and its master."""

    port: int
    master: "subprocess.Popen[bytes]"

    def worker_pids(self) -> list[int]:
        """Return the processes of its workers."""
        pid = self.master.pid
        return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@contextmanager
def served(
    environ: Mapping[str, str],
    *words: str,
    log: Path,
    workers: int = 2,
    tls: ssl.SSLContext | None = None,
) -> Iterator[int]:
    """Give the port of a gateway that is ready; it and its workers end afterwards."""
    with running(environ, *words, log=log, workers=workers, tls=tls) as gateway:
        yield gateway.port


@contextmanager
def running(
    environ: Mapping[str, str],
    *words: str,
    log: Path,
    workers: int = 2,
    port: int = 0,
    tls: ssl.SSLContext | None = None,
    root: Path = ROOT,
) -> Iterator[Gateway]:
    """Give a gateway that is ready, on a free port unless one is named; it ends afterwards.

    `words` are more options of `serve`; where they ask for TLS, `tls` says whom to trust. `root` is
    the directory of the program.
    """
    port = port or free_port()
    options = ["--port", str(port), "--workers", str(workers), *words]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "gateway", "serve", *options],
            cwd=root,
            env={**os.environ, **environ},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        probed = int(environ.get("GATEWAY_OPS_PORT", port))
        _wait_until_ready(process, probed, log, tls)
        yield Gateway(port, process)
    finally:
        end(process)
        assert secrets_in(log.read_text(errors="replace")) == []


def _wait_until_ready(
    process: "subprocess.Popen[bytes]", port: int, log: Path, tls: ssl.SSLContext | None
) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        if _is_ready(port, tls):
            return
        time.sleep(0.05)
    raise AssertionError(f"the gateway did not start: {log.read_text()[-5000:]}")


def _is_ready(port: int, tls: ssl.SSLContext | None) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    if tls is not None:
        connection = http.client.HTTPSConnection("localhost", port, timeout=5, context=tls)
    try:
        connection.request("GET", "/health/ready")
        return connection.getresponse().status == http.HTTPStatus.OK
    except OSError:
        return False
    finally:
        connection.close()


def end(process: "subprocess.Popen[bytes]") -> None:
    """End a gateway in order, or by force if it does not; one that has ended stays so."""
    if process.poll() is not None:
        return
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(STOP_SECONDS)


def command(environ: Mapping[str, str], *words: str, given: bytes = b"") -> bytes:
    """Return what a command of the gateway's program prints; it must succeed."""
    finished = subprocess.run(
        [sys.executable, "-m", "gateway", *words],
        cwd=ROOT,
        env={**os.environ, **environ},
        input=given,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr.decode(errors="replace")
    return finished.stdout


def make_keys(database_url: str, *, user_id: int, **tenant_ids: int) -> dict[str, Any]:
    """Return `{name: {"id": tenant, "key": a new opaque key of the user there}}`."""
    database = Database(database_url)
    credentials = Credentials(database)
    made = {
        name: {
            "id": tenant_id,
            "key": credentials.create(tenant_id=tenant_id, user_id=user_id, scopes=DEFAULT_SCOPES),
        }
        for name, tenant_id in tenant_ids.items()
    }
    database.close()
    return made
