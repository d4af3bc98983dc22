"""The table of every field in both dialects, written from the two declarations.

`make docs` writes `docs/fields.md`; a test fails when it is out of date.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from adapters.achieveapex.fields import EXPANSIONS
from adapters.achieveapex.fields import FIELDS as ACHIEVEAPEX_FIELDS
from adapters.deskera.fields import FIELDS as DESKERA_FIELDS
from adapters.deskera.fields import WRITABLE
from core.domain.model import Activity

PATH = Path(__file__).parents[2] / "docs" / "fields.md"
NOT_SHOWN = "not shown"
HEAD = """\
# Every field in both dialects

Written by `make docs` from `adapters/deskera/fields.py` and `adapters/achieveapex/fields.py`; a
test holds it against them. The rows are the fields of `core.domain.model.Activity`.

- *exact*: what is stored is shown, and what is written is stored.
- *lossy*: the dialect shows less than is stored, or takes less than can be stored. A write keeps
  what its dialect cannot show (docs/laws.md R4).
- *follows*: has no key of its own, and moves with the keys named.
- *not shown*: no key of this dialect shows it, and no write of this dialect touches it.
- *(r)*: clients cannot write the key; in a body it is ignored.

| Field | Deskera | AchieveApex |
|---|---|---|
"""


class Key(NamedTuple):
    """One key of a wire: the fields behind it, the one that it shows first, and how true it is."""

    wire: str
    canonical: tuple[str, ...]
    fidelity: str
    is_writable: bool

    def __str__(self) -> str:
        """Return the key as the table names it."""
        return f"`{self.wire}`" if self.is_writable else f"`{self.wire}` *(r)*"


def deskera_keys() -> list[Key]:
    """Return the keys of Deskera's declaration, in the order of the wire."""
    return [
        Key(field.wire, field.canonical, field.fidelity, field in WRITABLE)
        for field in DESKERA_FIELDS
    ]


def achieveapex_keys() -> list[Key]:
    """Return the keys of AchieveApex's declaration, in the order of the wire."""
    return [
        Key(field.wire, field.canonical, field.fidelity, field.parse is not None)
        for field in ACHIEVEAPEX_FIELDS
    ]


def cell(field: str, keys: Iterable[Key]) -> str:
    """Return what one dialect makes of one field."""
    behind = [key for key in keys if field in key.canonical]
    own = [f"{key}: {key.fidelity}" for key in behind if key.canonical[0] == field]
    if own:
        return "<br>".join(own)
    return f"follows {', '.join(map(str, behind))}" if behind else NOT_SHOWN


def without_field(keys: Iterable[Key]) -> str:
    """Return the keys that stand for no field."""
    return "; ".join(f"{key}: {key.fidelity}" for key in keys if not key.canonical) or "none"


def document() -> str:
    """Return the whole page."""
    deskera, achieveapex = deskera_keys(), achieveapex_keys()
    rows = [
        f"| `{field}` | {cell(field, deskera)} | {cell(field, achieveapex)} |\n"
        for field in Activity._fields
    ]
    expansions = ", ".join(f"`{name}`" for name in EXPANSIONS)
    tail = (
        "\nKeys that stand for no field:\n\n"
        f"- Deskera: {without_field(deskera)}\n"
        f"- AchieveApex: {without_field(achieveapex)}\n\n"
        f"AchieveApex adds {expansions}\n"
        "where a call asks for them; like Deskera's details they come from the directory and\n"
        "cannot be written.\n"
    )
    return HEAD + "".join(rows) + tail


if __name__ == "__main__":
    PATH.parent.mkdir(exist_ok=True)
    PATH.write_text(document(), encoding="utf-8")
