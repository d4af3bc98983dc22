"""A gateway below a path of a proxy's: who may say so, and what leads back there."""

import http.client
import json
from collections.abc import Iterator
from contextlib import closing
from typing import NamedTuple
from urllib.parse import urlencode, urlsplit

import pytest
from support.browser import chromium
from support.console_visitor import ADMIN, TOKEN
from support.gateway_process import served

from core.domain.model import Tenant
from core.storage.credential_store import Credentials
from core.storage.database import Database
from core.storage.tenant_store import Tenants

TENANT_ID = 3_100_001
PREFIXES = ({"X-Forwarded-Prefix": "/crm"}, {"SCRIPT_NAME": "/crm"})
MALFORMED = ("crm", "//evil.example", "/crm/../x", '/"><script>', "/a b", "/" + 300 * "x", "/")


class Answer(NamedTuple):
    """What came back."""

    status: int
    headers: dict[str, str]
    text: str


def call(port: int, path: str, *, body: str = "", **headers: str) -> Answer:
    """Send a GET, or a form."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
        if body:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        connection.request("POST" if body else "GET", path, body=body or None, headers=headers)
        answer = connection.getresponse()
        return Answer(answer.status, dict(answer.getheaders()), answer.read().decode())


def call_from(port: int, source: str, path: str, **headers: str) -> int:
    """Send a GET from another address of this machine; return the status."""
    address = ("127.0.0.1", port)
    connection = http.client.HTTPConnection(*address, timeout=10, source_address=(source, 0))
    with closing(connection):
        connection.request("GET", path, headers=headers)
        return connection.getresponse().status


@pytest.fixture(scope="module")
def port(
    database_url: str, redis_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[int]:
    """Give a gateway with the console behind a proxy at 127.0.0.1, and at no other address."""
    environ = {
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "GATEWAY_CONSOLE": "true",
        "GATEWAY_TRUSTED_PROXIES": "127.0.0.1/32",
    }
    with served(environ, log=tmp_path_factory.mktemp("mounted") / "log", workers=1) as port:
        yield port


@pytest.fixture(scope="module")
def key(database_url: str) -> str:
    """Give an admin key."""
    with closing(Database(database_url)) as database:
        Tenants(database).create(Tenant(TENANT_ID, "Mounted", "UTC", "UTC"))
        return Credentials(database).create(tenant_id=TENANT_ID, user_id=1, scopes=ADMIN)


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize("path", ["/version", "/health/live", "/health/ready", "/docs/deskera"])
def test_path_may_carry_the_prefix(port: int, prefix: dict[str, str], path: str):
    assert [call(port, before + path, **prefix).status for before in ("/crm", "")] == [200, 200]
    assert call(port, f"/crmx{path}", **prefix).status == 404


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize("path", ["/version", "/health/live", "/metrics"])
def test_strangers_mount_nothing(port: int, prefix: dict[str, str], path: str):
    assert call_from(port, "127.0.0.2", f"/crm{path}", **prefix) == 404
    assert call_from(port, "127.0.0.2", path, **prefix) == 200


def test_clients_of_a_proxy_reach_no_metrics(port: int):
    passed_on = {"X-Forwarded-Prefix": "/crm"}
    for path in ("/crm/metrics", "/crm/metrics/", "/crm//metrics", "/crm/crm/metrics"):
        assert call(port, path, **passed_on).status == 404
    assert call(port, "/crm/metrics", SCRIPT_NAME="/crm").status == 200


@pytest.mark.parametrize("prefix", MALFORMED)
def test_malformed_prefix_is_ignored(port: int, prefix: str):
    page = call(port, "/docs", Accept="text/html", **{"X-Forwarded-Prefix": prefix})
    assert page.status == 200
    assert 'href="/docs/deskera"' in page.text


def test_last_proxy_says_the_prefix(port: int):
    page = call(port, "/docs", Accept="text/html", **{"X-Forwarded-Prefix": "/far, /near/"})
    assert 'href="/near/docs/deskera"' in page.text


def test_pages_lead_below_the_prefix(port: int):
    prefix = {"X-Forwarded-Prefix": "/crm"}
    page = call(port, "/crm", Accept="text/html", **prefix).text
    assert 'href="/crm/docs/assets/start.css"' in page
    assert '="/docs' not in page
    overview = json.loads(call(port, "/crm/", Accept="application/json", **prefix).text)
    assert overview["documents"]["deskera"]["openapi"] == "/crm/docs/deskera/openapi.json"
    assert overview["metrics"] == "/crm/metrics"


def test_document_names_the_mounted_server(port: int):
    path = "/docs/deskera/openapi.json"
    mounted = json.loads(call(port, f"/crm{path}", **PREFIXES[0]).text)
    plain = json.loads(call(port, path).text)
    assert mounted == plain | {"servers": [{"url": "/crm"}]}


def test_dialects_answer_below_the_prefix(port: int, key: str):
    path = "/activities?$limit=1"
    answers = [
        call(port, "/crm" + path, **PREFIXES[0], **{"x-api-key": key}),
        call(port, path, **PREFIXES[1], **{"x-api-key": key}),
        call(port, path, **{"x-api-key": key}),
    ]
    assert {(answer.status, answer.text) for answer in answers} == {(200, answers[0].text)}
    assert (
        json.loads(call(port, "/crm/activities", **PREFIXES[0]).text)["name"] == "NotAuthenticated"
    )


def test_refusals_know_the_dialect_below_the_prefix(port: int):
    refused = call(
        port, "/crm/activities", **PREFIXES[0], Expect="nothing", **{"Content-Length": "0"}
    )
    assert refused.status == 417
    assert json.loads(refused.text)["className"]


def test_console_stays_below_the_prefix(port: int, key: str):
    prefix = {"X-Forwarded-Prefix": "/crm"}
    away = call(port, "/crm/console/credentials", **prefix)
    assert away.headers["Location"].startswith("/crm/console/login?next=")
    form = call(port, away.headers["Location"], **prefix)
    cookie = form.headers["Set-Cookie"]
    assert "Path=/crm/console" in cookie
    fields = urlencode({"csrf_token": TOKEN.findall(form.text)[-1], "key": key})
    session = {**prefix, "Cookie": cookie.partition(";")[0]}
    entered = call(port, away.headers["Location"], body=fields, **session)
    assert (entered.status, entered.headers["Location"]) == (303, "/crm/console/credentials")
    session["Cookie"] = entered.headers["Set-Cookie"].partition(";")[0]
    page = call(port, entered.headers["Location"], **session)
    assert page.status == 200
    assert 'href="/crm/console/' in page.text
    assert '="/console' not in page.text


def test_pages_load_everything_below_the_prefix(port: int):
    wanted: list[str] = []
    with chromium() as browser:
        context = browser.new_context(extra_http_headers={"X-Forwarded-Prefix": "/crm"})
        page = context.new_page()
        page.on("request", lambda request: wanted.append(urlsplit(request.url).path))
        page.goto(f"http://127.0.0.1:{port}/crm/docs/deskera")
        page.get_by_text("/v1/crm/activities", exact=True).first.wait_for()
        page.goto(f"http://127.0.0.1:{port}/crm/docs")
        page.get_by_label("Credential").fill("none")
        page.get_by_label("Activity").fill("7")
        page.get_by_role("button", name="Show").click()
        page.get_by_text("GET /crm/activities/7: 401").wait_for()
    assert {"/crm/docs/deskera/openapi.json", "/crm/docs/demo.json"} <= set(wanted)
    assert [path for path in wanted if not path.startswith("/crm/")] == []
