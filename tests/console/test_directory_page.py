"""The directory for people: what a text finds, and what shows one entity."""

from typing import Any

import pytest
from flask import Flask
from support.both_api import Both
from support.callers import Home
from support.console_visitor import ADMIN, Visitor

from core.directory_entries import DirectoryEntries
from core.domain.model import Principal
from core.storage.database import Database

PATH = "/console/directory"


@pytest.fixture
def directory(database: Database, tenant: Home) -> None:
    """Fill the directory of the test's tenant."""
    writer = Principal(1, (tenant.id,), frozenset({"directory"}))
    entries = DirectoryEntries(database)
    entities: dict[tuple[str, int], dict[str, Any]] = {
        ("user", 45): {"first_name": "Ada", "last_name": "Lovelace", "email": "a@example.com"},
        ("contact", 5): {"name": "Grace <Hopper>", "phone": "555-0100", "company_id": 9},
        ("company", 9): {"name": "Navy"},
        ("deal", 12): {"name": "Compiler", "contact_id": 5, "custom_fields": [{"code": "x"}]},
    }
    for ref, fields in entities.items():
        entries.put(writer, ref, fields)


@pytest.fixture
def both(app: Flask, tenant: Home) -> Both:
    """Give a client of both dialects in the admin's tenant."""
    return Both(app.test_client(), tenant.caller(45).key)


@pytest.mark.usefixtures("directory")
def test_text_finds_entities(admin: Visitor, tenant: Home):
    text = admin.get(f"{PATH}?text=hopper").text
    assert f'href="{PATH}/{tenant.id}/contact/5"' in text
    assert "Grace &lt;Hopper&gt;" in text
    assert "Ada" not in text


@pytest.mark.usefixtures("directory")
def test_kind_narrows_what_is_found(admin: Visitor):
    text = admin.get(f"{PATH}?kind=deal").text
    assert "Compiler" in text
    assert "Navy" not in text


@pytest.mark.parametrize("query", ["text=nobody", "kind=deal"])
def test_empty_directory_says_so(admin: Visitor, query: str):
    text = admin.get(f"{PATH}?{query}").text
    assert 'class="empty"' in text


@pytest.mark.usefixtures("directory")
def test_entity_tells_what_shows_it(admin: Visitor, tenant: Home, both: Both):
    activity_id = both.make()
    text = admin.get(f"{PATH}/{tenant.id}/contact/5").text
    assert "Shown by 1 activity" in text
    assert f'href="/console/activities/{tenant.id}/{activity_id}"' in text
    assert f'href="{PATH}/{tenant.id}/deal/12"' in text
    assert f'href="{PATH}/{tenant.id}/company/9"' in text


@pytest.mark.usefixtures("directory")
@pytest.mark.parametrize(
    "ref", ["user/45", "user/9", "user/44", "company/4", "deal/12", "contact/6"]
)
def test_every_reference_counts(admin: Visitor, tenant: Home, both: Both, ref: str):
    both.make()
    assert "Shown by 1 activity" in admin.get(f"{PATH}/{tenant.id}/{ref}").text


def test_what_is_only_named_has_a_page(admin: Visitor, tenant: Home, both: Both):
    both.make()
    text = admin.get(f"{PATH}/{tenant.id}/contact/5").text
    assert "The directory does not know it" in text
    assert "Shown by 1 activity" in text


@pytest.mark.usefixtures("directory")
def test_number_of_activities_costs_no_statements(
    admin: Visitor, tenant: Home, both: Both, statements: list[str]
):
    for _ in range(3):
        both.make()
    statements.clear()
    admin.get(f"{PATH}/{tenant.id}/contact/5")
    assert sum("FROM activities WHERE" in sql for sql in statements) == 2  # A count and a page.


@pytest.mark.usefixtures("directory")
def test_other_tenants_directory_is_not_found(stranger: Visitor, tenant: Home, neighbour: Home):
    stranger.log_in(neighbour.caller(1, *ADMIN).key)
    assert stranger.get(f"{PATH}/{tenant.id}/contact/5").status_code == 404
    assert stranger.get(f"{PATH}?tenant_id={tenant.id}").status_code == 404
    assert "Hopper" not in stranger.get(f"{PATH}?text=Grace").text


@pytest.mark.parametrize("path", [f"{PATH}/1/planet/5", f"{PATH}/1/user/{2**60}"])
def test_what_cannot_be_is_not_found(admin: Visitor, path: str):
    assert admin.get(path).status_code == 404
