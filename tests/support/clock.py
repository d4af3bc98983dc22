"""A clock that stands still until a test moves it."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from core.storage.database import Database

START_OF_TIME = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


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


def age_keys(database: Database, tenant_id: int, *, hours: int) -> None:
    """Make the Idempotency-Keys of a tenant so old, by the database's clock."""
    with database.transaction() as connection:
        connection.exec_driver_sql(
            f"UPDATE idempotency_keys SET created_at = now() - INTERVAL '{hours} hours'"
            f" WHERE tenant_id = {tenant_id}"
        )
