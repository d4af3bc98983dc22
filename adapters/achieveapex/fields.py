"""Every key of an AchieveApex activity, declared once.

Writes, filters, sorts, `$select` and the published documents all read this table. Keys, order and
types come from the vendor's page "Activities API"; nullability and parsers' strictness are ours
(ledger L22 and SPEC 3).
"""

import re
from collections.abc import Callable
from datetime import date, time
from typing import Any, Literal, NamedTuple

import orjson

from core.domain.model import MAX_ID
from core.domain.query import EFFECTIVE_DURATION
from core.domain.schedule import EARLIEST_DATE, LATEST_DATE, is_storable
from core.domain.validators import Refused

Kind = Literal[
    "integer", "members", "number", "boolean", "text", "json", "date", "time", "timestamp"
]
Parser = Callable[[Any], Any]

MAX_TYPE_LENGTH = 50
UNKNOWN_KEY = "must NOT have additional properties"
DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
TIME = re.compile(r"(\d{2}):(\d{2})(?::(\d{2}))?", re.ASCII)


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
        """The field that conditions and orders of `core.conditions` name."""
        return EFFECTIVE_DURATION if self.wire == "duration" else self.canonical[0]


def parse_date(value: Any) -> date:
    """Return the date of `YYYY-MM-DD`; raises Refused with the reason."""
    if not isinstance(value, str) or not DATE.fullmatch(value):
        raise Refused('must match format "date", as in 2025-04-15')
    try:
        return date.fromisoformat(value)
    except ValueError as error:
        raise Refused(f'must match format "date": {error}') from error


def parse_time(value: Any) -> time:
    """Return the time of `HH:MM:SS` or `HH:MM`; raises Refused with the reason."""
    match = TIME.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise Refused('must match format "time", as in 14:30:00')
    try:
        return time(int(match[1]), int(match[2]), int(match[3] or 0))
    except ValueError as error:
        raise Refused(f'must match format "time": {error}') from error


def whole_number(value: Any) -> int:
    """Return a JSON number without a fraction, whichever way it is written (30 or 30.0)."""
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value // 1:
        raise Refused("must be integer")
    return int(value)


def parse_id(value: Any) -> int:
    """Return an id, 1 to 2^53-1; raises Refused with the reason."""
    number = whole_number(value)
    if number < 1:
        raise Refused("must be >= 1")
    return _at_most(number)


def _at_most(number: int) -> int:
    if number > MAX_ID:
        raise Refused(f"must be <= {MAX_ID}")
    return number


def _minutes(value: Any) -> int:
    number = whole_number(value)
    if number < 0:
        raise Refused("must be >= 0")
    return _at_most(number)


def _string(value: Any) -> str:
    if not isinstance(value, str):
        raise Refused("must be string")
    return value


def _activity_type(value: Any) -> str:
    if len(_string(value)) > MAX_TYPE_LENGTH:
        raise Refused(f"must NOT have more than {MAX_TYPE_LENGTH} characters")
    return str(value)


def _boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise Refused("must be boolean")
    return value


def _storable_date(value: Any) -> date:
    day = parse_date(value)
    if not is_storable(day):
        raise Refused(f"must be between {EARLIEST_DATE} and {LATEST_DATE}")
    return day


def _geocoded(value: Any) -> str:
    """Return the JSON text of a geocoded place; members beside the documented three are kept."""
    if not isinstance(value, dict):
        raise Refused("must be object")
    for name in ("lat", "lng"):
        if type(value.get(name, 0)) not in (int, float):
            raise Refused("must be number", path=f".{name}")
    if not isinstance(value.get("address"), str | None):
        raise Refused("must be string or null", path=".address")
    try:
        return orjson.dumps(shortest(value)).decode()
    except TypeError as error:  # Integers beyond 64 bits have no exact form here.
        raise Refused("must be made of numbers below 2^63") from error


def shortest(value: Any) -> Any:
    """Return JSON data with whole numbers as JavaScript writes them: 40, never 40.0."""
    if isinstance(value, dict):
        return {key: shortest(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [shortest(inner) for inner in value]
    if isinstance(value, float) and value.is_integer() and abs(value) <= MAX_ID:
        return int(value)
    return value


def _or_null(parse: Parser) -> Parser:
    def parse_nullable(value: Any) -> Any:
        return None if value is None else parse(value)

    return parse_nullable


_TEXT = _or_null(_string)
_ID = _or_null(parse_id)
_DAY = _or_null(_storable_date)
_CLOCK = _or_null(parse_time)
_FIRST = "lossy: the first of an ordered list; the others are kept"
_CUT_TO_SECONDS = "lossy: cut to seconds; a finer time is kept until another is written"
_CUT_TO_MILLISECONDS = "lossy: cut to milliseconds"

FIELDS: tuple[Field, ...] = (
    Field("id", ("id",), "integer", nullable=False),
    Field("organization_id", ("tenant_id",), "integer", nullable=False),
    Field("created_by_user_id", ("created_by",), "integer", nullable=False),
    Field("assigned_to_user_id", ("assignee_ids",), "members", _ID, fidelity=_FIRST),
    Field("subject", ("subject",), "text", _string, nullable=False),
    Field("note", ("notes",), "text", _TEXT),
    Field("public_description", ("public_description",), "text", _TEXT),
    Field("location", ("location",), "text", _TEXT),
    Field("location_geocoded", ("location_geocoded",), "json", _or_null(_geocoded)),
    Field("start_date", ("start_date", "start_at"), "date", _DAY),
    Field("start_time", ("start_time", "start_at"), "time", _CLOCK, fidelity=_CUT_TO_SECONDS),
    Field("end_date", ("end_date", "end_at"), "date", _DAY),
    Field("end_time", ("end_time", "end_at"), "time", _CLOCK, fidelity=_CUT_TO_SECONDS),
    Field(
        "duration",
        ("duration_minutes",),
        "number",
        _or_null(_minutes),
        fidelity="lossy: a duration that follows the span reads like one that was stored",
    ),
    Field("deal_id", ("deal_id",), "integer", _ID),
    Field("contact_id", ("contact_ids",), "members", _ID, fidelity=_FIRST),
    Field("company_id", ("company_ids",), "members", _ID, fidelity=_FIRST),
    Field("activity_type", ("activity_type",), "text", _or_null(_activity_type)),
    Field("done", ("completed",), "boolean", _boolean, nullable=False),
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
"""Keys that clients may send back as they were shown; a write ignores them (ledger L22)."""
