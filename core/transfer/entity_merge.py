"""Directory entities from the staging table of an import into the real one."""

from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import Connection, text

from core.storage.tenant_store import next_directory_version
from core.transfer.import_report import KindCounts

MERGE_SIZE = 10_000
"""Entities merged by one round of statements: on a cluster, what passes between its nodes."""

_REFS = text("SELECT kind, id FROM incoming_entities WHERE tenant_id = :tenant_id ORDER BY 1, 2")


def _some_of(table: str) -> str:
    """Return the condition for the batch of one tenant in a table."""
    return f"""{table}.tenant_id = :tenant_id AND ({table}.kind, {table}.id) BETWEEN
        (CAST(:first_kind AS TEXT) COLLATE "C", CAST(:first_id AS BIGINT))
        AND (CAST(:last_kind AS TEXT) COLLATE "C", CAST(:last_id AS BIGINT))"""


_COUNT = text(f"""
    SELECT new.kind, count(*) FROM incoming_entities AS new
    WHERE {_some_of("new")} GROUP BY new.kind""")
# Others cannot change what is found here: whoever writes to the directory has locked it.
_COUNT_KNOWN = text(f"""
    SELECT new.kind, count(*), count(*) FILTER (WHERE known.fields = new.fields)
    FROM entities AS known
    JOIN incoming_entities AS new ON new.kind = known.kind AND new.id = known.id
    WHERE {_some_of("known")} AND {_some_of("new")} AND NOT known.is_removed
    GROUP BY new.kind""")
_MERGE = text(f"""
    INSERT INTO entities (tenant_id, kind, id, version, fields, is_removed)
    SELECT new.tenant_id, new.kind, new.id, CAST(:version AS BIGINT), new.fields, false
    FROM incoming_entities AS new WHERE {_some_of("new")} ORDER BY new.kind, new.id
    ON CONFLICT (tenant_id, kind, id) DO UPDATE SET
        version = excluded.version, fields = excluded.fields, is_removed = false
    WHERE entities.is_removed OR entities.fields <> excluded.fields""")


def merge_entities(connection: Connection, tenant_id: int) -> Iterator[tuple[str, KindCounts]]:
    """Write the staged entities of a tenant where they differ, and tell what each batch did.

    Have the tenant's directory locked: it stays so until the transaction ends.
    """
    found = connection.execute(
        _REFS, {"tenant_id": tenant_id}, execution_options={"stream_results": True}
    )
    for refs in found.partitions(MERGE_SIZE):
        (first_kind, first_id), (last_kind, last_id) = refs[0], refs[-1]
        batch = {
            "tenant_id": tenant_id,
            "first_kind": first_kind,
            "first_id": first_id,
            "last_kind": last_kind,
            "last_id": last_id,
        }
        yield from _merge_batch(connection, batch).items()


def _merge_batch(connection: Connection, batch: Mapping[str, Any]) -> dict[str, KindCounts]:
    known = {kind: numbers for kind, *numbers in connection.execute(_COUNT_KNOWN, batch)}
    counts = {}
    for kind, total in connection.execute(_COUNT, batch):
        live, unchanged = known.get(kind, (0, 0))
        counts[kind] = KindCounts(total - live, live - unchanged, unchanged)
    if any(count.created or count.replaced for count in counts.values()):
        version = next_directory_version(connection, batch["tenant_id"])
        connection.execute(_MERGE, {**batch, "version": version})
    return counts
