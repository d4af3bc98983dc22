"""Who may see the console, for how long, and what its forms and headers refuse."""

import json
from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from support.callers import Home
from support.clock import Clock
from support.console_visitor import ADMIN, Visitor, admin_of

from core.storage.credential_store import DEMO_TOKEN, Credentials
from core.storage.database import Database
from core.storage.revocation_store import Revocations
from gateway.console.session_cookie import COOKIE

OVERVIEW = "/console/"


def cookie_of(visitor: Visitor) -> str:
    """Return the value of the session's cookie."""
    cookie = visitor.client.get_cookie(COOKIE, path="/console")
    assert cookie is not None
    return cookie.value


def test_console_is_off_unless_set(make_app: Callable[..., Flask]):
    client = make_app().test_client()
    assert client.get("/console/").status_code == 404
    assert client.get("/console/login").json["requestPath"] == "/console/login"


@pytest.mark.parametrize("path", ["/console", OVERVIEW, "/console/nothing"])
def test_strangers_are_sent_to_the_login(stranger: Visitor, path: str):
    response = stranger.get(path)
    assert response.status_code == 303
    assert response.location == f"/console/login?next={path}"


def test_parts_tell_strangers_to_log_in(stranger: Visitor):
    assert stranger.get(OVERVIEW, headers={"X-Partial": "1"}).status_code == 401


def test_admin_key_opens_the_console(app: Flask, tenant: Home):
    visitor = Visitor(app)
    response = visitor.log_in(tenant.caller(7, *ADMIN).key)
    assert (response.status_code, response.location) == (303, OVERVIEW)
    page = visitor.get(OVERVIEW)
    assert page.status_code == 200
    assert f"User 7 · tenant {tenant.id}" in page.text


def test_jwt_of_admins_opens_the_console(app: Flask, tenant: Home):
    visitor = Visitor(app)
    assert visitor.log_in(tenant.token(8, scope="admin")).status_code == 303
    assert "User 8" in visitor.get(OVERVIEW).text


def test_wanted_page_is_shown_after_login(app: Flask, tenant: Home):
    key = tenant.caller(1, *ADMIN).key
    for wanted, shown in (
        ("/console/nothing?a=1", "/console/nothing?a=1"),
        ("https://elsewhere.example/", OVERVIEW),
        ("//elsewhere.example/", OVERVIEW),
        ("/activities", OVERVIEW),
    ):
        visitor = Visitor(app)
        token = visitor.token("/console/login")
        response = visitor.client.post(
            "/console/login", query_string={"next": wanted}, data={"key": key, "csrf_token": token}
        )
        assert response.location == shown


def test_other_scopes_open_nothing(app: Flask, tenant: Home):
    visitor = Visitor(app)
    refused = visitor.log_in(tenant.caller(1, "read", "write", "directory").key)
    assert refused.status_code == 403
    assert "The credential lacks the scope admin." in refused.text
    assert visitor.get(OVERVIEW).status_code == 303


@pytest.mark.parametrize(
    ("key", "status"), [("", 400), ("  ", 400), ("nonsense", 401), (f"crm1x{'a' * 53}", 401)]
)
def test_bad_keys_are_told_beside_the_field(stranger: Visitor, key: str, status: int):
    refused = stranger.log_in(key)
    assert refused.status_code == status
    assert 'id="key-error" role="alert"' in refused.text
    assert not key.strip() or key not in refused.text


def test_demo_key_opens_nothing_from_elsewhere(stranger: Visitor):
    refused = stranger.log_in(DEMO_TOKEN, headers={"X-Forwarded-For": "10.1.2.3"})
    assert refused.status_code == 401


def test_failed_logins_are_limited_and_counted(make_app: Callable[..., Flask], tenant: Home):
    app = make_app(console=True, failed_login_limit="2/minute")
    visitor = Visitor(app)
    for _ in range(2):
        assert visitor.log_in("nonsense").status_code == 401
    refused = visitor.log_in(tenant.caller(1, *ADMIN).key)
    assert refused.status_code == 429
    assert int(refused.headers["Retry-After"]) >= 1
    metrics = visitor.get("/metrics").text
    assert 'credential_failures_total{reason="malformed"} 2.0' in metrics
    assert 'route="/console/login",status="429"' in metrics


def test_cookie_is_for_the_console_alone(app: Flask, tenant: Home):
    key = tenant.caller(1, *ADMIN).key
    cookie = Visitor(app).log_in(key).headers["Set-Cookie"]
    assert cookie.endswith("; HttpOnly; Path=/console; SameSite=Strict")
    assert key not in cookie
    by_tls = Visitor(app).get("/console/login", base_url="https://crm.example.com")
    assert "; Secure; HttpOnly; " in by_tls.headers["Set-Cookie"]


def test_sessions_are_good_at_every_worker(
    app: Flask, admin: Visitor, make_app: Callable[..., Flask]
):
    other = Visitor(make_app(console=True))
    other.client.set_cookie(COOKIE, cookie_of(admin), path="/console")
    assert other.get(OVERVIEW).status_code == 200


def test_new_jwt_secret_ends_sessions(admin: Visitor, make_app: Callable[..., Flask]):
    other = Visitor(make_app(console=True, jwt_secret="another secret of the tests' JWTs"))
    other.client.set_cookie(COOKIE, cookie_of(admin), path="/console")
    assert other.get(OVERVIEW).status_code == 303


def test_forged_sessions_open_nothing(app: Flask, admin: Visitor):
    value = cookie_of(admin)
    for forged in (value[:-2] + "xx", "." + value, json.dumps({"login": {}})):
        visitor = Visitor(app)
        visitor.client.set_cookie(COOKIE, forged, path="/console")
        assert visitor.get(OVERVIEW).status_code == 303


def test_session_never_outlives_its_time(admin: Visitor, clock: Clock):
    clock.now += timedelta(hours=7, minutes=59)
    assert admin.get(OVERVIEW).status_code == 200
    clock.now += timedelta(minutes=1)
    assert admin.get(OVERVIEW).location.endswith("ended=1")


def test_session_never_outlives_its_token(app: Flask, tenant: Home, clock: Clock):
    visitor = Visitor(app)
    visitor.log_in(tenant.token(scope="admin"))
    clock.now += timedelta(hours=1)
    assert visitor.get(OVERVIEW).status_code == 303


def test_revoked_key_ends_the_session(app: Flask, tenant: Home, database: Database, clock: Clock):
    visitor = Visitor(app)
    key = tenant.caller(1, *ADMIN).key
    visitor.log_in(key)
    assert Credentials(database, clock).revoke(key)
    assert visitor.get(OVERVIEW).status_code == 303
    assert "Your session has ended" in visitor.get("/console/login?ended=1").text


def test_revoked_jwt_ends_the_session(app: Flask, tenant: Home, database: Database):
    visitor = Visitor(app)
    visitor.log_in(tenant.token(scope="admin", jti="known"))
    assert visitor.get(OVERVIEW).status_code == 200
    assert Revocations(database).revoke(tenant.id, "known")
    assert visitor.get(OVERVIEW).status_code == 303


def test_logout_ends_copied_cookies(app: Flask, admin: Visitor):
    copied = cookie_of(admin)
    assert admin.submit("/console/logout").location == "/console/login"
    assert admin.get(OVERVIEW).status_code == 303
    thief = Visitor(app)
    thief.client.set_cookie(COOKIE, copied, path="/console")
    assert thief.get(OVERVIEW).status_code == 303


def test_login_begins_a_new_session(app: Flask, tenant: Home):
    visitor = Visitor(app)
    visitor.get("/console/login")
    before = cookie_of(visitor)
    visitor.log_in(tenant.caller(1, *ADMIN).key)
    with visitor.client.session_transaction(base_url="http://localhost/console/") as session:
        assert "csrf_token" not in session
    assert cookie_of(visitor) != before


@pytest.mark.parametrize("given", [{}, {"csrf_token": ""}, {"csrf_token": "IjEi.aaaa.bbbb"}])
def test_forms_of_others_are_refused(admin: Visitor, given: dict[str, str]):
    for path in ("/console/logout", "/console/login"):
        refused = admin.client.post(path, data=given)
        assert refused.status_code == 400
        assert "Load the page again" in refused.text
    assert admin.get(OVERVIEW).status_code == 200


def test_token_of_another_session_is_refused(app: Flask, tenant: Home, admin: Visitor):
    other = admin_of(app, tenant, user_id=2)
    refused = admin.client.post("/console/logout", data={"csrf_token": other.token(OVERVIEW)})
    assert refused.status_code == 400


def test_pages_are_kept_by_nobody(admin: Visitor):
    headers = admin.get(OVERVIEW).headers
    policy = headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Frame-Options"] == "DENY"


def test_errors_are_pages_with_an_id(admin: Visitor):
    for method, path in (("GET", "/console/nothing"), ("POST", "/console/nothing/here")):
        form = {"csrf_token": admin.token(OVERVIEW)}
        missing = admin.client.open(
            path, method=method, data=form, headers={"X-Request-Id": "<b>7"}
        )
        assert missing.status_code == 404
        assert "Request <code>&lt;b&gt;7</code>" in missing.text
        assert missing.headers["Content-Security-Policy"]


def test_unexpected_error_is_a_page(app: Flask, admin: Visitor, capfd: pytest.CaptureFixture[str]):
    def fail(**_parts: str) -> None:
        raise ZeroDivisionError("the inside")

    app.view_functions["console.missing"] = fail
    answer = admin.get("/console/nothing")
    assert (answer.status_code, answer.mimetype) == (500, "text/html")
    assert "inside" not in answer.text
    assert "ZeroDivisionError: the inside" in capfd.readouterr().out


def test_lost_database_is_told_on_a_page(make_app: Callable[..., Flask]):
    app = make_app(console=True, database_url="postgresql://nobody@127.0.0.1:1/none")
    response = app.test_client().get("/console/login")
    assert response.status_code == 503
    assert "The service is unavailable for the moment." in response.text
    assert response.headers["Retry-After"] == "1"


def test_assets_are_for_everybody(stranger: Visitor):
    for name in ("console.css", "console.js", "icon.svg"):
        with stranger.get(f"/console/assets/{name}") as response:
            assert response.status_code == 200
            assert "Set-Cookie" not in response.headers
            tag = response.headers["ETag"]
        with stranger.get(response.request.path, headers={"If-None-Match": tag}) as known:
            assert known.status_code == 304


def test_dialects_meet_no_session(client: FlaskClient, tenant: Home):
    response = client.get("/activities", headers=tenant.caller().headers)
    assert "Set-Cookie" not in response.headers
    assert "Cookie" not in response.headers["Vary"]


def test_requests_are_counted_and_logged(
    app: Flask, admin: Visitor, tenant: Home, capfd: pytest.CaptureFixture[str]
):
    admin.get(OVERVIEW)
    written = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    (line,) = [one for one in written if one.get("route") == OVERVIEW]
    assert (line["dialect"], line["tenant"], line["user"]) == ("console", tenant.id, 1)
    assert (
        'dialect="console",method="GET",route="/console/",status="200"'
        in admin.get("/metrics").text
    )
