"""PostgreSQL and Redis from their wheels, for `make run` and the commands of one installation.

Every process that uses the servers keeps a shared lock on `<data directory>/in-use`, which the
kernel releases even when the process is killed. A process that starts or stops servers locks
`start.lock` meanwhile. The last process that releases its lock stops both servers; those that a
killed process left running are used again.
"""

import fcntl
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from gateway.embedded import engines, processes
from gateway.settings import Settings

MARKER = "crm-gateway-data-dir"
POSTGRES = "postgres"
REDIS = "redis"


@dataclass(frozen=True, slots=True)
class EmbeddedServers:
    """The servers of one data directory, running until `release`; a URL is None if not leased."""

    data_dir: Path
    database_url: str | None
    redis_url: str | None
    jwt_secret: str
    _in_use: int

    def release(self) -> None:
        """Give the servers back; the last one out stops them."""
        with _starting_or_stopping(self.data_dir):
            with suppress(BlockingIOError):
                fcntl.flock(self._in_use, fcntl.LOCK_EX | fcntl.LOCK_NB)
                _stop_servers(self.data_dir)
            os.close(self._in_use)


def acquire_servers(
    data_dir: Path, *, postgres: bool = True, redis: bool = True
) -> EmbeddedServers:
    """Return the servers of a data directory, started unless they run.

    The lease ends with `release`, or with the process. Raises: EngineError.
    """
    data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    with _starting_or_stopping(data_dir):
        in_use = _open(data_dir / "in-use")
        try:
            fcntl.flock(in_use, fcntl.LOCK_SH)
            database = engines.start_postgres(data_dir / POSTGRES) if postgres else None
            cache = engines.start_redis(data_dir / REDIS) if redis else None
            return EmbeddedServers(
                data_dir,
                database.url if database else None,
                cache.url if cache else None,
                processes.secret(data_dir / "jwt-secret"),
                in_use,
            )
        except BaseException:
            os.close(in_use)
            raise


def resolve_servers(settings: Settings) -> tuple[Settings, EmbeddedServers | None]:
    """Return settings in which every server is named, and the lease on those that are embedded.

    With the embedded database, and no key set, tokens are signed with a secret of its own.
    Raises: EngineError.
    """
    postgres, redis = settings.database_url is None, settings.redis_url is None
    if not (postgres or redis):
        return settings, None
    servers = acquire_servers(data_directory(settings), postgres=postgres, redis=redis)
    makes_secret = postgres and settings.jwks is None
    return (
        replace(
            settings,
            database_url=settings.database_url or servers.database_url,
            redis_url=settings.redis_url or servers.redis_url,
            jwt_secret=settings.jwt_secret or (servers.jwt_secret if makes_secret else None),
        ),
        servers,
    )


@contextmanager
def resolved_servers(settings: Settings) -> Iterator[Settings]:
    """Give settings in which every server is named, and keep the embedded ones meanwhile."""
    settings, servers = resolve_servers(settings)
    try:
        yield settings
    finally:
        if servers is not None:
            servers.release()


def data_directory(settings: Settings) -> Path:
    """Return where the embedded servers keep their files.

    Unless it is set, it is made once for this installation, and remembered inside it: a fresh
    clone starts fresh, and all programs of one virtual environment share their data.
    """
    if settings.data_dir is not None:
        return settings.data_dir
    marker = Path(sys.prefix) / MARKER
    if not marker.exists():
        _remember(marker, base=_state_home(settings) / "crm-gateway")
    return Path(marker.read_text())


def discard() -> Path | None:
    """Remove what `data_directory` made for this installation, unless it is in use.

    Returns the directory if it was removed.
    """
    marker = Path(sys.prefix) / MARKER
    if not marker.exists():
        return None
    data_dir = Path(marker.read_text())
    data_dir.mkdir(parents=True, exist_ok=True)
    with _starting_or_stopping(data_dir):
        in_use = _open(data_dir / "in-use")
        try:
            fcntl.flock(in_use, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return None
        finally:
            os.close(in_use)
        _stop_servers(data_dir)
        shutil.rmtree(data_dir)
        marker.unlink()
    return data_dir


def _stop_servers(data_dir: Path) -> None:
    engines.stop_redis(data_dir / REDIS)
    engines.stop_postgres(data_dir / POSTGRES)


def _state_home(settings: Settings) -> Path:
    if settings.state_home is not None:
        return settings.state_home
    return Path("/var/lib") if os.geteuid() == 0 else Path.home() / ".local" / "state"


def _remember(marker: Path, *, base: Path) -> None:
    """Write the name of a new directory into `marker`, unless another process was faster."""
    base.mkdir(parents=True, exist_ok=True)
    chosen = tempfile.mkdtemp(dir=base, prefix="data-")
    draft = marker.with_name(f"{MARKER}.{os.getpid()}")
    draft.write_text(chosen)
    try:
        os.link(draft, marker)
    except FileExistsError:
        os.rmdir(chosen)
    finally:
        draft.unlink()


@contextmanager
def _starting_or_stopping(data_dir: Path) -> Iterator[None]:
    lock = _open(data_dir / "start.lock")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _open(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
