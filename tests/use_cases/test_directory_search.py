"""The directory as people search it: by text, by number, and for what names an entity."""

from typing import Any

import pytest
from support.callers import Home

from core.directory_entries import DirectoryEntries
from core.domain.entity import ENTITY_KINDS, EntityRef
from core.domain.errors import Forbidden, ForeignTenant
from core.domain.model import Principal
from core.storage.database import Database

ENTITIES: dict[EntityRef, dict[str, Any]] = {
    ("user", 1): {"first_name": "Ada", "last_name": "Lovelace", "email": "ada@example.com"},
    ("contact", 7): {"name": "Grace Hopper", "phone": "555-0100", "company_id": 9},
    ("contact", 8): {"name": "100% Ünal_Söhne"},
    ("company", 9): {"name": "Grace & Sons", "website": "https://grace.example"},
    ("deal", 10): {"name": "Compiler", "contact_id": 7, "company_id": 9, "owner_id": 1},
}


@pytest.fixture
def entries(database: Database) -> DirectoryEntries:
    """Give the use cases."""
    return DirectoryEntries(database)


@pytest.fixture
def reader(entries: DirectoryEntries, tenant: Home) -> Principal:
    """Give who may read the directory of a tenant that has some."""
    reader = Principal(1, (tenant.id,), frozenset({"directory"}))
    for ref, fields in ENTITIES.items():
        entries.put(reader, ref, fields)
    return reader


@pytest.mark.parametrize(
    ("text", "refs"),
    [
        ("grace", [("company", 9), ("contact", 7)]),
        ("ADA LOVE", [("user", 1)]),
        ("example", [("company", 9), ("user", 1)]),
        ("555-", [("contact", 7)]),
        ("10", [("deal", 10), ("contact", 7), ("contact", 8)]),
        ("0%", [("contact", 8)]),
        ("l_S", [("contact", 8)]),
        ("Ünal", [("contact", 8)]),
        ("nobody", []),
        ("", sorted(ENTITIES)),
    ],
)
def test_text_and_number_find_entities(
    entries: DirectoryEntries, reader: Principal, text: str, refs: list[EntityRef]
):
    found = entries.find(reader, text, kinds=ENTITY_KINDS, limit=50)
    assert [entity.ref for entity in found] == refs


def test_search_keeps_to_kinds_and_limit(entries: DirectoryEntries, reader: Principal):
    found = entries.find(reader, "", kinds=["contact"], limit=1)
    assert [entity.ref for entity in found] == [("contact", 7)]


def test_removed_entities_are_not_found(entries: DirectoryEntries, reader: Principal):
    entries.remove(reader, ("contact", 7))
    assert entries.find(reader, "Hopper", kinds=ENTITY_KINDS, limit=50) == []


@pytest.mark.parametrize(
    ("ref", "names"),
    [
        (("contact", 7), [("deal", 10)]),
        (("company", 9), [("contact", 7), ("deal", 10)]),
        (("user", 1), [("deal", 10)]),
        (("deal", 10), []),
    ],
)
def test_naming_finds_deals_and_contacts(
    entries: DirectoryEntries, reader: Principal, ref: EntityRef, names: list[EntityRef]
):
    assert [entity.ref for entity in entries.naming(reader, ref, limit=50)] == names


def test_search_sees_own_tenant_only(entries: DirectoryEntries, reader: Principal):
    stranger = Principal(1, (reader.tenant_ids[0] + 1,), frozenset({"directory"}))
    assert entries.find(stranger, "Grace", kinds=ENTITY_KINDS, limit=50) == []
    with pytest.raises(ForeignTenant):
        entries.find(
            stranger, "Grace", kinds=ENTITY_KINDS, limit=50, tenant_id=reader.tenant_ids[0]
        )


def test_search_needs_its_scope(entries: DirectoryEntries, reader: Principal):
    with pytest.raises(Forbidden):
        entries.naming(Principal(1, reader.tenant_ids, frozenset({"read"})), ("user", 1), limit=5)
