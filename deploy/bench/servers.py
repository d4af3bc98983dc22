"""The servers that are measured: how each is started, what it costs, and how it is ended."""

import http.client
import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

HOST = "127.0.0.1"
START_SECONDS = 60
STOP_SECONDS = 15
POLL_SECONDS = 0.1
OK = 200
LOG_TAIL = 2000


PROC = Path("/proc")
# Fields of /proc/PID/stat after the name, and of /proc/PID/statm: see proc(5).
STAT_GROUP, STAT_USER, STAT_SYSTEM = 2, 11, 12
STATM_RESIDENT = 1
TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class Process(NamedTuple):
    """What one process has cost so far."""

    cpu_seconds: float
    resident_bytes: int


class ServerError(Exception):
    """A server did not start; the message holds the end of its log."""


class Server:
    """One HTTP server with its workers, in a process group of its own."""

    def __init__(
        self, name: str, command: Sequence[str], *, environ: Mapping[str, str], scratch: Path
    ) -> None:
        """Start it on a free port, which replaces `{port}` in its command and is its PORT."""
        self.name = name
        self.port = _free_port()
        self._log = scratch / f"{name}.log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [word.format(port=self.port) for word in command],
                env={**os.environ, **environ, "PORT": str(self.port)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def wait_for(self, path: str, token: str) -> bytes:
        """Return the body of the first good answer to a request. Raises: ServerError."""
        deadline = time.monotonic() + START_SECONDS
        status = 0
        while status == 0 and time.monotonic() < deadline and self._process.poll() is None:
            try:
                status, body = self.get(path, token)
            except OSError:
                time.sleep(POLL_SECONDS)
        if status == OK:
            return body
        tail = self._log.read_bytes()[-LOG_TAIL:].decode(errors="replace")
        raise ServerError(f"{self.name} answers {path} with {status}:\n{tail}")

    def get(self, path: str, token: str) -> tuple[int, bytes]:
        """Return status and body of one request on a connection of its own."""
        connection = http.client.HTTPConnection(HOST, self.port, timeout=START_SECONDS)
        try:
            headers = {"x-access-token": token, "Authorization": f"Bearer {token}"}
            connection.request("GET", path, headers=headers)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def cpu_seconds(self) -> float:
        """Return what its living processes have taken of the processors so far."""
        return sum(process.cpu_seconds for process in self._processes())

    def worker_bytes(self) -> int:
        """Return the resident memory of its largest worker."""
        return max(process.resident_bytes for process in self._processes())

    def stop(self) -> None:
        """End it, at last by force."""
        self._process.send_signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(STOP_SECONDS)
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def _processes(self) -> list[Process]:
        return group(self._process.pid)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def group(leader: int) -> list[Process]:
    """Return the living processes of a process group, as Linux' /proc shows them."""
    found = []
    for directory in PROC.glob("[0-9]*"):
        with suppress(OSError):
            fields = (directory / "stat").read_text().rpartition(")")[2].split()
            if int(fields[STAT_GROUP]) == leader:
                ticks = int(fields[STAT_USER]) + int(fields[STAT_SYSTEM])
                pages = int((directory / "statm").read_text().split()[STATM_RESIDENT])
                found.append(Process(ticks / TICKS_A_SECOND, pages * PAGE_BYTES))
    return found
