"""What a directory entity is called on a page, and in a few words what else is known of it."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson

from core.domain.entity import EntityRef
from core.storage.entity_search import FoundEntity

KIND_TITLES = {"user": "User", "contact": "Contact", "company": "Company", "deal": "Deal"}
DETAILS = ("email", "phone", "website", "amount", "currency_code")


class TitledEntity(NamedTuple):
    """An entity as a list shows it."""

    ref: EntityRef
    kind: str
    title: str
    details: str


def title_of(fields: Mapping[str, Any]) -> str:
    """Return the name of an entity; where it has none, nothing."""
    names = (fields.get(name) for name in ("first_name", "last_name", "name"))
    return " ".join(filter(None, names))


def titled(found: FoundEntity) -> TitledEntity:
    """Return what a search found as a list shows it."""
    fields = orjson.loads(found.fields)
    kind, _ = found.ref
    details = " · ".join(str(fields[name]) for name in DETAILS if fields.get(name))
    return TitledEntity(found.ref, KIND_TITLES[kind], title_of(fields) or "(no name)", details)
