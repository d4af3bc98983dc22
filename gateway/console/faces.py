"""One activity in three faces: the canonical record, Deskera's view of it, and AchieveApex's."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import orjson
from flask import abort

from adapters import achieveapex, deskera
from adapters.http import activities
from core.domain.entity import EntityRef
from core.domain.errors import ActivityNotFound
from core.domain.model import Activity, Found
from core.transfer import ndjson
from gateway.console.dialect_calls import Exchange, call
from gateway.console.entity_titles import title_of
from gateway.console.field_rules import RULES, FieldRule
from gateway.console.tenant_choice import acting

TITLES: Mapping[str, str] = {deskera.NAME: "Deskera", achieveapex.NAME: "AchieveApex"}
PATHS: Mapping[str, str] = {
    deskera.NAME: "/v1/crm/activities/{}",
    achieveapex.NAME: "/activities/{}",
}
WRITE_METHODS: Mapping[str, str] = {deskera.NAME: "PUT", achieveapex.NAME: "PATCH"}
READINGS = 3
MAX_VALUE_LENGTH = 150
Shown = Mapping[str, Any]


class Cell(NamedTuple):
    """A key of a dialect, what it shows, how true that is, and whether it follows other keys."""

    wire: str
    value: str
    rule: str
    is_writable: bool
    is_followed: bool
    is_changed: bool


class Row(NamedTuple):
    """A field in all three faces; `only` is the title of the one dialect that shows it."""

    field: str
    value: str
    is_changed: bool
    cells: Mapping[str, Sequence[Cell]]
    only: str | None
    is_shown: bool


class Faces(NamedTuple):
    """The three faces of one state of a record."""

    found: Found
    canonical: Shown
    reads: Mapping[str, Exchange]

    def rows(self, before: "Faces | None" = None) -> list[Row]:
        """Return every field in all faces; what differs from `before` is changed."""
        shown = {dialect: read.json for dialect, read in self.reads.items()}
        old_shown = {dialect: read.json for dialect, read in (before or self).reads.items()}
        old = (before or self).canonical
        return [
            _row(field, rules, self.canonical, old, shown=shown, old_shown=old_shown)
            for field, rules in RULES.items()
        ]

    def related(self) -> list[tuple[EntityRef, str]]:
        """Return what the record names, each with its name if the directory knows it."""
        entities = self.found.related
        return [
            (ref, title_of(entity.parse_fields()) if entity is not None else "")
            for ref, entity in sorted(entities.items())
        ]


def read_faces(tenant_id: int, activity_id: int) -> Faces:
    """Return the faces of an activity, all of one version; one that is not there is not found."""
    caller = acting(tenant_id)
    for _ in range(READINGS):
        try:
            found = activities().get(caller, activity_id)
        except ActivityNotFound:
            abort(404)
        reads = {
            dialect: call(caller, dialect, "GET", path.format(activity_id))
            for dialect, path in PATHS.items()
        }
        version = f'"{found.activity.version}-'
        if all(read.etag.startswith(version) for read in reads.values()):
            break
    return Faces(found, canonical(found.activity), reads)


def canonical(activity: Activity) -> Shown:
    """Return a record as an export has it, and its version."""
    line: dict[str, Any] = orjson.loads(ndjson.write_activity(activity))
    del line["kind"]
    return {name: line.get(name, activity.version) for name in Activity._fields}


def write_face(tenant_id: int, activity_id: int, dialect: str, *, sent: str, etag: str) -> Exchange:
    """Change an activity as a client of a dialect does who last saw the version of an ETag."""
    return call(
        acting(tenant_id),
        dialect,
        WRITE_METHODS[dialect],
        PATHS[dialect].format(activity_id),
        sent=sent,
        headers={"If-Match": etag},
    )


def _row(
    field: str,
    rules: Mapping[str, FieldRule],
    now: Shown,
    old: Shown,
    *,
    shown: Mapping[str, Shown],
    old_shown: Mapping[str, Shown],
) -> Row:
    cells = {
        dialect: _cells(rule, shown[dialect], old_shown[dialect]) for dialect, rule in rules.items()
    }
    showing = [TITLES[dialect] for dialect, rule in rules.items() if rule.is_shown]
    only = showing[0] if len(showing) == 1 else None
    is_changed = now[field] != old[field]
    return Row(field, _text(now[field]), is_changed, cells, only, bool(showing))


def _cells(rule: FieldRule, shown: Shown, old: Shown) -> list[Cell]:
    return [
        Cell(
            key.wire,
            _text(shown.get(key.wire)),
            key.fidelity,
            key.is_writable,
            is_followed,
            shown.get(key.wire) != old.get(key.wire),
        )
        for is_followed, keys in ((False, rule.own), (True, rule.followed))
        for key in keys
    ]


def _text(value: Any) -> str:
    text = orjson.dumps(value).decode()
    return text if len(text) <= MAX_VALUE_LENGTH else f"{text[:MAX_VALUE_LENGTH]}…"
