"""Both dialects as values that one test can be run over, and what each key may touch.

The tables say a second time, on purpose, which fields stand behind which key: they are compared
with the product's declarations.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from support import wire_bodies as wire
from support.oracle import Document, Record, Zones
from support.oracle_writes import RejectedError, achieveapex_write, deskera_write

from adapters.achieveapex import translate as achieveapex
from adapters.deskera import translate as deskera
from core.domain.errors import InvalidActivity
from core.domain.model import Activity, Tenant

START = frozenset({"start_date", "start_time", "start_at"})
END = frozenset({"end_date", "end_time", "end_at"})
TIMES = START | END | {"duration_minutes"}

# The canonical fields that a key stands for. Deskera's duration moves the end.
DESKERA = {
    "name": frozenset({"subject"}),
    "activity_type": frozenset({"activity_type"}),
    "duration": END | {"duration_minutes"},
    "notes": frozenset({"notes"}),
    "visibility_type": frozenset({"visibility"}),
    "is_availability": frozenset({"is_availability"}),
    "is_send_invitation": frozenset({"is_send_invitation"}),
    "is_send_contacts_invitation": frozenset({"is_send_contacts_invitation"}),
    "assignee_ids": frozenset({"assignee_ids"}),
    "contact_ids": frozenset({"contact_ids"}),
    "organization_ids": frozenset({"company_ids"}),
    "linked_to": frozenset({"deal_id"}),
    "owner_id": frozenset({"owner_id"}),
    "is_status": frozenset({"completed"}),
    "source": frozenset({"source"}),
    "source_id": frozenset({"source_id"}),
    "user_timezone": frozenset({"timezone"}),
    "start": START,
    "end": END,
}
ACHIEVEAPEX = {
    "assigned_to_user_id": frozenset({"assignee_ids"}),
    "subject": frozenset({"subject"}),
    "note": frozenset({"notes"}),
    "public_description": frozenset({"public_description"}),
    "location": frozenset({"location"}),
    "location_geocoded": frozenset({"location_geocoded"}),
    "start_date": frozenset({"start_date", "start_at"}),
    "start_time": frozenset({"start_time", "start_at"}),
    "end_date": frozenset({"end_date", "end_at"}),
    "end_time": frozenset({"end_time", "end_at"}),
    "duration": frozenset({"duration_minutes"}),
    "deal_id": frozenset({"deal_id"}),
    "contact_id": frozenset({"contact_ids"}),
    "company_id": frozenset({"company_ids"}),
    "activity_type": frozenset({"activity_type"}),
    "done": frozenset({"completed"}),
}
# What a dialect shows beside the keys that it can write, by the canonical field behind it.
DESKERA_DETAILS = {
    "assignee_details": "assignee_ids",
    "contact_details": "contact_ids",
    "organization_details": "company_ids",
    "deal_details": "deal_id",
    "owner_details": "owner_id",
}
ACHIEVEAPEX_DETAILS = {
    "assigned_to_user": "assignee_ids",
    "deal": "deal_id",
    "contact": "contact_ids",
    "company": "company_ids",
}

# At least 500 examples a property; HYPOTHESIS_PROFILE=long says how many more.
thoroughly = settings(
    max_examples=max(500, settings().max_examples),
    suppress_health_check=[HealthCheck.too_slow],  # Of the machine it says more than of the test.
)

Bodies = Callable[[Activity, Tenant, Sequence[str]], st.SearchStrategy[wire.Body]]


@dataclass(frozen=True)
class Dialect:
    """One dialect: how it shows and writes, what is written to it, and what its keys stand for."""

    name: str
    document: Callable[[Activity, Tenant], Document]
    write: Callable[[Activity, Any, Tenant], Activity]
    expect: Callable[[Record, Document, Zones], Record]
    bodies: Bodies
    respelt: Callable[[str, Any, Activity], st.SearchStrategy[Any]]
    some_keys: st.SearchStrategy[list[str]]
    ignored: wire.Body
    time_keys: tuple[str, ...]
    touches: dict[str, frozenset[str]]
    details: dict[str, str]

    def _repr_pretty_(self, printer: Any, _is_cycle: bool) -> None:
        """Print its name alone in Hypothesis' reports."""
        printer.text(self.name)

    def apply(self, activity: Activity, body: Any, tenant: Tenant) -> Activity | None:
        """Return the activity after a write; None if the write is refused."""
        try:
            return self.write(activity, body, tenant)
        except InvalidActivity:
            return None

    def expected(self, activity: Activity, body: Document, tenant: Tenant) -> Record | None:
        """Return what the oracle makes of a write; None if it refuses it."""
        zones = Zones(tenant.timezone, tenant.deskera_timezone)
        try:
            return self.expect(activity._asdict(), body, zones)
        except RejectedError:
            return None

    def touched_by(self, keys: Sequence[str]) -> frozenset[str]:
        """Return the canonical fields that these keys stand for."""
        return frozenset().union(*(self.touches[key] for key in keys))

    def shows(self, fields: frozenset[str]) -> set[str]:
        """Return the keys that may look different once these fields have changed."""
        fields = fields | TIMES if fields & TIMES else fields
        keys = {key for key, behind in self.touches.items() if behind & fields}
        return keys | {key for key, behind in self.details.items() if behind in fields}


DIALECTS = (
    Dialect(
        name="deskera",
        document=wire.deskera_document,
        write=deskera.apply,
        expect=deskera_write,
        bodies=wire.deskera_bodies,
        respelt=wire.respelt_deskera,
        some_keys=wire.deskera_keys,
        ignored=wire.DESKERA_IGNORED,
        time_keys=("start", "end"),
        touches=DESKERA,
        details=DESKERA_DETAILS,
    ),
    Dialect(
        name="achieveapex",
        document=wire.achieveapex_document,
        write=achieveapex.apply,
        expect=achieveapex_write,
        bodies=wire.achieveapex_bodies,
        respelt=wire.respelt_achieveapex,
        some_keys=wire.achieveapex_keys,
        ignored=wire.ACHIEVEAPEX_IGNORED,
        time_keys=wire.ACHIEVEAPEX_CLOCKS,
        touches=ACHIEVEAPEX,
        details=ACHIEVEAPEX_DETAILS,
    ),
)
BY_NAME = {dialect.name: dialect for dialect in DIALECTS}


def other(dialect: Dialect) -> Dialect:
    """Return the dialect that is not this one."""
    return DIALECTS[1 - DIALECTS.index(dialect)]


def changed(before: Activity, after: Activity) -> set[str]:
    """Return the canonical fields that differ."""
    pairs = zip(Activity._fields, before, after, strict=True)
    return {name for name, old, new in pairs if old != new}
