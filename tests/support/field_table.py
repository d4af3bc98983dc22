"""The table of every field in both dialects, written from the two declarations.

`make docs` writes `docs/fields.md`; a test fails when it is out of date.
"""

from collections.abc import Iterable
from pathlib import Path

from adapters.achieveapex.fields import EXPANSIONS
from core.domain.model import Activity
from gateway.console.field_rules import KEYS, FieldRule, Key, rule_of

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


def named(key: Key) -> str:
    """Return a key as the table names it."""
    return f"`{key.wire}`" if key.is_writable else f"`{key.wire}` *(r)*"


def cell(rule: FieldRule) -> str:
    """Return what one dialect makes of one field."""
    if rule.own:
        return "<br>".join(f"{named(key)}: {key.fidelity}" for key in rule.own)
    return f"follows {', '.join(map(named, rule.followed))}" if rule.followed else NOT_SHOWN


def without_field(keys: Iterable[Key]) -> str:
    """Return the keys that stand for no field."""
    return "; ".join(f"{named(key)}: {key.fidelity}" for key in keys if not key.canonical) or "none"


def document() -> str:
    """Return the whole page."""
    rows = [
        f"| `{field}` | {' | '.join(cell(rule_of(field, dialect)) for dialect in KEYS)} |\n"
        for field in Activity._fields
    ]
    expansions = ", ".join(f"`{name}`" for name in EXPANSIONS)
    tail = (
        "\nKeys that stand for no field:\n\n"
        f"- Deskera: {without_field(KEYS['deskera'])}\n"
        f"- AchieveApex: {without_field(KEYS['achieveapex'])}\n\n"
        f"AchieveApex adds {expansions}\n"
        "where a call asks for them; like Deskera's details they come from the directory and\n"
        "cannot be written.\n"
    )
    return HEAD + "".join(rows) + tail


if __name__ == "__main__":
    PATH.parent.mkdir(exist_ok=True)
    PATH.write_text(document(), encoding="utf-8")
