"""The two declarations of fields: complete, true, and what `docs/fields.md` says."""

from typing import Any

import pytest
from hypothesis import given
from support.dialects import DIALECTS, Dialect
from support.field_table import PATH, document
from support.strategies import BLANK, records

from core.domain.model import Activity, Tenant
from gateway.console.field_rules import KEYS, rule_of

both = pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)


def test_document_is_up_to_date() -> None:
    assert PATH.read_text(encoding="utf-8") == document(), "run `make docs`"


@both
def test_declaration_holds_keys_in_wire_order(dialect: Dialect) -> None:
    shown = dialect.document(BLANK, Tenant(27, "Apex", "UTC", "UTC"))
    names = [key.wire for key in KEYS[dialect.name]]
    assert names == list(shown)[: len(names)]


@both
def test_declaration_tells_which_keys_can_be_written(dialect: Dialect) -> None:
    writable = {key.wire for key in KEYS[dialect.name] if key.is_writable}
    assert writable == set(dialect.touches)


@both
def test_declaration_names_fields_behind_keys(dialect: Dialect) -> None:
    for key in KEYS[dialect.name]:
        assert set(key.canonical) <= set(Activity._fields)
        # A key may move more than it stands for: Deskera's zone and duration move the ends.
        assert not key.is_writable or set(key.canonical) <= dialect.touches[key.wire]


@both
def test_fields_not_shown_are_known(dialect: Dialect) -> None:
    """Both lists are what the vendors' pages leave out of each dialect."""
    hidden = {name for name in Activity._fields if not rule_of(name, dialect.name).is_shown}
    assert hidden == HIDDEN[dialect.name]


HIDDEN = {
    "deskera": {"version", "public_description", "location", "location_geocoded"},
    "achieveapex": {
        "version",
        "timezone",
        "owner_id",
        "updated_by",
        "visibility",
        "is_availability",
        "is_send_invitation",
        "is_send_contacts_invitation",
        "source",
        "source_id",
        "email_sent",
        "consumer_id",
        "scheduled_status",
        "batch_id",
        "cron_status",
        "notification_error",
    },
}


@both
@given(one=records(), two=records())
def test_exact_keys_tell_values_apart(
    dialect: Dialect, one: tuple[Activity, Tenant], two: tuple[Activity, Tenant]
) -> None:
    """Two records show the same exactly when they hold the same."""
    (mine, tenant), (yours, _) = one, two
    left, right = dialect.document(mine, tenant), dialect.document(yours, tenant)
    for key in KEYS[dialect.name]:
        if key.fidelity.startswith("exact"):
            values = [getattr(which, key.canonical[0]) for which in (mine, yours)]
            assert (left[key.wire] == right[key.wire]) == same(*values), key


def same(mine: Any, theirs: Any) -> bool:
    """Return whether two values are one; in JSON, 0 and false are two."""
    return type(mine) is type(theirs) and bool(mine == theirs)


@pytest.mark.parametrize("name", ["deskera", "achieveapex"])
def test_other_keys_say_what_they_lose(name: str) -> None:
    words = {key.fidelity.split(":")[0].split(";")[0] for key in KEYS[name]}
    assert words <= {"exact", "lossy", "constant"}
