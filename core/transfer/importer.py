"""Import of whole NDJSON files into the database, each in one transaction.

A file is read to its end before anything is written: one bad line, and nothing of it is.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import BinaryIO

from sqlalchemy import Connection

from core.domain.clock import Clock, utc_now
from core.domain.counters import IMPORTED_RECORDS
from core.domain.errors import InvalidEntity
from core.domain.model import Tenant
from core.storage import activity_writer
from core.storage.connector import END_WITH_CLIENT
from core.storage.database import Database
from core.storage.tenant_store import find_tenant, lock_directory, put_tenant
from core.transfer import ndjson
from core.transfer.copy_lines import activity_line, entity_line
from core.transfer.entity_merge import merge_entities
from core.transfer.import_report import (
    BadLine,
    ImportReport,
    KindCounts,
    StageProgress,
    Tally,
    Tell,
)
from core.transfer.staging import BATCH_SIZE, MergeCounts, Staging, reserve_ids

MAX_BAD_LINES_SHOWN = 1000
BATCH_BYTES = 4 * 2**20
MAX_LINE_BYTES = 8 * 2**20
LINE_END_BYTES = 2  # A carriage return and a line feed.

SORTING, COMPARING, WRITING = "Sorting", "Comparing", "Writing"
"""What is told after the file was read, in this order."""

Finish = Callable[[Connection, ImportReport], None]


def bounded_lines(file: BinaryIO) -> Iterator[bytes]:
    """Give the lines of a file, each in bounded memory.

    A line of more than `MAX_LINE_BYTES` is cut, but still longer than that: it will be refused.
    """
    while line := file.readline(MAX_LINE_BYTES + LINE_END_BYTES):
        yield line
        while len(line) == MAX_LINE_BYTES + LINE_END_BYTES and not line.endswith(b"\n"):
            line = file.readline(MAX_LINE_BYTES + LINE_END_BYTES)


def import_lines(
    database: Database,
    lines: Iterable[bytes],
    *,
    tenant_id: int | None = None,
    skip_known: bool = False,
    finish: Finish | None = None,
    tell: Tell | None = None,
    clock: Clock = utc_now,
) -> ImportReport:
    """Store every record of NDJSON lines, or none of them if a line is bad.

    A record that is stored under its id is replaced; with `skip_known` it is left as it is, even
    if it was deleted since. An equal record does not change its version. Of two lines with one id
    the later counts. With `tenant_id`, lines need not name their tenant and must not name another.
    Blank lines are skipped. `finish` is called last in the transaction, `tell` now and then once
    the lines are read. A process that dies leaves nothing behind. Raises: Unavailable.
    """
    with database.transaction() as connection:
        connection.exec_driver_sql(END_WITH_CLIENT)
        loader = LineLoader(connection, tenant_id=tenant_id, now=clock())
        for number, line in enumerate(lines, start=1):
            loader.load(number, line)
        tally = Tally()
        if not loader.bad_count:
            loader.flush()
            StageProgress(tell, SORTING, 0)
            _merge(database, connection, loader, tally, tell, skip_known=skip_known)
        report = ImportReport(loader.records, tally.counts(), loader.bad_lines, loader.bad_count)
        if finish is not None:
            finish(connection, report)
    if not loader.bad_count:
        database.counters[IMPORTED_RECORDS] += loader.records
    return report


class LineLoader:
    """Checks lines one by one and stages what is good, for as long as nothing was bad."""

    def __init__(self, connection: Connection, *, tenant_id: int | None, now: datetime) -> None:
        self.staging = Staging(connection)
        self.tenants: dict[int, Tenant] = {}  # The tenants that the file itself brings.
        self.now = now
        self.records = 0
        self.bad_lines: list[BadLine] = []
        self.bad_count = 0
        self._connection = connection
        self._tenant_id = tenant_id
        self._known: dict[int, Tenant | None] = {}
        self._last_ids: dict[tuple[int, str], int] = {}
        self.is_ascending = True
        """Whether the ids of each tenant and kind only grew, so that none came twice."""
        self._activities: list[str] = []
        self._entities: list[str] = []
        self._buffered_bytes = 0

    def load(self, number: int, line: bytes) -> None:
        """Check one line and buffer its record, or note why it is bad."""
        if not line.strip():
            return
        try:
            if len(line.rstrip(b"\r\n")) > MAX_LINE_BYTES:
                raise InvalidEntity("body", f"is longer than {MAX_LINE_BYTES // 2**20} MiB")
            record = ndjson.read(ndjson.parse(line), tenant_id=self._tenant_id)
            if self._tenant_id not in (None, record.tenant_id):
                raise InvalidEntity("tenant_id", f"must be {self._tenant_id}, as was asked for")
            # JSON writes control characters and backslashes with a backslash.
            self._buffer(number, record, is_plain=b"\\" not in line)
            self.records += 1
            self._buffered_bytes += len(line)
        except InvalidEntity as error:
            self.bad_count += 1
            if len(self.bad_lines) < MAX_BAD_LINES_SHOWN:
                self.bad_lines.append(BadLine(number, error.public_message))

    def _buffer(self, number: int, record: ndjson.Record, *, is_plain: bool) -> None:
        if record.kind == "tenant":
            self.tenants[record.id] = ndjson.to_tenant(record)
            return
        tenant = self._tenant(record.tenant_id)
        ids_of = record.tenant_id, record.kind
        self.is_ascending &= record.id > self._last_ids.get(ids_of, 0)
        self._last_ids[ids_of] = record.id
        if record.kind == "activity":
            activity = ndjson.to_activity(record, tenant, now=self.now)
            self._activities.append(
                activity_line(activity, number=number, given=record.fields, is_plain=is_plain)
            )
        else:
            self._entities.append(entity_line(record, number=number))
        buffered = len(self._activities) + len(self._entities)
        if buffered >= BATCH_SIZE or self._buffered_bytes >= BATCH_BYTES:
            self.flush()

    def _tenant(self, tenant_id: int) -> Tenant:
        if tenant_id not in self._known:
            self._known[tenant_id] = find_tenant(self._connection, tenant_id)
        tenant = self.tenants.get(tenant_id) or self._known[tenant_id]
        if tenant is None:
            raise InvalidEntity("tenant_id", f"there is no tenant {tenant_id}")
        return tenant

    def flush(self) -> None:
        """Move the buffered rows to the staging tables; after a bad line, discard them."""
        if not self.bad_count:
            self.staging.add_activities(self._activities)
            self.staging.add_entities(self._entities)
        self._activities = []
        self._entities = []
        self._buffered_bytes = 0


def _merge(
    database: Database,
    connection: Connection,
    loader: LineLoader,
    tally: Tally,
    tell: Tell | None,
    *,
    skip_known: bool,
) -> None:
    """Move what was staged into the real tables, and count what is done.

    Locks are taken in one order, so that nobody waits in a circle: imports lock their tenants,
    by number; then come activities, directories, again by number of the tenant, and counters.
    """
    staging = loader.staging
    directories = sorted({*loader.tenants, *staging.entity_tenants()})
    for tenant_id in sorted({*directories, *staging.last_activity_ids()}):
        staging.lock_import(tenant_id)
    _leave_what_counts(loader, skip_known=skip_known)
    last_ids = staging.last_activity_ids()
    _reserve_ahead(database, last_ids)
    staged, entities = staging.sizes()
    compared = StageProgress(tell, COMPARING, staged)
    differences = {tenant_id: staging.differing_ids(tenant_id, compared) for tenant_id in last_ids}
    differing = sum(len(each.ids) for each in differences.values())
    written = StageProgress(tell, WRITING, differing + entities)
    merged = {
        tenant_id: staging.merge_activities(tenant_id, ids, written, now=loader.now)
        for tenant_id, (_, ids) in differences.items()
    }
    for tenant_id in directories:
        _put_tenant(connection, loader.tenants.get(tenant_id), tenant_id, tally, skip_known)
    for tenant_id in staging.entity_tenants():
        for kind, counts in merge_entities(connection, tenant_id):
            tally.add(kind, counts)
            written.advance(sum(counts))
    for tenant_id, part in merged.items():
        reserve_ids(connection, tenant_id, last_ids[tenant_id])  # For a tenant of this file.
        _tally_activities(tally, part, differences[tenant_id].staged)
        _move_counters(connection, tenant_id, part)


def _reserve_ahead(database: Database, last_ids: Mapping[int, int]) -> None:
    """Reserve ids in a transaction of its own.

    Whoever is creating an activity now is waited for, and whoever does it during the merge gets an
    id beyond the file's.
    """
    with database.transaction() as ahead:
        for tenant_id, last_id in last_ids.items():
            reserve_ids(ahead, tenant_id, last_id)


def _leave_what_counts(loader: LineLoader, *, skip_known: bool) -> None:
    """Leave one staged line of each id; with `skip_known`, only ids that were never stored."""
    loader.staging.prepare()
    if not loader.is_ascending:
        loader.staging.deduplicate()
    if skip_known:
        loader.staging.drop_known()


def _put_tenant(
    connection: Connection, tenant: Tenant | None, tenant_id: int, tally: Tally, skip_known: bool
) -> None:
    """Lock a tenant's directory, storing first what the file says of the tenant itself."""
    is_known = lock_directory(connection, tenant_id)
    if tenant is not None and not (skip_known and is_known):
        is_changed = put_tenant(connection, tenant)
        tally.add("tenant", KindCounts(not is_known, is_known and is_changed, not is_changed))


def _tally_activities(tally: Tally, part: MergeCounts, staged: int) -> None:
    replaced, unchanged = part.changed - part.created, staged - part.changed
    tally.add("activity", KindCounts(part.created, replaced, unchanged))


def _move_counters(connection: Connection, tenant_id: int, part: MergeCounts) -> None:
    if part.changed:
        activity_writer.move_counters(
            connection, tenant_id, shared=part.shared, private=part.private
        )
