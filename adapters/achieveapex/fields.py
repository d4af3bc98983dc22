"""Every key of an AchieveApex activity, declared once.

Writes, filters, sorts, `$select` and the published documents all read this table. Keys, order and
types come from the vendor's page "Activities API"; nullability and parsers' strictness are ours
(docs/dialects/achieveapex.md A27, A43, A44).
"""

from typing import Literal, NamedTuple

from adapters.achieveapex.body_values import (
    Parser,
    or_null,
    parse_activity_type,
    parse_flag,
    parse_id,
    parse_minutes,
    parse_place,
    parse_storable_date,
    parse_text,
    parse_time,
)
from core.domain.query import EFFECTIVE_DURATION

Kind = Literal[
    "integer", "members", "number", "boolean", "text", "json", "date", "time", "timestamp"
]

UNKNOWN_KEY = "must NOT have additional properties"


class Field(NamedTuple):
    """One key of the wire.

    `canonical` are the fields of `model.Activity` behind it, the first being the one that is
    compared and sorted. `kind` is its column type in queries ("members": a list of ids, of which
    the wire shows the first). `parse` turns a JSON value of a write into the canonical value, or
    raises Refused with the reason; None: clients cannot write it. `fidelity` says "exact", or
    "lossy: " and how.
    """

    wire: str
    canonical: tuple[str, ...]
    kind: Kind
    parse: Parser | None = None
    nullable: bool = True
    fidelity: str = "exact"

    @property
    def compared(self) -> str:
        """The field that conditions and orders of `core.domain.query` name."""
        return EFFECTIVE_DURATION if self.wire == "duration" else self.canonical[0]


_TEXT = or_null(parse_text)
_ID = or_null(parse_id)
_DATE = or_null(parse_storable_date)
_TIME = or_null(parse_time)
_FIRST = (
    "lossy: the first of an ordered list; another id replaces it and keeps the rest, a listed one "
    "moves to the front, null empties the list"
)
_CUT_TO_SECONDS = "lossy: cut to seconds; a finer time is kept until another is written"
_CUT_TO_MILLISECONDS = "lossy: cut to milliseconds"

FIELDS: tuple[Field, ...] = (
    Field("id", ("id",), "integer", nullable=False),
    Field("organization_id", ("tenant_id",), "integer", nullable=False),
    Field("created_by_user_id", ("created_by",), "integer", nullable=False),
    Field("assigned_to_user_id", ("assignee_ids",), "members", _ID, fidelity=_FIRST),
    Field("subject", ("subject",), "text", parse_text, nullable=False),
    Field("note", ("notes",), "text", _TEXT),
    Field("public_description", ("public_description",), "text", _TEXT),
    Field("location", ("location",), "text", _TEXT),
    Field("location_geocoded", ("location_geocoded",), "json", or_null(parse_place)),
    Field("start_date", ("start_date", "start_at"), "date", _DATE),
    Field("start_time", ("start_time", "start_at"), "time", _TIME, fidelity=_CUT_TO_SECONDS),
    Field("end_date", ("end_date", "end_at"), "date", _DATE),
    Field("end_time", ("end_time", "end_at"), "time", _TIME, fidelity=_CUT_TO_SECONDS),
    Field(
        "duration",
        ("duration_minutes",),
        "number",
        or_null(parse_minutes),
        fidelity="lossy: a duration that follows the span reads like one that was stored",
    ),
    Field("deal_id", ("deal_id",), "integer", _ID),
    Field("contact_id", ("contact_ids",), "members", _ID, fidelity=_FIRST),
    Field("company_id", ("company_ids",), "members", _ID, fidelity=_FIRST),
    Field("activity_type", ("activity_type",), "text", or_null(parse_activity_type)),
    Field("done", ("completed",), "boolean", parse_flag, nullable=False),
    Field(
        "created_at", ("created_at",), "timestamp", nullable=False, fidelity=_CUT_TO_MILLISECONDS
    ),
    Field(
        "updated_at", ("updated_at",), "timestamp", nullable=False, fidelity=_CUT_TO_MILLISECONDS
    ),
    Field("deleted_at", ("deleted_at",), "timestamp", fidelity=_CUT_TO_MILLISECONDS),
)

FIELD_BY_NAME = {field.wire: field for field in FIELDS}

EXPANSIONS = ("created_by_user", "assigned_to_user", "deal", "contact", "company")
"""The keys of related entities, in wire order, after `deleted_at`."""

READ_ONLY = frozenset(field.wire for field in FIELDS if field.parse is None) | set(EXPANSIONS)
"""Keys that clients may send back as they were shown; a write ignores them.

Source: docs/dialects/achieveapex.md A42.
"""
