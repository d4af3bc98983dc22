"""Worker nodes of a cluster on this machine: which tenants they have, and their deaths."""

import os
import shlex
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
from sqlalchemy.engine import URL, make_url

START_SECONDS = 20
PAUSE_SECONDS = 0.1
_PLACE = """
    SELECT nodename, nodeport, shardid FROM citus_shards
    WHERE table_name = 'tenants'::regclass
        AND shardid = get_shard_id_for_distribution_column('tenants', %s::BIGINT)"""


class Place(NamedTuple):
    """The node and the shard of `tenants` that have a tenant."""

    host: str
    port: int
    shard_id: int


def place_of(url: str, tenant_id: int) -> Place:
    """Return where a tenant is."""
    return Place(*ask(url, _PLACE, tenant_id)[0])


def ask(url: str, statement: str, *values: Any) -> list[tuple[Any, ...]]:
    """Return the rows of a statement at the coordinator, outside any transaction."""
    with psycopg.connect(url, autocommit=True) as session:
        found = session.execute(statement, values)
        return found.fetchall() if found.description else []


def eventually(is_so: Callable[[], bool], *, seconds: float = START_SECONDS) -> bool:
    """Return whether something becomes so in time."""
    deadline = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() >= deadline:
            return False
        time.sleep(PAUSE_SECONDS)
    return True


class WorkerNode:
    """One node's PostgreSQL, which a test may kill and start again."""

    def __init__(self, url: str, place: Place) -> None:
        """Learn its files; it must run on this machine, and the tests as root."""
        node = make_url(url).set(host=place.host, port=place.port)
        self._url = _text(node)
        ((directory, programs),) = ask(
            self._url,
            """SELECT current_setting('data_directory'), setting FROM pg_config()
            WHERE name = 'BINDIR'""",
        )
        self._directory = Path(directory)
        self._pg_ctl = Path(programs) / "pg_ctl"

    def kill(self) -> None:
        """Let all its processes die as by a power cut."""
        pid = self._signal(signal.SIGKILL)
        assert eventually(lambda: not Path(f"/proc/{pid}").exists())

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Let it hang meanwhile: connections stay open, and nothing is answered."""
        self._signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._signal(signal.SIGCONT)

    def _signal(self, number: int) -> int:
        """Send a signal to the server and its own processes; return the server's number."""
        pid = int((self._directory / "postmaster.pid").read_text().split()[0])
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        for each in (pid, *map(int, children)):
            with suppress(ProcessLookupError):  # A child may end meanwhile.
                os.kill(each, number)
        return pid

    def start(self) -> None:
        """Start it again, at the same place."""
        log = self._directory.parent / "restarted.log"
        words = [str(self._pg_ctl), "-D", str(self._directory), "-l", str(log), "-w", "start"]
        command = ["su", "postgres", "-s", "/bin/sh", "-c", shlex.join(words)]
        subprocess.run(command, check=True, capture_output=True, timeout=START_SECONDS)


def _text(node: URL) -> str:
    return node.render_as_string(hide_password=False)
