"""Where the laws of docs/laws.md R1 to R4 yield to other rules; each rule is quoted.

`E` stands for the echo rule, docs/laws.md R5: "a field whose incoming value, as sent or as the
dialect normalises it, equals what the dialect shows now counts as not sent".
"""

from collections.abc import Sequence
from datetime import time
from typing import Any

from support.dialects import Dialect
from support.oracle_writes import read_length, read_notes, read_stamp
from support.wire_bodies import Body

from core.domain.model import Activity

CLOCKS = ("start_date", "start_time", "end_date", "end_time")
ZEROS: Body = {"linked_to": 0, "visibility_type": "team", "is_availability": None}


def normalised(dialect: Dialect, key: str, value: Any, before: Body) -> Any:
    """Return a value of a body as the dialect reads it; `before` is what the dialect shows."""
    if dialect.name == "deskera":
        return _in_deskera(key, value, before)
    if key.endswith("_time") and value is not None:
        return time.fromisoformat(value)
    return value


def _in_deskera(key: str, value: Any, before: Body) -> Any:
    if key in ("start", "end"):
        return read_stamp(value)
    if key == "duration":
        return read_length(value)
    if key == "notes":
        # "Notes shown as text are accepted back as shown."
        return before["notes"] if value == before["notes"] else read_notes(value)
    if key == "owner_id":
        return value or before["created_by"]
    if value is not None:
        return value
    if key.endswith("_ids"):
        return []
    return ZEROS.get(key, False if key.startswith("is_") else "")


def is_echo(dialect: Dialect, key: str, body: Body, shown: Body) -> bool:
    """Return whether a key of a body counts as not sent."""
    if body[key] == shown[key]:
        return True
    try:
        wanted = normalised(dialect, key, body[key], shown)
    except ValueError:
        return False
    return bool(wanted == normalised(dialect, key, shown[key], shown))


def excused(dialect: Dialect, after: Activity, body: Body) -> set[str]:
    """Return the keys of a body that PutGet does not promise to read back.

    "Deskera shows the span, else this" and ignores a duration beside the key `end` where both
    ends are timed; a null means "follows the span" in both dialects.
    """
    if "duration" not in body or None in (after.start_time, after.end_time):
        return set()
    is_null = body["duration"] in (None, "")
    return {"duration"} if is_null or (dialect.name == "deskera" and "end" in body) else set()


def may_differ_in_acceptance(dialect: Dialect, body: Body, shown: Sequence[Body]) -> bool:
    """Return whether a second write may be refused after one first write and not after another.

    An echo is always accepted, while the same value may be refused once something else is shown:
    "a stored record that breaks the rule can still be read, echoed and corrected"; "one of its
    six, or the value it was shown"; "Undecodable Deskera notes: 400, unless they are exactly the
    text that was shown". A place that an import brought may not be one that a client may write.
    """
    keys = {"start", "end", "duration", "activity_type", "notes", "location_geocoded", *CLOCKS}
    once = _echo_in_one(dialect, body, shown)
    return bool(keys & once) or _moves_end(dialect, body)


def _echo_in_one(dialect: Dialect, body: Body, shown: Sequence[Body]) -> set[str]:
    """Return the keys of a body that are an echo of one of two documents, and not of both."""
    return {
        key
        for key in body
        if len({is_echo(dialect, key, body, document) for document in shown}) > 1
    }


def blurred(
    dialect: Dialect,
    results: tuple[Activity, Activity],
    body: Body,
    shown: Sequence[Body],
) -> set[str]:
    """Return the keys in which PutPut may tell whether there was a first write."""
    once = _echo_in_one(dialect, body, shown)
    found = set()
    if "notes" in once:
        found.add("notes")  # "Where text happens to be its own base64, the echo rule wins."
    if body.keys() & {"start", "end", "duration", *CLOCKS}:
        found |= _blurred_times(dialect, results, body)
    return found


def _blurred_times(dialect: Dialect, results: tuple[Activity, Activity], body: Body) -> set[str]:
    """Return the keys that only follow from others: "a span, an end moved by a Deskera duration".

    What the ends hold beyond what is shown (whole days in Deskera; microseconds and second
    instants in AchieveApex) survives an echo only, and the span follows it.
    """
    direct, twice = results
    ends = ("start_at", "end_at", "start_time", "end_time")
    found = set()
    if any(getattr(direct, name) != getattr(twice, name) for name in ends):
        found.add("duration")
    if _moves_end(dialect, body):
        found.add("end")
    return found


def _moves_end(dialect: Dialect, body: Body) -> bool:
    """Return whether a body may move an end that it does not name."""
    return dialect.name == "deskera" and "duration" in body and "end" not in body
