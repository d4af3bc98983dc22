"""Who and what plays in the tests: callers, tenants, a clock, servers that may be harmed."""

import os
import shutil
import signal
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
from flask import Flask

from core.storage.credential_store import DEFAULT_SCOPES, Credentials
from core.storage.database import Database
from core.storage.tables import metadata
from gateway.embedded.engines import Engine

JWT_SECRET = "a secret of the tests, long enough for HS256"
MEMORY = Path("/dev/shm")
ENOUGH_BYTES = 2**30
KEPT_TABLES = {"database_identity"}
START_OF_TIME = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def scratch() -> Path:
    """Return where servers' files go: in memory if there is room, because disks may be slow."""
    if MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ENOUGH_BYTES:
        return MEMORY
    return Path(tempfile.gettempdir())


@dataclass
class Clock:
    """A clock that moves when it is told to."""

    now: datetime = START_OF_TIME

    def __call__(self) -> datetime:
        """Return the present instant."""
        return self.now

    def advance(self, **duration: float) -> datetime:
        """Move on by `seconds=`, `days=` and so on; return the new instant."""
        self.now += timedelta(**duration)
        return self.now


@dataclass(frozen=True)
class Caller:
    """A user of one tenant, with a way to be that user in every dialect."""

    tenant_id: int
    user_id: int
    key: str

    @property
    def headers(self) -> dict[str, str]:
        """Headers that either dialect understands."""
        return {"x-api-key": self.key}


@dataclass(frozen=True)
class Home:
    """A new tenant of this test's own, and the makers of its credentials."""

    id: int
    _app: Flask = field(repr=False)
    _clock: Clock = field(repr=False)

    def caller(self, user_id: int = 1, *scopes: str) -> Caller:
        """Return a user of this tenant; without scopes, with the usual ones."""
        credentials: Credentials = self._app.extensions["credentials"]
        key = credentials.create(
            tenant_id=self.id, user_id=user_id, scopes=scopes or DEFAULT_SCOPES
        )
        return Caller(self.id, user_id, key)

    def token(self, user_id: int = 1, **claims: Any) -> str:
        """Return a JWT of a user of this tenant, good for an hour; claims override."""
        expires = self._clock.now + timedelta(hours=1)
        usual = {"sub": str(user_id), "organization_id": self.id, "exp": expires}
        return jwt.encode({**usual, **claims}, JWT_SECRET, algorithm="HS256")


@dataclass(frozen=True)
class Demo:
    """The demo data, freshly loaded into empty tables, and who may ask for it."""

    deskera: Caller
    apex: Caller


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
            os.kill(pid, number)

    def kill(self) -> None:
        """Let it die as by a power cut; a dead one stays dead."""
        with suppress(ProcessLookupError):
            os.kill(self._engine.pid, signal.SIGKILL)

    def stop(self) -> None:
        """Stop it in order."""
        self._engine.stop()

    def start(self) -> None:
        """Start it again, at the same URL."""
        self._engine = self._start()


def empty(database: Database) -> None:
    """Empty every table but the database's own identity."""
    names = ", ".join(sorted(set(metadata.tables) - KEPT_TABLES))
    with database.transaction() as connection:
        connection.exec_driver_sql(f"TRUNCATE {names}")
