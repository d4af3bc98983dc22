"""The related entities that AchieveApex shows within an activity."""

import orjson
from support.factories import make_activity, make_tenant

from adapters.achieveapex.fields import EXPANSIONS
from adapters.achieveapex.translate import references, select, show
from core.domain.entity import Entity
from core.domain.model import Activity

TENANT = make_tenant()


def stored(**fields: object) -> Activity:
    """Return an activity with one related entity of each kind."""
    usual = {"assignee_ids": (46, 47), "contact_ids": (456,), "company_ids": (345,)}
    return make_activity(**{**usual, "deal_id": 789, **fields})


ENTITIES = {
    ("user", 45): {"first_name": "Jane", "last_name": "Smith", "email": "j@example.com"},
    ("user", 46): {"first_name": "Cher", "last_name": "", "email": None},
    ("deal", 789): {"name": "Solution", "stage": {"name": "Proposal", "order": 1}},
    ("contact", 456): {"name": "Alex Johnson"},
    ("company", 345): {"name": "Acme Corp", "website": "https://acmecorp.com"},
}
RELATED = {ref: Entity(*ref, fields) for ref, fields in ENTITIES.items()}


def expansions(activity: Activity, expansion: str) -> dict:
    """Return the five related entities as a client has them."""
    record = orjson.loads(orjson.dumps(show(activity, RELATED, TENANT, expansion)))
    return {name: record[name] for name in EXPANSIONS}


def test_compact_expansions_have_names():
    assert expansions(stored(), "compact") == {
        "created_by_user": {"id": 45, "full_name": "Jane Smith"},
        "assigned_to_user": {"id": 46, "full_name": "Cher"},
        "deal": {"id": 789, "name": "Solution"},
        "contact": {"id": 456, "full_name": "Alex Johnson"},
        "company": {"id": 345, "name": "Acme Corp"},
    }


def test_detailed_expansions_have_more():
    assert expansions(stored(), "detailed") == {
        "created_by_user": {"id": 45, "full_name": "Jane Smith", "email": "j@example.com"},
        "assigned_to_user": {"id": 46, "full_name": "Cher", "email": None},
        "deal": {"id": 789, "name": "Solution", "stage": "Proposal"},
        "contact": {"id": 456, "full_name": "Alex Johnson", "email": None},
        "company": {"id": 345, "name": "Acme Corp", "website": "https://acmecorp.com"},
    }


def test_references_are_what_is_expanded():
    lonely = stored(assignee_ids=(), deal_id=None, contact_ids=(), company_ids=())
    assert references([lonely]) == {("user", 45)}
    assert references([lonely, stored(contact_ids=(456, 457))]) == set(ENTITIES)


def test_unknown_entities_are_null():
    lonely = stored(assignee_ids=(), deal_id=1, contact_ids=(2,), company_ids=())
    found = expansions(lonely, "detailed")
    assert [name for name in found if found[name] is None] == list(EXPANSIONS[1:])


def test_deal_without_stage_shows_null():
    related = {("deal", 789): Entity("deal", 789, {"name": "Solution", "stage": None})}
    record = show(stored(), related, TENANT, "detailed")
    assert orjson.loads(orjson.dumps(record["deal"]))["stage"] is None


def test_select_keeps_the_order_requested():
    assert list(select(show(stored(), {}, TENANT), ("subject", "deal", "id"))) == ["subject", "id"]
