"""Readers of what a write sends: each returns the core's form of a value, or raises Refused.

They check as strictly as a Go service does: true is no number, "5" and 1.0 are no integers.
"""

import binascii
from typing import Any

from core.domain.model import MAX_LINKED_IDS
from core.domain.validators import Refused, flag, one_of, text, whole_number

ACTIVITY_TYPES = ("call", "meeting", "task", "deadline", "email", "lunch")


def read_notes(raw: Any) -> str:
    """Return the text inside base64: standard alphabet, padded, line breaks within ignored."""
    try:
        packed = text(raw).replace("\r", "").replace("\n", "")
        return text(binascii.a2b_base64(packed, strict_mode=True).decode("utf-8"))
    except ValueError as error:  # Not ASCII, not base64, not UTF-8, or Refused.
        raise Refused("must be UTF-8 text in padded base64, or exactly the text shown") from error


def read_ids(raw: Any) -> tuple[int, ...]:
    """Return a list of ids, its order and its repetitions kept."""
    if not isinstance(raw, list):
        raise Refused("must be a list of integers")
    if len(raw) > MAX_LINKED_IDS:
        raise Refused(f"holds more than {MAX_LINKED_IDS} ids")
    return tuple(map(whole_number(1), raw))


def read_bulk_ids(raw: Any) -> tuple[int, ...]:
    """Return the ids of a bulk call, of which there must be one or more."""
    ids = read_ids(raw)
    if not ids:
        raise Refused("must name at least one activity")
    return ids


def read_activity_type(raw: Any) -> str | None:
    """Return one of Deskera's six types, or null for ""."""
    return one_of(ACTIVITY_TYPES)(raw) if raw != "" else None


def read_deal_id(raw: Any) -> int | None:
    """Return a deal's id, or null for Deskera's 0."""
    return whole_number(0)(raw) or None


def read_flag_or_null(raw: Any) -> bool | None:
    """Return true, false or null."""
    return None if raw is None else flag(raw)
