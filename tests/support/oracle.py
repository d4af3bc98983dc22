"""What each dialect must show, worked out a second time from the rules alone.

It shares no code with the product, so that a slip in one shows against the other. Records are
plain dictionaries of canonical names. What writes do to them is in `oracle_writes`.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

Document = dict[str, Any]
Record = dict[str, Any]
Directory = Mapping[tuple[str, int | None], Mapping[str, Any]]


class Zones(NamedTuple):
    """The two zones of a tenant: of its wall clocks, and of Deskera's stamps."""

    clocks: str
    stamps: str


def minutes_between(record: Record) -> int | None:
    """Return the span: whole minutes between two timed ends, never below zero."""
    if None in (record["start_time"], record["end_time"], record["start_at"], record["end_at"]):
        return None
    return max(0, int((record["end_at"] - record["start_at"]).total_seconds() // 60))


def rfc3339(at: datetime | None, zone: str) -> str | None:
    """Return a stamp with a short fraction, whole minutes of offset, and Z for UTC."""
    if at is None:
        return None
    offset = at.astimezone(ZoneInfo(zone)).utcoffset() or timedelta()
    offset = timedelta(minutes=int(offset.total_seconds() / 60))
    text = at.astimezone(timezone(offset)).replace(tzinfo=None).isoformat()
    sign, size = "-" if offset < timedelta() else "+", abs(offset)
    suffix = f"{sign}{size // timedelta(hours=1):02}:{size // timedelta(minutes=1) % 60:02}"
    return (text.rstrip("0") if "." in text else text) + ("Z" if not offset else suffix)


def end_in_deskera(record: Record) -> datetime | None:
    """Return the end: the later of midnight and the start, where it has no time."""
    moments = [record["end_at"]]
    if record["end_time"] is None and record["start_at"] is not None:
        moments.append(record["start_at"])
    return None if record["end_at"] is None else max(moments)


def length_in_deskera(record: Record) -> int | None:
    """Return the span, else the stored duration."""
    shown = minutes_between(record)
    return record["duration_minutes"] if shown is None else shown


def _hours(record: Record) -> str:
    shown = length_in_deskera(record)
    return "" if shown is None else f"{shown // 60}h {shown % 60}m"


def deskera_view(record: Record, zones: Zones, directory: Directory) -> Document:
    """Return Deskera's 38 keys."""

    def details(kind: str, numbers: Sequence[int]) -> list[Any]:
        return [directory[kind, number] for number in numbers if (kind, number) in directory]

    return {
        "id": record["id"],
        "name": record["subject"],
        "activity_type": record["activity_type"] or "",
        "duration": _hours(record),
        "notes": record["notes"] or "",
        "visibility_type": record["visibility"],
        "is_availability": record["is_availability"],
        "is_send_invitation": record["is_send_invitation"],
        "is_send_contacts_invitation": record["is_send_contacts_invitation"],
        "assigned_to": "",
        "assignee_ids": list(record["assignee_ids"]),
        "assignee_details": details("user", record["assignee_ids"]),
        "contact_ids": list(record["contact_ids"]),
        "contact_details": details("contact", record["contact_ids"]),
        "organization_ids": list(record["company_ids"]),
        "organization_details": details("company", record["company_ids"]),
        "linked_to": record["deal_id"] or 0,
        "deal_details": directory.get(("deal", record["deal_id"])),
        "owner_id": record["owner_id"],
        "owner_details": directory.get(("user", record["owner_id"]), nobody(record["owner_id"])),
        "tenant_id": record["tenant_id"],
        "is_status": record["completed"],
        "created_at": rfc3339(record["created_at"], zones.stamps),
        "updated_at": rfc3339(record["updated_at"], zones.stamps),
        "created_by": record["created_by"],
        "updated_by": record["updated_by"],
        "is_deleted": record["deleted_at"] is not None,
        "EmailSent": record["email_sent"],
        "consumer_id": record["consumer_id"],
        "scheduled_status": record["scheduled_status"],
        "batch_id": record["batch_id"],
        "cron_status": record["cron_status"],
        "notification_error": record["notification_error"],
        "source": record["source"],
        "source_id": record["source_id"],
        "user_timezone": record["timezone"],
        "start": rfc3339(record["start_at"], zones.stamps),
        "end": rfc3339(end_in_deskera(record), zones.stamps),
    }


def nobody(number: int) -> Document:
    """Return a user of whom Deskera knows nothing but the id."""
    empty = ("first_name", "last_name", "email", "country_code", "contact", "profile_url")
    return {"id": number, **dict.fromkeys(empty, "")}


def milliseconds(at: datetime | None) -> str | None:
    """Return a stamp in UTC, cut to three digits."""
    return None if at is None else f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03}Z"


def achieveapex_view(record: Record) -> Document:
    """Return AchieveApex's 22 keys."""

    def first(name: str) -> int | None:
        return next(iter(record[name]), None)

    span = minutes_between(record)
    clocks = {
        f"{end}_{part}": None if value is None else str(value.replace(**cut))
        for end in ("start", "end")
        for part, cut in (("date", {}), ("time", {"microsecond": 0}))
        for value in [record[f"{end}_{part}"]]
    }
    place = record["location_geocoded"]
    same = ("subject", "public_description", "location", "deal_id", "activity_type", "id")
    return (
        clocks
        | {name: record[name] for name in same}
        | {
            "organization_id": record["tenant_id"],
            "created_by_user_id": record["created_by"],
            "assigned_to_user_id": first("assignee_ids"),
            "note": record["notes"],
            "location_geocoded": None if place is None else json.loads(place),
            "duration": span if record["duration_minutes"] is None else record["duration_minutes"],
            "contact_id": first("contact_ids"),
            "company_id": first("company_ids"),
            "done": record["completed"],
            **{
                name: milliseconds(record[name])
                for name in ("created_at", "updated_at", "deleted_at")
            },
        }
    )
