"""The related entities that AchieveApex expands: users, the deal, a contact and a company.

Each function renders an entity of the directory, once in its life (`Entity.rendered`), to JSON
that a page takes in as it is. Lists expand "compact", a single activity "detailed".
"""

from collections.abc import Callable
from typing import Any, Literal, cast

import orjson

from adapters.achieveapex.fields import EXPANSIONS
from core.domain.entity import Entity, Reference, Related

Expansion = Literal["none", "compact", "detailed"]
Find = Callable[[Reference], Entity | None]


def _full_name(entity: Entity) -> str | None:
    fields = entity.fields
    if entity.kind == "contact":
        return fields.get("name")
    return f"{fields.get('first_name') or ''} {fields.get('last_name') or ''}".strip()


def _compact_person(entity: Entity) -> orjson.Fragment:
    return _fragment({"id": entity.id, "full_name": _full_name(entity)})


def _compact_thing(entity: Entity) -> orjson.Fragment:
    return _fragment({"id": entity.id, "name": entity.fields.get("name")})


def _detailed_person(entity: Entity) -> orjson.Fragment:
    email = entity.fields.get("email")
    return _fragment({"id": entity.id, "full_name": _full_name(entity), "email": email})


def _detailed_deal(entity: Entity) -> orjson.Fragment:
    # A plain string on this wire, while the directory holds the whole stage:
    # docs/dialects/achieveapex.md A30.
    stage = (entity.fields.get("stage") or {}).get("name")
    return _fragment({"id": entity.id, "name": entity.fields.get("name"), "stage": stage})


def _detailed_company(entity: Entity) -> orjson.Fragment:
    name, website = entity.fields.get("name"), entity.fields.get("website")
    return _fragment({"id": entity.id, "name": name, "website": website})


def _fragment(shape: dict[str, Any]) -> orjson.Fragment:
    # A copy: bytes that orjson returns keep 4 KiB of memory, and these are cached.
    return orjson.Fragment(bytes(memoryview(orjson.dumps(shape))))


# Of every expansion: its kind in the directory and the key of the record that holds its id.
_SOURCES = (
    ("user", "created_by_user_id"),
    ("user", "assigned_to_user_id"),
    ("deal", "deal_id"),
    ("contact", "contact_id"),
    ("company", "company_id"),
)
_COMPACT = (_compact_person, _compact_person, _compact_thing, _compact_person, _compact_thing)
_DETAILED = (
    _detailed_person,
    _detailed_person,
    _detailed_deal,
    _detailed_person,
    _detailed_company,
)
_SHAPES = {
    "compact": tuple(zip(EXPANSIONS, _SOURCES, _COMPACT, strict=True)),
    "detailed": tuple(zip(EXPANSIONS, _SOURCES, _DETAILED, strict=True)),
}


def expand(record: dict[str, Any], related: Related, expansion: Expansion) -> None:
    """Add the five related entities to a record; one that is not known is null."""
    find = cast(Find, related.get)  # A plain pair finds what an EntityRef does, and is cheaper.
    for name, (kind, key), render in _SHAPES[expansion]:
        number = record[key]
        entity = None if number is None else find((kind, number))
        record[name] = None if entity is None else entity.rendered(render)
