"""Users, companies, contacts and deals: what an activity refers to."""

import json
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple, TypeVar

Rendering = TypeVar("Rendering")

NO_LINKS: Mapping[str, Any] = MappingProxyType({})
ENTITY_KINDS = ("user", "company", "contact", "deal")


class EntityRef(NamedTuple):
    """What names a related entity inside its tenant: one of `ENTITY_KINDS` and a number."""

    kind: str
    id: int


Reference = tuple[str, int]
"""An `EntityRef` or a plain pair that equals one; pairs are cheaper where there are many."""


class Entity:
    """A user, company, contact or deal as the directory knows it; never changed once made.

    Many are remembered, so that one is small: its fields stay JSON text until they are asked for,
    which is once for each way to render it. A deal's `links` holds the entities that it names,
    under "contact", "company" and "owner", where known; `names` refers to all of them.
    """

    __slots__ = ("_content", "_renderings", "id", "kind", "links", "names")

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
        self._renderings: tuple[Any, ...] = ()

    @property
    def fields(self) -> Mapping[str, Any]:
        """The canonical names of the kind; unknown ones are absent."""
        content = self._content
        return json.loads(content) if isinstance(content, str) else content

    def rendered(self, render: "Callable[[Entity], Rendering]") -> Rendering:
        """Return `render(self)`, made once for the life of this value."""
        made = self._renderings
        for place in range(0, len(made), 2):
            if made[place] is render:
                known: Rendering = made[place + 1]
                return known
        rendering = render(self)
        self._renderings = (*made, render, rendering)
        return rendering


Related = Mapping[EntityRef, Entity | None]
"""Entities by what names them; one that is not known is None, or absent."""
