"""Edges of AchieveApex's lenses that generated records seldom reach."""

from typing import Any

import pytest
from support.factories import make_entity
from support.strategies import BLANK
from support.wire_bodies import json_of

from adapters.achieveapex.translate import MAX_PROBLEMS, Expansion, apply, select, show
from adapters.deskera import translate as deskera
from core.domain.entity import Entity
from core.domain.errors import InvalidActivity
from core.domain.model import MAX_ID, Activity, Tenant

TENANT = Tenant(27, "Acme", "UTC", "UTC")
STORED = BLANK._replace(id=1, assignee_ids=(1, 2), completed=True, duration_minutes=0)


def problems_of(activity: Activity, body: dict[str, Any]) -> list[tuple[str, str]]:
    """Return what is wrong with a body."""
    with pytest.raises(InvalidActivity) as caught:
        apply(activity, body, TENANT)
    return caught.value.problems


def expanded(*entities: Entity, expansion: Expansion = "detailed") -> dict[str, Any]:
    """Return the expansions of a record beside a directory of these entities."""
    activity = BLANK._replace(id=1, assignee_ids=(45,), contact_ids=(45,), company_ids=(45,))
    related = {(entity.kind, entity.id): entity for entity in entities}
    return json_of(show(activity._replace(deal_id=45), related, TENANT, expansion))


def test_problems_are_named_up_to_a_bound() -> None:
    body = {f"key_{number}": 1 for number in range(MAX_PROBLEMS + 10)}
    assert [name for name, _ in problems_of(STORED, body)] == list(body)[:20]


@pytest.mark.parametrize("body", [{"done": 1}, {"assigned_to_user_id": True}, {"duration": False}])
def test_echo_of_another_type_is_refused(body: dict[str, Any]) -> None:
    assert [name for name, _ in problems_of(STORED, body)] == list(body)


def test_whole_record_needs_no_selection() -> None:
    record = show(STORED, {}, TENANT)
    assert select(record, None) is record


def test_selected_expansion_may_be_absent() -> None:
    record = show(STORED, {}, TENANT)
    assert select(record, ("deal", "subject", "id")) == {"subject": "", "id": 1}


@pytest.mark.parametrize("expansion", ["compact", "detailed"])
def test_unknown_entities_are_null(expansion: Expansion) -> None:
    names = ("created_by_user", "assigned_to_user", "deal", "contact", "company")
    shown = expanded(expansion=expansion)
    assert [shown[name] for name in names] == [None] * 5


@pytest.mark.parametrize(
    ("fields", "full_name"),
    [
        ({"first_name": "Ada", "last_name": None}, "Ada"),
        ({"first_name": None, "last_name": "Byron"}, "Byron"),
        ({"first_name": "", "last_name": ""}, ""),
        ({"first_name": "Ada", "last_name": "Byron"}, "Ada Byron"),
    ],
)
def test_full_name_leaves_no_blanks(fields: dict[str, Any], full_name: str) -> None:
    user = Entity("user", 45, fields)
    assert expanded(user)["assigned_to_user"] == {"id": 45, "full_name": full_name, "email": None}


def test_expansions_differ_by_call() -> None:
    entities = [make_entity(kind) for kind in ("user", "contact", "company", "deal")]
    person = {"id": 45, "full_name": "Ada Byron", "email": "ada@example.com"}
    detailed, compact = (expanded(*entities, expansion=how) for how in ("detailed", "compact"))
    assert detailed["assigned_to_user"] == person
    assert detailed["deal"] == {"id": 45, "name": "Big order", "stage": "Proposal"}
    assert detailed["company"] == {"id": 45, "name": "Acme", "website": "https://acme.example"}
    assert compact["contact"] == {"id": 45, "full_name": "Grace Hopper"}
    assert compact["deal"] == {"id": 45, "name": "Big order"}


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (
            {"end_date": "2026-06-01", "end_time": "09:59:59"},
            ("end_time", "must not be before start_time"),
        ),
        ({"end_date": "2026-05-31"}, ("end_date", "must not be before start_date")),
    ],
)
def test_refused_order_names_later_key(body: dict[str, Any], problem: tuple[str, str]) -> None:
    start = {"start_date": "2026-06-01", "start_time": "10:00"}
    activity = apply(STORED, start, TENANT)
    assert problems_of(activity, body) == [problem]


@pytest.mark.parametrize(
    ("zone", "instant", "day"),
    [
        ("Pacific/Kiritimati", "9999-12-29T23:00:00Z", "9999-12-30"),
        ("Pacific/Niue", "0001-01-03T00:00:00Z", "0001-01-02"),
    ],
)
def test_day_beyond_writable_ones_is_echoed(zone: str, instant: str, day: str) -> None:
    """Deskera's last instants fall on days that this dialect could not write."""
    tenant = TENANT._replace(timezone=zone)
    activity = deskera.apply(STORED._replace(location_geocoded="{}"), {"start": instant}, tenant)
    shown = json_of(show(activity, {}, tenant))
    assert shown["start_date"] == day
    assert apply(activity, shown, tenant) == activity
    assert problems_of(activity, {"end_date": day})[0][0] == "end_date"


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"start_date": 20250415}, 'must match format "date", as in 2025-04-15'),
        ({"start_date": "20250415"}, 'must match format "date", as in 2025-04-15'),
        ({"start_date": "2025-W16-2"}, 'must match format "date", as in 2025-04-15'),
        ({"start_date": "9999-12-30"}, "must be between 0001-01-03 and 9999-12-29"),
        ({"end_time": 1430}, 'must match format "time", as in 14:30:00'),
        ({"end_time": "14:30:00.5"}, 'must match format "time", as in 14:30:00'),
        ({"assigned_to_user_id": 0}, "must be >= 1"),
        ({"deal_id": MAX_ID + 1}, f"must be <= {MAX_ID}"),
        ({"contact_id": 1.5}, "must be integer"),
        ({"company_id": "1"}, "must be integer"),
        ({"duration": -1}, "must be >= 0"),
        ({"duration": MAX_ID + 1}, f"must be <= {MAX_ID}"),
        ({"subject": None}, "must be string"),
        ({"note": 5}, "must be string"),
        ({"activity_type": "x" * 51}, "must NOT have more than 50 characters"),
        ({"done": None}, "must be boolean"),
        ({"location_geocoded": []}, "must be object"),
        ({"nothing": 1}, "must NOT have additional properties"),
    ],
)
def test_refusal_names_key_and_reason(body: dict[str, Any], reason: str) -> None:
    assert problems_of(STORED, body) == [(*body, reason)]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"start_date": "2025-02-29"}, 'must match format "date": '),
        ({"start_time": "24:00:00"}, 'must match format "time": '),
    ],
)
def test_refusal_tells_what_calendar_says(body: dict[str, Any], reason: str) -> None:
    ((name, told),) = problems_of(STORED, body)
    assert (name, told[: len(reason)]) == (*body, reason)
    assert len(told) > len(reason)


@pytest.mark.parametrize(
    ("place", "name", "reason"),
    [
        ({"lat": "40"}, ".lat", "must be number"),
        ({"lat": True}, ".lat", "must be number"),
        ({"lng": None}, ".lng", "must be number"),
        ({"address": 5}, ".address", "must be string or null"),
        ({"more": 2**64}, "", "must be made of numbers below 2^63"),
    ],
)
def test_refused_place_names_its_member(place: dict[str, Any], name: str, reason: str) -> None:
    expected = [(f"location_geocoded{name}", reason)]
    assert problems_of(STORED, {"location_geocoded": place}) == expected


@pytest.mark.parametrize(
    ("key", "edge"),
    [
        ("duration", 0),
        ("duration", MAX_ID),
        ("deal_id", 1),
        ("deal_id", MAX_ID),
        ("activity_type", "x" * 50),
        ("start_date", "0001-01-03"),
        ("start_date", "9999-12-29"),
        ("start_time", "00:00:00"),
        ("start_time", "23:59:59"),
    ],
)
def test_edge_of_range_is_written(key: str, edge: Any) -> None:
    blank = BLANK._replace(id=1)
    assert json_of(show(apply(blank, {key: edge}, TENANT), {}, TENANT))[key] == edge


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ({"lat": 40.0, "lng": -0.0}, '{"lat":40,"lng":0}'),
        ({"lat": 1.5, "more": [2.0, {"deep": 3.0}]}, '{"lat":1.5,"more":[2,{"deep":3}]}'),
        ({"lat": 2.0**53}, f'{{"lat":{2.0**53}}}'),
        ({"lat": float(MAX_ID)}, f'{{"lat":{MAX_ID}}}'),
        ({"lat": -float(MAX_ID)}, f'{{"lat":{-MAX_ID}}}'),
    ],
)
def test_place_is_kept_in_shortest_numbers(sent: dict[str, Any], kept: str) -> None:
    activity = apply(BLANK._replace(id=1), {"location_geocoded": sent}, TENANT)
    assert activity.location_geocoded == kept
    assert apply(activity, {"location_geocoded": sent}, TENANT) == activity
