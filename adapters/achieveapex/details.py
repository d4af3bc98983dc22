"""The related entities that AchieveApex expands: users, the deal, a contact and a company.

Each function renders an entity of the directory to a cached fragment of JSON, which a page takes
in as it is. Lists expand "compact", a single activity "detailed".
"""

from collections.abc import Mapping
from typing import Any, Literal

from adapters.achieveapex.fields import EXPANSIONS
from adapters.fragments import cached_fragment
from core.domain.entity import Entity, Related

Expansion = Literal["none", "compact", "detailed"]


@cached_fragment
def compact_person(entity: Entity) -> dict[str, Any]:
    """Render a user or contact in a list."""
    return {"id": entity.id, "full_name": _full_name(entity.kind, entity.parse_fields())}


@cached_fragment
def compact_thing(entity: Entity) -> dict[str, Any]:
    """Render a deal or company in a list."""
    return {"id": entity.id, "name": entity.parse_fields().get("name")}


@cached_fragment
def detailed_person(entity: Entity) -> dict[str, Any]:
    """Render a user or contact beside a single activity."""
    fields = entity.parse_fields()
    full_name = _full_name(entity.kind, fields)
    return {"id": entity.id, "full_name": full_name, "email": fields.get("email")}


@cached_fragment
def detailed_deal(entity: Entity) -> dict[str, Any]:
    """Render a deal beside a single activity."""
    fields = entity.parse_fields()
    # A plain string on this wire, while the directory holds the whole stage:
    # docs/dialects/achieveapex.md A30.
    stage = (fields.get("stage") or {}).get("name")
    return {"id": entity.id, "name": fields.get("name"), "stage": stage}


@cached_fragment
def detailed_company(entity: Entity) -> dict[str, Any]:
    """Render a company beside a single activity."""
    fields = entity.parse_fields()
    return {"id": entity.id, "name": fields.get("name"), "website": fields.get("website")}


def _full_name(kind: str, fields: Mapping[str, Any]) -> str | None:
    if kind == "contact":
        return fields.get("name")
    return f"{fields.get('first_name') or ''} {fields.get('last_name') or ''}".strip()


# Of every expansion: its kind in the directory and the key of the record that holds its id.
_SOURCES = (
    ("user", "created_by_user_id"),
    ("user", "assigned_to_user_id"),
    ("deal", "deal_id"),
    ("contact", "contact_id"),
    ("company", "company_id"),
)
_COMPACT = (compact_person, compact_person, compact_thing, compact_person, compact_thing)
_DETAILED = (
    detailed_person,
    detailed_person,
    detailed_deal,
    detailed_person,
    detailed_company,
)
_SHAPES = {
    "compact": tuple(zip(EXPANSIONS, _SOURCES, _COMPACT, strict=True)),
    "detailed": tuple(zip(EXPANSIONS, _SOURCES, _DETAILED, strict=True)),
}


def expand(record: dict[str, Any], related: Related, expansion: Expansion) -> None:
    """Add the five related entities to a record; one that is not known is null."""
    for name, (kind, key), render in _SHAPES[expansion]:
        number = record[key]
        entity = None if number is None else related.get((kind, number))
        record[name] = None if entity is None else render(entity)
