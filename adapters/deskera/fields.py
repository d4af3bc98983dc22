"""Every key of Deskera's activity, declared once, in the order of the wire.

`translate.apply` walks the writable ones, and the documentation lists them all.
"""

from collections.abc import Callable
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from adapters.deskera.body_values import (
    parse_activity_type,
    parse_deal_id,
    parse_duration,
    parse_flag_or_null,
    parse_ids,
    parse_notes,
    parse_timestamp,
)
from core.domain.model import VISIBILITIES, Activity
from core.domain.schedule import shown_end_at, span_minutes
from core.domain.validators import Check, flag, one_of, text, whole_number, zone_or_tenants


@dataclass(frozen=True, slots=True)
class Field:
    """A key of the wire, the fields of `Activity` behind it, and how true it is to them.

    `fidelity` is "exact", or says what is lost or constant.
    """

    wire: str
    canonical: tuple[str, ...]
    fidelity: str = "exact"


@dataclass(frozen=True, slots=True, kw_only=True)
class WritableField(Field):
    """A key that a write may carry.

    `parse` turns what is sent into the form in which the core keeps it, or raises Refused; `null`
    is what null means, on the wire; `shown` gives what the key shows now, in the same form.
    """

    parse: Check
    null: Any
    shown: Callable[[Activity], Any]


def _plain(wire: str, canonical: str, parse: Check = text, null: Any = "") -> WritableField:
    """Return a key that is one field of the activity and shows it as it is."""
    shown = attrgetter(canonical)
    return WritableField(wire, (canonical,), parse=parse, null=null, shown=shown)


def shown_minutes(activity: Activity) -> int | None:
    """Return the span of two timed ends, else the stored duration, else null."""
    span = span_minutes(activity)
    return activity.duration_minutes if span is None else span


NOTES = "base64 in, text out; null and empty look the same"
ACTIVITY_TYPE = "takes its six types, or the one shown; null and empty look the same"
DURATION = (
    "shows the span of two timed ends, else the stored duration; ignored beside `end` where both "
    "ends are timed, moves the end of a timed start where `end` is not sent"
)
WHOLE_DAY = "a date without a time is shown as its midnight in the tenant's zone"

FIELDS: tuple[Field, ...] = (
    Field("id", ("id",)),
    _plain("name", "subject"),
    WritableField(
        "activity_type",
        ("activity_type",),
        f"lossy: {ACTIVITY_TYPE}",
        parse=parse_activity_type,
        null="",
        shown=lambda activity: activity.activity_type or None,
    ),
    WritableField(
        "duration",
        ("duration_minutes",),
        f"lossy: {DURATION}",
        parse=parse_duration,
        null="",
        shown=shown_minutes,
    ),
    WritableField(
        "notes",
        ("notes",),
        f"lossy: {NOTES}",
        parse=parse_notes,
        null="",
        shown=lambda activity: activity.notes or "",
    ),
    _plain("visibility_type", "visibility", one_of(VISIBILITIES), "team"),
    _plain("is_availability", "is_availability", parse_flag_or_null, None),
    _plain("is_send_invitation", "is_send_invitation", flag, False),
    _plain("is_send_contacts_invitation", "is_send_contacts_invitation", flag, False),
    Field("assigned_to", (), "constant: empty in every sample"),
    _plain("assignee_ids", "assignee_ids", parse_ids, []),
    Field("assignee_details", ("assignee_ids",), "lossy: users of the directory, known ones only"),
    _plain("contact_ids", "contact_ids", parse_ids, []),
    Field("contact_details", ("contact_ids",), "lossy: contacts of the directory, known ones only"),
    _plain("organization_ids", "company_ids", parse_ids, []),
    Field(
        "organization_details",
        ("company_ids",),
        "lossy: companies of the directory, known ones only",
    ),
    _plain("linked_to", "deal_id", parse_deal_id, 0),
    Field("deal_details", ("deal_id",), "lossy: the deal of the directory; null if unknown"),
    _plain("owner_id", "owner_id", whole_number(0), 0),
    Field("owner_details", ("owner_id",), "lossy: the user of the directory; zeros if unknown"),
    Field("tenant_id", ("tenant_id",)),
    _plain("is_status", "completed", flag, False),
    Field("created_at", ("created_at",)),
    Field("updated_at", ("updated_at",)),
    Field("created_by", ("created_by",)),
    Field("updated_by", ("updated_by",)),
    Field("is_deleted", ("deleted_at",), "constant: false, as deleted records are never shown"),
    Field("EmailSent", ("email_sent",)),
    Field("consumer_id", ("consumer_id",)),
    Field("scheduled_status", ("scheduled_status",)),
    Field("batch_id", ("batch_id",)),
    Field("cron_status", ("cron_status",)),
    Field("notification_error", ("notification_error",)),
    _plain("source", "source"),
    _plain("source_id", "source_id"),
    _plain("user_timezone", "timezone", zone_or_tenants),
    WritableField(
        "start",
        ("start_at", "start_date", "start_time"),
        f"lossy: {WHOLE_DAY}",
        parse=parse_timestamp,
        null=None,
        shown=attrgetter("start_at"),
    ),
    WritableField(
        "end",
        ("end_at", "end_date", "end_time"),
        f"lossy: {WHOLE_DAY}, for an end never before the start",
        parse=parse_timestamp,
        null=None,
        shown=shown_end_at,
    ),
)
WRITABLE = tuple(field for field in FIELDS if isinstance(field, WritableField))
FIELD_BY_NAME = {field.wire: field for field in WRITABLE}
