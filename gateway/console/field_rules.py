"""What each dialect makes of each field of an activity, from the tables by which they translate.

The pages show these rules, and `docs/fields.md` is written from them.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from adapters import achieveapex, deskera
from adapters.achieveapex.fields import FIELDS as ACHIEVEAPEX_FIELDS
from adapters.deskera.fields import FIELDS as DESKERA_FIELDS
from adapters.deskera.fields import WRITABLE
from core.domain.model import Activity


class Key(NamedTuple):
    """One key of a wire: the fields behind it, the one that it shows first, and how true it is."""

    wire: str
    canonical: tuple[str, ...]
    fidelity: str
    is_writable: bool


class FieldRule(NamedTuple):
    """The keys of one dialect that show a field, and those with which it only moves along."""

    own: Sequence[Key]
    followed: Sequence[Key]

    @property
    def is_shown(self) -> bool:
        """Whether the dialect shows anything of the field."""
        return bool(self.own or self.followed)


def _deskera_keys() -> list[Key]:
    return [
        Key(field.wire, field.canonical, field.fidelity, field in WRITABLE)
        for field in DESKERA_FIELDS
    ]


def _achieveapex_keys() -> list[Key]:
    return [
        Key(field.wire, field.canonical, field.fidelity, field.parse is not None)
        for field in ACHIEVEAPEX_FIELDS
    ]


KEYS: Mapping[str, Sequence[Key]] = {
    deskera.NAME: _deskera_keys(),
    achieveapex.NAME: _achieveapex_keys(),
}
"""The keys of each dialect, in the order of the wire."""


def rule_of(field: str, dialect: str) -> FieldRule:
    """Return what a dialect makes of a field."""
    behind = [key for key in KEYS[dialect] if field in key.canonical]
    own = [key for key in behind if key.canonical[0] == field]
    return FieldRule(own, [] if own else behind)


RULES: Mapping[str, Mapping[str, FieldRule]] = {
    field: {dialect: rule_of(field, dialect) for dialect in KEYS} for field in Activity._fields
}
"""The rules of every field, in the order of the canonical record, by dialect."""
