"""The pages of records in a browser: an operator's way through them, and how they are judged."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page
from support.browser import SCHEMES, WIDTHS, Visit, visit

from core.storage.credential_store import parse_key
from core.storage.database import Database
from core.transfer.importer import import_lines

RECORDS = [
    {"kind": "user", "id": 45, "first_name": "Ada", "last_name": "Lovelace"},
    {"kind": "contact", "id": 5, "name": "Grace Hopper", "email": "grace@example.com"},
    {"kind": "activity", "id": 81, "subject": "Call Grace", "contact_ids": [5], "owner_id": 45},
]
GOOD = {"kind": "activity", "id": 90, "subject": "Out of a file"}
BAD = {"kind": "activity", "id": 91, "colour": "red"}
IMPORTS = "/console/directory/imports"
ENDED_MILLISECONDS = 30_000


@pytest.fixture
def tenant_id(admin_key: str, database_url: str) -> int:
    """Give the admin's tenant, with some records."""
    names = parse_key(admin_key)
    assert names is not None
    database = Database(database_url)
    lines = [json.dumps(record).encode() for record in RECORDS]
    import_lines(database, lines, tenant_id=names[0])
    database.close()
    return names[0]


@pytest.fixture
def visited(browser: Browser, console_url: str, admin_key: str) -> Iterator[Visit]:
    """Give an admin's window; nothing goes wrong in it and nothing is asked elsewhere."""
    with visit(browser, console_url) as visited:
        visited.log_in(admin_key)
        yield visited
        assert visited.errors == []
        assert visited.foreign_requests() == []


def body_of(page: Page, dialect: str) -> str:
    """Return what stands in a dialect's form."""
    return page.locator(f"#body-{dialect}").input_value()


def test_operator_edits_one_face_and_sees_the_other(visited: Visit, tenant_id: int):
    page = visited.page
    visited.open("/console/activities")
    page.get_by_label("Id, or text of the subject").fill("call")
    page.keyboard.press("Enter")
    page.get_by_role("link", name="Activity 81").click()
    body = body_of(page, "achieveapex").replace("Call Grace", "Call Grace again")
    page.locator("#body-achieveapex").fill(body)
    page.get_by_role("button", name="Write as AchieveApex").click()
    page.get_by_text("Written as AchieveApex").wait_for()
    assert '"name": "Call Grace again"' in body_of(page, "deskera")
    body = body_of(page, "deskera").replace('"is_status": false', '"is_status": true')
    page.locator("#body-deskera").fill(body)
    page.get_by_role("button", name="Write as Deskera").click()
    page.get_by_text("Written as Deskera").wait_for()
    assert '"done": true' in body_of(page, "achieveapex")
    assert page.url.startswith(f"{visited.base}/console/activities/{tenant_id}/81/")


def test_directory_leads_to_what_shows_it(visited: Visit, tenant_id: int):
    page = visited.page
    visited.open("/console/directory")
    page.get_by_label("Name, e-mail").fill("hopper")
    page.keyboard.press("Enter")
    page.get_by_role("link", name="Grace Hopper").click()
    page.get_by_role("heading", name="Shown by 1 activity").wait_for()
    page.get_by_role("link", name="Activity 81").click()
    page.wait_for_url(f"{visited.base}/console/activities/{tenant_id}/81")


@pytest.mark.usefixtures("tenant_id")
@pytest.mark.parametrize(
    ("records", "heading", "told"),
    [
        ([GOOD], "Done", "1 records were imported"),
        ([GOOD, BAD], "Refused", "colour: is not a field"),
    ],
    ids=["good", "bad"],
)
def test_operator_imports_a_file(
    visited: Visit, tmp_path: Path, records: list[dict[str, object]], heading: str, told: str
):
    file = tmp_path / "records.ndjson"
    file.write_text("".join(json.dumps(record) + "\n" for record in records))
    page = visited.page
    visited.open(IMPORTS)
    page.get_by_label("File").set_input_files(file)
    page.get_by_role("button", name="Import").click()
    page.get_by_role("heading", name=heading, exact=True).wait_for(timeout=ENDED_MILLISECONDS)
    assert told in page.locator("#job").inner_text()
    assert visited.violations() == []


def test_operator_exports_a_tenant(visited: Visit, tenant_id: int):
    visited.open(IMPORTS)
    with visited.page.expect_download() as waiting:
        visited.page.get_by_role("link", name="Export as NDJSON").click()
    lines = waiting.value.path().read_text().splitlines()
    assert re.fullmatch(rf"tenant-{tenant_id}-[\d-]+\.ndjson", waiting.value.suggested_filename)
    assert [json.loads(line)["kind"] for line in lines] == ["tenant", "user", "contact", "activity"]


@pytest.mark.parametrize("scheme", SCHEMES)
def test_pages_fit_every_window(
    browser: Browser, console_url: str, admin_key: str, tenant_id: int, scheme: str
):
    paths = [
        "/console/activities",
        f"/console/activities/{tenant_id}/81",
        "/console/directory",
        f"/console/directory/{tenant_id}/contact/5",
        IMPORTS,
    ]
    with visit(browser, console_url, scheme=scheme) as visited:
        visited.log_in(admin_key)
        for path in paths:
            visited.open(path)
            for width in WIDTHS:
                visited.page.set_viewport_size({"width": width, "height": 900})
                assert visited.overflow() == 0, (path, width)
            assert visited.violations() == [], path
        assert visited.errors == []
        assert visited.foreign_requests() == []
