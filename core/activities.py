"""The use cases: who may do what, and where transactions begin and end.

A write hands in a pure function of the current record; it is called under the row's lock, so that
writes of different fields at the same moment both hold. A write that changes nothing moves nothing.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TypeVar

from sqlalchemy import Connection

from core.access import one_tenant, tenants_for, viewer_of
from core.conditions import EVERYTHING, ActivityQuery, Condition
from core.database import Database
from core.directory import EntityDirectory, references
from core.entities import missing_entities
from core.errors import (
    ActivityNotFound,
    InvalidActivity,
    InvalidQuery,
    NotAuthenticated,
    VersionMismatch,
)
from core.idempotency import take_receipt
from core.model import (
    Activity,
    Found,
    IdempotencyKey,
    Page,
    Principal,
    Related,
    Tenant,
    blank_activity,
)
from core.repository import ActivityRepository
from core.tenants import find_tenant
from core.writes import Change, Locked, lock, number, store

Match = TypeVar("Match")

Clock = Callable[[], datetime]
Write = Callable[[Activity, Tenant], Activity]
Render = Callable[[Activity, Tenant], bytes]
AMBIGUOUS = "is required, because this id exists in several of the credential's organizations"


def utc_now() -> datetime:
    """Return the present instant."""
    return datetime.now(UTC)


class Activities:
    """Everything that can be done with activities, on behalf of a principal.

    `tenant_id` names one of the credential's tenants where it spans several: required for lists
    and creates, searched for by id. All methods raise Forbidden without the scope, ForeignTenant
    for a tenant that is not the credential's, and Unavailable.
    """

    def __init__(
        self,
        database: Database,
        directory: EntityDirectory,
        *,
        clock: Clock = utc_now,
        strict_references: bool = False,
    ) -> None:
        self._database = database
        self._repository = ActivityRepository(database)
        self._directory = directory
        self._clock = clock
        self._strict_references = strict_references

    def page(
        self,
        principal: Principal,
        query: ActivityQuery,
        *,
        tenant_id: int | None = None,
        expand: bool = True,
    ) -> Page:
        """Return a page of what the principal may see, with related entities if asked to expand.

        Raises: InvalidQuery, if no tenant is named where several are possible.
        """
        chosen = one_tenant(principal, "read", tenant_id, InvalidQuery)
        rows = self._repository.page(chosen, viewer_of(principal), query, count=True)
        if not rows.directory_version:
            raise NotAuthenticated(detail=f"no tenant {chosen}")
        related: Related = {}
        if expand and rows.activities:
            refs = set().union(*map(references, rows.activities))
            related = self._directory.lookup(chosen, rows.directory_version, refs)
        total = rows.visible_total if rows.total is None else rows.total
        tenant = self._directory.tenant(chosen, rows.directory_version)
        return Page(rows.activities, total, rows.visible_total, related, tenant)

    def get(
        self,
        principal: Principal,
        activity_id: int,
        *,
        where: Condition = EVERYTHING,
        tenant_id: int | None = None,
        expand: bool = True,
    ) -> Found:
        """Return one activity. Raises: ActivityNotFound; InvalidQuery, if several tenants match."""
        tenant_ids = tenants_for(principal, "read", tenant_id)
        viewer = viewer_of(principal)
        if len(tenant_ids) == 1 and where == EVERYTHING:
            found = self._repository.one(tenant_ids[0], activity_id, viewer)
            matches = [] if found is None else [found]
        else:
            matches = self._repository.matching(tenant_ids, activity_id, viewer, where)
        version, activity = _only(matches, activity_id)
        related: Related = {}
        if expand:
            refs = references(activity)
            related = self._directory.lookup(activity.tenant_id, version, refs)
        return Found(activity, related, self._directory.tenant(activity.tenant_id, version))

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
        receipt = None
        with self._database.transaction() as connection:
            tenant = find_tenant(connection, chosen)
            if tenant is None:
                raise NotAuthenticated(detail=f"no tenant {chosen}")
            if idempotency is not None:
                receipt = take_receipt(
                    connection,
                    tenant_id=chosen,
                    user_id=principal.user_id,
                    key=idempotency,
                    now=now,
                )
                if receipt.answer is not None:
                    return receipt.answer
            blank = blank_activity(tenant_id=chosen, user_id=principal.user_id, now=now)
            wanted = write(blank, tenant)
            self._check_references(connection, blank, wanted)
            created = wanted._replace(id=number(connection, chosen))
            answer = render(created, tenant)
            if receipt is not None:
                receipt.keep(connection, answer)
            store(connection, [(None, created)])
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
            held = lock(
                connection, tenant_ids, [activity_id], viewer=viewer_of(principal), where=where
            )
            before, tenant = _only_version(held, activity_id, if_versions)
            wanted = write(before, tenant)
            after = self._save(connection, principal, [(before, wanted)])
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
            held = lock(
                connection, tenant_ids, [activity_id], viewer=viewer_of(principal), where=where
            )
            before, tenant = _only_version(held, activity_id, if_versions)
            removed = self._remove(connection, principal, [before])
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
            held = lock(connection, tenant_ids, activity_ids, viewer=viewer)
            found = _asked_for(held, activity_ids)
            wishes = [(locked.activity, write(*locked)) for locked in held]
            self._save(connection, principal, wishes)
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
            held = lock(connection, tenant_ids, activity_ids, viewer=viewer)
            found = _asked_for(held, activity_ids)
            self._remove(connection, principal, [locked.activity for locked in held])
        return found

    def _save(
        self,
        connection: Connection,
        principal: Principal,
        wishes: Sequence[tuple[Activity, Activity]],
    ) -> list[Activity]:
        """Store the writes that change something; return every record as it is then."""
        results = []
        changes: list[Change] = []
        for before, wanted in wishes:
            if wanted != before:
                self._check_references(connection, before, wanted)
                changes.append((before, self._stamped(before, wanted, principal)))
            results.append(before if wanted == before else changes[-1][1])
        store(connection, changes)
        return results

    def _remove(
        self, connection: Connection, principal: Principal, held: Sequence[Activity]
    ) -> list[Activity]:
        stamped = [self._stamped(activity, activity, principal) for activity in held]
        removed = [activity._replace(deleted_at=activity.updated_at) for activity in stamped]
        store(connection, list(zip(held, removed, strict=True)))
        return removed

    def _stamped(self, before: Activity, wanted: Activity, principal: Principal) -> Activity:
        return wanted._replace(
            version=before.version + 1,
            updated_at=max(self._clock(), before.updated_at),
            updated_by=principal.user_id,
        )

    def _check_references(self, connection: Connection, before: Activity, wanted: Activity) -> None:
        """Refuse new references to unknown entities, where the setting says so."""
        if not self._strict_references:
            return
        added = sorted(references(wanted) - references(before))
        missing = missing_entities(connection, wanted.tenant_id, added) if added else []
        if missing:
            problems = [(ref.kind, f"{ref.id} is not in the directory") for ref in missing]
            raise InvalidActivity.from_problems(problems)


def _only(matches: Sequence[Match], activity_id: int) -> Match:
    """Return the one match. Raises: ActivityNotFound; InvalidQuery, if there are several."""
    if not matches:
        raise ActivityNotFound(activity_id)
    if len(matches) > 1:
        raise InvalidQuery("organization_id", AMBIGUOUS)
    return matches[0]


def _only_version(
    held: Sequence[Locked], activity_id: int, if_versions: frozenset[int] | None
) -> Locked:
    locked = _only(held, activity_id)
    if if_versions is not None and locked.activity.version not in if_versions:
        raise VersionMismatch
    return locked


def _asked_for(held: Sequence[Locked], activity_ids: Sequence[int]) -> list[int]:
    """Return the ids that were found, once each, in the order asked for."""
    found = [locked.activity.id for locked in held]
    if len(found) != len(set(found)):
        raise InvalidQuery("organization_id", AMBIGUOUS)
    known = set(found)
    return [activity_id for activity_id in dict.fromkeys(activity_ids) if activity_id in known]
