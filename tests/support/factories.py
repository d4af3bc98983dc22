"""Valid values, each field overridden by keyword."""

from datetime import UTC, date, datetime, time
from typing import Any

from core.domain.entity import Entity
from core.domain.model import Activity, Principal, Tenant, blank_activity

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
TENANT_ID = 27
USER_ID = 45


def make_tenant(**fields: Any) -> Tenant:
    """Return a tenant in UTC."""
    usual = {"id": TENANT_ID, "name": "Acme", "timezone": "UTC", "deskera_timezone": "UTC"}
    return Tenant(**{**usual, **fields})


def make_principal(**fields: Any) -> Principal:
    """Return a user who may read and write in one tenant."""
    usual: dict[str, Any] = {
        "user_id": USER_ID,
        "tenant_ids": (TENANT_ID,),
        "scopes": frozenset({"read", "write"}),
    }
    return Principal(**{**usual, **fields})


def make_activity(**fields: Any) -> Activity:
    """Return a call of half an hour, as both dialects can show it."""
    blank = blank_activity(tenant_id=TENANT_ID, user_id=USER_ID, now=NOW)
    usual: dict[str, Any] = {
        "id": 1,
        "subject": "Call about the offer",
        "activity_type": "call",
        "notes": "Bring the figures",
        "start_date": date(2026, 3, 2),
        "start_time": time(14, 30),
        "start_at": datetime(2026, 3, 2, 14, 30, tzinfo=UTC),
        "end_date": date(2026, 3, 2),
        "end_time": time(15, 0),
        "end_at": datetime(2026, 3, 2, 15, 0, tzinfo=UTC),
        "assignee_ids": (USER_ID,),
    }
    return blank._replace(**{**usual, **fields})


def make_entity(kind: str = "user", **given: Any) -> Entity:
    """Return an entity of this kind; keywords other than `id` and `links` are its fields."""
    names = {
        "user": {"first_name": "Ada", "last_name": "Byron", "email": "ada@example.com"},
        "contact": {"name": "Grace Hopper", "email": "grace@example.com"},
        "company": {"name": "Acme", "website": "https://acme.example"},
        "deal": {"name": "Big order", "stage": {"name": "Proposal"}},
    }
    entity_id, links = given.pop("id", USER_ID), given.pop("links", {})
    return Entity(kind, entity_id, {**names[kind], **given}, links)
