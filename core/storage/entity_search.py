"""Searches of the directory, for people: by text, and for what names an entity.

No index serves them: they look through the directory of one tenant, within the timeout of every
statement.
"""

from collections.abc import Collection
from typing import NamedTuple

from core.domain.entity import EntityRef
from core.storage.database import Database
from core.storage.sql_filters import fold

MAX_ID_DIGITS = 16
_SEARCHED = ("first_name", "last_name", "name", "email", "phone", "website")
_TEXT = " || ' ' || ".join(f"coalesce(fields->>'{name}', '')" for name in _SEARCHED)
_FIND = f"""
    SELECT kind, id, fields::TEXT FROM entities
    WHERE tenant_id = %(tenant_id)s::BIGINT AND NOT is_removed
        AND kind = ANY(%(kinds)s::TEXT[])
        AND (id = %(id)s::BIGINT OR position(%(text)s::TEXT IN lower({_TEXT})) > 0)
    ORDER BY id = %(id)s::BIGINT DESC, kind, id LIMIT %(limit)s"""
_NAMING = """
    SELECT kind, id, fields::TEXT FROM entities
    WHERE tenant_id = %(tenant_id)s::BIGINT AND NOT is_removed
        AND kind = ANY(ARRAY['contact', 'deal']) AND fields->>%(key)s = %(id)s::BIGINT::TEXT
    ORDER BY kind, id LIMIT %(limit)s"""
_NAMED_BY = {"user": "owner_id", "company": "company_id", "contact": "contact_id"}


class FoundEntity(NamedTuple):
    """An entity that a search found, its fields as JSON text."""

    ref: EntityRef
    fields: str


class EntitySearch:
    """Searches one tenant's directory, each with one statement."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(
        self, tenant_id: int, text: str, *, kinds: Collection[str], limit: int
    ) -> list[FoundEntity]:
        """Return the entities of some kinds whose names, addresses or numbers hold a text.

        The case does not matter; a number finds the id too. Raises: Unavailable.
        """
        is_id = text.isascii() and text.isdigit() and len(text) <= MAX_ID_DIGITS
        parameters = {
            "tenant_id": tenant_id,
            "kinds": list(kinds),
            "id": int(text) if is_id else 0,
            "text": fold(text),
            "limit": limit,
        }
        found = self._database.read(_FIND, parameters, generic_plan=False)
        return [FoundEntity((kind, id_), fields) for kind, id_, fields in found]

    def naming(self, tenant_id: int, ref: EntityRef, *, limit: int) -> list[FoundEntity]:
        """Return the contacts and deals that name an entity. Raises: Unavailable."""
        kind, entity_id = ref
        key = _NAMED_BY.get(kind)
        if key is None:
            return []
        parameters = {"tenant_id": tenant_id, "key": key, "id": entity_id, "limit": limit}
        found = self._database.read(_NAMING, parameters, generic_plan=False)
        return [FoundEntity((kind, id_), fields) for kind, id_, fields in found]
