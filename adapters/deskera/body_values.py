"""Parsers of single values of a body: each returns the core's form, or raises Refused.

They check as strictly as a Go service does: true is no number, "5" and 1.0 are no integers
(docs/dialects/deskera.md D40).
"""

import binascii
import re
from datetime import UTC, datetime, timedelta
from typing import Any

from core.domain.model import MAX_ID, MAX_LINKED_IDS
from core.domain.schedule import is_storable
from core.domain.validators import Refused, flag, one_of, text, whole_number

ACTIVITY_TYPES = ("call", "meeting", "task", "deadline", "email", "lunch")
TIMESTAMP = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt]"
    r"((?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,9})?)"
    r"([Zz]|[+-](?:[01]\d|2[0-3]):[0-5]\d)",
    re.ASCII,
)
DURATION = re.compile(r"(?=\d)(?:(\d{1,16})h)?(?:\s*(\d{1,16})m)?", re.ASCII)


def parse_notes(raw: Any) -> str:
    """Return the text inside base64: standard alphabet, padded, line breaks within ignored.

    Source: docs/dialects/deskera.md D41, D42.
    """
    try:
        packed = text(raw).replace("\r", "").replace("\n", "")
        return text(binascii.a2b_base64(packed, strict_mode=True).decode("utf-8"))
    except ValueError as error:  # Not ASCII, not base64, not UTF-8, or Refused.
        raise Refused("must be UTF-8 text in padded base64, or exactly the text shown") from error


def parse_ids(raw: Any) -> tuple[int, ...]:
    """Return a list of ids, its order and its repetitions kept."""
    if not isinstance(raw, list):
        raise Refused("must be a list of integers")
    if len(raw) > MAX_LINKED_IDS:
        raise Refused(f"holds more than {MAX_LINKED_IDS} ids")
    return tuple(map(whole_number(1), raw))


def parse_bulk_ids(raw: Any) -> tuple[int, ...]:
    """Return the ids of a bulk call, of which there must be one or more."""
    ids = parse_ids(raw)
    if not ids:
        raise Refused("must name at least one activity")
    return ids


def parse_activity_type(raw: Any) -> str | None:
    """Return one of Deskera's six types, or null for ""."""
    return one_of(ACTIVITY_TYPES)(raw) if raw != "" else None


def parse_deal_id(raw: Any) -> int | None:
    """Return a deal's id, or null for Deskera's 0."""
    return whole_number(0)(raw) or None


def parse_flag_or_null(raw: Any) -> bool | None:
    """Return true, false or null."""
    return None if raw is None else flag(raw)


def parse_timestamp(raw: object) -> datetime | None:
    """Return the UTC instant of an RFC 3339 text, cut to the microsecond; null stays null.

    Raises: Refused.
    """
    if raw is None:
        return None
    match = TIMESTAMP.fullmatch(raw) if isinstance(raw, str) else None
    if match is None:
        raise Refused("must be an RFC 3339 timestamp, such as 2021-08-05T13:15:49Z")
    try:
        instant = datetime.fromisoformat(f"{match[1]}T{match[2]}{match[3].upper()}")
        instant = instant.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise Refused("is not on the calendar") from error
    return storable(instant)


def storable(instant: datetime) -> datetime:
    """Return the instant if its UTC date leaves room for every zone. Raises: Refused."""
    if not is_storable(instant.date()):
        raise Refused("is outside the years that can be stored")
    return instant


def parse_duration(raw: object) -> int | None:
    """Return the minutes of "1h 21m", "1h", "21m" or a whole number of minutes; "" is null.

    Samples of 2021 show text, the model and samples of 2020 an integer: both are taken.
    Raises: Refused.
    Source: docs/dialects/deskera.md D51, D52.
    """
    if raw == "":
        return None
    match = DURATION.fullmatch(raw) if isinstance(raw, str) else None
    if match is not None:
        raw = int(match[1] or 0) * 60 + int(match[2] or 0)
    if type(raw) is not int or not 0 <= raw <= MAX_ID:
        raise Refused('must be a length of time such as "1h 21m", or whole minutes')
    return raw


def later(instant: datetime, minutes: int) -> datetime:
    """Return the storable instant that many minutes later. Raises: Refused."""
    try:
        return storable(instant + timedelta(minutes=minutes))
    except OverflowError as error:
        raise Refused("ends outside the years that can be stored") from error
