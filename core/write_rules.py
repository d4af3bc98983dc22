"""What a write does once its records are locked: check them, mark them updated, save them."""

from collections.abc import Sequence
from typing import TypeVar

from sqlalchemy import Connection

from core.domain.clock import Clock
from core.domain.errors import ActivityNotFound, InvalidActivity, InvalidQuery, VersionMismatch
from core.domain.model import Activity, Principal, references
from core.storage.activity_writer import Change, LockedActivity, save
from core.storage.entity_store import missing_entities

Match = TypeVar("Match")
SEVERAL_MATCHES = "is required, because this id exists in more than one that the credential spans"


class WriteRules:
    """Saves what a principal makes of records that the transaction has locked."""

    def __init__(self, *, clock: Clock, strict_references: bool) -> None:
        """With `strict_references` a new reference to an unknown entity is refused."""
        self._clock = clock
        self._strict_references = strict_references

    def save(
        self,
        connection: Connection,
        principal: Principal,
        pending_changes: Sequence[tuple[Activity, Activity]],
    ) -> list[Activity]:
        """Save those pairs of a record and its wanted state that differ; return every final record.

        Raises: InvalidActivity, for references that may not be unknown.
        """
        results = []
        changes: list[Change] = []
        for before, wanted in pending_changes:
            if wanted != before:
                self.check_references(connection, before, wanted)
                changes.append((before, self._marked_updated(before, wanted, principal)))
            results.append(before if wanted == before else changes[-1][1])
        save(connection, changes)
        return results

    def remove(
        self, connection: Connection, principal: Principal, locked: Sequence[Activity]
    ) -> list[Activity]:
        """Mark the records deleted; return them so."""
        updated = [self._marked_updated(activity, activity, principal) for activity in locked]
        removed = [activity._replace(deleted_at=activity.updated_at) for activity in updated]
        save(connection, list(zip(locked, removed, strict=True)))
        return removed

    def _marked_updated(self, before: Activity, wanted: Activity, principal: Principal) -> Activity:
        return wanted._replace(
            version=before.version + 1,
            updated_at=max(self._clock(), before.updated_at),
            updated_by=principal.user_id,
        )

    def check_references(self, connection: Connection, before: Activity, wanted: Activity) -> None:
        """Refuse new references to unknown entities, where the setting says so."""
        if not self._strict_references:
            return
        added = sorted(references([wanted]) - references([before]))
        missing = missing_entities(connection, wanted.tenant_id, added) if added else []
        if missing:
            problems = [(kind, f"{id_} is not in the directory") for kind, id_ in missing]
            raise InvalidActivity.from_problems(problems)


def exactly_one(matches: Sequence[Match], activity_id: int) -> Match:
    """Return the one match. Raises: ActivityNotFound; InvalidQuery, if there are several."""
    if not matches:
        raise ActivityNotFound(activity_id)
    if len(matches) > 1:
        raise InvalidQuery("tenant_id", SEVERAL_MATCHES)
    return matches[0]


def exactly_one_at(
    locked: Sequence[LockedActivity], activity_id: int, if_versions: frozenset[int] | None
) -> LockedActivity:
    """Return the one locked record, at a version that the caller accepts.

    Raises: as `exactly_one`; VersionMismatch.
    """
    match = exactly_one(locked, activity_id)
    if if_versions is not None and match.activity.version not in if_versions:
        raise VersionMismatch
    return match


def found_ids(locked: Sequence[LockedActivity], activity_ids: Sequence[int]) -> list[int]:
    """Return the ids that were found, once each, in the order asked for."""
    found = [each.activity.id for each in locked]
    if len(found) != len(set(found)):
        raise InvalidQuery("tenant_id", SEVERAL_MATCHES)
    known = set(found)
    return [activity_id for activity_id in dict.fromkeys(activity_ids) if activity_id in known]
