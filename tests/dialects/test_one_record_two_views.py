"""What is written in one dialect is read in the other, at once and whole."""

from typing import Any

import pytest
from flask.testing import FlaskClient
from support import deskera_api
from support.both_api import PLACED, USER, Both
from support.deskera_api import base64
from support.stage import START_OF_TIME, Clock, Home

from core.domain.model import Tenant
from core.storage.database import Database
from core.storage.tenant_store import Tenants

LATER = {"apex": "2026-03-01T12:00:07.000Z", "deskera": "2026-03-01T12:00:07Z"}
SHOWN_BY_APEX = {
    "id": 1,
    "organization_id": 0,
    "created_by_user_id": USER,
    "assigned_to_user_id": 9,
    "subject": "Call",
    "note": "old",
    **PLACED,
    "start_date": "2025-04-15",
    "start_time": "14:30:00",
    "end_date": "2025-04-15",
    "end_time": "15:00:00",
    "duration": 30,
    "deal_id": 12,
    "contact_id": 5,
    "company_id": 3,
    "activity_type": "call",
    "done": False,
    "created_at": "2026-03-01T12:00:00.000Z",
    "updated_at": "2026-03-01T12:00:00.000Z",
    "deleted_at": None,
}

# What is sent, and which keys of the other dialect's record change with it.
Change = tuple[dict[str, Any], dict[str, Any]]
DESKERA_CHANGES: list[Change] = [
    ({"name": "Né\U0001f600\u0001"}, {"subject": "Né\U0001f600\u0001"}),
    ({"name": None}, {"subject": ""}),
    ({"activity_type": "lunch"}, {"activity_type": "lunch"}),
    ({"activity_type": ""}, {"activity_type": None}),
    ({"activity_type": None}, {"activity_type": None}),
    ({"notes": base64("<p>née</p>\n")}, {"note": "<p>née</p>\n"}),
    ({"notes": ""}, {"note": ""}),
    ({"notes": None}, {"note": ""}),
    ({"assignee_ids": [7, 9]}, {"assigned_to_user_id": 7}),
    ({"assignee_ids": [9]}, {}),
    ({"assignee_ids": []}, {"assigned_to_user_id": None}),
    ({"contact_ids": [8, 5, 8]}, {"contact_id": 8}),
    ({"contact_ids": None}, {"contact_id": None}),
    ({"organization_ids": [4, 3]}, {"company_id": 4}),
    ({"organization_ids": []}, {"company_id": None}),
    ({"linked_to": 2**53 - 1}, {"deal_id": 2**53 - 1}),
    ({"linked_to": 0}, {"deal_id": None}),
    ({"linked_to": None}, {"deal_id": None}),
    ({"is_status": True}, {"done": True}),
    (
        {"start": "2025-04-15T01:15:59.999999+02:00"},
        {"start_date": "2025-04-14", "start_time": "23:15:59", "duration": 944},
    ),
    ({"end": "2025-04-15T14:30:59.9Z"}, {"end_time": "14:30:59", "duration": 0}),
    ({"end": None}, {"end_date": None, "end_time": None, "duration": None}),
    ({"start": None}, {"start_date": None, "start_time": None, "duration": None}),
    (
        {"start": "2025-04-15T23:00:00Z", "duration": "1h 30m"},
        {
            "start_time": "23:00:00",
            "end_date": "2025-04-16",
            "end_time": "00:30:00",
            "duration": 90,
        },
    ),
    ({"duration": "5h"}, {"duration": 300}),
    ({"user_timezone": "Asia/Kolkata"}, {"start_time": "20:00:00", "end_time": "20:30:00"}),
    (
        {"user_timezone": "Pacific/Kiritimati"},
        {
            "start_date": "2025-04-16",
            "start_time": "04:30:00",
            "end_date": "2025-04-16",
            "end_time": "05:00:00",
        },
    ),
    ({"visibility_type": "private"}, {}),
    ({"is_availability": None, "is_send_invitation": False}, {}),
    ({"owner_id": 1, "source": "WEB", "source_id": ""}, {}),
]
APEX_CHANGES: list[Change] = [
    ({"subject": "Né\U0001f600\u0001"}, {"name": "Né\U0001f600\u0001"}),
    ({"subject": ""}, {"name": ""}),
    ({"activity_type": "site visit"}, {"activity_type": "site visit"}),
    ({"activity_type": None}, {"activity_type": ""}),
    ({"activity_type": ""}, {"activity_type": ""}),
    ({"note": "<p>née</p>\n"}, {"notes": "<p>née</p>\n"}),
    ({"note": ""}, {"notes": ""}),
    ({"note": None}, {"notes": ""}),
    ({"assigned_to_user_id": 7}, {"assignee_ids": [7, 9]}),
    ({"assigned_to_user_id": 8}, {"assignee_ids": [8, 7]}),
    ({"assigned_to_user_id": None}, {"assignee_ids": []}),
    ({"contact_id": 6}, {"contact_ids": [6, 5]}),
    ({"contact_id": 8}, {"contact_ids": [8, 6]}),
    ({"contact_id": None}, {"contact_ids": []}),
    ({"company_id": 4}, {"organization_ids": [4, 3]}),
    ({"company_id": 8}, {"organization_ids": [8, 4]}),
    ({"company_id": None}, {"organization_ids": []}),
    ({"deal_id": 2**53 - 1}, {"linked_to": 2**53 - 1}),
    ({"deal_id": None}, {"linked_to": 0}),
    ({"done": True}, {"is_status": True}),
    ({"start_time": "09:05"}, {"start": "2025-04-15T09:05:00Z", "duration": "5h 55m"}),
    ({"start_time": None}, {"start": "2025-04-15T00:00:00Z", "duration": ""}),
    ({"start_date": None}, {"start": None, "duration": ""}),
    ({"start_date": "2025-04-14"}, {"start": "2025-04-14T14:30:00Z", "duration": "24h 30m"}),
    ({"end_date": "2025-05-15"}, {"end": "2025-05-15T15:00:00Z", "duration": "720h 30m"}),
    ({"end_time": "14:30:59"}, {"end": "2025-04-15T14:30:59Z", "duration": "0h 0m"}),
    ({"duration": 45}, {}),
    ({"duration": 45, "end_time": None}, {"end": "2025-04-15T00:00:00Z", "duration": "0h 45m"}),
    ({"duration": 45, "end_date": None}, {"end": None, "duration": "0h 45m"}),
    ({"public_description": None, "location": "", "location_geocoded": None}, {}),
]

# A wall clock of AchieveApex in a zone of Deskera, and the instant that Deskera shows.
ZONED = [
    ("Asia/Kolkata", "2025-04-15", "09:00:00", "2025-04-15T03:30:00Z"),
    ("Asia/Kolkata", "2025-04-15", None, "2025-04-14T18:30:00Z"),
    ("America/New_York", "2025-03-09", "02:30:00", "2025-03-09T07:30:00Z"),  # In a gap.
    ("America/New_York", "2025-11-02", "01:30:00", "2025-11-02T05:30:00Z"),  # The first of two.
    ("America/New_York", "2025-11-02", "02:30:00", "2025-11-02T07:30:00Z"),
    ("", "2025-04-15", "23:59:59", "2025-04-15T23:59:59Z"),
]


@pytest.fixture
def both(client: FlaskClient, tenant: Home) -> Both:
    """Give a user of an empty tenant."""
    return Both(client, tenant.caller(USER).key)


def test_apex_shows_deskeras_create(both: Both, tenant: Home):
    both.make()
    record, _ = both.shown(1)
    assert record == SHOWN_BY_APEX | {"organization_id": tenant.id}
    [listed] = both.apex("GET").json["data"]
    assert listed == record


def test_deskera_shows_apexes_create(both: Both, tenant: Home):
    both.make()
    body = {
        key: SHOWN_BY_APEX[key] for key in SHOWN_BY_APEX if key not in ("id", "organization_id")
    }
    made = both.apex.create(**body)
    first, second = both.deskera.read(1), both.deskera.read(made["id"])
    alone = {"assignee_ids": [9], "contact_ids": [5], "organization_ids": [3], "owner_id": USER}
    unset = {
        "visibility_type": "team",
        "is_availability": None,
        "is_send_invitation": False,
        "is_send_contacts_invitation": False,
        "source": "WEB",
        "source_id": "",
        "owner_details": first["owner_details"] | {"id": USER},
    }
    assert second == first | {"id": 2} | alone | unset
    listed = both.deskera("GET", query="sortBy=id&sortDir=asc").json["data"]
    assert listed == [first, second]


def test_apex_shows_deskeras_changes(both: Both, clock: Clock):
    for body, expected in DESKERA_CHANGES:
        clock.now = START_OF_TIME
        before, _ = both.shown(both.make())
        clock.advance(seconds=7)
        both.put(before["id"], **body)
        after, _ = both.shown(before["id"])
        assert after == before | expected | {"updated_at": LATER["apex"]}, body


def test_deskera_shows_apexes_changes(both: Both, clock: Clock):
    for body, expected in APEX_CHANGES:
        clock.now = START_OF_TIME
        _, before = both.shown(both.make())
        clock.advance(seconds=7)
        both.patch(before["id"], **body)
        _, after = both.shown(before["id"])
        assert after == before | expected | {"updated_at": LATER["deskera"]}, body


def test_echoes_change_nothing_anywhere(both: Both, clock: Clock):
    both.make()
    both.put(1, start="2025-04-15T14:30:00.123456Z", user_timezone="America/St_Johns")
    both.patch(1, duration=77)
    before = both.shown(1)
    clock.advance(seconds=7)
    record, document = before
    both.put(1, **document)
    both.patch(1, **record)
    both.put(1, start="2025-04-15T20:00:00.123456+05:30", notes=base64("old"), activity_type="call")
    both.patch(1, start_time=record["start_time"][:5] + ":00", duration=77.0)
    assert both.shown(1) == before


def test_null_note_stays_null(both: Both, clock: Clock):
    for note in (None, ""):
        made = both.apex.create(note=note)
        for notes in ("", None):
            both.put(made["id"], notes=notes, name="changed")
        record, document = both.shown(made["id"])
        assert (record["note"], document["notes"], document["name"]) == (note, "", "changed")


def test_wall_clocks_follow_the_zone(both: Both):
    for zone, day, clock, instant in ZONED:
        activity_id = both.deskera.create(user_timezone=zone)
        both.patch(activity_id, start_date=day, start_time=clock)
        record, document = both.shown(activity_id)
        assert (record["start_date"], record["start_time"]) == (day, clock)
        assert (document["start"], document["user_timezone"]) == (instant, zone)
        # Written back as it is shown, an instant leaves even a clock in a gap as it was.
        both.put(activity_id, start=instant, user_timezone=zone)
        assert both.shown(activity_id) == (record, document)


def test_each_dialect_has_its_order(both: Both, clock: Clock):
    # An hour is left out in a gap and comes twice in an overlap: instants and clocks disagree.
    gap = {"start_date": "2025-03-09", "start_time": "02:45:00", "end_date": "2025-03-09"}
    overlap = {"start": "2025-11-02T05:45:00Z", "end": "2025-11-02T06:15:00Z"}
    first = both.deskera.create(user_timezone="America/New_York")
    both.patch(first, **gap, end_time="03:00:00")
    second = both.deskera.create(user_timezone="America/New_York", **overlap)
    before = [both.shown(number) for number in (first, second)]
    shown = [(document["start"], document["end"]) for _, document in before]
    assert shown == [("2025-03-09T07:45:00Z", "2025-03-09T07:00:00Z"), tuple(overlap.values())]
    clocks = [(record["start_time"], record["end_time"]) for record, _ in before]
    assert clocks == [("02:45:00", "03:00:00"), ("01:45:00", "01:15:00")]
    clock.advance(seconds=7)
    for record, document in before:
        both.put(document["id"], **document)
        both.patch(record["id"], **record)
    assert [both.shown(number) for number in (first, second)] == before


def test_broken_order_can_be_corrected(both: Both):
    activity_id = both.deskera.create(user_timezone="America/New_York")
    both.patch(activity_id, start_date="2025-03-09", start_time="02:45", end_date="2025-03-09")
    both.patch(activity_id, end_time="03:00")
    both.put(activity_id, name="still broken")
    answer = both.deskera("PUT", activity_id, json={"start": "2025-03-09T07:30:00Z"})
    assert deskera_api.fields_of(answer) == (400, ["end"])
    both.put(activity_id, start="2025-03-09T06:30:00Z")
    record, document = both.shown(activity_id)
    assert (record["subject"], record["start_time"]) == ("still broken", "01:30:00")
    assert document["duration"] == "0h 30m"


def test_tenant_gives_both_zones(client: FlaskClient, tenant: Home, database: Database):
    zoned = Tenant(tenant.id, "Zoned", "America/New_York", "Asia/Kolkata")
    Tenants(database).put(zoned)
    both = Both(client, tenant.caller(USER).key)
    made = both.apex.create(start_date="2025-07-01", start_time="09:00")
    document = both.deskera.read(made["id"])
    assert (document["start"], document["user_timezone"]) == ("2025-07-01T18:30:00+05:30", "")
    assert document["created_at"] == "2026-03-01T17:30:00+05:30"
    both.put(made["id"], end="2025-07-01T14:00:00Z")
    record, _ = both.shown(made["id"])
    assert (record["end_date"], record["end_time"], record["duration"]) == (
        "2025-07-01",
        "10:00:00",
        60,
    )


def test_zone_keeps_instants_and_dates(both: Both):
    made = both.apex.create(
        start_date="2025-04-15", end_date="2025-04-15", end_time="23:00", duration=5
    )
    both.put(made["id"], user_timezone="Asia/Kolkata")
    record, document = both.shown(made["id"])
    assert (record["start_date"], record["start_time"]) == ("2025-04-15", None)
    assert (record["end_date"], record["end_time"]) == ("2025-04-16", "04:30:00")
    assert (document["start"], document["end"], document["duration"]) == (
        "2025-04-14T18:30:00Z",
        "2025-04-15T23:00:00Z",
        "0h 5m",
    )


def test_span_hides_the_stored_duration(both: Both):
    made = both.apex.create(duration=45, start_date="2025-04-15", start_time="10:00")
    assert both.deskera.read(made["id"])["duration"] == "0h 45m"
    both.put(made["id"], end="2025-04-15T10:30:00Z")
    record, document = both.shown(made["id"])
    assert (record["duration"], document["duration"]) == (45, "0h 30m")
    both.patch(made["id"], duration=30)
    both.patch(made["id"], end_time="11:00")
    record, document = both.shown(made["id"])
    assert (record["duration"], document["duration"]) == (60, "1h 0m")


def test_microseconds_outlive_apex_writes(both: Both):
    both.deskera.create(start="2025-04-15T14:30:00.123456Z")
    both.patch(1, start_date="2025-04-16", subject="moved")
    assert both.deskera.read(1)["start"] == "2025-04-16T14:30:00.123456Z"
    both.patch(1, start_time="14:30:01")
    assert both.deskera.read(1)["start"] == "2025-04-16T14:30:01Z"


def test_both_dialects_number_together(both: Both):
    ids = [both.deskera.create(), both.apex.create()["id"], both.deskera.create()]
    assert ids == [1, 2, 3]
    assert both.deskera.page("sortBy=id&sortDir=asc") == ([1, 2, 3], 3)
    assert [record["id"] for record in both.apex("GET").json["data"]] == [1, 2, 3]


def test_filters_see_other_dialects_writes(both: Both):
    both.make()
    both.apex.create(subject="beta", contact_id=6, start_date="2025-04-15")
    assert both.apex.total("contact_id=6") == 2
    assert both.apex.total("assigned_to_user_id=7&company_id=4&deal_id=12") == 1
    assert both.apex.total("start_date=2025-04-15") == 2
    assert both.deskera.page("query=contact_id=6&sortBy=id") == ([2, 1], 2)
    assert both.deskera.page("query=name=BETA,date=2025-04-15,deal_id=0") == ([2], 1)


def test_deletes_are_seen_by_both(both: Both):
    for _ in range(3):
        both.deskera.create()
    both.deskera("DELETE", 1)
    both.apex("DELETE", "/activities/2")
    for activity_id in (1, 2):
        assert both.apex("GET", f"/activities/{activity_id}").status_code == 404
        assert both.deskera("GET", activity_id).status_code == 404
    assert (both.deskera.page(), both.apex.total()) == (([3], 1), 1)
    both.deskera("POST", f"{deskera_api.PLACE}/bulkDelete", json=[1, 2, 3])
    answer = both.apex("PATCH", json={"ids": [1, 2, 3], "done": True})
    assert (answer.json, both.apex.total()) == ({"updated": 0, "ids": []}, 0)


def test_bulk_changes_reach_both_dialects(both: Both):
    ids = [both.deskera.create() for _ in range(3)]
    update = {"ids": [3, 1, 1, 99], "is_status": True, "visibility_type": "private"}
    both.deskera("PATCH", f"{deskera_api.PLACE}/bulkUpdate", json=update)
    assert [both.shown(number)[0]["done"] for number in ids] == [True, False, True]
    answer = both.apex("PATCH", json={"ids": [2, 3, 2], "done": False})
    assert answer.json == {"updated": 2, "ids": [2, 3]}
    assert [both.deskera.read(number)["is_status"] for number in ids] == [True, False, False]
    assert both.deskera.page("query=is_status=true") == ([1], 1)


def test_versions_hold_in_both_dialects(both: Both):
    both.make()
    stale = both.apex("GET", "/activities/1").headers["ETag"]
    both.put(1, name="between")
    headers = {"If-Match": stale}
    assert both.apex("PATCH", "/activities/1", json={}, headers=headers).status_code == 412
    # Of an entity tag only the version counts on writes: either dialect's will do.
    fresh = {"If-Match": both.apex("GET", "/activities/1").headers["ETag"]}
    assert both.deskera("PUT", 1, json={"name": "after"}, headers=fresh).status_code == 200


def test_idempotency_keys_belong_to_dialects(both: Both):
    headers = {"Idempotency-Key": "same"}
    assert both.deskera("POST", json={"name": "a"}, headers=headers).json == {"id": 1}
    made = both.apex("POST", json={"subject": "b"}, headers=headers)
    assert (made.status_code, made.json["id"]) == (201, 2)
    assert both.deskera("POST", json={"name": "a"}, headers=headers).json == {"id": 1}
