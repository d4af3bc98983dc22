"""The rows of the directory: users, companies, contacts and deals, by tenant, kind and id.

Every change takes the tenant's next directory version and leaves it on the row; a removed entity
stays as a tombstone. A cache of entities can therefore ask what changed since its version.
"""

from collections.abc import Iterable, Mapping, Sequence
from sys import intern
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Connection, update
from sqlalchemy.dialects.postgresql import insert

from core.domain.entity import EntityRef
from core.domain.errors import AnswerTooLarge
from core.domain.model import MAX_PAGE_BYTES
from core.storage.database import Database
from core.storage.tables import entities
from core.storage.tenant_store import lock_directory, next_directory_version

_columns = entities.c

_READ = """
    SELECT entities.kind, entities.id, entities.fields::TEXT
    FROM unnest(%(kinds)s::TEXT[], %(ids)s::BIGINT[]) AS wanted (kind, id)
    JOIN entities ON entities.kind = wanted.kind COLLATE "C" AND entities.id = wanted.id
    WHERE entities.tenant_id = %(tenant_id)s::BIGINT AND NOT entities.is_removed"""
FEW = 8
"""So many entities are read without a look at their sizes: a line of an import is bounded."""
MAX_READ_BYTES = 64 * 2**20
"""Text of entities that one statement gives at the most."""
# What a value may come to as text is seen without reading it: what is stored compressed was at the
# most so many times as long. Escapes may add to that.
_MOST = """pg_column_size(fields)::BIGINT
    * CASE WHEN pg_column_compression(fields) IS NULL THEN 1 ELSE 255 END"""
_WITHIN = f"""
    SELECT kind, id, CASE WHEN bytes <= {MAX_READ_BYTES} THEN fields::TEXT END FROM (
        SELECT *, sum({_MOST}) OVER (ROWS UNBOUNDED PRECEDING) AS bytes FROM ({{rows}}) AS listed
    ) AS counted"""
_READ_MANY = _WITHIN.format(rows=_READ.replace("entities.fields::TEXT", "entities.fields"))
_AFTER = _WITHIN.format(
    rows="""
    SELECT kind, id, fields FROM entities
    WHERE tenant_id = %(tenant_id)s::BIGINT AND NOT is_removed
        AND (kind, id) > (%(kind)s::TEXT COLLATE "C", %(id)s::BIGINT)
    ORDER BY kind, id LIMIT %(limit)s"""
)
_CHANGES = """
    SELECT kind, id, version FROM entities
    WHERE tenant_id = %(tenant_id)s::BIGINT AND version > %(version)s::BIGINT
    ORDER BY version DESC LIMIT %(limit)s"""
_TENANT = """
    SELECT directory_version, name, timezone, deskera_timezone FROM tenants
    WHERE tenant_id = %(tenant_id)s::BIGINT"""


def _by_ref(found: Iterable[tuple[Any, ...]]) -> dict[EntityRef, str | None]:
    """Return rows by their refs. Caches keep many of them, so that equal kinds share one string."""
    return {(intern(kind), id_): fields for kind, id_, fields in found}


class EntityChange(NamedTuple):
    """Which entity was written or removed last at which directory version."""

    ref: EntityRef
    version: int


class EntityStore:
    """Reads of the directory, each one prepared statement."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def read(self, tenant_id: int, refs: Iterable[EntityRef]) -> dict[EntityRef, str]:
        """Return the fields, as JSON text, of those entities that are known.

        Raises: AnswerTooLarge, if they are more than one answer may show.
        """
        wanted = list(refs)
        sql = _READ if len(wanted) <= FEW else _READ_MANY
        found = _by_ref(self._database.read(sql, _wanted(tenant_id, wanted)))
        left_out = [ref for ref, text in found.items() if text is None]
        texts = {ref: text for ref, text in found.items() if text is not None}
        room = MAX_PAGE_BYTES - sum(map(len, texts.values()))
        if left_out and room >= 0:
            more = self._read_in_turn(tenant_id, left_out, max_characters=room)
            room -= sum(map(len, more.values()))
            texts.update(more)
        if room < 0:
            raise AnswerTooLarge("limit", "gives too many bytes of entities")
        return texts

    def _read_in_turn(
        self, tenant_id: int, refs: Sequence[EntityRef], *, max_characters: int
    ) -> dict[EntityRef, str]:
        """Return entities that may be very large: a few at a time, until they are too many."""
        read: dict[EntityRef, str] = {}
        with self._database.transaction() as connection:
            streaming = connection.execution_options(stream_results=True, max_row_buffer=FEW)
            with streaming.exec_driver_sql(_READ, _wanted(tenant_id, refs)) as found:
                for kind, id_, text in found:
                    read[intern(kind), id_] = text
                    max_characters -= len(text)
                    if max_characters < 0:
                        break
        return read

    def after(self, tenant_id: int, ref: EntityRef, *, limit: int) -> dict[EntityRef, str]:
        """Return the next entities after one, by kind and id, as `read` does.

        They are fewer where they are very large.
        """
        kind, id_ = ref
        parameters = {"tenant_id": tenant_id, "kind": kind, "id": id_, "limit": limit}
        found = _by_ref(self._database.read(_AFTER, parameters))
        return {ref: text for ref, text in found.items() if text is not None}

    def changes(self, tenant_id: int, *, since: int, limit: int) -> list[EntityChange]:
        """Return what changed after a directory version, newest first, at most `limit`."""
        parameters = {"tenant_id": tenant_id, "version": since, "limit": limit}
        found = self._database.read(_CHANGES, parameters)
        return [EntityChange((kind, id_), version) for kind, id_, version in found]

    def tenant_row(self, tenant_id: int) -> tuple[int, str, str, str] | None:
        """Return a tenant's directory version, name and two zones."""
        found = self._database.read(_TENANT, {"tenant_id": tenant_id})
        return found[0] if found else None


class EntityWrites(NamedTuple):
    """The entities that were new, or removed before, and those that were replaced."""

    created: set[EntityRef]
    replaced: set[EntityRef]


def put_entities(
    connection: Connection, tenant_id: int, wanted: Mapping[EntityRef, Mapping[str, Any]]
) -> EntityWrites:
    """Store entities of one tenant, replacing those that are known.

    Entities that are equal to what is stored do not move. Raises LookupError if there is no such
    tenant.
    """
    if not lock_directory(connection, tenant_id):
        raise LookupError(tenant_id)
    current = _stored(connection, tenant_id, wanted.keys())
    changed = {ref: fields for ref, fields in wanted.items() if current.get(ref) != fields}
    if changed:
        version = next_directory_version(connection, tenant_id)
        rows = [
            {
                "tenant_id": tenant_id,
                "kind": kind,
                "id": id_,
                "version": version,
                "fields": fields,
                "is_removed": False,
            }
            for (kind, id_), fields in changed.items()
        ]
        statement = insert(entities)
        replaced = {name: statement.excluded[name] for name in ("version", "fields", "is_removed")}
        keys = ["tenant_id", "kind", "id"]
        connection.execute(
            statement.on_conflict_do_update(index_elements=keys, set_=replaced), rows
        )
    created = {ref for ref in wanted if ref not in current}
    return EntityWrites(created, changed.keys() - created)


def _stored(
    connection: Connection, tenant_id: int, refs: Iterable[EntityRef]
) -> dict[EntityRef, dict[str, Any]]:
    found = connection.exec_driver_sql(_READ, _wanted(tenant_id, refs))
    return {(kind, id_): orjson.loads(fields) for kind, id_, fields in found}


def _wanted(tenant_id: int, refs: Iterable[EntityRef]) -> dict[str, Any]:
    ordered = list(refs)
    return {
        "tenant_id": tenant_id,
        "kinds": [kind for kind, _ in ordered],
        "ids": [id_ for _, id_ in ordered],
    }


def missing_entities(
    connection: Connection, tenant_id: int, refs: Sequence[EntityRef]
) -> list[EntityRef]:
    """Return those of the refs that the directory does not know, in their order."""
    known = _stored(connection, tenant_id, refs)
    return [ref for ref in refs if ref not in known]


def remove_entity(connection: Connection, tenant_id: int, ref: EntityRef) -> bool:
    """Remove an entity, leaving a tombstone; returns whether it was there."""
    if not lock_directory(connection, tenant_id) or not _stored(connection, tenant_id, [ref]):
        return False
    kind, id_ = ref
    connection.execute(
        update(entities)
        .where(
            _columns.tenant_id == tenant_id,
            _columns.kind == kind,
            _columns.id == id_,
        )
        .values(version=next_directory_version(connection, tenant_id), fields={}, is_removed=True)
    )
    return True
