"""The API documents: every operation described, tried out as prefilled, refused as documented."""

from typing import Any
from urllib.parse import quote

import pytest
from flask.testing import FlaskClient
from support.callers import Demo, Home

DIALECTS = ("deskera", "achieveapex")
OPERATIONS = {"deskera": 7, "achieveapex": 6}
ALWAYS = {"401", "403", "429", "503"}
Operation = tuple[str, str, dict[str, Any]]


@pytest.fixture
def documents(client: FlaskClient) -> dict[str, dict[str, Any]]:
    """Give both documents."""
    return {name: client.get(f"/docs/{name}/openapi.json").json for name in DIALECTS}


def operations(document: dict[str, Any]) -> list[Operation]:
    """Return the method, path and description of every operation."""
    methods = ("get", "post", "put", "patch", "delete", "options", "head")
    return [
        (method, path, item[method])
        for path, item in document["paths"].items()
        for method in methods
        if method in item
    ]


def content(described: dict[str, Any]) -> dict[str, Any]:
    """Return what is said of a JSON body."""
    return described.get("content", {}).get("application/json", {})


def prefilled(path: str, operation: dict[str, Any]) -> tuple[str, Any]:
    """Return the path and body that a browsable page fills in by itself."""
    query = []
    for given in operation.get("parameters", ()):
        value = given.get("example", given["schema"].get("default"))
        if given["in"] == "path":
            path = path.replace(f"{{{given['name']}}}", str(value))
        elif given.get("style") == "deepObject":
            inner = given["schema"]["example"].items()
            query += [f"{quote(given['name'])}[{name}]={one}" for name, one in inner]
        elif value is not None:
            text = str(value).lower() if isinstance(value, bool) else str(value)
            query.append(f"{quote(given['name'])}={quote(text)}")
    return f"{path}?{'&'.join(query)}", content(operation.get("requestBody", {})).get("example")


@pytest.mark.parametrize("name", DIALECTS)
def test_documents_hold_offered_operations(documents: dict[str, Any], name: str):
    found = operations(documents[name])
    assert len(found) == OPERATIONS[name]
    for method, path, operation in found:
        assert operation["summary"], (method, path)
        assert operation["description"], (method, path)
        assert operation["operationId"], (method, path)
        success = min(operation["responses"])
        assert operation["responses"].keys() >= ALWAYS | {"400"}
        assert "X-Ignored-Fields" in operation["responses"][success]["headers"]
        assert ("413" in operation["responses"]) == ("requestBody" in operation)
        assert ("412" in operation["responses"]) == (
            path.endswith("{activity_id}") and method != "get"
        )


@pytest.mark.parametrize("name", DIALECTS)
def test_documented_failures_are_true(documents: dict[str, Any], name: str):
    for _, _, operation in operations(documents[name]):
        for status, response in operation["responses"].items():
            examples = content(response).get("examples", {})
            assert examples or not status.startswith("4")
            for cause, example in examples.items():
                assert example["value"]["code"] == int(status), (status, cause)


@pytest.mark.parametrize("name", DIALECTS)
def test_operations_work_as_prefilled(
    documents: dict[str, Any], demo: Demo, client: FlaskClient, name: str
):
    headers = (demo.deskera if name == "deskera" else demo.apex).headers
    last = ("delete", "bulkDelete")
    found = sorted(operations(documents[name]), key=lambda one: one[0] in last or last[1] in one[1])
    for method, path, operation in found:
        place, body = prefilled(path, operation)
        if name == "deskera" and path.endswith("bulkDelete"):
            body = [1]  # The id of its example was deleted by the operation before it.
        sent = {} if body is None else {"json": body}
        answer = client.open(place, method=method.upper(), headers=headers, **sent)
        expected = next(code for code in operation["responses"] if code.startswith("2"))
        assert answer.status_code == int(expected), (method, place, answer.text)


CAUSES = [
    ("deskera", "GET", "/v1/crm/activities", {}, "401", "missing"),
    ("deskera", "GET", "/v1/crm/activities", {}, "403", "scope"),
    ("achieveapex", "GET", "/activities", {}, "401", "missing"),
    ("achieveapex", "GET", "/activities/1", {}, "403", "scope"),
    ("deskera", "GET", "/v1/crm/activities/999", {}, "404", "unknown"),
    ("deskera", "POST", "/v1/crm/activities", {"data": b"x" * (2**20 + 1)}, "413", "body"),
    ("deskera", "POST", "/v1/crm/activities/bulkDelete", {"json": {}}, "400", "body"),
    ("deskera", "PATCH", "/v1/crm/activities/bulkUpdate", {"json": {"ids": []}}, "400", "ids"),
    ("achieveapex", "GET", "/activities/999", {}, "404", "unknown"),
    ("achieveapex", "GET", "/activities?colour=1", {}, "400", "column"),
    ("achieveapex", "GET", "/activities?organization_id=28", {}, "403", "organization"),
    ("achieveapex", "POST", "/activities", {"json": []}, "405", "many"),
    ("achieveapex", "PATCH", "/activities", {"json": {}}, "405", "many"),
    ("achieveapex", "PATCH", "/activities", {"json": {"ids": [], "done": True}}, "400", "ids"),
    ("achieveapex", "PATCH", "/activities/1", {"json": {"done": 1}}, "400", "field"),
]


@pytest.mark.parametrize(("name", "method", "path", "sent", "status", "cause"), CAUSES)
def test_failures_read_as_documented(
    documents: dict[str, Any],
    client: FlaskClient,
    tenant: Home,
    name: str,
    method: str,
    path: str,
    sent: dict[str, Any],
    status: str,
    cause: str,
):
    headers = tenant.caller(1).headers
    client.post("/v1/crm/activities", json={}, headers=headers)
    if cause == "missing":
        headers = {}
    if cause == "scope":
        headers = tenant.caller(1, "write").headers
    answer = client.open(path, method=method, headers=headers, **sent)
    assert answer.status_code == int(status)
    documented = [
        content(operation["responses"][status])["examples"][cause]["value"]
        for verb, _, operation in operations(documents[name])
        if verb.upper() == method
        and cause in content(operation["responses"].get(status, {})).get("examples", {})
    ]
    assert answer.json in documented
