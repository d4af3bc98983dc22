"""Users, companies, contacts and deals: what an activity refers to."""

import json
import sys
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

NO_LINKS: Mapping[str, Any] = MappingProxyType({})
OBJECT_BYTES = 250
"""An entity with its id, its reference and a place in the table of a cache, without its text."""
ENTITY_KINDS = ("user", "company", "contact", "deal")

EntityRef = tuple[str, int]
"""Names an entity inside its tenant: its kind, one of `ENTITY_KINDS`, and its id.

A plain pair, because a page makes more than a hundred: a named tuple takes eight times as long.
"""


class Entity:
    """A user, company, contact or deal as the directory knows it; never changed once made.

    Caches hold many, so that an entity is small: its fields stay JSON text. A deal's `links` holds
    the entities that it names, under "contact", "company" and "owner", where known; `names` refers
    to all of them.
    """

    __slots__ = ("_content", "id", "kind", "links", "names")

    def __init__(
        self,
        kind: str,
        id: int,
        fields: "Mapping[str, Any] | str",
        links: "Mapping[str, Entity]" = NO_LINKS,
        names: tuple[EntityRef, ...] = (),
    ) -> None:
        """Take the fields of the kind by their canonical names, or as JSON text of an object."""
        self.kind = kind
        self.id = id
        self.links = links
        self.names = names
        self._content = fields

    def parse_fields(self) -> Mapping[str, Any]:
        """Return the fields by their canonical names, unknown ones absent; parses JSON each time.

        It takes microseconds: call it once, and cache what is made of it.
        """
        content = self._content
        return json.loads(content) if isinstance(content, str) else content

    @property
    def size_bytes(self) -> int:
        """About the memory that this entity occupies, with those that it links to."""
        own = OBJECT_BYTES + sys.getsizeof(self._content)
        return own + sum(link.size_bytes for link in self.links.values())


Related = Mapping[EntityRef, Entity | None]
"""Entities by what names them; one that is not known is None, or absent."""
