"""A PgBouncer in transaction mode before a PostgreSQL, both of one test's own."""

import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg
from support.cluster_nodes import eventually
from support.gateway_process import free_port
from support.own_servers import server_directory

from gateway.embedded import processes
from gateway.embedded.engines import DATABASE, PORT, SUPERUSER, start_postgres

PROGRAM = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
STOP_SECONDS = 10
SETTINGS = ("fsync=off", "timezone=Asia/Kathmandu", "max_connections=50", "shared_buffers=16MB")
ACCESS = "local all all trust\n"
CONFIGURATION = """
[databases]
* = host={host} port={server_port} user={user}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 2
{more}
"""


@contextmanager
def pooled_postgres(*, more: str = "") -> Iterator[str]:
    """Give the URL of a PgBouncer with these `more` lines in its configuration."""
    with server_directory() as directory:
        directory.chmod(0o755)
        files = directory / "postgres"
        engine = start_postgres(files, SETTINGS)
        processes.write(files / "data" / "pg_hba.conf", ACCESS)
        with psycopg.connect(engine.url) as session:
            session.execute("SELECT pg_reload_conf()")
        try:
            with _pooler(directory, files, more) as url:
                yield url
        finally:
            engine.stop()


@contextmanager
def _pooler(directory: Path, files: Path, more: str) -> Iterator[str]:
    port = free_port()
    places = {"host": files, "server_port": PORT, "user": SUPERUSER, "port": port}
    path = directory / "pgbouncer.ini"
    path.write_text(CONFIGURATION.format(**places, more=more))
    path.chmod(0o644)
    owner = files.stat()  # The account that may open the socket; PgBouncer refuses to be root.
    with (directory / "pgbouncer.log").open("wb") as log:
        process = subprocess.Popen(
            [str(PROGRAM), str(path)], stdout=log, stderr=log, user=owner.st_uid, group=owner.st_gid
        )
    url = f"postgresql://{SUPERUSER}@127.0.0.1:{port}/{DATABASE}"
    try:
        assert eventually(lambda: _answers(url)), (directory / "pgbouncer.log").read_text()
        yield url
    finally:
        process.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            process.wait(STOP_SECONDS)
        process.kill()


def _answers(url: str) -> bool:
    try:
        psycopg.connect(url, connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True
