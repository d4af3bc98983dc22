"""One line of NDJSON and the record it stands for: how directories and activities travel.

A line is an object with `kind`, `tenant_id`, `id` and the canonical names of that kind. Reading
is strict: what is unknown, of another type or out of range is refused by name. Null counts as
left out. What is written can be read again and gives an equal record.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

import orjson

from core.domain import validators
from core.domain.errors import InvalidEntity
from core.domain.model import MAX_IMPORTED_ID, VISIBILITIES, Activity, Tenant, blank_activity
from core.domain.schedule import with_instant, with_wall_clock
from core.domain.validators import Check, Refused

Problems = list[tuple[str, str]]
NOBODY = 0
"""The user of an activity that came without owner and without creator."""

_user_id = validators.whole_number(
    NOBODY
)  # Nobody is a user too: what was imported can be exported.
_number = validators.whole_number(0)

_TENANT: dict[str, Check] = {
    "name": validators.text,
    "timezone": validators.zone,
    "deskera_timezone": validators.zone,
}
_USER: dict[str, Check] = {
    "first_name": validators.text,
    "last_name": validators.text,
    "email": validators.text,
    "phone": validators.text,
    "country_code": validators.text,
    "profile_url": validators.text,
}
_COMPANY: dict[str, Check] = {
    "name": validators.text,
    "email": validators.text,
    "phone": validators.text,
    "country_code": validators.text,
    "address": validators.text,
    "label": validators.text,
    "logo": validators.text,
    "website": validators.text,
}
_CONTACT: dict[str, Check] = {
    **{name: check for name, check in _COMPANY.items() if name != "website"},
    "company_id": validators.identifier,
}
_STAGE: dict[str, Check] = {
    "pipeline_id": _number,
    "order": _number,
    "name": validators.text,
    "deal_probability": _number,
    "rotting_days": _number,
    "help_text": validators.text,
    "system_generated": validators.flag,
    "won_lost_status": validators.text,
}
_CUSTOM_FIELD: dict[str, Check] = dict.fromkeys(
    ("code", "label", "value", "module", "short_name"), validators.text
)
_DEAL: dict[str, Check] = {
    "name": validators.text,
    "pipeline_id": _number,
    "stage_id": _number,
    "stage": validators.object_of(_STAGE),
    "contact_id": validators.identifier,
    "company_id": validators.identifier,
    "currency_code": validators.text,
    "amount": validators.decimal_text,
    "closing_date": validators.instant_text,
    "status": _number,
    "owner_id": validators.identifier,
    "reason": validators.text,
    "custom_fields": validators.list_of(validators.object_of(_CUSTOM_FIELD)),
    "created_at": validators.instant_text,
}
_ACTIVITY: dict[str, Check] = {
    "subject": validators.text,
    "activity_type": validators.text_up_to(50),
    "notes": validators.text,
    "public_description": validators.text,
    "location": validators.text,
    "location_geocoded": validators.json_object_text,
    "start_date": validators.day,
    "start_time": validators.clock,
    "start_at": validators.instant,
    "end_date": validators.day,
    "end_time": validators.clock,
    "end_at": validators.instant,
    "timezone": validators.zone_or_tenants,
    "duration_minutes": _number,
    "completed": validators.flag,
    "assignee_ids": validators.identifiers,
    "contact_ids": validators.identifiers,
    "company_ids": validators.identifiers,
    "deal_id": validators.identifier,
    "owner_id": _user_id,
    "created_by": _user_id,
    "updated_by": _user_id,
    "visibility": validators.one_of(VISIBILITIES),
    "is_availability": validators.flag,
    "is_send_invitation": validators.flag,
    "is_send_contacts_invitation": validators.flag,
    "source": validators.text,
    "source_id": validators.text,
    "email_sent": validators.text,
    "consumer_id": validators.text,
    "scheduled_status": validators.text,
    "batch_id": validators.text,
    "cron_status": validators.text,
    "notification_error": validators.text,
    "created_at": validators.instant,
    "updated_at": validators.instant,
    "deleted_at": validators.instant,
}
FIELDS: Mapping[str, Mapping[str, Check]] = {
    "tenant": _TENANT,
    "user": _USER,
    "contact": _CONTACT,
    "company": _COMPANY,
    "deal": _DEAL,
    "activity": _ACTIVITY,
}
REQUIRED: Mapping[str, tuple[str, ...]] = {
    "tenant": ("name",),
    "user": ("first_name", "last_name"),
    "contact": ("name",),
    "company": ("name",),
    "deal": ("name",),
    "activity": (),
}
KINDS = tuple(FIELDS)
_BLANK = blank_activity(tenant_id=NOBODY, user_id=NOBODY, now=datetime.min)._asdict()
IDENTITY = ("kind", "tenant_id", "id")
_ID_CHECKS: Mapping[str, Check] = {"activity": validators.whole_number(1, MAX_IMPORTED_ID)}
_CLOCKS = ("start_time", "end_time")
_STAMPS = ("start_at", "end_at", "created_at", "updated_at", "deleted_at")


class Record(NamedTuple):
    """One checked line; `fields` holds what was given. A tenant's `tenant_id` is its id."""

    kind: str
    tenant_id: int
    id: int
    fields: dict[str, Any]


def parse(raw: bytes) -> dict[str, Any]:
    """Return the JSON object in these bytes; raises InvalidEntity, naming `body`."""
    try:
        payload = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise InvalidEntity("body", f"is not JSON: {error}") from error
    if type(payload) is not dict:
        raise InvalidEntity("body", "must be a JSON object")
    return payload


def read(payload: Mapping[str, Any], *, tenant_id: int | None = None) -> Record:
    """Return the record of an object; `tenant_id` stands in where the object names no tenant.

    Raises: InvalidEntity, naming every field that is wrong.
    """
    kind = payload.get("kind")
    if type(kind) is not str or kind not in FIELDS:
        raise InvalidEntity("kind", f"must be one of {', '.join(KINDS)}")
    problems: Problems = []
    record_id = _read_id("id", payload, _ID_CHECKS.get(kind, validators.identifier), problems)
    if kind == "tenant":
        tenant_id = record_id
    if payload.get("tenant_id") is not None or tenant_id is None:
        tenant_id = _read_id("tenant_id", payload, validators.identifier, problems)
    if kind == "tenant" and tenant_id != record_id:
        problems.append(("tenant_id", "must be the id of the tenant"))
    fields = _read_fields(kind, payload, problems)
    if problems:
        raise InvalidEntity(*problems[0], *problems[1:])
    return Record(kind, tenant_id, record_id, fields)


def _read_id(name: str, payload: Mapping[str, Any], check: Check, problems: Problems) -> int:
    try:
        return int(check(payload.get(name)))
    except Refused as refusal:
        problems.append((name, str(refusal)))
        return NOBODY


def _read_fields(kind: str, payload: Mapping[str, Any], problems: Problems) -> dict[str, Any]:
    checks = FIELDS[kind]
    fields: dict[str, Any] = {}
    for name, value in payload.items():
        check = checks.get(name)
        if check is None:
            if name not in IDENTITY:
                problems.append((name, f"is not a field of kind {kind}"))
        elif value is not None:
            try:
                fields[name] = check(value)
            except Refused as refusal:
                problems.append((name + refusal.path, str(refusal)))
    problems += [(name, "is required") for name in REQUIRED[kind] if payload.get(name) is None]
    return fields


def to_tenant(record: Record) -> Tenant:
    """Return the tenant of a record of that kind; its zones are UTC unless given."""
    zones = [record.fields.get(name, "UTC") for name in ("timezone", "deskera_timezone")]
    return Tenant(record.id, record.fields["name"], *zones)


def to_activity(record: Record, tenant: Tenant, *, now: datetime) -> Activity:
    """Return the activity of a record; what it leaves out is as on a blank activity.

    Owner and creator stand in for one another, and the creator for whoever changed it last. An
    end with only a wall clock gets its instant, an end with only an instant its wall clock, in
    the tenant's zone; what is given with both is kept as it is, even where they disagree.
    Raises: InvalidEntity.
    """
    fields = record.fields
    owner_id = fields.get("owner_id", fields.get("created_by", NOBODY))
    creator_id = fields.get("created_by", owner_id)
    values = {
        **_BLANK,
        "tenant_id": record.tenant_id,
        "id": record.id,
        "owner_id": owner_id,
        "created_by": creator_id,
        "updated_by": creator_id,
        "created_at": now,
        "updated_at": now,
        **fields,
    }
    activity = Activity._make(values.values())  # In the order of `_BLANK`.
    if (activity.start_date is None) != (activity.start_at is None):
        activity = _with_both_clocks(activity, "start", tenant.timezone)
    if (activity.end_date is None) != (activity.end_at is None):
        activity = _with_both_clocks(activity, "end", tenant.timezone)
    return activity


def _with_both_clocks(activity: Activity, end: str, tenant_timezone: str) -> Activity:
    day, clock, instant = (getattr(activity, f"{end}_{part}") for part in ("date", "time", "at"))
    if instant is None and day is not None:
        return with_wall_clock(activity, end, day, clock, tenant_timezone=tenant_timezone)
    if instant is not None and day is None:
        if clock is not None:
            raise InvalidEntity(f"{end}_date", f"is required beside {end}_time and {end}_at")
        return with_instant(activity, end, instant, tenant_timezone=tenant_timezone)
    return activity


def write_tenant(tenant: Tenant) -> bytes:
    """Return the line of a tenant, with its newline."""
    return _line({"kind": "tenant", **tenant._asdict()})


def write_entity(tenant_id: int, kind: str, entity_id: int, fields: Mapping[str, Any]) -> bytes:
    """Return the line of a directory entity; fields that are not known are null."""
    known = {name: fields.get(name) for name in FIELDS[kind]}
    if kind == "deal":
        known["stage"] = _in_order(_STAGE, known["stage"])
        if known["custom_fields"] is not None:
            known["custom_fields"] = [_in_order(_CUSTOM_FIELD, x) for x in known["custom_fields"]]
    return _line({"kind": kind, "tenant_id": tenant_id, "id": entity_id, **known})


def _in_order(names: Iterable[str], part: Mapping[str, Any] | None) -> dict[str, Any] | None:
    return None if part is None else {name: part[name] for name in names if name in part}


def write_activity(activity: Activity) -> bytes:
    """Return the line of an activity: every canonical field, but not the version."""
    fields = activity._asdict()
    del fields["version"]
    if activity.location_geocoded is not None:
        fields["location_geocoded"] = orjson.Fragment(activity.location_geocoded)
    for name in _STAMPS:
        if fields[name] is not None:
            fields[name] = validators.stamp_text(fields[name])
    for name in _CLOCKS:  # orjson 3.13 loses a zero after the point: .01 would become .1.
        if fields[name] is not None:
            fields[name] = fields[name].isoformat()
    return _line({"kind": "activity", **fields})


def _line(payload: Mapping[str, Any]) -> bytes:
    return orjson.dumps(payload, option=orjson.OPT_APPEND_NEWLINE)
