"""What bodies mean in Deskera's dialect, through the whole service: written, then read back."""

from typing import Any

import orjson
import pytest
from support.callers import Home
from support.clock import START_OF_TIME, Clock
from support.deskera_api import PLACE, USER, Api, base64

NOW = "2026-03-01T12:00:00Z"
UNKNOWN_USER = {
    "id": USER,
    "first_name": "",
    "last_name": "",
    "email": "",
    "country_code": "",
    "contact": "",
    "profile_url": "",
}
UNSET = {
    "id": 1,
    "name": "",
    "activity_type": "",
    "duration": "",
    "notes": "",
    "visibility_type": "team",
    "is_availability": None,
    "is_send_invitation": False,
    "is_send_contacts_invitation": False,
    "assigned_to": "",
    "assignee_ids": [],
    "assignee_details": [],
    "contact_ids": [],
    "contact_details": [],
    "organization_ids": [],
    "organization_details": [],
    "linked_to": 0,
    "deal_details": None,
    "owner_id": USER,
    "owner_details": UNKNOWN_USER,
    "tenant_id": 0,
    "is_status": False,
    "created_at": NOW,
    "updated_at": NOW,
    "created_by": USER,
    "updated_by": USER,
    "is_deleted": False,
    "EmailSent": "NEW",
    "consumer_id": "",
    "scheduled_status": "",
    "batch_id": "",
    "cron_status": "NEW",
    "notification_error": "",
    "source": "WEB",
    "source_id": "",
    "user_timezone": "",
    "start": None,
    "end": None,
}
"""An activity of which nothing was given, without its tenant."""

SENT = {
    "name": "Act-001 \u0001\U0001f600<br>",
    "activity_type": "lunch",
    "notes": base64("<p>Zürich</p>\r\n"),
    "visibility_type": "public",
    "is_availability": False,
    "is_send_invitation": True,
    "is_send_contacts_invitation": True,
    "assignee_ids": [9, 7, 9],
    "contact_ids": [2**53 - 1],
    "organization_ids": [3, 1, 2],
    "linked_to": 1227,
    "owner_id": 8,
    "is_status": True,
    "source": "",
    "source_id": "0012",
    "user_timezone": "America/St_Johns",
    "start": "2021-08-05T18:45:49.1234567+05:30",
    "end": "2021-08-05T14:15:49.100Z",
}
READ_BACK = SENT | {
    "notes": "<p>Zürich</p>\r\n",
    "duration": "0h 59m",
    "start": "2021-08-05T13:15:49.123456Z",
    "end": "2021-08-05T14:15:49.1Z",
    "owner_details": UNKNOWN_USER | {"id": 8},
}
SERVERS_OWN = {
    "id": 246,
    "assigned_to": "me",
    "assignee_details": [{}],
    "deal_details": {"id": 5},
    "owner_details": 7,
    "tenant_id": 27,
    "created_at": "1999-01-01T00:00:00Z",
    "updated_at": 5,
    "created_by": 1,
    "updated_by": 2,
    "is_deleted": True,
    "EmailSent": "SENT",
    "email_sent": "SENT",
    "consumer_id": "c",
    "scheduled_status": "s",
    "batch_id": "b",
    "cron_status": "DONE",
    "notification_error": "e",
}
DURATIONS = {
    "1h 21m": ("2021-08-05T14:36:49Z", "1h 21m"),
    "30m": ("2021-08-05T13:45:49Z", "0h 30m"),
    "2h": ("2021-08-05T15:15:49Z", "2h 0m"),
    "0h90m": ("2021-08-05T14:45:49Z", "1h 30m"),
    "48h 0m": ("2021-08-07T13:15:49Z", "48h 0m"),
    90: ("2021-08-05T14:45:49Z", "1h 30m"),
    0: ("2021-08-05T13:15:49Z", "0h 0m"),
    "": (None, ""),
    None: (None, ""),
}
"""What is sent beside a start, and the end and the duration that are shown then."""

FOSSILS = {
    "date": 1592451000,
    "time": "09:00 AM",
    "assigned": None,
    "attendee": [{"attendee_type": "orgnization"}],
    "availability": True,
    "activtyType": "call",
    "anything": {"else": [1.5, None]},
}


def test_empty_create_shows_unset_values(call: Api, tenant: Home):
    answer = call("POST", data=b" {}\n")
    assert (answer.status_code, answer.get_data()) == (201, b'{"id":1}')
    assert orjson.dumps(call.read(1)) == orjson.dumps(UNSET | {"tenant_id": tenant.id})


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_every_sent_key_is_kept(call: Api, tenant: Home, method: str):
    if method == "PUT":
        call.create()
    answer = call(method, PLACE if method == "POST" else 1, json=SENT)
    assert answer.status_code == (201 if method == "POST" else 200)
    assert call.read(1) == UNSET | {"tenant_id": tenant.id} | READ_BACK


def test_put_changes_only_its_key(call: Api, clock: Clock):
    for key, value in SENT.items():
        clock.now = START_OF_TIME
        before = call.read(call.create())
        clock.advance(seconds=0.25)
        answer = call("PUT", before["id"], json={key: value})
        assert (answer.status_code, answer.json) == (200, {"id": before["id"]})
        expected = {key: READ_BACK[key], "updated_at": "2026-03-01T12:00:00.25Z"}
        if key == "owner_id":
            expected["owner_details"] = READ_BACK["owner_details"]
        assert call.read(before["id"]) == before | expected


def test_null_means_unset_value(call: Api):
    for key in SENT:
        full = call.read(call.create(**SENT))
        assert call("PUT", full["id"], json={key: None}).status_code == 200
        # A source is "WEB" only where none was ever given.
        expected = {key: "" if key == "source" else UNSET[key]}
        if key == "owner_id":
            expected["owner_details"] = UNKNOWN_USER
        if key in ("start", "end"):
            expected["duration"] = ""
        assert call.read(full["id"]) == full | expected


def test_echo_of_everything_moves_nothing(call: Api, clock: Clock):
    call.create(**SENT)
    shown, etag = call.read(1), call("GET", 1).headers["ETag"]
    clock.advance(hours=1)
    assert call("PUT", 1, json=shown).status_code == 200
    assert (call.read(1), call("GET", 1).headers["ETag"]) == (shown, etag)


@pytest.mark.parametrize("ignored", [SERVERS_OWN, FOSSILS, {}])
def test_foreign_keys_change_nothing(call: Api, clock: Clock, ignored: dict[str, Any]):
    before = call.read(call.create())
    clock.advance(hours=1)
    assert call("PUT", 1, json=ignored).status_code == 200
    assert call.read(1) == before
    assert call.read(call.create(**ignored)) == before | {
        "id": 2,
        "created_at": "2026-03-01T13:00:00Z",
        "updated_at": "2026-03-01T13:00:00Z",
    }


def test_keys_match_in_any_case(call: Api):
    call("POST", data=b'{"NAME":"upper","Is_Status":true,"name":"exact","Notes":null}')
    shown = call.read(1)
    assert (shown["name"], shown["is_status"], shown["notes"]) == ("exact", True, "")


def test_shown_notes_are_taken_back(call: Api):
    for text in ["Test Note<br>", "not base64!", "VGVzdA==", "", "a\r\nb\t", "é\U0001f600", "\x01"]:
        activity_id = call.create(notes=base64(text))
        assert call.read(activity_id)["notes"] == text
        # Text that happens to be base64 is taken as the echo that it is.
        assert call("PUT", activity_id, json={"notes": text}).status_code == 200
        assert call.read(activity_id)["notes"] == text


def test_line_breaks_within_base64_vanish(call: Api):
    wrapped = base64("n" * 100)[:76] + "\r\n" + base64("n" * 100)[76:]
    assert call.read(call.create(notes=wrapped))["notes"] == "n" * 100


def test_duration_beside_start_sets_end(call: Api):
    shown = {}
    for sent in DURATIONS:
        made = call.read(call.create(start="2021-08-05T13:15:49Z", duration=sent))
        shown[sent] = made["end"], made["duration"]
    assert shown == DURATIONS


def test_duration_beside_both_is_ignored(call: Api):
    ends = {"start": "2021-08-05T13:15:49Z", "end": "2021-08-05T13:16:50Z"}
    made = call.read(call.create(**ends, duration="5h"))
    assert (made["end"], made["duration"]) == (ends["end"], "0h 1m")
    call("PUT", 1, json={"end": None})
    assert call.read(1)["duration"] == ""


def test_duration_without_start_is_stored(call: Api):
    made = call.read(call.create(duration="100h 5m"))
    assert (made["start"], made["end"], made["duration"]) == (None, None, "100h 5m")
    call("PUT", 1, json={"duration": ""})
    assert call.read(1)["duration"] == ""


def test_own_type_is_taken_back(call: Api):
    activity_id = call.create(activity_type="call")
    for kind in ("meeting", "task", "deadline", "email", "lunch", "", None, "call"):
        assert call("PUT", activity_id, json={"activity_type": kind}).status_code == 200
        assert call.read(activity_id)["activity_type"] == (kind or "")


def test_owner_may_be_given_away(call: Api):
    activity_id = call.create(owner_id=7)
    assert call.read(activity_id)["owner_id"] == 7
    call("PUT", activity_id, json={"owner_id": 0})
    shown = call.read(activity_id)
    assert (shown["owner_id"], shown["owner_details"], shown["created_by"]) == (
        USER,
        UNKNOWN_USER,
        USER,
    )
