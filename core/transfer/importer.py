"""Import of whole NDJSON files into the database, each in one transaction.

A file is read to its end before anything is written that others use: one bad line, and nothing of
it is written at all.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import BinaryIO

from sqlalchemy import Connection

from core.domain.clock import Clock, utc_now
from core.domain.counters import IMPORTED_RECORDS
from core.storage import activity_writer
from core.storage.connector import END_WITH_CLIENT
from core.storage.database import Database, cancel_statement
from core.storage.tenant_store import lock_directory, put_tenant
from core.transfer.background import Background
from core.transfer.entity_merge import merge_entities
from core.transfer.import_report import ImportReport, KindCounts, StageProgress, Tally, Tell
from core.transfer.line_loader import MAX_LINE_BYTES, LineLoader
from core.transfer.staging import NONE, NOTHING, MergeCounts, reserve_ids

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
        with Background(partial(cancel_statement, connection)) as background:
            loader = LineLoader(connection, background, tenant_id=tenant_id, now=clock())
            for number, line in enumerate(lines, start=1):
                loader.load(number, line)
            loader.finish()
        tally = Tally()
        if not loader.bad_count:
            StageProgress(tell, SORTING, 0)
            _merge(database, connection, loader, tally, tell, skip_known=skip_known)
        report = ImportReport(loader.records, tally.counts(), loader.bad_lines, loader.bad_count)
        if finish is not None:
            finish(connection, report)
    if not loader.bad_count:
        database.counters[IMPORTED_RECORDS] += loader.records
    return report


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
    directories = _lock_tenants(loader)
    _leave_what_counts(loader, skip_known=skip_known)
    last_ids = staging.last_activity_ids()
    _reserve_ahead(database, last_ids)
    staged, entities = staging.sizes()
    compared = StageProgress(tell, COMPARING, staged)
    differences = {tenant_id: staging.differing_ids(tenant_id, compared) for tenant_id in last_ids}
    differing = sum(len(each.ids) for each in differences.values())
    written = StageProgress(tell, WRITING, differing + entities)
    merged = {
        tenant_id: staging.merge_activities(tenant_id, each.ids, written, now=loader.now)
        for tenant_id, each in differences.items()
    }
    for tenant_id in directories:
        _put_tenant(connection, loader, tenant_id, tally, skip_known=skip_known)
    for tenant_id in staging.entity_tenants():
        for kind, counts in merge_entities(connection, tenant_id):
            tally.add(kind, counts)
            written.advance(sum(counts))
    for tenant_id in sorted({*merged, *loader.direct.counts}):
        reserve_ids(connection, tenant_id, loader.last_id(tenant_id))  # For a tenant of this file.
        direct = loader.direct.counts.get(tenant_id, NOTHING)
        part = direct.plus(merged.get(tenant_id, NOTHING))
        _tally_activities(tally, part, direct.created + differences.get(tenant_id, NONE).staged)
        _move_counters(connection, tenant_id, part)


def _lock_tenants(loader: LineLoader) -> list[int]:
    """Keep other imports out of all tenants of the file; return those whose directory it has."""
    staging = loader.staging
    directories = sorted({*loader.tenants, *staging.entity_tenants()})
    tenant_ids = sorted({*directories, *staging.last_activity_ids()})
    if loader.direct.counts:  # Then this import is the only one that waits with what it has.
        staging.wait_for_imports(tenant_ids)
    else:
        staging.lock_imports(tenant_ids)
    return directories


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
    if not loader.is_ascending:
        loader.direct.take_back_staged(loader.staging)
    loader.staging.prepare()
    if not loader.is_ascending:
        loader.staging.deduplicate()
    if skip_known:
        loader.staging.drop_known()


def _put_tenant(
    connection: Connection, loader: LineLoader, tenant_id: int, tally: Tally, *, skip_known: bool
) -> None:
    """Lock a tenant's directory, storing first what the file says of the tenant itself."""
    tenant, is_new = loader.tenants.get(tenant_id), tenant_id in loader.direct.counts
    is_known = lock_directory(connection, tenant_id) and not is_new
    if tenant is not None and not (skip_known and is_known):
        is_changed = put_tenant(connection, tenant) or is_new
        tally.add("tenant", KindCounts(not is_known, is_known and is_changed, not is_changed))


def _tally_activities(tally: Tally, part: MergeCounts, staged: int) -> None:
    replaced, unchanged = part.changed - part.created, staged - part.changed
    tally.add("activity", KindCounts(part.created, replaced, unchanged))


def _move_counters(connection: Connection, tenant_id: int, part: MergeCounts) -> None:
    if part.changed:
        activity_writer.move_counters(
            connection, tenant_id, shared=part.shared, private=part.private
        )
