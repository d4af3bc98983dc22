"""What an AchieveApex body means: pure lenses between wire dicts and the canonical Activity."""

import json
from collections.abc import Iterable
from datetime import date, time
from typing import Any

import orjson

from adapters.achieveapex.body_values import shortest
from adapters.achieveapex.details import Expansion, expand
from adapters.achieveapex.fields import FIELD_BY_NAME, READ_ONLY, UNKNOWN_KEY, Field
from adapters.achieveapex.timestamps import date_text, time_text, timestamp_text
from core.domain.entity import EntityRef, Related
from core.domain.errors import InvalidActivity
from core.domain.model import Activity, Tenant
from core.domain.schedule import (
    ENDS,
    effective_duration,
    span_minutes,
    wall_clocks_in_order,
    with_wall_clock,
)
from core.domain.validators import Refused

MAX_PROBLEMS = 20


def show(
    activity: Activity, related: Related, tenant: Tenant, expansion: Expansion = "none"
) -> dict[str, Any]:
    """Return the record as AchieveApex shows it: 22 keys, and 5 more with an expansion.

    Lists expand "compact", a get "detailed". What `related` does not hold is null.
    Source: docs/dialects/achieveapex.md A26, A28, A29.
    """
    del tenant  # Nothing of the tenant is on this wire; the other dialect's twin needs it.
    assignees, contacts = activity.assignee_ids, activity.contact_ids
    companies, place = activity.company_ids, activity.location_geocoded
    record: dict[str, Any] = {
        "id": activity.id,
        "organization_id": activity.tenant_id,
        "created_by_user_id": activity.created_by,
        "assigned_to_user_id": assignees[0] if assignees else None,
        "subject": activity.subject,
        "note": activity.notes,
        "public_description": activity.public_description,
        "location": activity.location,
        "location_geocoded": None if place is None else orjson.Fragment(place),
        "start_date": date_text(activity.start_date),
        "start_time": time_text(activity.start_time),
        "end_date": date_text(activity.end_date),
        "end_time": time_text(activity.end_time),
        "duration": effective_duration(activity),
        "deal_id": activity.deal_id,
        "contact_id": contacts[0] if contacts else None,
        "company_id": companies[0] if companies else None,
        "activity_type": activity.activity_type,
        "done": activity.completed,
        "created_at": timestamp_text(activity.created_at),
        "updated_at": timestamp_text(activity.updated_at),
        "deleted_at": None if activity.deleted_at is None else timestamp_text(activity.deleted_at),
    }
    if expansion != "none":
        expand(record, related, expansion)
    return record


def select(record: dict[str, Any], names: tuple[str, ...] | None) -> dict[str, Any]:
    """Return the record with these keys alone, in this order; None keeps it whole."""
    return record if names is None else {name: record[name] for name in names if name in record}


def references(activities: Iterable[Activity], expansion: Expansion = "compact") -> set[EntityRef]:
    """Return the entities that records show: where they are expanded, of every list the first."""
    refs: set[EntityRef] = set()
    for activity in () if expansion == "none" else activities:
        refs.add(("user", activity.created_by))
        if activity.assignee_ids:
            refs.add(("user", activity.assignee_ids[0]))
        if activity.contact_ids:
            refs.add(("contact", activity.contact_ids[0]))
        if activity.company_ids:
            refs.add(("company", activity.company_ids[0]))
        if activity.deal_id is not None:
            refs.add(("deal", activity.deal_id))
    return refs


def apply(activity: Activity, body: dict[str, Any], tenant: Tenant) -> Activity:
    """Return the activity as this body, a JSON object, wants it.

    A key whose value is what `show` gives now counts as not sent (docs/laws.md R5); read-only
    keys are ignored, and so is `organization_id`, which the view has used. A create is an apply on
    `model.blank_activity`, and must send `subject`. Whole minutes follow from the times unless
    the body sends another duration; the duration shown so far is written where new times would
    show another one, so that a whole record can be sent back with other times.
    Raises: InvalidActivity, naming every field that cannot be.
    """
    changes = _changes(activity, body, tenant)
    if not changes:
        return activity
    minutes = effective_duration(activity)
    activity = activity._replace(**_plain_changes(activity, changes))
    activity = _with_clocks(activity, changes, tenant)
    if "duration" in changes or ("duration" in body and effective_duration(activity) != minutes):
        minutes = changes.get("duration", minutes)
        stored = None if minutes == span_minutes(activity) else minutes
        activity = activity._replace(duration_minutes=stored)
    return activity


def _changes(activity: Activity, body: dict[str, Any], tenant: Tenant) -> dict[str, Any]:
    """Return what the body really changes: parsed values by wire name, echoes left out."""
    shown = show(activity, {}, tenant)
    changes: dict[str, Any] = {}
    problems: list[tuple[str, str]] = []
    if _is_new(activity) and body.get("subject") is None:
        problems.append(("subject", "must have required property 'subject'"))
    for name, value in body.items():
        if name in READ_ONLY:
            continue
        try:
            changes |= _change(activity, name, value, shown.get(name))
        except Refused as refusal:
            problems.append((name + refusal.path, str(refusal)))
    if problems:
        raise InvalidActivity.from_problems(problems[:MAX_PROBLEMS])
    return changes


def _is_new(activity: Activity) -> bool:
    return activity.id == 0


def _change(activity: Activity, name: str, value: Any, shown: Any) -> dict[str, Any]:
    """Return the parsed value under its name, or nothing for an echo. Raises: Refused."""
    field = FIELD_BY_NAME.get(name)
    if field is None or field.parse is None:
        raise Refused(UNKNOWN_KEY)
    if _is_echo(field, value, activity, shown) or (value is None and _is_new(activity)):
        return {}
    parsed = field.parse(value)
    return {} if _is_same(_wire(parsed), shown) else {name: parsed}


def _is_echo(field: Field, value: Any, activity: Activity, shown: Any) -> bool:
    """Return whether a value, as it came, is what is shown now."""
    if field.kind != "json" or activity.location_geocoded is None:
        return _is_same(value, shown)
    return _canonical(value) == _canonical(json.loads(activity.location_geocoded))


def _is_same(value: Any, shown: Any) -> bool:
    return type(value) is type(shown) and bool(value == shown)  # In JSON true is not 1.


def _canonical(value: Any) -> str:
    return json.dumps(shortest(value), sort_keys=True)


def _wire(parsed: Any) -> Any:
    return parsed.isoformat() if isinstance(parsed, date | time) else parsed


def _plain_changes(activity: Activity, changes: dict[str, Any]) -> dict[str, Any]:
    """Return every key's own canonical value; instants and the duration follow from these."""
    plain: dict[str, Any] = {}
    for name, value in changes.items():
        field = FIELD_BY_NAME[name]
        key = field.canonical[0]
        plain[key] = _led_by(getattr(activity, key), value) if field.kind == "members" else value
    return plain


def _led_by(ids: tuple[int, ...], first: int | None) -> tuple[int, ...]:
    """Return an ordered list that starts with `first`, losing as little as can be.

    A listed id moves to the front, another one replaces the first; null clears the list, as only
    that reads back as null: docs/laws.md R6.
    """
    if first is None:
        return ()
    if first not in ids:
        return (first, *ids[1:])
    place = ids.index(first)
    return (first, *ids[:place], *ids[place + 1 :])


def _with_clocks(activity: Activity, changes: dict[str, Any], tenant: Tenant) -> Activity:
    is_moved = False
    for end in ENDS:
        date_key, time_key = f"{end}_date", f"{end}_time"
        if date_key not in changes and time_key not in changes:
            continue
        is_moved = True
        # What is not sent keeps its stored microseconds, which this dialect cannot show.
        day = changes.get(date_key, getattr(activity, date_key))
        clock = changes.get(time_key, getattr(activity, time_key))
        activity = with_wall_clock(activity, end, day, clock, tenant_timezone=tenant.timezone)
    if is_moved and not wall_clocks_in_order(activity):
        key = "end_time" if activity.start_date == activity.end_date else "end_date"
        raise InvalidActivity(key, f"must not be before {key.replace('end', 'start')}")
    return activity


def ignored(body: dict[str, Any]) -> list[str]:
    """Return the keys of a written body that no client can write, beside the organization."""
    return [name for name in body if name in READ_ONLY and name != "organization_id"]
