"""What an import tells of itself, and lines that no memory should hold."""

from collections.abc import Callable
from io import BytesIO
from typing import Any

import orjson
import pytest
from support.callers import Home

from core.storage.database import Database
from core.transfer.import_report import ImportReport
from core.transfer.importer import bounded_lines, import_lines
from core.transfer.line_loader import MAX_LINE_BYTES

USER = {"kind": "user", "id": 1, "first_name": "A", "last_name": "B"}
Load = Callable[..., ImportReport]


@pytest.fixture
def load(database: Database, tenant: Home) -> Load:
    """Give a function that imports records into this test's tenant."""

    def load(*records: dict[str, Any]) -> ImportReport:
        return import_lines(database, map(orjson.dumps, records), tenant_id=tenant.id)

    return load


def activity(activity_id: int, **fields: Any) -> dict[str, Any]:
    """Return the record of an activity."""
    return {"kind": "activity", "id": activity_id, **fields}


def test_report_counts_every_kind(load: Load):
    load(activity(1), activity(2), USER)
    report = load(activity(1), activity(2, subject="new"), activity(3), USER, {**USER, "id": 2})
    assert report.counts == {"activity": (1, 1, 1), "user": (1, 0, 1)}


def test_last_line_of_an_id_counts(load: Load):
    report = load(activity(1), activity(1, subject="last"))
    assert (report.records, report.counts) == (2, {"activity": (1, 0, 0)})


def test_report_counts_tenants(database: Database, tenant: Home):
    counts = []
    for name in ("Tenant", "Renamed", "Renamed"):
        line = {"kind": "tenant", "id": tenant.id + 800_000, "name": name}
        counts.append(import_lines(database, [orjson.dumps(line)]).counts["tenant"])
    assert counts == [(1, 0, 0), (0, 1, 0), (0, 0, 1)]


class LongLine(BytesIO):
    """A file whose first line is of 300 MB, given in the pieces that are asked for."""

    left = 300 * 10**6

    def readline(self, size: int | None = -1) -> bytes:
        """Return as much of the long line as is wanted; then the other lines."""
        assert size is not None
        assert 0 < size <= MAX_LINE_BYTES + 2
        if not self.left:
            return super().readline(size)
        piece = min(size, self.left)
        self.left -= piece
        return b"x" * piece


def test_long_line_is_refused_in_bounded_memory(database: Database, tenant: Home):
    lines = bounded_lines(LongLine(b"\n" + orjson.dumps(USER) + b"\n"))
    report = import_lines(database, lines, tenant_id=tenant.id)
    assert (report.bad_lines, report.records) == ([(1, "body: is longer than 8 MiB")], 1)


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_longest_line_is_read_whole(end: bytes):
    longest = b"x" * MAX_LINE_BYTES + end
    assert list(bounded_lines(BytesIO(longest + b"next"))) == [longest, b"next"]
