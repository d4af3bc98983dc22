"""What is written in one dialect is read in the other, at once and whole."""

from typing import Any

from support.both_api import PLACED, USER, Both
from support.callers import Home
from support.clock import START_OF_TIME, Clock
from support.deskera_api import base64

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
    ({"duration": "5h"}, {"end_time": "19:30:00", "duration": 300}),
    ({"user_timezone": "Pacific/Kiritimati"}, {}),
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
    ({"duration": 45, "end_time": None}, {"end": "2025-04-15T14:30:00Z", "duration": "0h 45m"}),
    ({"duration": 45, "end_date": None}, {"end": None, "duration": "0h 45m"}),
    ({"public_description": None, "location": "", "location_geocoded": None}, {}),
]


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
