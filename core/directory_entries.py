"""The directory as upstream systems push it: the use cases behind `/directory`.

Every method needs the scope `directory`. `tenant_id` names one of the credential's tenants and
may be left out where there is only one.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import orjson

from core.domain.access import SEVERAL_TENANTS, tenants_for
from core.domain.counters import IMPORTED_RECORDS
from core.domain.entity import ENTITY_KINDS, EntityRef
from core.domain.errors import EntityNotFound, InvalidEntity, NotAuthenticated
from core.domain.model import Principal
from core.storage.database import Database
from core.storage.entity_search import EntitySearch, FoundEntity
from core.storage.entity_store import EntityStore, put_entities, remove_entity
from core.transfer import ndjson
from core.transfer.ndjson import Record

SCOPE = "directory"
MAX_PROBLEMS_SHOWN = 1000


class DirectoryEntries:
    """Reads, replaces and removes directory entities on behalf of a principal.

    All methods raise Forbidden without the scope, ForeignTenant for a tenant that is not the
    credential's, InvalidEntity for what cannot be read, and Unavailable.
    """

    def __init__(self, database: Database) -> None:
        """Read and write the directory of this database."""
        self._database = database
        self._store = EntityStore(database)
        self._search = EntitySearch(database)

    def get(self, principal: Principal, ref: EntityRef, *, tenant_id: int | None = None) -> bytes:
        """Return an entity as its line of NDJSON. Raises: EntityNotFound."""
        chosen = _one_tenant(principal, tenant_id)
        text = self._store.read(chosen, [ref]).get(ref)
        if text is None:
            raise EntityNotFound(detail=f"no {ref} in tenant {chosen}")
        return ndjson.write_entity(chosen, *ref, orjson.loads(text))

    def find(
        self,
        principal: Principal,
        text: str,
        *,
        kinds: Collection[str],
        limit: int,
        tenant_id: int | None = None,
    ) -> list[FoundEntity]:
        """Return at most `limit` entities of some kinds that a text or a number finds."""
        chosen = _one_tenant(principal, tenant_id)
        return self._search.find(chosen, text, kinds=kinds, limit=limit)

    def naming(
        self, principal: Principal, ref: EntityRef, *, limit: int, tenant_id: int | None = None
    ) -> list[FoundEntity]:
        """Return at most `limit` entities that name an entity: its deals, and its contacts."""
        return self._search.naming(_one_tenant(principal, tenant_id), ref, limit=limit)

    def put(
        self,
        principal: Principal,
        ref: EntityRef,
        payload: Mapping[str, Any],
        *,
        tenant_id: int | None = None,
    ) -> tuple[bytes, bool]:
        """Replace an entity; return its line of NDJSON and whether it was new."""
        allowed = tenants_for(principal, SCOPE, tenant_id)
        record = ndjson.read(_complete(payload, ref, tenant_id=tenant_id, allowed=allowed))
        tenants_for(principal, SCOPE, record.tenant_id)
        created = self._put({record.tenant_id: {ref: record.fields}})
        return ndjson.write_entity(record.tenant_id, *ref, record.fields), bool(created)

    def put_lines(
        self, principal: Principal, lines: Iterable[bytes], *, tenant_id: int | None = None
    ) -> int:
        """Replace the entities of NDJSON lines, all or none; return how many lines there were.

        Of two lines with one id the later counts.
        """
        tenants_for(principal, SCOPE, tenant_id)
        wanted: dict[int, dict[EntityRef, dict[str, Any]]] = defaultdict(dict)
        problems: list[tuple[str, str]] = []
        count = 0
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                record = _read_entity(principal, line, tenant_id)
            except InvalidEntity as error:
                problems += [(f"line {number}: {name}", why) for name, why in error.problems]
                continue
            wanted[record.tenant_id][record.kind, record.id] = record.fields
            count += 1
        if problems:
            raise InvalidEntity.from_problems(problems[:MAX_PROBLEMS_SHOWN])
        self._put(wanted)
        return count

    def remove(self, principal: Principal, ref: EntityRef, *, tenant_id: int | None = None) -> None:
        """Remove an entity. Raises: EntityNotFound."""
        chosen = _one_tenant(principal, tenant_id)
        with self._database.transaction() as connection:
            if not remove_entity(connection, chosen, ref):
                raise EntityNotFound(detail=f"no {ref} in tenant {chosen}")

    def _put(self, wanted: Mapping[int, Mapping[EntityRef, Mapping[str, Any]]]) -> set[EntityRef]:
        created: set[EntityRef] = set()
        with self._database.transaction() as connection:
            for tenant_id, entities in sorted(wanted.items()):
                try:
                    created |= put_entities(connection, tenant_id, entities).created
                except LookupError as error:
                    raise NotAuthenticated(detail=f"no tenant {tenant_id}") from error
        self._database.counters[IMPORTED_RECORDS] += sum(map(len, wanted.values()))
        return created


def _one_tenant(principal: Principal, tenant_id: int | None) -> int:
    chosen, *others = tenants_for(principal, SCOPE, tenant_id)
    if others:
        raise InvalidEntity("tenant_id", SEVERAL_TENANTS)
    return chosen


def _complete(
    payload: Mapping[str, Any], ref: EntityRef, *, tenant_id: int | None, allowed: Sequence[int]
) -> dict[str, Any]:
    """Return a body with what its URL says; raises InvalidEntity where the two disagree."""
    said = dict(zip(("kind", "id"), ref, strict=True))
    if tenant_id is not None:
        said["tenant_id"] = tenant_id
    for name, value in said.items():
        if payload.get(name) not in (None, value):
            raise InvalidEntity(name, f"must be {value}, as in the URL")
    complete = {**payload, **said}
    if complete.get("tenant_id") is None:
        if len(allowed) > 1:
            raise InvalidEntity("tenant_id", SEVERAL_TENANTS)
        complete["tenant_id"] = allowed[0]
    return complete


def _read_entity(principal: Principal, line: bytes, tenant_id: int | None) -> Record:
    """Return the entity of a line, in the tenant that it or else the URL names.

    Raises: InvalidEntity, ForeignTenant.
    """
    payload = ndjson.parse(line)
    if payload.get("kind") not in ENTITY_KINDS:
        raise InvalidEntity("kind", f"must be one of {', '.join(ENTITY_KINDS)}")
    only = principal.tenant_ids[0] if len(principal.tenant_ids) == 1 else None
    record = ndjson.read(payload, tenant_id=tenant_id or only)
    tenants_for(principal, SCOPE, record.tenant_id)
    if tenant_id not in (None, record.tenant_id):
        raise InvalidEntity("tenant_id", f"must be {tenant_id}, as in the URL")
    return record
