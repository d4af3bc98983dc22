"""One activity in three faces: found, read, and changed in either dialect."""

import re
import shlex
from html import unescape
from typing import Any

import pytest
from flask import Flask
from support.both_api import Both
from support.callers import Home
from support.console_visitor import ADMIN, Visitor
from werkzeug.test import TestResponse

from core.domain.model import Activity
from gateway.console.dialect_calls import Exchange
from gateway.console.field_rules import RULES

TEXT_AREA = re.compile(r'<textarea id="body-(\w+)"[^>]*>(.*?)</textarea>', re.DOTALL)
ETAG = re.compile(r'name="etag" value="([^"]*)"')
ROW = re.compile(r'<tr[^>]*>\s*<th scope="row"><code>(.*?)</code>(.*?)</tr>', re.DOTALL)
MARKED = re.compile("(Deskera|AchieveApex) only</span>")
DESKERA, APEX = "deskera", "achieveapex"


@pytest.fixture
def both(app: Flask, tenant: Home) -> Both:
    """Give a client of both dialects in the admin's tenant."""
    return Both(app.test_client(), tenant.caller(45).key)


class Faces:
    """The page of one activity."""

    def __init__(self, admin: Visitor, tenant: Home, activity_id: int) -> None:
        """Open it."""
        self.path = f"/console/activities/{tenant.id}/{activity_id}"
        self._admin = admin
        self.take(admin.get(self.path))

    def take(self, response: TestResponse) -> None:
        """Take in what the page says now."""
        self.status, self.text = response.status_code, response.text
        self.bodies = {name: unescape(body) for name, body in TEXT_AREA.findall(self.text)}
        self.etags = dict(zip(self.bodies, map(unescape, ETAG.findall(self.text)), strict=True))
        self.rows = {
            name.replace("<wbr>", ""): unescape(rest) for name, rest in ROW.findall(self.text)
        }

    def write(self, dialect: str, body: str, *, etag: str | None = None) -> None:
        """Send the form of a dialect."""
        fields = {"body": body, "etag": self.etags[dialect] if etag is None else etag}
        self.take(self._admin.submit(f"{self.path}/{dialect}", form=self.path, **fields))

    def changed(self) -> list[str]:
        """Return the fields that are marked as changed."""
        return [name for name, rest in self.rows.items() if ">changed</span>" in rest]


@pytest.fixture
def faces(admin: Visitor, tenant: Home, both: Both) -> Faces:
    """Give the page of an activity that both dialects show in full."""
    found = Faces(admin, tenant, both.make())
    assert found.status == 200
    return found


def search(admin: Visitor, text: str, **options: Any) -> TestResponse:
    """Return what the search says."""
    return admin.get("/console/activities", query_string={"text": text}, **options)


def test_text_finds_activities(admin: Visitor, both: Both):
    for name in ("Renew the contract", "Lunch", "contract <b>signed</b>"):
        both.deskera.create(name=name)
    text = search(admin, "CONTRACT").text
    assert "2 found" in text
    assert "Renew the contract" in text
    assert "contract &lt;b&gt;signed&lt;/b&gt;" in text
    assert "Lunch" not in text


def test_number_opens_the_activity(admin: Visitor, tenant: Home, both: Both):
    activity_id = both.make()
    response = search(admin, f" {activity_id} ")
    assert response.status_code == 303
    assert response.location == f"/console/activities/{tenant.id}/{activity_id}"


@pytest.mark.parametrize("text", ["nothing like it", "999999", "9" * 30, "%", "'"])
def test_search_says_that_nothing_is_there(admin: Visitor, both: Both, text: str):
    both.make()
    response = search(admin, text)
    assert response.status_code == 200
    assert "No activity of tenant" in response.text


def test_every_field_stands_in_three_faces(faces: Faces):
    assert list(faces.rows) == list(Activity._fields)
    subject = faces.rows["subject"]
    assert subject.count('"Call"') == 3
    assert ">name</code>" in subject
    assert "the first of an ordered list" in faces.rows["contact_ids"]


def test_fields_of_one_dialect_are_marked(faces: Faces):
    marked = {name: rest for name, rest in faces.rows.items() if MARKED.search(rest)}
    only = {name for name, rules in RULES.items() if sum(r.is_shown for r in rules.values()) == 1}
    assert marked.keys() == only
    assert "AchieveApex only" in faces.rows["location"]
    assert "Deskera only" in faces.rows["source_id"]


def test_edit_in_deskera_shows_in_the_other(faces: Faces):
    faces.write(DESKERA, '{"name": "Renamed", "is_status": true}')
    assert faces.status == 200
    assert faces.changed() == ["version", "subject", "completed", "updated_by"]
    assert '"subject": "Renamed"' in faces.bodies[APEX]
    assert '"done": true' in faces.bodies[APEX]


def test_edit_in_achieveapex_shows_in_the_other(faces: Faces):
    faces.write(APEX, faces.bodies[APEX].replace('"contact_id": 5', '"contact_id": 6'))
    assert faces.changed() == ["version", "contact_ids", "updated_by"]
    assert "[6,5]" in faces.rows["contact_ids"]
    assert re.search(r'"contact_ids": \[\s*6,\s*5\s*\]', faces.bodies[DESKERA])


@pytest.mark.parametrize("dialect", [DESKERA, APEX])
def test_unchanged_body_changes_nothing(faces: Faces, dialect: str):
    before = faces.etags[dialect]
    faces.write(dialect, faces.bodies[dialect])
    assert (faces.status, faces.changed()) == (200, [])
    assert faces.etags[dialect] == before


def test_stale_edit_is_refused(faces: Faces, both: Both):
    activity_id = int(faces.path.rpartition("/")[2])
    stale = faces.etags[DESKERA]
    both.patch(activity_id, subject="Somebody else's")
    faces.write(DESKERA, '{"name": "Mine"}', etag=stale)
    assert faces.status == 412
    assert "Load it again" in faces.text
    assert faces.bodies[DESKERA] == '{"name": "Mine"}'
    assert faces.etags[DESKERA] == stale
    assert both.apex("GET", f"/activities/{activity_id}").json["subject"] == "Somebody else's"


@pytest.mark.parametrize(
    ("dialect", "body", "told"),
    [
        (DESKERA, "{", "is not valid JSON"),
        (DESKERA, '{"is_status": 3}', "is_status"),
        (DESKERA, '{"notes": "?"}', "notes"),
        (APEX, "[]", "must be object"),
        (APEX, '{"colour": "red"}', "/colour"),
        (APEX, '{"organization_id": 1}', "organization"),
        (APEX, "", "is empty"),
    ],
)
def test_refusals_read_as_the_dialect_words_them(faces: Faces, dialect: str, body: str, told: str):
    faces.write(dialect, body)
    assert faces.status in (400, 403)
    assert "nothing was changed" in faces.text
    assert told in faces.text
    assert faces.bodies[dialect] == body


def test_commands_hold_no_credential(faces: Faces):
    faces.write(APEX, '{"subject": "It\'s <new>"}')
    found = re.findall(r'id="curl-\w+">(.*?)</code>', faces.text, re.DOTALL)
    commands = list(map(unescape, found))
    assert all("$CRM_KEY" in command for command in commands)
    assert "crm_console" not in "".join(commands)
    assert "-X PATCH" in commands[0]
    assert "If-Match" in commands[0]


def test_responses_stand_as_clients_get_them(faces: Faces, both: Both):
    path = f"/activities/{faces.path.rpartition('/')[2]}"
    response = both.apex("GET", path)
    shown = unescape(faces.text)
    assert f"ETag: {response.headers['ETag']}" in shown
    assert "Vary: x-access-token, x-api-key, Authorization" in shown
    assert response.text in shown


def test_what_it_names_can_be_followed(faces: Faces, tenant: Home):
    assert f'href="/console/directory/{tenant.id}/contact/5"' in faces.text
    assert "not in the directory" in faces.text


@pytest.mark.parametrize("dialect", [None, DESKERA, APEX])
def test_other_tenants_are_not_found(
    stranger: Visitor, faces: Faces, neighbour: Home, dialect: str | None
):
    stranger.log_in(neighbour.caller(45, *ADMIN).key)
    if dialect is None:
        response = stranger.get(faces.path)
    else:
        fields = {"body": '{"name": "Mine"}', "etag": "*"}
        response = stranger.submit(f"{faces.path}/{dialect}", **fields)
    assert response.status_code == 404
    assert "Call" not in response.text


def test_deleted_activities_are_not_found(admin: Visitor, tenant: Home, both: Both):
    activity_id = both.make()
    both.apex("DELETE", f"/activities/{activity_id}")
    assert admin.get(f"/console/activities/{tenant.id}/{activity_id}").status_code == 404
    assert search(admin, str(activity_id)).status_code == 200


def test_admin_scope_alone_is_enough(app: Flask, tenant: Home, both: Both):
    visitor = Visitor(app)
    visitor.log_in(tenant.caller(9, "admin").key)
    faces = Faces(visitor, tenant, both.deskera.create(name="Private", visibility_type="private"))
    faces.write(DESKERA, '{"name": "Seen"}')
    assert "subject" in faces.changed()


def test_forms_of_other_sites_change_nothing(admin: Visitor, faces: Faces, both: Both):
    fields = {"body": '{"name": "Forged"}', "etag": "*", "csrf_token": "forged"}
    assert admin.client.post(f"{faces.path}/{DESKERA}", data=fields).status_code == 400
    activity_id = faces.path.rpartition("/")[2]
    assert both.apex("GET", f"/activities/{activity_id}").json["subject"] == "Call"


def test_visitors_of_several_tenants_choose_one(
    app: Flask, tenant: Home, neighbour: Home, both: Both
):
    both.deskera.create(name="Only here")
    visitor = Visitor(app)
    ids = [tenant.id, neighbour.id]
    visitor.log_in(tenant.token(3, organization_id=ids, scope="admin"))
    for tenant_id, count in ((ids[0], 1), (ids[1], 0)):
        page = visitor.get(f"/console/activities?tenant_id={tenant_id}&text=Only+here")
        assert f"{count} found" in page.text
        assert f'<option value="{tenant_id}" selected>' in page.text


def test_command_and_response_can_be_taken_as_they_are():
    sent = '{"name": "It\'s \\"new\\""}'
    headers = [("ETag", '"2-a"'), ("Content-Type", "application/json")]
    url = "http://127.0.0.1/v1/crm/activities/81"
    exchange = Exchange(DESKERA, "PUT", url, {"If-Match": '"1-a"'}, sent, 200, headers, '{"id":81}')
    words = shlex.split(exchange.curl.replace(" \\\n", " "))
    assert words[:5] == ["curl", "-sS", "-i", "-X", "PUT"]
    assert words[5:] == [
        url,
        "-H",
        "x-access-token: $CRM_KEY",
        "-H",
        'If-Match: "1-a"',
        "--data-raw",
        sent,
    ]
    assert exchange.raw_response.splitlines() == [
        "HTTP/1.1 200 OK",
        'ETag: "2-a"',
        "Content-Type: application/json",
        "",
        '{"id":81}',
    ]
