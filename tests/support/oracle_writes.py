"""What a write does to a record, worked out a second time from the rules alone.

Bodies are taken as well-formed, but for what the rules themselves refuse. See `oracle`.
"""

import base64
import binascii
import json
import re
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from support.oracle import (
    Document,
    Record,
    Zones,
    achieveapex_view,
    deskera_view,
    end_in_deskera,
    length_in_deskera,
    minutes_between,
)

DESKERA_TYPES = ("call", "meeting", "task", "deadline", "email", "lunch")
FIRST_DAY, LAST_DAY = date(1, 1, 3), date(9999, 12, 29)


class RejectedError(ValueError):
    """A write that the rules answer with 400; the text is the key to blame."""


def instant_of(day: date, clock: time | None, zone: str) -> datetime:
    """Return the instant of a wall clock: the first in an overlap, shifted forward in a gap."""
    wall = datetime.combine(day, clock or time())
    both = [wall.replace(tzinfo=ZoneInfo(zone), fold=fold).astimezone(UTC) for fold in (0, 1)]
    real = [at for at in both if at.astimezone(ZoneInfo(zone)).replace(tzinfo=None, fold=0) == wall]
    return min(real) if real else max(both)


def _place_instant(record: Record, end: str, at: datetime | None, zone: str) -> None:
    day = clock = None
    if at is not None:
        wall = at.astimezone(ZoneInfo(zone))
        day, clock = wall.date(), wall.time().replace(fold=0)
    record.update({f"{end}_date": day, f"{end}_time": clock, f"{end}_at": at})


def _precedes(record: Record, later: Any, earlier: Any) -> bool:
    """Return whether the end precedes the start; a missing time is never to blame."""
    if record["start_date"] is None or record["end_date"] is None:
        return False
    if record["start_time"] is None or record["end_time"] is None:
        return bool(record["end_date"] < record["start_date"])
    return bool(later < earlier)


def read_stamp(text: str | None) -> datetime | None:
    """Return the instant of an RFC 3339 text, cut to the microsecond."""
    if text is None:
        return None
    cut = re.sub(r"(\.\d{6})\d+", r"\1", text.upper())
    return datetime.fromisoformat(cut).astimezone(UTC)


def read_length(value: Any) -> int | None:
    """Return the minutes of a Deskera duration."""
    if value in (None, ""):
        return None
    if isinstance(value, int):
        return value
    parts = re.fullmatch(r"(?:(\d+)h)? *(?:(\d+)m)?", value)
    assert parts is not None
    return int(parts[1] or 0) * 60 + int(parts[2] or 0)


def read_notes(value: str | None) -> str:
    """Return the text of Deskera's base64."""
    try:
        return base64.b64decode(value or "", validate=True).decode()
    except (binascii.Error, ValueError) as error:
        raise RejectedError("notes") from error


PLAIN = {  # Deskera's key, our name, and what null means.
    "name": ("subject", ""),
    "visibility_type": ("visibility", "team"),
    "is_availability": ("is_availability", None),
    "is_send_invitation": ("is_send_invitation", False),
    "is_send_contacts_invitation": ("is_send_contacts_invitation", False),
    "is_status": ("completed", False),
    "source": ("source", ""),
    "source_id": ("source_id", ""),
    "assignee_ids": ("assignee_ids", []),
    "contact_ids": ("contact_ids", []),
    "organization_ids": ("company_ids", []),
}


def deskera_write(record: Record, body: Document, zones: Zones) -> Record:
    """Return the record after a create or PUT, or raise RejectedError."""
    shown, after = deskera_view(record, zones, {}), dict(record)
    sent = {key: value for key, value in body.items() if key in shown and value != shown[key]}
    for key in PLAIN.keys() & sent.keys():
        name, unset = PLAIN[key]
        value = unset if sent[key] is None else sent[key]
        after[name] = tuple(value) if isinstance(value, list) else value
    if "linked_to" in sent:
        after["deal_id"] = sent["linked_to"] or None
    if "owner_id" in sent:
        after["owner_id"] = sent["owner_id"] or record["created_by"]
    if "activity_type" in sent and (sent["activity_type"] or "") != shown["activity_type"]:
        if sent["activity_type"] not in (*DESKERA_TYPES, "", None):
            raise RejectedError("activity_type")
        after["activity_type"] = sent["activity_type"] or None
    if "notes" in sent and read_notes(sent["notes"]) != shown["notes"]:
        after["notes"] = read_notes(sent["notes"])
    if "user_timezone" in sent:
        after["timezone"] = sent["user_timezone"] or ""
    _write_deskera_times(after, body, zones)
    return after


def _write_deskera_times(after: Record, body: Document, zones: Zones) -> None:
    """Write start, then end, then duration: each unless it reads as it did before the write."""
    before, moved = dict(after), set()
    if "start" in body and read_stamp(body["start"]) != before["start_at"]:
        _place_instant(after, "start", read_stamp(body["start"]), zones.clocks)
        moved.add("start")
    if "end" in body:
        wanted = read_stamp(body["end"])
        # What was shown before counts as not sent, unless the new start would show another end.
        if wanted != end_in_deskera(before) or wanted != end_in_deskera(after):
            _place_instant(after, "end", wanted, zones.clocks)
            moved.add("end")
    if "duration" in body:
        _write_length(after, before, body, zones)
    if moved and _precedes(after, after["end_at"], after["start_at"]):
        raise RejectedError("end")


def _write_length(after: Record, before: Record, body: Document, zones: Zones) -> None:
    wanted = read_length(body["duration"])
    if wanted == length_in_deskera(before) and wanted == length_in_deskera(after):
        return
    if "end" in body and minutes_between(after) is not None:
        return
    has_timed_start = None not in (after["start_at"], after["start_time"])
    if "end" not in body and has_timed_start and wanted is not None:
        _place_instant(after, "end", _later(after["start_at"], wanted), zones.clocks)
    after["duration_minutes"] = None if wanted == minutes_between(after) else wanted


def _later(start: datetime, length: int) -> datetime:
    try:
        end = start + timedelta(minutes=length)
    except OverflowError as error:
        raise RejectedError("duration") from error
    if not FIRST_DAY <= end.date() <= LAST_DAY:
        raise RejectedError("duration")
    return end


def achieveapex_write(record: Record, body: Document, zones: Zones) -> Record:
    """Return the record after a create or PATCH, or raise RejectedError."""
    shown, after = achieveapex_view(record), dict(record)
    clocks = {key: _whole_clock(key, body[key]) for key in body if key[-5:] in ("_date", "_time")}
    clocks = {key: value for key, value in clocks.items() if value != shown[key]}
    sent = {key: value for key, value in body.items() if value != shown[key]}
    for key, name in (("note", "notes"), ("done", "completed")):
        after[name] = sent.get(key, after[name])
    for key in ("subject", "public_description", "location", "deal_id", "activity_type"):
        after[key] = sent.get(key, after[key])
    if "location_geocoded" in sent:
        place = sent["location_geocoded"]
        after["location_geocoded"] = None if place is None else json.dumps(place)
    lists = {"assigned_to_user_id": "assignee_ids", "contact_id": "contact_ids"}
    for key, name in (lists | {"company_id": "company_ids"}).items():
        if key in sent:
            after[name] = _headed(list(after[name]), sent[key])
    _write_clocks(after, clocks, zones.clocks)
    # New times may show another duration than the one that the body carries: then it is written.
    if "duration" in body and body["duration"] != achieveapex_view(after)["duration"]:
        stays = body["duration"] not in (None, minutes_between(after))
        after["duration_minutes"] = body["duration"] if stays else None
    return after


def _whole_clock(key: str, value: str | None) -> str | None:
    """Return a clock as it is shown: HH:MM is that minute's first second."""
    return str(time.fromisoformat(value)) if value is not None and key[-5:] == "_time" else value


def _headed(numbers: list[int], head: int | None) -> tuple[int, ...]:
    if head is None:
        return ()
    if head in numbers:
        numbers.remove(head)
    else:
        numbers = numbers[1:]
    return (head, *numbers)


def _write_clocks(after: Record, clocks: Document, zone: str) -> None:
    for key, value in clocks.items():
        kind: Any = date if key.endswith("date") else time
        after[key] = None if value is None else kind.fromisoformat(value)
    for end in {key.split("_")[0] for key in clocks}:
        day = after[f"{end}_date"]
        after[f"{end}_at"] = None if day is None else instant_of(day, after[f"{end}_time"], zone)
    if clocks:
        start, finish = (
            (
                after[f"{end}_date"],
                after[f"{end}_time"] and after[f"{end}_time"].replace(microsecond=0),
            )
            for end in ("start", "end")
        )
        if _precedes(after, finish, start):
            raise RejectedError("end")
