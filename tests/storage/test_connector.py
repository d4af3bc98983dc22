"""What is sent to a pooler: nothing that would keep a server that it lends."""

from pathlib import Path

import pytest

from core.storage.connector import LimitedConnection, PooledCursor, Timeouts

PARTS = ["Parse", "Bind", "Describe", "Execute"]


@pytest.mark.parametrize("tenants", [None, "5"])
@pytest.mark.parametrize("seconds", [0, 0.05], ids=["at once", "later"])
def test_pooled_read_ends_with_its_sync(
    database_url: str, tmp_path: Path, seconds: float, tenants: str | None
) -> None:
    trace = tmp_path / "trace"
    with (
        LimitedConnection.connect(database_url, autocommit=True) as connection,
        trace.open("wb") as file,
    ):
        cursor = PooledCursor(connection)
        cursor.limits, cursor.tenants = Timeouts(1000, 1000), tenants
        connection.pgconn.trace(file.fileno())
        rows = cursor.execute("SELECT 1 FROM pg_sleep(%(seconds)s)", {"seconds": seconds})
        connection.pgconn.untrace()
        assert rows.fetchall() == [(1,)]
    statements = 2 if tenants is None else 3
    assert _sent(trace.read_text()) == [*statements * PARTS, "Sync"]


def _sent(trace: str) -> list[str]:
    """Return the kinds of messages of libpq's trace that the client sent."""
    fields = (line.split("\t") for line in trace.splitlines())
    return [kind for _, sender, _, kind, *_ in fields if sender == "F"]
