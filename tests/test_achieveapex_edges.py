"""Edges of AchieveApex's lenses that generated records seldom reach."""

from typing import Any

import pytest
from factories import make_entity
from strategies import BLANK
from wire_bodies import json_of

from adapters.achieveapex.translate import MAX_PROBLEMS, Expansion, apply, select, show
from adapters.deskera import translate as deskera
from core.errors import InvalidActivity
from core.model import Activity, Entity, EntityRef, Tenant

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
    related = {EntityRef(entity.kind, entity.id): entity for entity in entities}
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
    body = {"user_timezone": zone, "start": instant}
    activity = deskera.apply(STORED._replace(location_geocoded="{}"), body, TENANT)
    shown = json_of(show(activity, {}, TENANT))
    assert shown["start_date"] == day
    assert apply(activity, shown, TENANT) == activity
    assert problems_of(activity, {"end_date": day})[0][0] == "end_date"
