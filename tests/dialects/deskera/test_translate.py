"""What a body means for an activity, and what the activity shows afterwards."""

from base64 import b64encode
from typing import Any

import orjson
import pytest
from support.deskera_page import (
    BLANK,
    SHOWN_ACTIVITY,
    TENANT,
    USER,
    activity,
    problems,
    shown,
    written,
)

from adapters.deskera.fields import FIELDS, WRITABLE
from adapters.deskera.translate import references, show
from core.domain.entity import Entity
from core.domain.model import MAX_ID, Activity


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
    bare = {("deal", 3): Entity("deal", 3, {"name": "A", "contact_id": 8})}
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
    person = {("contact", 3): Entity("contact", 3, {"name": "A", "company_id": 4})}
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
    related = {("user", USER): entity}
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
