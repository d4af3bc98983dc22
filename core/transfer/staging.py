"""The staging tables of an import: rows are collected in temporary tables and are then merged.

A file of any size therefore takes bounded memory, is compared with the stored rows inside the
database, and locks rows that others use only at the end. Beside `direct_writes`, `activity_writer`
and `tenant_eraser` this is the one module that writes activities. Everything happens inside the
caller's transaction, and the tables vanish with it.
"""

from array import array
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from operator import add, sub
from typing import Any, NamedTuple

from sqlalchemy import Connection, text

from core.domain.model import Activity
from core.storage.database import driver_of
from core.transfer.copy_lines import ACTIVITY_COLUMNS, ENTITY_COLUMNS
from core.transfer.import_report import StageProgress

BATCH_SIZE = 2000
"""Rows of one COPY: beside fewer, PostgreSQL waits longer for the next than it works."""
MERGE_SIZE = 10_000
"""Activities merged by one round of statements: on a cluster, what passes between its nodes."""

_KEY = ("tenant_id", "id")
_DATA = [name for name in (*Activity._fields, "subject_folded") if name not in (*_KEY, "version")]


def _list(names: Sequence[str], table: str) -> str:
    return ", ".join(f"{table}.{name}" for name in names)


_STABLE = [name for name in _DATA if name not in ("created_at", "updated_at")]
_CREATE = (
    """CREATE TEMPORARY TABLE incoming_activities ON COMMIT DROP AS
    SELECT activities.*, 0::BIGINT AS line FROM activities WITH NO DATA""",
    """CREATE TEMPORARY TABLE incoming_entities ON COMMIT DROP AS
    SELECT tenant_id, kind, id, fields, 0::BIGINT AS line FROM entities WITH NO DATA""",
)
_ADD_ACTIVITIES = f"COPY incoming_activities ({', '.join(ACTIVITY_COLUMNS)}, line) FROM STDIN"
_ADD_ENTITIES = f"COPY incoming_entities ({', '.join(ENTITY_COLUMNS)}, line) FROM STDIN"
# What is compiled for one run costs more than it saves; so does looking at columns that no plan
# depends on.
_PREPARE = (
    "SET LOCAL jit = off",
    "CREATE INDEX ON incoming_activities (tenant_id, id)",
    "ANALYZE incoming_activities (tenant_id, id)",
    "ANALYZE incoming_entities (tenant_id, kind, id)",
)
_DEDUPLICATE = (
    """DELETE FROM incoming_activities AS older USING incoming_activities AS newer
    WHERE older.tenant_id = newer.tenant_id AND older.id = newer.id AND older.line < newer.line""",
    """DELETE FROM incoming_entities AS older USING incoming_entities AS newer
    WHERE older.tenant_id = newer.tenant_id AND older.kind = newer.kind AND older.id = newer.id
    AND older.line < newer.line""",
)
# In all statements below, a stored row is found by one tenant and, where there may be many, by
# given ids: a cluster so asks one of its nodes, and for nothing but these rows.
_DROP_KNOWN = text("""
    DELETE FROM incoming_activities AS new USING activities AS known
    WHERE new.tenant_id = :tenant_id AND new.id = ANY(CAST(:ids AS BIGINT[]))
        AND known.tenant_id = :tenant_id AND known.id = ANY(CAST(:ids AS BIGINT[]))
        AND known.id = new.id""")
_DROP_KNOWN_ENTITIES = text("""
    DELETE FROM incoming_entities AS new USING entities AS known
    WHERE new.tenant_id = :tenant_id AND known.tenant_id = :tenant_id
        AND known.kind = new.kind AND known.id = new.id""")
_LAST_IDS = text("SELECT tenant_id, max(id) FROM incoming_activities GROUP BY 1 ORDER BY 1")
_ACTIVITY_IDS = text("SELECT id FROM incoming_activities WHERE tenant_id = :tenant_id ORDER BY 1")
_SIZES = text(
    "SELECT (SELECT count(*) FROM incoming_activities), (SELECT count(*) FROM incoming_entities)"
)
_ENTITY_TENANTS = text("SELECT DISTINCT tenant_id FROM incoming_entities ORDER BY 1")
# Two imports of one tenant would both count a row as new that both bring, and would lock rows in
# different orders.
_LOCK_IMPORT = text("SELECT pg_advisory_xact_lock(hashtextextended('import', :tenant_id))")
_TRY_LOCK_IMPORT = text("SELECT pg_try_advisory_xact_lock(hashtextextended('import', :tenant_id))")
_COUNT = """
    SELECT coalesce(sum(version), 0)::BIGINT AS changed, count(*) AS created,
        count(*) FILTER (WHERE deleted_at IS NULL AND visibility <> 'private') AS shared,
        count(*) FILTER (WHERE deleted_at IS NULL AND visibility = 'private') AS private
    FROM (
        SELECT version, deleted_at, visibility FROM activities
        WHERE tenant_id = :tenant_id AND id = ANY(CAST(:ids AS BIGINT[])) {lock}
    ) AS stored"""
# What is equal needs no lock: a write that comes after this look happens after the import, too.
_UNCHANGED = text(f"""
    SELECT known.id FROM activities AS known JOIN incoming_activities AS new ON new.id = known.id
    WHERE known.tenant_id = :tenant_id AND known.id = ANY(CAST(:ids AS BIGINT[]))
        AND new.tenant_id = :tenant_id AND new.id = ANY(CAST(:ids AS BIGINT[]))
        AND ({_list(_STABLE, "new")}) IS NOT DISTINCT FROM ({_list(_STABLE, "known")})
        AND coalesce(new.created_at, known.created_at) = known.created_at
        AND coalesce(new.updated_at, known.updated_at) = known.updated_at""")
_LOCK_AND_COUNT = text(_COUNT.format(lock="ORDER BY id FOR UPDATE"))
LIVE_COUNTS = text(_COUNT.format(lock=""))
# A line that leaves out created_at or updated_at keeps the stored one; if it changes the record,
# updated_at becomes the present instant.
_FILL_TIMESTAMPS = text(f"""
    UPDATE incoming_activities AS new SET
        created_at = coalesce(new.created_at, known.created_at),
        updated_at = coalesce(new.updated_at, CASE
            WHEN ({_list(_STABLE, "new")}, coalesce(new.created_at, known.created_at))
                IS DISTINCT FROM ({_list(_STABLE, "known")}, known.created_at) THEN :now
            ELSE known.updated_at END)
    FROM activities AS known
    WHERE new.tenant_id = :tenant_id AND new.id = ANY(CAST(:ids AS BIGINT[]))
        AND known.tenant_id = :tenant_id AND known.id = ANY(CAST(:ids AS BIGINT[]))
        AND known.id = new.id AND (new.created_at IS NULL OR new.updated_at IS NULL)""")
_INSERT = f"""
    INSERT INTO activities (tenant_id, id, version, {", ".join(_DATA)})
    SELECT new.tenant_id, new.id, 1, {_list(_DATA, "new")} FROM (
        SELECT tenant_id, id, {", ".join(_STABLE)},
            coalesce(created_at, updated_at, :now) AS created_at,
            coalesce(updated_at, created_at, :now) AS updated_at
        FROM incoming_activities
        WHERE tenant_id = :tenant_id AND id = ANY(CAST(:ids AS BIGINT[]))
    ) AS new ORDER BY new.id"""
_CREATE_ALL = text(_INSERT)
_MERGE = text(f"""{_INSERT}
    ON CONFLICT (tenant_id, id) DO UPDATE SET
        version = activities.version + 1,
        {", ".join(f"{name} = excluded.{name}" for name in _DATA)}
    WHERE ({_list(_DATA, "activities")}) IS DISTINCT FROM ({_list(_DATA, "excluded")})""")
_RESERVE = text("""
    UPDATE activity_numbers SET last_id = :last_id
    WHERE tenant_id = :tenant_id AND last_id < :last_id""")


class Differences(NamedTuple):
    """How many activities of a tenant were staged, and the ids of those that must be written."""

    staged: int
    ids: Sequence[int]


NONE = Differences(0, ())


class MergeCounts(NamedTuple):
    """How many activities were changed and created, and by how much live ones grew."""

    changed: int
    created: int
    shared: int
    private: int

    def plus(self, other: "MergeCounts") -> "MergeCounts":
        """Return the counts of both."""
        return MergeCounts(*map(add, self, other))

    def minus(self, other: "MergeCounts") -> "MergeCounts":
        """Return the counts of this without the other."""
        return MergeCounts(*map(sub, self, other))


NOTHING = MergeCounts(0, 0, 0, 0)


class Staging:
    """The temporary tables of one import on one connection."""

    def __init__(self, connection: Connection) -> None:
        """Make the tables, for as long as the connection's transaction lasts."""
        self._connection = connection
        for statement in _CREATE:
            connection.execute(text(statement))

    def add_activities(self, lines: Sequence[str]) -> None:
        """Stage what `activity_line` made, numbered."""
        copy_in(self._connection, _ADD_ACTIVITIES, lines)

    def add_entities(self, lines: Sequence[str]) -> None:
        """Stage what `entity_line` made, numbered."""
        copy_in(self._connection, _ADD_ENTITIES, lines)

    def prepare(self) -> None:
        """Get ready for merging when everything was added."""
        self._run(_PREPARE)

    def deduplicate(self) -> None:
        """Leave the last line of each id."""
        self._run(_DEDUPLICATE)

    def _run(self, statements: Iterable[str]) -> None:
        for statement in statements:
            self._connection.execute(text(statement))

    def drop_known(self) -> None:
        """Leave only ids that were never stored."""
        for tenant_id in self.last_activity_ids():
            for ids in self.id_batches(tenant_id):
                self._connection.execute(_DROP_KNOWN, {"tenant_id": tenant_id, "ids": ids})
        for tenant_id in self.entity_tenants():
            self._connection.execute(_DROP_KNOWN_ENTITIES, {"tenant_id": tenant_id})

    def id_batches(self, tenant_id: int) -> Iterator[list[int]]:
        """Give the ids of a tenant's activities, in their order."""
        found = self._connection.execute(
            _ACTIVITY_IDS, {"tenant_id": tenant_id}, execution_options={"stream_results": True}
        )
        for batch in found.scalars().partitions(MERGE_SIZE):
            yield list(batch)

    def last_activity_ids(self) -> dict[int, int]:
        """Return the tenants that have activities here, each with its largest id."""
        return {row[0]: row[1] for row in self._connection.execute(_LAST_IDS)}

    def lock_imports(self, tenant_ids: Iterable[int]) -> None:
        """Wait until no other import is merging records of these tenants, and keep others out.

        Nobody waits in a circle: what is locked is given back before waiting for one of them.
        """
        wanted = [{"tenant_id": tenant_id} for tenant_id in tenant_ids]
        while True:
            attempt = self._connection.begin_nested()
            taken = self._first_taken(wanted)
            if taken is None:
                attempt.commit()
                return
            attempt.rollback()
            attempt = self._connection.begin_nested()
            self._connection.execute(_LOCK_IMPORT, taken)
            attempt.rollback()

    def _first_taken(self, wanted: Iterable[dict[str, int]]) -> dict[str, int] | None:
        """Lock tenants one by one; return the first that another import has locked, if any."""
        for one in wanted:
            if not self._connection.execute(_TRY_LOCK_IMPORT, one).scalar_one():
                return one
        return None

    def wait_for_imports(self, tenant_ids: Iterable[int]) -> None:
        """Lock tenants as `lock_imports` does, but keep what is locked while waiting.

        Only one import may do so at a time.
        """
        for tenant_id in tenant_ids:
            self._connection.execute(_LOCK_IMPORT, {"tenant_id": tenant_id})

    def sizes(self) -> tuple[int, int]:
        """Return how many activities and how many entities are here."""
        activities, entities = self._connection.execute(_SIZES).one()
        return activities, entities

    def differing_ids(self, tenant_id: int, progress: StageProgress) -> Differences:
        """Return which of a tenant's activities differ from what is stored; locks nothing."""
        staged, differing = 0, array("q")
        for ids in self.id_batches(tenant_id):
            parameters = {"tenant_id": tenant_id, "ids": ids}
            unchanged = set(self._connection.execute(_UNCHANGED, parameters).scalars())
            staged += len(ids)
            differing.extend(id_ for id_ in ids if id_ not in unchanged)
            progress.advance(len(ids))
        return Differences(staged, differing)

    def merge_activities(
        self, tenant_id: int, ids: Sequence[int], progress: StageProgress, *, now: datetime
    ) -> MergeCounts:
        """Write these activities where they differ from what is stored; versions move.

        They stay locked until the transaction ends. Call `lock_imports` before, and have the ids
        reserved.
        """
        merged = NOTHING
        for start in range(0, len(ids), MERGE_SIZE):
            batch = list(ids[start : start + MERGE_SIZE])
            part = self._merge_batch({"tenant_id": tenant_id, "now": now, "ids": batch})
            merged = merged.plus(part)
            progress.advance(len(batch))
        return merged

    def _merge_batch(self, parameters: dict[str, Any]) -> MergeCounts:
        """Merge some ids; what changed is told by the versions, of which each change moves one."""
        before = self._connection.execute(_LOCK_AND_COUNT, parameters).one()
        if before.created:
            self._connection.execute(_FILL_TIMESTAMPS, parameters)
            self._connection.execute(_MERGE, parameters)
        else:  # Nobody else makes one of them now: the ids are reserved, other imports wait.
            self._connection.execute(_CREATE_ALL, parameters)
        after = self._connection.execute(LIVE_COUNTS, parameters).one()
        return MergeCounts(*after).minus(MergeCounts(*before))

    def entity_tenants(self) -> list[int]:
        """Return the tenants that have directory entities here."""
        return list(self._connection.execute(_ENTITY_TENANTS).scalars())


def copy_in(connection: Connection, statement: str, lines: Sequence[str]) -> None:
    """Hand lines of columns to a COPY."""
    if lines:
        with driver_of(connection).cursor().copy(statement) as copy:
            copy.write("\n".join((*lines, "")))


def reserve_ids(connection: Connection, tenant_id: int, last_id: int) -> None:
    """See to it that the tenant's next new activity gets an id above `last_id`."""
    connection.execute(_RESERVE, {"tenant_id": tenant_id, "last_id": last_id})
