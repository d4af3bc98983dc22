"""The pages for people: what they say, load and are allowed to do."""

import re
from collections.abc import Callable

import pytest
from click.testing import CliRunner
from flask import Flask
from flask.testing import FlaskClient
from support.callers import JWT_SECRET, Demo
from support.no_exec import stay_here

from core.storage.credential_store import DEMO_KEY_ID, DEMO_TOKEN
from gateway.cli.program import main
from gateway.pages import POLICY

PAGES = ("/", "/docs", "/docs/", "/docs/deskera", "/docs/achieveapex/")


@pytest.mark.parametrize("path", PAGES)
def test_pages_are_for_browsers(client: FlaskClient, path: str):
    page = client.get(path, headers={"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"})
    assert (page.status_code, page.mimetype) == (200, "text/html")
    assert page.headers["Content-Security-Policy"] == POLICY


@pytest.mark.parametrize("path", PAGES)
def test_pages_obey_their_policy(client: FlaskClient, path: str):
    page = client.get(path).text
    assert "://" not in page
    assert not re.search(r"<script(?! src=)|<style| style=| on\w+=", page)
    loaded = re.findall(r'(?:src|rel="stylesheet" href)="([^"]+)"', page)
    assert loaded
    for asset in loaded:
        with client.get(asset) as answer:
            assert (asset, answer.status_code) == (asset, 200)


def test_start_page_links_what_there_is(client: FlaskClient):
    links = re.findall(r'<a href="([^"]+)"', client.get("/").text)
    assert links == ["/docs/deskera", "/docs/achieveapex", "/health/ready", "/metrics", "/version"]
    assert {client.get(link).status_code for link in links} == {200}


@pytest.mark.parametrize("accept", ["application/json", "text/html;q=0.5, application/json"])
def test_programs_get_json(client: FlaskClient, accept: str):
    body = client.get("/", headers={"Accept": accept}).json
    assert list(body["documents"]) == ["deskera", "achieveapex"]
    for document in body["documents"].values():
        assert client.get(document["openapi"]).json["info"]["title"] == document["title"]


@pytest.mark.parametrize("name", ["index.html", "../pages.py", "start.html", "LICENSE"])
def test_other_files_are_not_served(client: FlaskClient, name: str):
    assert client.get(f"/docs/assets/{name}").status_code == 404


def test_demo_fills_the_pages_in(make_app: Callable[..., Flask], demo: Demo):
    client = make_app(demo_token=demo.apex.key).test_client()
    told = client.get("/docs/demo.json").json
    assert (told["deskera"], told["achieveapex"]) == (DEMO_TOKEN, demo.apex.key)
    for path in (f"/v1/crm/activities/{told['activity_id']}", f"/activities/{told['activity_id']}"):
        headers = {"x-access-token": told["deskera"]}
        assert client.get(path, headers=headers).json["id"] == told["activity_id"]


@pytest.mark.parametrize("host", ["crm.example", "192.0.2.1:8000", "localhost.example", "[::"])
def test_other_hosts_are_told_nothing(client: FlaskClient, demo: Demo, host: str):
    assert client.get("/docs/demo.json", headers={"Host": host}).json == {}


def test_nothing_is_told_without_demo(app: Flask, client: FlaskClient, demo: Demo):
    app.extensions["credentials"].revoke(DEMO_KEY_ID)
    assert client.get("/docs/demo.json").json == {}


def test_pages_do_without_the_database(make_app: Callable[..., Flask]):
    client = make_app(database_url="postgresql://nobody@127.0.0.1:1/none").test_client()
    assert client.get("/").status_code == 200
    assert client.get("/docs/demo.json").json == {}


def test_pages_are_only_read(client: FlaskClient):
    assert client.post("/").status_code == 405


def test_run_hands_its_token_to_the_pages(
    database_url: str, monkeypatch: pytest.MonkeyPatch, demo: Demo
):
    given = {"DATABASE_URL": database_url, "REDIS_URL": "none", "GATEWAY_JWT_SECRET": JWT_SECRET}
    seen = stay_here(monkeypatch)
    for name, value in {**given, "GATEWAY_DEMO_TOKEN": "the token of another run"}.items():
        monkeypatch.setenv(name, value)
    banner = CliRunner().invoke(main, ["run"]).stdout
    assert f"Bearer {seen[0][1]['GATEWAY_DEMO_TOKEN']}'" in banner
    assert CliRunner().invoke(main, ["serve"]).exit_code == 0
    assert "GATEWAY_DEMO_TOKEN" not in seen[1][1]
