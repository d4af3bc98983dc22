"""One line of NDJSON and the record it stands for."""

from datetime import UTC, date, datetime, time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.domain import validators
from core.domain.errors import InvalidEntity
from core.domain.model import Activity, Tenant
from core.transfer import ndjson

TENANT = Tenant(5, "Five", timezone="Asia/Kolkata", deskera_timezone="UTC")
NOW = datetime(2026, 1, 1, tzinfo=UTC)
USER = {"kind": "user", "tenant_id": 5, "id": 1, "first_name": "A", "last_name": "B"}
DEAL = {"kind": "deal", "tenant_id": 5, "id": 1, "name": "D"}


def activity(**fields: Any) -> Activity:
    """Return the activity of a line with these fields."""
    record = ndjson.read({"kind": "activity", "tenant_id": 5, "id": 7, **fields})
    return ndjson.to_activity(record, TENANT, now=NOW)


def problems(payload: dict[str, Any]) -> list[tuple[str, str]]:
    """Return what is wrong with a line."""
    with pytest.raises(InvalidEntity) as caught:
        ndjson.read(payload)
    return caught.value.problems


def wrong_fields(**fields: Any) -> list[str]:
    """Return the names of the fields that are refused on an activity."""
    payload = {"kind": "activity", "tenant_id": 5, "id": 7, **fields}
    return [name for name, _ in problems(payload)]


def test_only_ids_and_names_are_required():
    assert ndjson.read(USER).fields == {"first_name": "A", "last_name": "B"}
    assert activity().subject == ""


def test_all_wrong_fields_are_named():
    wrong = problems({"kind": "user", "id": 0, "email": 3, "zip": "1", "first_name": None})
    assert [name for name, _ in wrong] == [
        "id",
        "tenant_id",
        "email",
        "zip",
        "first_name",
        "last_name",
    ]


@pytest.mark.parametrize(
    "raw",
    [b"", b"[]", b"3", b"{", b'{"a":NaN}', b"\xff", b'{"kind":"user","id":"\\ud800"}'],
)
def test_lines_that_are_no_object_are_refused(raw: bytes):
    with pytest.raises(InvalidEntity) as caught:
        ndjson.parse(raw)
    assert caught.value.problems[0][0] == "body"


@pytest.mark.parametrize("kind", [None, 3, "", "person", "Tenant"])
def test_unknown_kinds_are_refused(kind: Any):
    assert problems({"kind": kind, "id": 1})[0][0] == "kind"


@pytest.mark.parametrize("wrong", [None, 0, -1, 2**53, True, 1.0, "1"])
def test_ids_are_whole_numbers(wrong: Any):
    assert problems({**USER, "id": wrong})[0][0] == "id"


def test_activity_ids_leave_room_for_new_ones():
    largest = {"kind": "activity", "tenant_id": 5, "id": 2**52}
    assert ndjson.read(largest).id == 2**52
    assert problems({**largest, "id": 2**52 + 1})[0][0] == "id"


def test_tenant_line_is_its_own_tenant():
    line = {"kind": "tenant", "id": 9, "name": "Nine"}
    assert ndjson.read(line).tenant_id == 9
    assert ndjson.to_tenant(ndjson.read(line)) == Tenant(9, "Nine", "UTC", "UTC")
    assert problems({**line, "tenant_id": 8})[0][0] == "tenant_id"


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        ("subject", "a\0b"),
        ("subject", "\ud800"),
        ("activity_type", "x" * 51),
        ("completed", 1),
        ("timezone", "Mars/Base"),
        ("visibility", "secret"),
        ("duration_minutes", -1),
        ("duration_minutes", 1.5),
        ("assignee_ids", [1, 0]),
        ("contact_ids", list(range(1, 1002))),
        ("company_ids", 3),
        ("deal_id", 0),
        ("location_geocoded", "x"),
        ("location_geocoded", {"a": "\0"}),
        ("start_date", "2021-02-30"),
        ("start_date", "0001-01-01"),
        ("start_date", "2021-1-1"),
        ("start_time", "24:00:00"),
        ("start_at", "2021-08-05T10:00:00"),
        ("created_at", "2021-08-05"),
        ("deleted_at", "9999-12-31T00:00:00Z"),
        ("version", 3),
    ],
)
def test_wrong_activity_fields_are_named(field: str, wrong: Any):
    assert [name.partition("[")[0] for name in wrong_fields(**{field: wrong})] == [field]


@pytest.mark.parametrize(
    ("field", "wrong", "place"),
    [
        ("amount", 12.5, "amount"),
        ("amount", "1e5", "amount"),
        ("closing_date", "tomorrow", "closing_date"),
        ("stage", [], "stage"),
        ("stage", {"order": "1"}, "stage.order"),
        ("stage", {"id": 1}, "stage.id"),
        ("custom_fields", {}, "custom_fields"),
        ("custom_fields", [{"value": "x"}, {"value": 3}], "custom_fields[1].value"),
    ],
)
def test_wrong_deal_fields_are_located(field: str, wrong: Any, place: str):
    assert [name for name, _ in problems({**DEAL, field: wrong})] == [place]


def test_deal_stamps_are_kept_in_utc():
    given = {"closing_date": "2021-04-22", "created_at": "2021-04-22T10:46:05.8573110+05:30"}
    fields = ndjson.read({**DEAL, **given}).fields
    assert fields["closing_date"] == "2021-04-22T00:00:00Z"
    assert fields["created_at"] == "2021-04-22T05:16:05.857311Z"


def test_instant_follows_wall_clock():
    shown = activity(start_date="2021-08-05", start_time="12:37", end_date="2021-08-06")
    assert shown.start_at == datetime(2021, 8, 5, 7, 7, tzinfo=UTC)
    assert (shown.end_at, shown.end_time) == (datetime(2021, 8, 5, 18, 30, tzinfo=UTC), None)


def test_wall_clock_follows_instant():
    shown = activity(start_at="2021-08-05T12:37:03+05:30", timezone="Asia/Singapore")
    assert (shown.start_date, shown.start_time) == (date(2021, 8, 5), time(12, 37, 3))


def test_both_clocks_are_kept_as_given():
    shown = activity(
        start_date="2021-08-05", start_time="01:00:00", start_at="2020-01-01T00:00:00Z"
    )
    assert shown.start_time == time(1)
    assert shown.start_at == datetime(2020, 1, 1, tzinfo=UTC)


def test_instant_with_half_a_wall_clock_is_refused():
    with pytest.raises(InvalidEntity, match="start_date"):
        activity(start_time="01:00:00", start_at="2020-01-01T00:00:00Z")


def test_end_before_start_is_accepted():
    assert activity(start_date="2021-08-05", end_date="2021-08-01").end_date == date(2021, 8, 1)


def test_owner_and_creator_stand_in_for_one_another():
    by_owner, by_creator = activity(owner_id=3), activity(created_by=4)
    assert (by_owner.created_by, by_owner.updated_by) == (3, 3)
    assert (by_creator.owner_id, by_creator.updated_by) == (4, 4)
    assert activity().owner_id == ndjson.NOBODY


stamps = st.datetimes(datetime(1, 1, 4), datetime(9999, 12, 28), timezones=st.just(UTC))
ids = st.lists(st.integers(1, 2**53 - 1), max_size=4).map(tuple)
texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)


@given(stamps)
def test_written_stamps_read_back(moment: datetime):
    assert validators.instant(validators.stamp_text(moment)) == moment


@given(subject=texts, notes=st.none() | texts, assignee_ids=ids, start=st.none() | stamps)
def test_written_activities_read_back(
    subject: str, notes: str | None, assignee_ids: tuple[int, ...], start: datetime | None
):
    shown = activity(start_at=None if start is None else start.isoformat(), notes=notes)
    shown = shown._replace(subject=subject, assignee_ids=assignee_ids)
    line = ndjson.write_activity(shown)
    assert ndjson.to_activity(ndjson.read(ndjson.parse(line)), TENANT, now=NOW) == shown


def test_written_deals_keep_the_order_of_fields():
    stage = {"won_lost_status": "open", "name": "Proposal", "order": 1}
    line = ndjson.write_entity(5, "deal", 1, {"name": "D", "stage": stage})
    assert list(ndjson.parse(line)["stage"]) == ["order", "name", "won_lost_status"]
    assert line.endswith(b"}\n")
