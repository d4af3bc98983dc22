"""Hypothesis strategies for what clients send: bodies of both dialects, whole and in part.

A body is drawn for a record: now and then a value is an echo, that is what the dialect shows of
the record already, the same in another spelling, or null.
"""

import base64
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import orjson
from hypothesis import strategies as st
from support.oracle_writes import read_stamp
from support.strategies import (
    DESKERA_TYPES,
    EDGES,
    any_texts,
    distances,
    flags,
    id_lists,
    ids,
    minutes,
    related_to,
    texts,
    utc,
    wall_clocks,
    writable_places,
    zones,
)

from adapters.achieveapex import translate as achieveapex
from adapters.deskera import translate as deskera
from core.domain.model import VISIBILITIES, Activity, Tenant

Body = dict[str, Any]
STORABLE = (datetime(1, 1, 12, tzinfo=UTC), datetime(9999, 12, 20, tzinfo=UTC))


def json_of(document: Body) -> Body:
    """Return a document as a client reads it from the wire."""
    parsed: Body = orjson.loads(orjson.dumps(document))
    return parsed


def deskera_document(activity: Activity, tenant: Tenant) -> Body:
    """Return what Deskera shows of an activity."""
    return json_of(deskera.show(activity, related_to(activity), tenant))


def achieveapex_document(activity: Activity, tenant: Tenant) -> Body:
    """Return what AchieveApex shows of an activity on a get."""
    return json_of(achieveapex.show(activity, related_to(activity), tenant, "detailed"))


def as_base64(text: str) -> str:
    """Return text as Deskera takes notes."""
    return base64.b64encode(text.encode()).decode()


@st.composite
def stamps_of(draw: st.DrawFn, instant: datetime) -> str:
    """Return one of the spellings of an instant in RFC 3339."""
    offset = draw(st.sampled_from((None, 0, 330, -210, 840)))
    if offset is None or not STORABLE[0] < instant < STORABLE[1]:
        text, suffix = instant.isoformat()[:-6], "Z"
    else:
        text = instant.astimezone(timezone(timedelta(minutes=offset))).isoformat()
        text, suffix = text[:-6], text[-6:]
    finer = "999" if "." in text else ""  # Beyond the microsecond: cut.
    text += draw(st.sampled_from(("", finer)))
    return (text + suffix).lower() if draw(flags) else text + suffix


def lengths(number: int) -> st.SearchStrategy[Any]:
    """Return the spellings of a number of minutes in Deskera."""
    spelt = (
        number,
        f"{number // 60}h {number % 60}m",
        f"{number}m",
        f"{number // 60}h{number % 60}m",
    )
    return st.sampled_from(spelt)


@st.composite
def new_stamps(draw: st.DrawFn, activity: Activity, tenant: Tenant) -> Body:
    """Return a new start and end: near the record's own, or near a transition of its zone."""
    known = [storable(at) for at in (activity.start_at, activity.end_at) if at is not None]
    if known and draw(flags):
        start = draw(st.sampled_from(known)) + timedelta(minutes=draw(distances))
    else:
        zone = tenant.timezone
        start = storable(utc(draw(wall_clocks(zone)), zone, fold=draw(st.integers(0, 1))))
    end = start + timedelta(minutes=draw(distances))
    return {"start": draw(stamps_of(start)), "end": draw(stamps_of(end))}


def storable(instant: datetime) -> datetime:
    """Return the instant, or the nearest that leaves room for every offset on either side."""
    return min(max(instant, STORABLE[0]), STORABLE[1])


kinds = st.sampled_from(("new", "new", "echo", "new", "null", "new", "respelt", "new"))
ID_LISTS = id_lists.map(list)
DESKERA_VALUES: dict[str, st.SearchStrategy[Any]] = {
    "name": any_texts,
    "activity_type": st.sampled_from(("", *DESKERA_TYPES)),
    "duration": st.one_of(minutes.flatmap(lengths), st.just("")),
    "notes": any_texts.map(as_base64),
    "visibility_type": st.sampled_from(VISIBILITIES),
    "is_availability": flags,
    "is_send_invitation": flags,
    "is_send_contacts_invitation": flags,
    "assignee_ids": ID_LISTS,
    "contact_ids": ID_LISTS,
    "organization_ids": ID_LISTS,
    "linked_to": st.one_of(st.just(0), ids),
    "owner_id": st.one_of(st.just(0), ids),
    "is_status": flags,
    "source": texts,
    "source_id": texts,
    "user_timezone": st.one_of(st.just(""), zones),
}
DESKERA_KEYS = (*DESKERA_VALUES, "start", "end")
DESKERA_TIMES = ("user_timezone", "start", "end", "duration")
DESKERA_IGNORED: Body = {
    "assigned": [],
    "attendee": None,
    "availability": None,
    "assigned_to": "x",
    "tenant_id": 99,
    "id": 246,
    "EmailSent": "SENT",
    "email_sent": "SENT",
    "created_at": "2020-01-01T00:00:00Z",
    "is_deleted": True,
    "deal_details": {"id": 3},
    "date": 1592451000,
}


@st.composite
def deskera_bodies(
    draw: st.DrawFn, activity: Activity, tenant: Tenant, keys: Sequence[str]
) -> Body:
    """Return a body with these keys of Deskera."""
    shown = deskera_document(activity, tenant)
    stamps = draw(new_stamps(activity, tenant)) if {"start", "end"} & set(keys) else {}
    body = {}
    for key in keys:
        kind = draw(kinds)
        if kind == "null":
            body[key] = None
        elif kind == "respelt":
            body[key] = draw(respelt_deskera(key, shown[key], activity))
        elif kind == "echo":
            body[key] = shown[key]
        elif key in stamps:
            body[key] = stamps[key]
        else:
            body[key] = draw(DESKERA_VALUES[key])
    return body


def respelt_deskera(key: str, shown: Any, _: Activity) -> st.SearchStrategy[Any]:
    """Return other spellings of what Deskera shows, all of which count as an echo."""
    at = read_stamp(shown) if key in ("start", "end") else None
    if at is not None and STORABLE[0] < at < STORABLE[1]:
        return stamps_of(at)
    if key == "notes":
        return st.just(as_base64(shown))
    if key == "duration" and shown:
        hours, rest = shown[:-1].split("h ")
        return lengths(int(hours) * 60 + int(rest))
    return st.just(shown)


ACHIEVEAPEX_VALUES: dict[str, st.SearchStrategy[Any]] = {
    "assigned_to_user_id": ids,
    "subject": any_texts,
    "note": any_texts,
    "public_description": texts,
    "location": texts,
    "location_geocoded": writable_places.map(orjson.loads),
    "duration": minutes,
    "deal_id": ids,
    "contact_id": ids,
    "company_id": ids,
    "activity_type": texts,
    "done": flags,
}
ACHIEVEAPEX_CLOCKS = ("start_date", "start_time", "end_date", "end_time")
ACHIEVEAPEX_KEYS = (*ACHIEVEAPEX_VALUES, *ACHIEVEAPEX_CLOCKS)
ACHIEVEAPEX_TIMES = (*ACHIEVEAPEX_CLOCKS, "duration")
NOT_NULL = ("subject", "done")
ACHIEVEAPEX_IGNORED: Body = {
    "id": 246,
    "organization_id": 27,
    "created_by_user_id": 99,
    "created_at": None,
    "updated_at": "x",
    "deleted_at": "2020-01-01T00:00:00.000Z",
    "created_by_user": {"id": 1},
    "company": None,
}


@st.composite
def clock_values(draw: st.DrawFn, activity: Activity, tenant: Tenant) -> Body:
    """Return new values of the four clocks: near the record's own, or near a transition."""
    start = draw(wall_clocks(tenant.timezone))
    end = start if start in EDGES else start + timedelta(minutes=draw(distances))
    values = {}
    for name, wall in (("start", start), ("end", end)):
        day, clock = wall.isoformat(timespec="seconds").split("T")
        values |= {f"{name}_date": day, f"{name}_time": draw(st.sampled_from((clock, clock[:5])))}
    return values


@st.composite
def achieveapex_bodies(
    draw: st.DrawFn, activity: Activity, tenant: Tenant, keys: Sequence[str]
) -> Body:
    """Return a body with these keys of AchieveApex."""
    shown = achieveapex_document(activity, tenant)
    clocks = draw(clock_values(activity, tenant)) if set(keys) & set(ACHIEVEAPEX_CLOCKS) else {}
    body = {}
    for key in keys:
        kind = draw(kinds)
        if kind == "null" and key not in NOT_NULL:
            body[key] = None
        elif kind == "echo":
            body[key] = shown[key]
        elif key in clocks:
            body[key] = clocks[key]
        else:
            body[key] = draw(ACHIEVEAPEX_VALUES[key])
    return body


def respelt_achieveapex(key: str, shown: Any, _: Activity) -> st.SearchStrategy[Any]:
    """Return other spellings of what AchieveApex shows, all of which count as an echo."""
    if key.endswith("_time") and shown is not None and shown.endswith(":00"):
        return st.just(shown[:5])
    return st.just(float(shown)) if type(shown) is int else st.just(shown)


def some_of(keys: Sequence[str], times: Sequence[str]) -> st.SearchStrategy[list[str]]:
    """Return keys of a body: some, all, one, or times alone, which depend on one another."""
    return st.one_of(
        st.sampled_from(keys).map(lambda key: [key]),
        st.lists(st.sampled_from(times), unique=True, min_size=2),
        st.lists(st.sampled_from(keys), unique=True, min_size=3, max_size=9),
        st.lists(st.sampled_from(keys), unique=True, min_size=3, max_size=9),
        st.just(list(keys)),
    )


deskera_keys = some_of(DESKERA_KEYS, DESKERA_TIMES)
achieveapex_keys = some_of(ACHIEVEAPEX_KEYS, ACHIEVEAPEX_TIMES)
