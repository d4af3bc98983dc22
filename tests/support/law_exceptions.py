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


def excused(
    dialect: Dialect, steps: tuple[Activity, Activity], body: Body, before: Body
) -> set[str]:
    """Return the keys of a body that PutGet does not promise to read back."""
    sent = {key for key in body if not is_echo(dialect, key, body, before)}
    if dialect.name == "deskera":
        return _excused_in_deskera(*steps, body, sent)
    if "duration" in sent and body["duration"] is None:
        return {"duration"}  # "shows this, else the span, else null"
    # E: beside new times, a duration that is shown already is left to follow them, or to stay.
    return {"duration"} if sent & set(CLOCKS) and "duration" not in sent else set()


def _excused_in_deskera(before: Activity, after: Activity, body: Body, sent: set[str]) -> set[str]:
    found = set()
    has_span = after.start_time is not None and after.end_time is not None
    if "duration" not in sent and sent & {"start", "end"}:
        found.add("duration")  # E.
    if {"start", "end"} <= sent:
        found.add("duration")  # "ignored beside start and end"
    if has_span and ("start" not in sent or body.get("duration") in (None, "")):
        found.add("duration")  # "Deskera shows the span, else this"
    if {"start", "duration"} <= sent and "end" not in sent:
        found.add("end")  # "with start alone it sets end", and E for "alone"
    for end in ("start", "end"):
        is_whole_day = _clock(before, end) is None
        if is_whole_day and end not in sent and "user_timezone" in sent:
            found.add(end)  # "A change of `user_timezone` alone keeps the dates of untimed ones"
    return found


def may_differ_in_acceptance(dialect: Dialect, body: Body, shown: Sequence[Body]) -> bool:
    """Return whether a second write may be refused after one first write and not after another.

    An echo is always accepted, while the same value may be refused once something else is shown:
    "a stored record that breaks the rule can still be read, echoed and corrected"; "one of its
    six, or the value it was shown"; "Undecodable Deskera notes: 400, unless they are exactly the
    text that was shown". A place that an import brought may not be one that a client may write.
    """
    keys = {"start", "end", "duration", "activity_type", "notes", "location_geocoded", *CLOCKS}
    once = _echo_in_one(dialect, body, shown)
    return bool(keys & once) or _leaves_end_to_first(dialect, body, shown)


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
        found |= _blurred_times(dialect, results, body, shown)
    return found


def _blurred_times(
    dialect: Dialect, results: tuple[Activity, Activity], body: Body, shown: Sequence[Body]
) -> set[str]:
    direct, twice = results
    once = _echo_in_one(dialect, body, shown)
    ends = ("start_at", "end_at", "start_time", "end_time")
    found = set()
    if once and any(getattr(direct, name) != getattr(twice, name) for name in ends):
        # E, and "for every field the dialect can show": what the ends hold beyond what is shown
        # (whole days in Deskera; microseconds and second instants in AchieveApex) survives an
        # echo only, and the span follows it.
        found.add("duration")
    if "duration" in body and any(is_echo(dialect, "duration", body, it) for it in shown):
        # E: a duration that is shown already is left to follow the times, or to stay, and which
        # of the two is not shown.
        found.add("duration")
    if dialect.name == "achieveapex":
        return found
    if "duration" in body and (once or {"start", "end"} <= body.keys()):
        # "ignored beside start and end": the second may be, where the first was not, as by E it
        # depends on what is shown beside which ends a duration stands.
        found.add("duration")
    if _leaves_end_to_first(dialect, body, shown):
        found |= {"end", "duration"}
    if "user_timezone" in body:
        # E: a whole day whose midnight is sent back beside a new zone stays that day.
        whole = {
            end for end in ("start", "end") if None in (_clock(direct, end), _clock(twice, end))
        }
        found |= once & whole
    return found


def _leaves_end_to_first(dialect: Dialect, body: Body, shown: Sequence[Body]) -> bool:
    """Return whether the end may be one that Deskera's first write set by start and duration.

    "with start alone it sets end": so may the first write, and not the second; and E for "alone".
    """
    if dialect.name != "deskera" or not {"start", "duration"} <= body.keys():
        return False
    ways = set()
    for document in shown:
        sent = {key for key in body if not is_echo(dialect, key, body, document)}
        has_both = {"start", "duration"} <= sent and None not in (body["start"], body["duration"])
        ways.add("end" if "end" in sent else "start and duration" if has_both else "neither")
    return len(ways) > 1 or ways == {"neither"}


def _clock(activity: Activity, end: str) -> time | None:
    clock: time | None = getattr(activity, f"{end}_time")
    return clock
