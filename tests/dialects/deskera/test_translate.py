"""What a body means for an activity, and what the activity shows afterwards."""

from base64 import b64encode
from datetime import UTC, date, datetime, time
from typing import Any

import orjson
import pytest
from support.deskera_page import BLANK, RELATED, SHOWN_ACTIVITY, TENANT, USER, UTC_TENANT, activity

from adapters.deskera.fields import FIELDS, WRITABLE
from adapters.deskera.translate import apply, references, show
from core.domain.entity import Entity, EntityRef
from core.domain.errors import InvalidActivity
from core.domain.model import MAX_ID, Activity, Tenant
from core.domain.schedule import with_instant, with_wall_clock

DAY = date(2021, 8, 5)
NOON = datetime(2021, 8, 5, 12, tzinfo=UTC)
ONE = datetime(2021, 8, 5, 13, tzinfo=UTC)


def shown(of: Activity, tenant: Tenant = UTC_TENANT) -> dict[str, Any]:
    """Return what the dialect shows, as a client reads it."""
    document: dict[str, Any] = orjson.loads(orjson.dumps(show(of, RELATED, tenant)))
    return document


def written(of: Activity, **body: Any) -> Activity:
    """Return the activity after a write."""
    return apply(of, body, UTC_TENANT)


def problems(of: Activity, body: Any) -> dict[str, str]:
    """Return what a refused write names."""
    with pytest.raises(InvalidActivity) as caught:
        apply(of, body, UTC_TENANT)
    return dict(caught.value.problems)


def timed(start: datetime | None, end: datetime | None, **changes: Any) -> Activity:
    """Return an activity with two timed ends."""
    made = with_instant(activity(**changes), "start", start, tenant_timezone="UTC")
    return with_instant(made, "end", end, tenant_timezone="UTC")


def whole_days(**changes: Any) -> Activity:
    """Return an activity of one whole day."""
    made = with_wall_clock(activity(**changes), "start", DAY, None, tenant_timezone="UTC")
    return with_wall_clock(made, "end", DAY, None, tenant_timezone="UTC")


def test_declarations_are_the_wire():
    assert [field.wire for field in FIELDS] == list(show(BLANK, {}, TENANT))


def test_declarations_name_canonical_fields():
    assert {name for field in FIELDS for name in field.canonical} <= set(Activity._fields)


def test_fidelity_says_exact_or_why():
    assert all(field.fidelity.startswith(("exact", "lossy: ", "constant: ")) for field in FIELDS)


def test_blank_shows_unset_values():
    expected = {
        "name": "",
        "activity_type": "",
        "duration": "",
        "notes": "",
        "visibility_type": "team",
        "is_availability": None,
        "assignee_ids": [],
        "assignee_details": [],
        "linked_to": 0,
        "deal_details": None,
        "EmailSent": "NEW",
        "cron_status": "NEW",
        "source": "WEB",
        "source_id": "",
        "user_timezone": "",
        "start": None,
        "end": None,
    }
    document = shown(BLANK)
    assert {key: document[key] for key in expected} == expected


def test_unknown_entities_leave_zeros():
    document = shown(activity(assignee_ids=(5, USER), deal_id=9, owner_id=5))
    assert [user["id"] for user in document["assignee_details"]] == [USER]
    assert document["deal_details"] is None
    assert document["owner_details"] == {
        "id": 5,
        "first_name": "",
        "last_name": "",
        "email": "",
        "country_code": "",
        "contact": "",
        "profile_url": "",
    }


def test_deal_without_anything_shows_zeros():
    bare = {EntityRef("deal", 3): Entity("deal", 3, {"name": "A", "contact_id": 8})}
    deal = orjson.loads(orjson.dumps(show(activity(deal_id=3), bare, TENANT)))["deal_details"]
    assert len(deal) == 26
    assert (deal["stage"], deal["closing_date"], deal["amount"]) == (None, None, "0")
    assert (deal["contact_id"], deal["contact_info"]["id"], deal["contact_info"]["type"]) == (
        8,
        8,
        "",
    )
    assert deal["organization_info"]["label"] == {}


def test_person_shows_its_organization():
    person = {EntityRef("contact", 3): Entity("contact", 3, {"name": "A", "company_id": 4})}
    document = orjson.loads(orjson.dumps(show(activity(contact_ids=(3,)), person, TENANT)))
    details = document["contact_details"][0]
    assert (details["type"], details["organization_id"], details["label"]) == ("person", 4, {})


def test_references_are_all_that_is_linked():
    lonely = activity(deal_id=None)
    linked = activity(assignee_ids=(5,), contact_ids=(7, 6), company_ids=(8, 9), deal_id=3)
    users, contacts = {("user", USER), ("user", 5)}, {("contact", 7), ("contact", 6)}
    others = {("company", 8), ("company", 9), ("deal", 3)}
    assert references([lonely]) == {("user", USER)}
    assert references([lonely, linked]) == users | contacts | others


def test_entity_is_rendered_once():
    entity = Entity("user", USER, {"first_name": "A", "last_name": "B"})
    related = {EntityRef("user", USER): entity}
    first, second = (show(BLANK, related, TENANT)["owner_details"] for _ in range(2))
    assert first is second


@pytest.mark.parametrize("field", WRITABLE, ids=lambda field: field.wire)
def test_null_is_zero_value(field: Any):
    cleared = written(SHOWN_ACTIVITY._replace(visibility="private"), **{field.wire: None})
    expected = USER if field.wire == "owner_id" else field.null
    if field.wire == "duration":
        expected = "1h 21m"  # Two timed ends have a span, whatever is stored.
    assert shown(cleared)[field.wire] == expected


@pytest.mark.parametrize(
    "key",
    [
        *("id", "tenant_id", "created_by", "created_at", "updated_at", "is_deleted", "EmailSent"),
        *("email_sent", "consumer_id", "assigned_to", "assignee_details", "deal_details"),
        *("assigned", "attendee", "availability", "date", "time", "scheduled_status", "anything"),
    ],
)
@pytest.mark.parametrize("value", [None, 3, "x", True, [], {"a": 1}])
def test_keys_of_others_are_ignored(key: str, value: object):
    assert written(SHOWN_ACTIVITY, **{key: value}) == SHOWN_ACTIVITY


@pytest.mark.parametrize("body", [None, [], "x", 3, True])
def test_body_must_be_an_object(body: object):
    assert problems(BLANK, body) == {"body": "must be a JSON object"}


def test_keys_match_whatever_their_case():
    assert written(BLANK, NAME="a", Is_Status=True).subject == "a"
    assert written(BLANK, NAME="a", name="b", Name="c").subject == "b"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("name", 1),
        ("is_status", 1),
        ("is_status", "true"),
        ("is_availability", 0),
        ("linked_to", "1"),
        ("linked_to", 1.0),
        ("linked_to", True),
        ("linked_to", -1),
        ("linked_to", MAX_ID + 1),
        ("owner_id", -1),
        ("contact_ids", 1),
        ("contact_ids", [0]),
        ("contact_ids", ["1"]),
        ("contact_ids", [True]),
        ("contact_ids", [1.0]),
        ("contact_ids", [None]),
        ("assignee_ids", list(range(1, 1002))),
        ("activity_type", "Call"),
        ("activity_type", 1),
        ("visibility_type", ""),
        ("visibility_type", "Private"),
        ("user_timezone", "Mars/Olympus"),
        ("user_timezone", "asia/singapore"),
        ("user_timezone", 8),
        ("notes", "not base64"),
        ("notes", "VGVzdA"),
        ("notes", "VGVzdA==="),
        ("notes", "_-8="),
        ("notes", "/w=="),
        ("notes", b64encode(b"a\0b").decode()),
        ("notes", "é"),
        ("notes", 5),
        ("start", "2021-08-05"),
        ("end", 1628121600),
        ("duration", "81"),
        ("source_id", 1),
    ],
)
def test_wrong_value_is_named(key: str, value: object):
    assert list(problems(BLANK, {key: value})) == [key]


def test_all_wrong_values_are_named():
    body = {"end": 1, "name": 2, "is_status": 3, "source": "fine"}
    assert list(problems(BLANK, body)) == ["name", "is_status", "end"]


def test_true_is_not_an_echo_of_one():
    assert list(problems(activity(contact_ids=(1,)), {"contact_ids": [True]})) == ["contact_ids"]
    assert list(problems(activity(completed=True), {"is_status": 1})) == ["is_status"]


def test_ids_keep_order_and_repetitions():
    assert written(BLANK, contact_ids=[3, 1, 3]).contact_ids == (3, 1, 3)


def test_owner_zero_is_the_creator():
    assert written(activity(owner_id=9), owner_id=0).owner_id == USER
    assert written(BLANK, owner_id=9).owner_id == 9


def test_deal_zero_is_no_deal():
    assert written(activity(deal_id=9), linked_to=0).deal_id is None


def test_activity_type_can_be_cleared():
    assert written(activity(activity_type="call"), activity_type="").activity_type is None


def test_foreign_activity_type_is_echoed_only():
    followed = activity(activity_type="follow-up")
    assert written(followed, activity_type="follow-up") == followed
    assert list(problems(BLANK, {"activity_type": "follow-up"})) == ["activity_type"]


# Notes


@pytest.mark.parametrize("packed", ["VGVzdCBOb3RlPGJyPg==", "VGVzdCBO\r\nb3RlPGJy\nPg==\r\n"])
def test_notes_are_base64_inwards(packed: str):
    assert written(BLANK, notes=packed).notes == "Test Note<br>"


def test_shown_notes_are_an_echo():
    noted = activity(notes="Test Note<br>")
    assert written(noted, notes="Test Note<br>") == noted


def test_notes_like_base64_are_an_echo_first():
    noted = activity(notes="VGVzdA==")
    assert written(noted, notes="VGVzdA==") == noted
    assert written(noted, notes=b64encode(b"VGVzdA==").decode()) == noted


@pytest.mark.parametrize("empty", ["", None, "\r\n"])
@pytest.mark.parametrize("stored", ["", None])
def test_empty_notes_stay_as_they_are(empty: str | None, stored: str | None):
    assert written(activity(notes=stored), notes=empty).notes == stored


# Times


def test_start_moves_wall_clock_too():
    moved = written(activity(timezone="Asia/Singapore"), start="2021-08-05T13:15:49.5Z")
    assert (moved.start_date, moved.start_time) == (DAY, time(21, 15, 49, 500000))


def test_zone_goes_before_ends():
    moved = written(BLANK, start="2021-08-05T13:15:49Z", user_timezone="Asia/Singapore")
    assert moved.start_time == time(21, 15, 49)


def test_zone_alone_keeps_instants_and_days():
    moved = written(timed(NOON, ONE), user_timezone="Asia/Tokyo")
    assert (moved.start_at, moved.start_time) == (NOON, time(21))
    day = written(whole_days(), user_timezone="Asia/Tokyo")
    assert (day.start_date, day.start_time) == (DAY, None)
    assert shown(day)["start"] == "2021-08-04T15:00:00Z"


def test_zone_beside_echoes_is_alone():
    day = whole_days()
    moved = apply(day, {**shown(day), "user_timezone": "Asia/Tokyo"}, UTC_TENANT)
    assert moved == written(day, user_timezone="Asia/Tokyo")


def test_unknown_stored_zone_is_echoed():
    stored = activity(timezone="US/Pacific-New")
    assert written(stored, user_timezone="US/Pacific-New") == stored


def test_same_instant_elsewhere_is_an_echo():
    day = whole_days()
    assert written(day, start="2021-08-05T05:30:00+05:30", end="2021-08-04T23:00:00-01:00") == day


def test_stored_instant_at_the_rim_is_echoed():
    rim = with_wall_clock(
        activity(timezone="Etc/GMT+12"),
        "start",
        date(9999, 12, 29),
        time(23),
        tenant_timezone="UTC",
    )
    assert shown(rim)["start"] == "9999-12-30T11:00:00Z"
    assert written(rim, start="9999-12-30T11:00:00Z") == rim


def test_null_clears_one_end():
    cleared = written(timed(NOON, ONE), start=None)
    assert (cleared.start_date, cleared.start_time, cleared.start_at) == (None, None, None)
    assert cleared.end_at == ONE


def test_end_before_start_is_refused():
    assert problems(timed(NOON, ONE), {"end": "2021-08-05T11:59:59Z"}) == {"end": "is before start"}
    assert problems(timed(NOON, ONE), {"start": "2021-08-05T14:00:00Z"}) == {
        "end": "is before start"
    }


def test_broken_order_is_echoed_and_corrected():
    broken = timed(ONE, NOON)
    assert apply(broken, shown(broken), UTC_TENANT) == broken
    assert written(broken, name="still", user_timezone="Asia/Tokyo").subject == "still"
    assert written(broken, end="2021-08-05T14:00:00Z").end_time == time(14)


# Duration


def test_duration_beside_both_ends_is_ignored():
    made = written(
        activity(duration_minutes=5),
        start="2021-08-05T13:00:00Z",
        end="2021-08-05T14:00:00Z",
        duration="9h 9m",
    )
    assert (shown(made)["duration"], made.duration_minutes) == ("1h 0m", 5)


def test_duration_beside_start_sets_end():
    made = written(activity(duration_minutes=5), start="2021-08-05T13:00:00Z", duration="1h 21m")
    assert (shown(made)["end"], made.duration_minutes) == ("2021-08-05T14:21:00Z", None)


def test_duration_beside_echoed_end_sets_end():
    made = written(
        timed(NOON, ONE), start="2021-08-05T11:00:00Z", end="2021-08-05T13:00:00Z", duration=30
    )
    assert shown(made)["end"] == "2021-08-05T11:30:00Z"


def test_echoed_duration_leaves_end_alone():
    made = written(timed(NOON, ONE), start="2021-08-05T11:00:00Z", duration="1h 0m")
    assert (made.end_at, shown(made)["duration"]) == (ONE, "2h 0m")


def test_duration_beside_echoed_start_is_stored():
    made = written(timed(NOON, ONE), start="2021-08-05T12:00:00Z", duration=30)
    assert (made.end_at, made.duration_minutes) == (ONE, 30)


def test_cleared_duration_beside_start_sets_no_end():
    made = written(activity(duration_minutes=5), start="2021-08-05T13:00:00Z", duration="")
    assert (made.end_at, made.duration_minutes) == (None, None)


def test_duration_without_times_is_stored():
    made = written(BLANK, duration="0h 45m")
    assert (made.duration_minutes, shown(made)["duration"]) == (45, "0h 45m")
    assert written(made, duration="").duration_minutes is None
    assert written(made, duration=None).duration_minutes is None


def test_stored_duration_behind_span_survives_echo():
    kept = timed(NOON, ONE, duration_minutes=30)
    assert shown(kept)["duration"] == "1h 0m"
    assert written(kept, duration="1h 0m") == written(kept, duration=60) == kept


def test_null_duration_clears_what_is_stored():
    assert written(timed(NOON, ONE, duration_minutes=30), duration=None).duration_minutes is None


def test_duration_equal_to_span_is_not_stored():
    made = written(timed(NOON, None, duration_minutes=30), end="2021-08-05T13:00:00Z", duration=60)
    assert made.duration_minutes is None


def test_times_alone_leave_duration():
    kept = timed(NOON, ONE, duration_minutes=30)
    assert written(kept, end="2021-08-05T15:00:00Z").duration_minutes == 30


def test_duration_beyond_calendar_is_named():
    body = {"start": "2021-08-05T13:00:00Z", "duration": MAX_ID}
    assert list(problems(BLANK, body)) == ["duration"]


def test_span_counts_whole_minutes_never_below_zero():
    end = datetime(2021, 8, 5, 12, 1, 59, tzinfo=UTC)
    assert shown(timed(NOON, end))["duration"] == "0h 1m"
    assert shown(timed(ONE, NOON))["duration"] == "0h 0m"
