"""Pure functions between Deskera's activity and ours: what is on the wire, and what it means."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import orjson

from adapters.deskera.bodies import ignored_keys, object_body
from adapters.deskera.body_values import later, parse_duration
from adapters.deskera.details import (
    deal_info,
    organization_info,
    person_info,
    unknown_user,
    user_info,
)
from adapters.deskera.fields import FIELD_BY_NAME, WRITABLE, shown_minutes
from adapters.deskera.timestamps import duration_text, timestamp_writer
from core.domain.entity import Entity, EntityRef, Related
from core.domain.errors import InvalidActivity, page_too_large
from core.domain.model import MAX_PAGE_ENTITIES, Activity, Tenant
from core.domain.schedule import (
    ENDS,
    instants_in_order,
    shown_end_at,
    span_minutes,
    with_instant,
)
from core.domain.validators import Refused

TIMED = frozenset({"duration", "start", "end"})
"""Keys that are more than one field of the activity, and depend on one another."""

PARTS = ("date", "time", "at")

Find = Callable[[EntityRef], Entity | None]
Rendering = Callable[[Entity], orjson.Fragment]


def show(activity: Activity, related: Related, tenant: Tenant) -> dict[str, Any]:
    """Return the activity as Deskera shows it: 38 keys in the order of its samples.

    Embedded objects are fragments of JSON for orjson. Stamps are in the tenant's Deskera zone,
    never in `user_timezone`: the samples show +05:30 beside Asia/Singapore.
    Source: docs/dialects/deskera.md D19 to D34, D47.
    """
    find = related.get
    stamp = timestamp_writer(tenant.deskera_timezone)
    owner = find(("user", activity.owner_id))
    deal = find(("deal", activity.deal_id)) if activity.deal_id else None
    end_at = shown_end_at(activity)
    return {
        "id": activity.id,
        "name": activity.subject,
        "activity_type": activity.activity_type or "",
        "duration": duration_text(shown_minutes(activity)),
        "notes": activity.notes or "",  # Base64 on the way in only: docs/dialects/deskera.md D41.
        "visibility_type": activity.visibility,
        "is_availability": activity.is_availability,
        "is_send_invitation": activity.is_send_invitation,
        "is_send_contacts_invitation": activity.is_send_contacts_invitation,
        "assigned_to": "",
        "assignee_ids": activity.assignee_ids,
        "assignee_details": _details(find, "user", activity.assignee_ids, user_info),
        "contact_ids": activity.contact_ids,
        "contact_details": _details(find, "contact", activity.contact_ids, person_info),
        "organization_ids": activity.company_ids,
        "organization_details": _details(find, "company", activity.company_ids, organization_info),
        "linked_to": activity.deal_id or 0,
        "deal_details": deal_info(deal) if deal else None,
        "owner_id": activity.owner_id,
        "owner_details": user_info(owner) if owner else unknown_user(activity.owner_id),
        "tenant_id": activity.tenant_id,
        "is_status": activity.completed,
        "created_at": stamp(activity.created_at),
        "updated_at": stamp(activity.updated_at),
        "created_by": activity.created_by,
        "updated_by": activity.updated_by,
        "is_deleted": activity.deleted_at is not None,
        "EmailSent": activity.email_sent,  # Not email_sent: docs/dialects/deskera.md D20.
        "consumer_id": activity.consumer_id,
        "scheduled_status": activity.scheduled_status,
        "batch_id": activity.batch_id,
        "cron_status": activity.cron_status,
        "notification_error": activity.notification_error,
        "source": activity.source,
        "source_id": activity.source_id,
        "user_timezone": activity.timezone,
        "start": stamp(activity.start_at) if activity.start_at else None,
        "end": stamp(end_at) if end_at else None,
    }


def references(activities: Iterable[Activity]) -> set[EntityRef]:
    """Return the entities that `show` embeds.

    Raises: InvalidQuery, naming `limit`, if they are too many for one answer.
    """
    refs: set[EntityRef] = set()
    add = refs.add
    for count, activity in enumerate(activities):
        add(("user", activity.owner_id))
        for id_ in activity.assignee_ids:
            add(("user", id_))
        for id_ in activity.contact_ids:
            add(("contact", id_))
        for id_ in activity.company_ids:
            add(("company", id_))
        if activity.deal_id:
            add(("deal", activity.deal_id))
        if len(refs) > MAX_PAGE_ENTITIES:
            raise page_too_large(count, f"it shows more than {MAX_PAGE_ENTITIES} entities")
    return refs


def _details(find: Find, kind: str, ids: Sequence[int], render: Rendering) -> list[orjson.Fragment]:
    found = []  # A loop, not a comprehension: on short lists the frame costs more than the work.
    for id_ in ids:
        entity = find((kind, id_))
        if entity is not None:
            found.append(render(entity))
    return found


def apply(activity: Activity, body: Any, tenant: Tenant) -> Activity:
    """Return the activity as this body wants it.

    Keys that are absent, unknown or the server's leave things as they are; so does one that
    carries what is shown now, as sent or as it is read (docs/laws.md R5), unless the rest of the
    body would change what it shows: then it is written. Null means the key's zero value. A create
    applies the body to a blank activity.
    Raises: InvalidActivity, naming every key that cannot be read, or `end` before its start.
    """
    body = object_body(body)
    changes = _changes(activity, body, tenant)
    if changes.get("owner_id") == 0:
        changes["owner_id"] = activity.created_by
    plain = {
        field.canonical[0]: changes[field.wire]
        for field in WRITABLE
        if field.wire in changes and field.wire not in TIMED
    }
    return _with_times(activity._replace(**plain), body, changes, tenant)


def _changes(activity: Activity, body: Mapping[str, Any], tenant: Tenant) -> dict[str, Any]:
    """Return what the body changes, in the core's form; echoes are left out."""
    shown = show(activity, {}, tenant)
    changes: dict[str, Any] = {}
    problems: list[tuple[str, str]] = []
    for field in WRITABLE:
        if field.wire not in body:
            continue
        raw = field.null if body[field.wire] is None else body[field.wire]
        if _is_same_json(raw, shown[field.wire]):
            continue
        try:
            value = field.parse(raw)
        except Refused as refusal:
            problems.append((field.wire, str(refusal)))
            continue
        if value != field.shown(activity):
            changes[field.wire] = value
    if problems:
        raise InvalidActivity.from_problems(problems)
    return changes


def _is_same_json(raw: Any, shown: Any) -> bool:
    """Return whether two values are equal as JSON, where true is not 1 and 1.0 is not 1.

    Lists never are, as shown they are tuples; reading them makes them comparable.
    """
    return type(raw) is type(shown) and raw == shown


def _with_times(
    before: Activity, body: Mapping[str, Any], changes: Mapping[str, Any], tenant: Tenant
) -> Activity:
    """Return the activity with both ends, then the duration, as the body has them.

    An echo is written where what came before it changed what the key shows (docs/laws.md R5).
    """
    activity = before
    for end in ENDS:
        shown = FIELD_BY_NAME[end].shown
        if end in changes or (end in body and shown(activity) != shown(before)):
            instant = changes.get(end, shown(before))
            activity = with_instant(activity, end, instant, tenant_timezone=tenant.timezone)
    if "duration" in changes or ("duration" in body and _shows_other_minutes(before, activity)):
        minutes = changes.get("duration", shown_minutes(before))
        activity = _with_duration(activity, minutes, tenant, has_end="end" in body)
    if _ends(activity) != _ends(before) and not instants_in_order(activity):
        raise InvalidActivity("end", "is before start")
    return activity


def _ends(activity: Activity) -> tuple[Any, ...]:
    return tuple(getattr(activity, f"{end}_{part}") for end in ENDS for part in PARTS)


def _shows_other_minutes(before: Activity, after: Activity) -> bool:
    return shown_minutes(after) != shown_minutes(before)


def _with_duration(
    activity: Activity, minutes: int | None, tenant: Tenant, *, has_end: bool
) -> Activity:
    """Return the activity with a duration: it moves the end of a timed start, else it is stored.

    Beside the key `end` it moves nothing, and is ignored where two timed ends have a span. What
    the ends say anyway is not stored, so that it follows them from then on.
    """
    if has_end and span_minutes(activity) is not None:
        return activity
    start = None if activity.start_time is None else activity.start_at
    if not has_end and start is not None and minutes is not None:
        try:
            end = later(start, minutes)
        except Refused as refusal:
            raise InvalidActivity("duration", str(refusal)) from refusal
        activity = with_instant(activity, "end", end, tenant_timezone=tenant.timezone)
    stored = None if minutes == span_minutes(activity) else minutes
    return activity._replace(duration_minutes=stored)


def ignored(activity: Activity, body: dict[str, Any]) -> list[str]:
    """Return the keys of a written body that had no effect on this activity, made from it.

    Those that no client writes, and a duration beside the key `end` that is not the one shown.
    """
    names = ignored_keys(body, FIELD_BY_NAME)
    given = object_body(body)
    if "end" in given and "duration" in given and span_minutes(activity) is not None:
        raw = given["duration"]
        if parse_duration("" if raw is None else raw) != shown_minutes(activity):
            names.append("duration")
    return names
