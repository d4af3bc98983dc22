"""Servers that one test may freeze, kill and start again, and where servers keep their files."""

import os
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from gateway.embedded.engines import Engine

SHARED_MEMORY = Path("/dev/shm")
ENOUGH_BYTES = 2**30
PAUSE_SECONDS = 0.01


def files_parent() -> Path:
    """Return where servers' files go: in memory if there is room, because disks may be slow."""
    if SHARED_MEMORY.is_dir() and shutil.disk_usage(SHARED_MEMORY).free > ENOUGH_BYTES:
        return SHARED_MEMORY
    return Path(tempfile.gettempdir())


@contextmanager
def server_directory() -> Iterator[Path]:
    """Give a directory for servers; pytest's is closed to the account that they have under root."""
    directory = Path(tempfile.mkdtemp(prefix="crm-tests-", dir=files_parent()))
    yield directory
    shutil.rmtree(directory, ignore_errors=True)


class OwnServer:
    """A server of one test's own, that it may freeze, kill and start again."""

    def __init__(self, start: Callable[[], Engine]) -> None:
        """Start it."""
        self._start = start
        self._engine = start()
        self.url = self._engine.url

    def freeze(self) -> None:
        """Let it hang: connections stay open and nothing is answered."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: int) -> None:
        """Send a signal to the server and, as PostgreSQL has a process a connection, to its own."""
        children = Path(f"/proc/{self._engine.pid}/task/{self._engine.pid}/children")
        for pid in (self._engine.pid, *map(int, children.read_text().split())):
            with suppress(ProcessLookupError):  # A child may end meanwhile.
                os.kill(pid, number)

    def kill(self) -> None:
        """Let it die as by a power cut; a dead one stays dead."""
        with suppress(ProcessLookupError):
            os.kill(self._engine.pid, signal.SIGKILL)

    def crash(self) -> None:
        """Let PostgreSQL end at once, with all its processes and without writing anything down."""
        os.kill(self._engine.pid, signal.SIGQUIT)
        while Path(f"/proc/{self._engine.pid}").exists():
            time.sleep(PAUSE_SECONDS)

    def stop(self) -> None:
        """Stop it in order."""
        self._engine.stop()

    def start(self) -> None:
        """Start it again, at the same URL."""
        self._engine = self._start()
