"""How each dialect must show related entities, worked out a second time.

A directory here is a mapping of (kind, id) to the fields `first_name`, `last_name`, `name`,
`email`, `website` and `stage`: what the tests write, and so all that is not empty.
"""

from collections.abc import Mapping
from typing import Any

from support.oracle import Directory, Document, Record, nobody

Entities = Mapping[tuple[str, int], Mapping[str, Any]]


def deskera_details(entities: Entities) -> Directory:
    """Return what Deskera shows of each entity."""
    shapes = {"user": _user, "contact": _person, "company": _organization, "deal": _deal}
    return {(kind, number): shapes[kind](number, it) for (kind, number), it in entities.items()}


def _user(number: int, fields: Mapping[str, Any]) -> Document:
    known = {name: fields[name] for name in ("first_name", "last_name", "email")}
    return nobody(number) | known


def _contact(number: int, kind: str, **fields: str) -> Document:
    empty = dict.fromkeys(("name", "email", "phone", "country_code", "address"), "")
    rest = {"organization_id": 0, "label_id": 0, "label": {}, "logo": ""}
    return {"id": number, **empty, "type": kind, **rest} | fields


def _person(number: int, fields: Mapping[str, Any]) -> Document:
    return _contact(number, "person", name=fields["name"], email=fields["email"])


def _organization(number: int, fields: Mapping[str, Any]) -> Document:
    return _contact(number, "organization", name=fields["name"])


def _deal(number: int, fields: Mapping[str, Any]) -> Document:
    zeros = ("pipeline_id", "stage_id", "contact_id", "organization_id", "status", "activity_id")
    more = ("order", "deal_probability", "rotting_days", "owner_id")
    texts = ("mobile", "email", "currency_code", "stage_name", "reason")
    stage = {"pipeline_id": 0, "order": 0, "deal_probability": 0, "rotting_days": 0}
    stage |= {"help_text": "", "system_generated": False, "won_lost_status": ""}
    return {
        **dict.fromkeys((*zeros, *more), 0),
        **dict.fromkeys(texts, ""),
        "id": number,
        "name": fields["name"],
        "stage": stage | {"name": fields["stage"]},
        "amount": "0",
        "closing_date": None,
        "is_deleted": False,
        "contact_info": _contact(0, ""),
        "organization_info": _contact(0, ""),
        "owner_info": nobody(0),
        "custom_field": [],
        "created_at": None,
    }


def achieveapex_details(record: Record, entities: Entities, *, detailed: bool) -> Document:
    """Return AchieveApex's five expansions of a record."""
    assignee, contact, company = (
        next(iter(record[name]), None) for name in ("assignee_ids", "contact_ids", "company_ids")
    )
    named = {
        "created_by_user": ("user", record["created_by"], ("full_name", "email")),
        "assigned_to_user": ("user", assignee, ("full_name", "email")),
        "deal": ("deal", record["deal_id"], ("name", "stage")),
        "contact": ("contact", contact, ("full_name", "email")),
        "company": ("company", company, ("name", "website")),
    }
    return {
        key: _expansion(entities.get((kind, number)), number, names if detailed else names[:1])
        for key, (kind, number, names) in named.items()
    }


def _expansion(
    fields: Mapping[str, Any] | None, number: int, names: tuple[str, ...]
) -> Document | None:
    if fields is None:
        return None
    whole = " ".join(fields[name] for name in ("first_name", "last_name") if name in fields)
    return {"id": number} | {
        name: (whole or fields["name"]) if name == "full_name" else fields.get(name)
        for name in names
    }
