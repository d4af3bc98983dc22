"""Hypothesis strategies for records: tenants, zones, clocks, canonical activities and entities.

Clocks aim at the days on which a zone's offset changes; lists hold repetitions; texts hold HTML,
base64 and everything that a database can store. Bodies that clients send are in `wire_bodies`.
"""

import base64
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from core.domain.entity import Entity, EntityRef, Related
from core.domain.model import MAX_ID, VISIBILITIES, Activity, Tenant, blank_activity
from core.domain.schedule import with_instant, with_wall_clock, zone_names

FIRST_YEAR, LAST_YEAR = 1970, 2099
DESKERA_TYPES = ("call", "meeting", "task", "deadline", "email", "lunch")
HARD_ZONES = (
    "UTC",
    "Europe/Berlin",
    "America/St_Johns",
    "Australia/Lord_Howe",  # Moves by 30 minutes.
    "Pacific/Apia",  # Has no 30 December 2011.
    "Africa/Casablanca",  # Changes four times in some years.
    "Asia/Kathmandu",  # +05:45
    "Africa/Monrovia",  # Had seconds in its offset until 1972.
    "America/Sao_Paulo",  # Changed at midnight.
    "Pacific/Kiritimati",  # +14:00
)
PLAIN_TEXTS = (
    "",
    "Act-001",
    "Test Note<br>",
    "<p>Gr\u00fc\u00dfe &amp; <b>\u65e5\u672c</b></p>",
    "VGVzdA==",  # "Test"
    "VkdWemRBPT0=",  # "VGVzdA=="
    "Test",  # Base64 as well, though not of UTF-8.
    "\U0001f642 e\u0301 \u202e",
    " a\r\nb\tc\x7f ",
    "null",
)
EDGES = (
    datetime(2000, 2, 29, 23, 59, 59, 999999),
    datetime(2024, 12, 31, 23, 59, 59),
    datetime(2096, 2, 29),
    datetime(1970, 1, 1),
    datetime(1, 1, 3),
    datetime(9999, 12, 29, 23, 59, 59, 999999),
)

letters = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
texts = st.one_of(st.sampled_from(PLAIN_TEXTS), st.text(letters, max_size=8))
base64_texts = texts.map(lambda text: base64.b64encode(text.encode()).decode())
any_texts = st.one_of(texts, base64_texts)
ids = st.one_of(st.integers(1, 5), st.just(MAX_ID))
id_lists = st.lists(ids, max_size=4).map(tuple)
zones = st.one_of(st.sampled_from(HARD_ZONES), st.sampled_from(sorted(zone_names())))
flags = st.booleans()
minutes = st.one_of(st.integers(0, 200), st.just(MAX_ID))
writable_places = st.sampled_from(
    (
        '{"lat":37.7749,"lng":-122.4194,"address":"San Francisco, CA"}',
        '{"lat":40,"lng":4.5,"address":null,"more":[1,2.5,{"deep":true}]}',
        '{"address":"Z\u00fcrich"}',
        "{}",
    )
)
places = st.one_of(st.none(), writable_places, st.just('{"lng":null,"lat":"imported"}'))


@lru_cache(maxsize=4096)
def transitions(zone_name: str, year: int) -> tuple[datetime, ...]:
    """Return the instants of a year at which a zone's offset changes, to the second."""
    zone = ZoneInfo(zone_name)

    def offset(instant: datetime) -> timedelta | None:
        return instant.astimezone(zone).utcoffset()

    first = datetime(year, 1, 1, tzinfo=UTC)
    weeks = [first + timedelta(days=7 * week) for week in range(54)]
    found = []
    for monday, sunday in pairwise(weeks):
        before, after = monday, sunday
        while offset(monday) != offset(sunday) and after - before > timedelta(seconds=1):
            middle = (before + (after - before) / 2).replace(microsecond=0)
            if offset(middle) == offset(monday):
                before = middle
            else:
                after = middle
        if after != sunday or offset(after - timedelta(seconds=1)) != offset(after):
            found.append(after)
    return tuple(found)


@st.composite
def wall_clocks(draw: st.DrawFn, zone_name: str) -> datetime:
    """Return a wall clock of a zone: anywhere, at an edge, or within hours of a transition."""
    kind = draw(st.sampled_from(("transition", "anywhere", "transition", "anywhere", "edge")))
    if kind == "edge":
        return draw(st.sampled_from(EDGES))  # Without a fraction: some are the last that can be.
    year = draw(st.integers(FIRST_YEAR, LAST_YEAR))
    changes = transitions(zone_name, year) if kind == "transition" else ()
    if changes:
        wall = draw(st.sampled_from(changes)).astimezone(ZoneInfo(zone_name)).replace(tzinfo=None)
        wall = wall.replace(fold=0) + timedelta(minutes=draw(st.integers(-150, 150)))
    else:
        wall = datetime(year, 1, 1) + timedelta(minutes=draw(st.integers(0, 365 * 24 * 60 - 1)))
    return wall + draw(fractions)


fractions = st.sampled_from(
    [
        timedelta(),
        timedelta(),
        timedelta(seconds=30),
        timedelta(microseconds=1),
        timedelta(milliseconds=500),
        timedelta(seconds=59, microseconds=999999),
    ]
)
SHAPES = ("none", "day", "clock", "wall", "instant", "wall", "instant", "imported")
shapes = st.sampled_from(SHAPES)
distances = st.one_of(st.integers(0, 200), st.integers(0, 3000), st.integers(-3000, 3000))


def utc(wall: datetime, zone_name: str, *, fold: int = 0) -> datetime:
    """Return the instant that a wall clock names."""
    return wall.replace(fold=fold, tzinfo=ZoneInfo(zone_name)).astimezone(UTC)


def end_values(activity: Activity, end: str, shape: str, wall: datetime, zone: str) -> Activity:
    """Return the activity with one end in one of `SHAPES`, at or near a wall clock of `zone`."""
    day, clock, tenants = wall.date(), wall.time(), {"tenant_timezone": zone}
    if shape == "clock":
        return with_wall_clock(activity, end, None, clock, **tenants)
    if shape == "day":
        return with_wall_clock(activity, end, day, None, **tenants)
    if shape == "wall":
        return with_wall_clock(activity, end, day, clock, **tenants)
    if shape == "instant":
        return with_instant(activity, end, utc(wall, zone, fold=1), **tenants)
    if shape == "imported":  # An import keeps a clock and an instant that disagree.
        values: dict[str, Any] = {f"{end}_at": utc(wall, zone) + timedelta(minutes=61)}
        return activity._replace(**{f"{end}_date": day, f"{end}_time": clock}, **values)
    return activity


tenants = st.builds(
    Tenant, id=st.just(27), name=st.just("Apex"), timezone=zones, deskera_timezone=zones
)


@st.composite
def timed(draw: st.DrawFn, activity: Activity, tenant: Tenant) -> Activity:
    """Return the activity with two ends of any shape, now and then in the wrong order."""
    zone = tenant.timezone
    wall = draw(wall_clocks(zone))
    activity = end_values(activity, "start", draw(shapes), wall, zone)
    if wall not in EDGES:
        wall += timedelta(minutes=draw(distances))
    return end_values(activity, "end", draw(shapes), wall, zone)


@st.composite
def durations(draw: st.DrawFn, activity: Activity) -> int | None:
    """Return a stored duration: null, zero, any, or exactly the span of the ends."""
    kind = draw(st.sampled_from(("null", "any", "span", "zero")))
    if kind == "any":
        return draw(minutes)
    if kind == "zero":
        return 0
    if kind == "null" or activity.start_at is None or activity.end_at is None:
        return None
    return max(0, (activity.end_at - activity.start_at) // timedelta(minutes=1))


stamps = st.datetimes(datetime(1970, 1, 1), datetime(2099, 12, 31), timezones=st.just(UTC))
inner_texts = st.sampled_from(("", "NEW", "SENT", "x-1"))
plain_fields = st.fixed_dictionaries(
    {
        "id": ids,
        "version": st.integers(1, 9),
        "subject": any_texts,
        "activity_type": st.one_of(st.sampled_from((None, "", "Call", *DESKERA_TYPES)), texts),
        "notes": st.one_of(st.none(), any_texts),
        "public_description": st.one_of(st.none(), texts),
        "location": st.one_of(st.none(), texts),
        "location_geocoded": places,
        "timezone": st.one_of(st.just(""), zones),
        "completed": flags,
        "assignee_ids": id_lists,
        "contact_ids": id_lists,
        "company_ids": id_lists,
        "deal_id": st.one_of(st.none(), ids),
        "owner_id": ids,
        "created_by": ids,
        "updated_by": ids,
        "visibility": st.sampled_from(VISIBILITIES),
        "is_availability": st.sampled_from((None, True, False)),
        "is_send_invitation": flags,
        "is_send_contacts_invitation": flags,
        "source": st.one_of(st.just("WEB"), texts),
        "source_id": st.one_of(st.just("1"), texts),
        "email_sent": inner_texts,
        "consumer_id": inner_texts,
        "scheduled_status": inner_texts,
        "batch_id": inner_texts,
        "cron_status": inner_texts,
        "notification_error": inner_texts,
        "created_at": stamps,
        "updated_at": stamps,
        "deleted_at": st.one_of(st.none(), stamps),
    }
)
BLANK = blank_activity(tenant_id=27, user_id=1, now=datetime(2026, 1, 2, tzinfo=UTC))


@st.composite
def records(draw: st.DrawFn) -> tuple[Activity, Tenant]:
    """Return a canonical activity, any that could be stored, and its tenant."""
    tenant = draw(tenants)
    activity = draw(timed(BLANK._replace(**draw(plain_fields)), tenant))
    return activity._replace(duration_minutes=draw(durations(activity))), tenant


def related_to(activity: Activity) -> Related:
    """Return a directory that knows about every second entity of an activity."""
    refs = [("user", activity.owner_id), ("user", activity.created_by)]
    for kind, numbers in (
        ("user", activity.assignee_ids),
        ("contact", activity.contact_ids),
        ("company", activity.company_ids),
        ("deal", (activity.deal_id or 2,)),
    ):
        refs += [(kind, number) for number in numbers]
    return {ref: entity(ref) for ref in refs if ref[1] % 2}


def entity(ref: EntityRef) -> Entity:
    """Return a directory entity whose fields tell it from every other one."""
    kind, id_ = ref
    name = f"{kind} {id_}"
    fields = {"name": name, "first_name": name, "last_name": "L\u00e9", "email": f"{id_}@x.io"}
    return Entity(kind, id_, fields)
