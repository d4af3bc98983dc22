"""The use cases: who may do what, and where transactions begin and end.

A write hands in a pure function of the current record; it is called under the row's lock, so that
writes of different fields at the same moment both hold. A write that changes nothing moves nothing.
"""

from collections.abc import Callable, Sequence, Set

from core.caching.count_cache import CountCache
from core.caching.entity_cache import EntityCache
from core.domain.access import one_tenant, tenants_for, viewer_of
from core.domain.clock import Clock, utc_now
from core.domain.entity import EntityRef, Related
from core.domain.errors import (
    AnswerTooLarge,
    InvalidActivity,
    InvalidQuery,
    NotAuthenticated,
    page_too_large,
    record_too_large,
)
from core.domain.model import (
    MAX_PAGE_BYTES,
    Activity,
    Found,
    IdempotencyKey,
    Knows,
    Page,
    Principal,
    Tenant,
    Versions,
    blank_activity,
    references,
)
from core.domain.query import EVERYTHING, ActivityQuery, Condition
from core.storage.activity_reader import ActivityReader, Rows
from core.storage.activity_writer import lock, next_id, save
from core.storage.database import Database
from core.storage.idempotency import claim_key
from core.storage.replica_reader import Replica, ReplicaReader
from core.storage.tenant_store import find_tenant
from core.write_rules import WriteRules, exactly_one, exactly_one_at, found_ids

ENTITIES_TOO_LARGE = f"its entities come to more than {MAX_PAGE_BYTES // 2**20} MiB"
Write = Callable[[Activity, Tenant], Activity]
Render = Callable[[Activity, Tenant], bytes]
References = Callable[[Sequence[Activity], Versions], Set[EntityRef]]
"""Names the entities to look up for activities that were read at these versions."""


def all_references(activities: Sequence[Activity], _versions: Versions) -> Set[EntityRef]:
    """Return every entity that the activities name."""
    return references(activities)


class Activities:
    """Everything that can be done with activities, on behalf of a principal.

    `tenant_id` names one of the credential's tenants where it spans several: required for lists
    and creates, searched for by id. All methods raise Forbidden without the scope, ForeignTenant
    for a tenant that is not the credential's, and Unavailable.
    """

    def __init__(
        self,
        database: Database,
        entity_cache: EntityCache,
        *,
        replicas: Sequence[Replica] = (),
        clock: Clock = utc_now,
        strict_references: bool = False,
    ) -> None:
        """Keep the parts that the use cases share; reads may go to `replicas` of the database."""
        self._database = database
        self._reader = ReplicaReader(database, replicas) if replicas else ActivityReader(database)
        self._counted_pages = CountCache(self._reader, counters=database.counters)
        self._entity_cache = entity_cache
        self._clock = clock
        self._write_rules = WriteRules(clock=clock, strict_references=strict_references)

    @property
    def cached_totals(self) -> int:
        """How many totals of filtered lists are cached."""
        return len(self._counted_pages)

    def page(
        self,
        principal: Principal,
        query: ActivityQuery,
        *,
        tenant_id: int | None = None,
        expand: References = all_references,
        knows: Knows | None = None,
    ) -> Page:
        """Return a page of what the principal may see, with the entities that `expand` asks for.

        A caller may be asked whether it `knows` all records; then none is read.
        Raises: InvalidQuery, if no tenant is named where several are possible; AnswerTooLarge.
        """
        chosen = one_tenant(principal, "read", tenant_id, InvalidQuery)
        rows = self._counted_pages.page(chosen, viewer_of(principal), query, knows)
        if not rows.directory_version:
            raise NotAuthenticated(detail=f"no tenant {chosen}")
        versions = Versions(rows.version, rows.directory_version)
        related = {} if rows.is_known else self._related(rows, versions, expand, chosen)
        tenant = self._entity_cache.tenant(chosen, rows.directory_version)
        totals = (rows.total or 0, rows.visible_total or 0)
        return Page(rows.activities, *totals, related, tenant, versions)

    def _related(
        self, rows: Rows, versions: Versions, expand: References, tenant_id: int
    ) -> Related:
        """Return the entities of a page. Raises: AnswerTooLarge, telling how many records fit."""
        refs = expand(rows.activities, versions)
        try:
            return self._entity_cache.lookup(tenant_id, versions.directory, refs)
        except AnswerTooLarge as error:
            count = len(rows.activities) // 2
            while count and not self._has_room(rows.activities[:count], versions, expand):
                count //= 2
            raise page_too_large(count, ENTITIES_TOO_LARGE) from error

    def _has_room(
        self, activities: Sequence[Activity], versions: Versions, expand: References
    ) -> bool:
        refs = expand(activities, versions)
        try:
            self._entity_cache.lookup(activities[0].tenant_id, versions.directory, refs)
        except AnswerTooLarge:
            return False
        return True

    def get(
        self,
        principal: Principal,
        activity_id: int,
        *,
        where: Condition = EVERYTHING,
        tenant_id: int | None = None,
        expand: References = all_references,
    ) -> Found:
        """Return one activity with the entities that `expand` asks for.

        Raises: ActivityNotFound; AnswerTooLarge; InvalidQuery, if several tenants match.
        """
        tenant_ids = tenants_for(principal, "read", tenant_id)
        viewer = viewer_of(principal)
        if len(tenant_ids) == 1 and where == EVERYTHING:
            found = self._reader.find(tenant_ids[0], activity_id, viewer)
            matches = [] if found is None else [found]
        else:
            matches = self._reader.find_in_tenants(tenant_ids, activity_id, viewer, where)
        versions, activity = exactly_one(matches, activity_id)
        directory, tenant_id = versions.directory, activity.tenant_id
        refs = expand([activity], versions)
        try:
            related = self._entity_cache.lookup(tenant_id, directory, refs)
        except AnswerTooLarge as error:
            raise record_too_large(MAX_PAGE_BYTES) from error
        return Found(
            activity,
            related,
            self._entity_cache.tenant(tenant_id, directory),
            versions if len(tenant_ids) == 1 else None,
        )

    def create(
        self,
        principal: Principal,
        write: Write,
        render: Render,
        *,
        tenant_id: int | None = None,
        idempotency: IdempotencyKey | None = None,
    ) -> bytes:
        """Store what `write` makes of a blank activity; return what `render` makes of the result.

        With an idempotency key the answer is kept beside the record, and a repeat returns it.
        Raises: InvalidActivity, IdempotencyConflict.
        """
        chosen = one_tenant(principal, "write", tenant_id, InvalidActivity)
        now = self._clock()
        record = None
        with self._database.transaction() as connection:
            tenant = find_tenant(connection, chosen)
            if tenant is None:
                raise NotAuthenticated(detail=f"no tenant {chosen}")
            if idempotency is not None:
                record = claim_key(
                    connection,
                    tenant_id=chosen,
                    user_id=principal.user_id,
                    key=idempotency,
                )
                if record.answer is not None:
                    return record.answer
            blank = blank_activity(tenant_id=chosen, user_id=principal.user_id, now=now)
            wanted = write(blank, tenant)
            self._write_rules.check_references(connection, blank, wanted)
            created = wanted._replace(id=next_id(connection, chosen))
            answer = render(created, tenant)
            if record is not None:
                record.save_answer(connection, answer)
            save(connection, [(None, created)])
        return answer

    def change(
        self,
        principal: Principal,
        activity_id: int,
        write: Write,
        *,
        where: Condition = EVERYTHING,
        tenant_id: int | None = None,
        if_versions: frozenset[int] | None = None,
    ) -> Found:
        """Apply `write` to one activity under its lock; an equal result moves nothing.

        Raises: ActivityNotFound, InvalidActivity, VersionMismatch.
        """
        tenant_ids = tenants_for(principal, "write", tenant_id)
        with self._database.transaction() as connection:
            locked = lock(
                connection, tenant_ids, [activity_id], viewer=viewer_of(principal), where=where
            )
            before, tenant = exactly_one_at(locked, activity_id, if_versions)
            wanted = write(before, tenant)
            after = self._write_rules.save(connection, principal, [(before, wanted)])
        return Found(after[0], {}, tenant)

    def remove(
        self,
        principal: Principal,
        activity_id: int,
        *,
        where: Condition = EVERYTHING,
        tenant_id: int | None = None,
        if_versions: frozenset[int] | None = None,
    ) -> Found:
        """Mark one activity deleted and return it so; no read or write finds it any more.

        Raises: ActivityNotFound, VersionMismatch.
        """
        tenant_ids = tenants_for(principal, "write", tenant_id)
        with self._database.transaction() as connection:
            locked = lock(
                connection, tenant_ids, [activity_id], viewer=viewer_of(principal), where=where
            )
            before, tenant = exactly_one_at(locked, activity_id, if_versions)
            removed = self._write_rules.remove(connection, principal, [before])
        return Found(removed[0], {}, tenant)

    def change_many(
        self,
        principal: Principal,
        activity_ids: Sequence[int],
        write: Write,
        *,
        tenant_id: int | None = None,
    ) -> list[int]:
        """Apply `write` to those of the activities that the principal may see, all or none.

        Returns their ids without repetition, in the order asked for.
        Raises: InvalidActivity; InvalidQuery, if an id exists in several of the tenants.
        """
        tenant_ids = tenants_for(principal, "write", tenant_id)
        viewer = viewer_of(principal)
        with self._database.transaction() as connection:
            locked = lock(connection, tenant_ids, activity_ids, viewer=viewer)
            found = found_ids(locked, activity_ids)
            pending_changes = [(each.activity, write(*each)) for each in locked]
            self._write_rules.save(connection, principal, pending_changes)
        return found

    def remove_many(
        self,
        principal: Principal,
        activity_ids: Sequence[int],
        *,
        tenant_id: int | None = None,
    ) -> list[int]:
        """Mark deleted those of the activities that the principal may see.

        Returns their ids without repetition, in the order asked for.
        """
        tenant_ids = tenants_for(principal, "write", tenant_id)
        viewer = viewer_of(principal)
        with self._database.transaction() as connection:
            locked = lock(connection, tenant_ids, activity_ids, viewer=viewer)
            found = found_ids(locked, activity_ids)
            self._write_rules.remove(connection, principal, [each.activity for each in locked])
        return found
