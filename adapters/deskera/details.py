"""The objects that Deskera embeds in an activity: users, persons, organizations and the deal.

Each function renders an entity of the directory to a cached fragment of JSON, which a page takes
in as it is. The page documents none of these objects: every key, its order and its zero value
come from the samples (docs/dialects/deskera.md D61 to D69).
"""

from collections.abc import Mapping
from typing import Any

from adapters.fragments import cached_fragment
from core.domain.entity import Entity


@cached_fragment
def user_info(user: Entity) -> dict[str, Any]:
    """Render a UserShortInfo: 7 keys, all always there."""
    return _user(user.id, user.parse_fields())


def unknown_user(user_id: int) -> dict[str, Any]:
    """Return the UserShortInfo of a user that the directory does not know: zeros and the id."""
    return _user(user_id, {})


@cached_fragment
def person_info(contact: Entity) -> dict[str, Any]:
    """Render the ContactShortInfo of a person."""
    return _contact(contact.id, contact.parse_fields(), kind="person")


@cached_fragment
def organization_info(company: Entity) -> dict[str, Any]:
    """Render the ContactShortInfo of an organization: our company."""
    return _contact(company.id, company.parse_fields(), kind="organization")


@cached_fragment
def deal_info(deal: Entity) -> dict[str, Any]:
    """Render `deal_details`: 26 keys.

    `activity_id`, `order`, `stage_name`, `deal_probability` and `rotting_days` are zero in every
    sample, also where `stage` says otherwise. `mobile` and `email` are the contact's. Stamps are
    in UTC, whatever the zone of the activity's own.
    Source: docs/dialects/deskera.md D48, D65 to D69.
    """
    fields = deal.parse_fields()
    contact, company, owner = (deal.links.get(name) for name in ("contact", "company", "owner"))
    contact_fields: Mapping[str, Any] = contact.parse_fields() if contact else {}
    contact_id = fields.get("contact_id") or 0
    company_id = fields.get("company_id") or 0
    owner_id = fields.get("owner_id") or 0
    return {
        "id": deal.id,
        "name": fields.get("name") or "",
        "pipeline_id": fields.get("pipeline_id") or 0,
        "stage_id": fields.get("stage_id") or 0,
        "stage": _stage(fields.get("stage")),
        "contact_id": contact_id,
        "organization_id": company_id,
        "mobile": contact_fields.get("phone") or "",
        "email": contact_fields.get("email") or "",
        "currency_code": fields.get("currency_code") or "",
        "amount": fields.get("amount") or "0",  # Text here, a number in the deals API.
        "closing_date": fields.get("closing_date"),
        "status": fields.get("status") or 0,
        "activity_id": 0,
        "order": 0,
        "stage_name": "",
        "deal_probability": 0,
        "rotting_days": 0,
        "owner_id": owner_id,
        "is_deleted": False,
        "contact_info": (person_info(contact) if contact else _contact(contact_id, {}, kind="")),
        "organization_info": (
            organization_info(company) if company else _contact(company_id, {}, kind="")
        ),
        "owner_info": user_info(owner) if owner else unknown_user(owner_id),
        "reason": fields.get("reason") or "",
        "custom_field": [_custom_field(item) for item in fields.get("custom_fields") or ()],
        "created_at": fields.get("created_at"),
    }


def _user(user_id: int, fields: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": user_id,
        "first_name": fields.get("first_name") or "",
        "last_name": fields.get("last_name") or "",
        "email": fields.get("email") or "",
        "country_code": fields.get("country_code") or "",
        "contact": fields.get("phone") or "",
        "profile_url": fields.get("profile_url") or "",
    }


def _contact(contact_id: int, fields: Mapping[str, Any], *, kind: str) -> dict[str, Any]:
    label = fields.get("label")
    return {
        "id": contact_id,
        "name": fields.get("name") or "",
        "email": fields.get("email") or "",
        "phone": fields.get("phone") or "",
        "country_code": fields.get("country_code") or "",
        "address": fields.get("address") or "",
        "type": kind,
        "organization_id": fields.get("company_id") or 0,
        "label_id": 0,  # Also beside a named label: docs/dialects/deskera.md D63.
        "label": {"name": label} if label else {},
        "logo": fields.get("logo") or "",
    }


def _stage(stage: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if not stage:
        return None  # As the pipelines of the deals API show a stage that is not there.
    return {
        "pipeline_id": stage.get("pipeline_id") or 0,
        "order": stage.get("order") or 0,
        "name": stage.get("name") or "",
        "deal_probability": stage.get("deal_probability") or 0,
        "rotting_days": stage.get("rotting_days") or 0,
        "help_text": stage.get("help_text") or "",
        "system_generated": stage.get("system_generated") or False,
        "won_lost_status": stage.get("won_lost_status") or "",
    }


def _custom_field(item: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "code": item.get("code") or "",
        "label": item.get("label") or "",
        "value": item.get("value") or "",
        "module": item.get("module") or "",
        "shortName": item.get("short_name") or "",  # The one camelCase key of the object.
    }
