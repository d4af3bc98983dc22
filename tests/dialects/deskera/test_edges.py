"""Edges of Deskera's lenses that generated records seldom reach."""

from typing import Any

import pytest
from support.strategies import BLANK

from adapters.deskera.body_values import parse_bulk_ids, parse_ids
from adapters.deskera.translate import apply, show
from core.domain.errors import InvalidActivity
from core.domain.model import MAX_ID, MAX_LINKED_IDS, Activity, Tenant
from core.domain.validators import Refused

TENANT = Tenant(27, "Acme", "UTC", "UTC")
STORED = BLANK._replace(id=1)


def put(activity: Activity = STORED, **body: Any) -> Activity:
    """Write in Deskera."""
    return apply(activity, body, TENANT)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (
            {"notes": "Test Note"},
            "must be UTF-8 text in padded base64, or exactly the text shown",
        ),
        ({"assignee_ids": 5}, "must be a list of integers"),
        ({"contact_ids": [1] * 1001}, "holds more than 1000 ids"),
        ({"organization_ids": [0]}, f"must be a whole number from 1 to {MAX_ID}"),
        ({"linked_to": -1}, f"must be a whole number from 0 to {MAX_ID}"),
        ({"owner_id": "1"}, f"must be a whole number from 0 to {MAX_ID}"),
        (
            {"start": "2021-08-05"},
            "must be an RFC 3339 timestamp, such as 2021-08-05T13:15:49Z",
        ),
        ({"start": "2021-02-29T00:00:00Z"}, "is not on the calendar"),
        ({"end": "9999-12-30T00:00:00Z"}, "is outside the years that can be stored"),
        (
            {"duration": "90 minutes"},
            'must be a length of time such as "1h 21m", or whole minutes',
        ),
        ({"visibility_type": "all"}, "must be one of private, public, team"),
        (
            {"activity_type": "Call"},
            "must be one of call, deadline, email, lunch, meeting, task",
        ),
        ({"is_status": 1}, "must be true or false"),
        ({"is_availability": 0}, "must be true or false"),
        ({"user_timezone": "Kolkata"}, "must be an IANA time zone, such as Asia/Kolkata"),
        ({"name": 5}, "must be text"),
    ],
)
def test_refusal_names_key_and_reason(body: dict[str, Any], reason: str) -> None:
    with pytest.raises(InvalidActivity) as caught:
        put(**body)
    assert caught.value.problems == [(*body, reason)]


def test_duration_beyond_calendar_is_refused() -> None:
    for minutes in (10**10, MAX_ID):
        with pytest.raises(InvalidActivity) as caught:
            put(start="2021-08-05T13:15:49Z", duration=minutes)
        assert caught.value.problems[0][0] == "duration"


def test_list_holds_up_to_its_bound() -> None:
    assert len(parse_ids([1] * MAX_LINKED_IDS)) == MAX_LINKED_IDS
    assert put(assignee_ids=[3] * MAX_LINKED_IDS).assignee_ids == (3,) * MAX_LINKED_IDS


def test_bulk_names_one_activity_at_least() -> None:
    assert parse_bulk_ids([7]) == (7,)
    with pytest.raises(Refused, match="^must name at least one activity$"):
        parse_bulk_ids([])


@pytest.mark.parametrize("before", [True, False, None])
def test_availability_has_three_states(before: bool | None) -> None:
    activity = STORED._replace(is_availability=before)
    for wanted in (True, False, None):
        assert put(activity, is_availability=wanted).is_availability is wanted


def test_ids_in_list_are_plain_integers() -> None:
    activity = STORED._replace(assignee_ids=(1, 2))
    for other in ([True, 2], [1.0, 2]):
        with pytest.raises(InvalidActivity):
            put(activity, assignee_ids=other)


def test_stored_empty_type_is_echoed() -> None:
    activity = STORED._replace(activity_type="")
    assert show(activity, {}, TENANT)["activity_type"] == ""
    for echo in ("", None):
        assert put(activity, activity_type=echo) == activity
