"""Schemathesis over both documents against the running gateway: what they say is what it does.

Each operation is called with its examples, with values at and beyond every bound of its schemas,
and with generated ones, good and bad. All checks of Schemathesis apply to every answer, but for
what `excluded` lists with its reasons. SCHEMATHESIS_EXAMPLES asks for more.
"""

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.config import SchemathesisConfig
from schemathesis.specs.openapi.checks import (
    negative_data_rejection,
    positive_data_acceptance,
    unsupported_method,
)
from support.callers import JWT_SECRET
from support.gateway_process import command, make_keys, served

DOCUMENTS = Path(__file__).parents[1] / "golden/gateway"
TENANT = 1201
USER = 45
ACTIVITIES = (1, 2, 81, 123, 124)  # Those of the documents' examples.
BAD, TOO_LONG = 400, 414
LENIENT = ("$limit", "$skip")  # Feathers reads what is no number as if it had not been sent.
RELATED = re.compile(
    # What is refused for the sake of another field, or of what is stored, no schema of one field
    # can say, nor the grammar of Deskera's conditions; and it takes 1.0 for an integer, which Go,
    # and so Deskera, does not.
    "before start|before the start|calendar|years that can be stored|exactly the text shown"
    "|one of call, |IANA time zone|the one that the query names|must be a whole number"
    "|length of time|^condition '"
)
EXAMPLES = int(os.environ.get("SCHEMATHESIS_EXAMPLES", "20"))


def document(dialect: str) -> Any:
    """Return the schema of a dialect's document; `test_golden` holds it to the published one."""
    config = SchemathesisConfig.from_dict(
        {
            "seed": 1,
            # A NUL in any text is 400, which no schema of a text says; `test_page_bounds` and
            # others send it.
            "generation": {"allow-x00": False},
            "checks": {
                # The longest texts fit into no URL beside others: that is told by its own status.
                "positive_data_acceptance": {
                    "expected-statuses": ["2xx", "3xx", 401, 403, 404, 409, 412, TOO_LONG]
                },
                "negative_data_rejection": {
                    "expected-statuses": [400, 401, 403, 404, 405, 409, 412, 413, TOO_LONG, 415]
                },
            },
        }
    )
    path = DOCUMENTS / f"openapi_{dialect}.json"
    schema = schemathesis.openapi.from_path(path, config=config)
    schema.auth()(Key)
    return schema


class Key:
    """The credential of all calls, in the header that comes first in both dialects' own order."""

    value = ""

    def get(self, _case: Any, _context: Any) -> str:
        """Return the key."""
        return Key.value

    def set(self, case: Any, data: str, _context: Any) -> None:
        """Name it in a call."""
        case.headers["x-api-key"] = data


DESKERA = document("deskera")
ACHIEVEAPEX = document("achieveapex")
BOUNDED = settings(
    max_examples=EXAMPLES,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="module")
def url(
    database_url: str, redis_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """Give the address of a gateway with the activities of the documents' examples."""
    environ = {
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "GATEWAY_JWT_SECRET": JWT_SECRET,
        "GATEWAY_LOG_LEVEL": "warning",
        "GATEWAY_FAILED_LOGIN_LIMIT": "1000000/minute",
    }
    records: list[dict[str, Any]] = [{"kind": "tenant", "id": TENANT, "name": "Schemas"}]
    records += [
        {"kind": "activity", "tenant_id": TENANT, "id": number, "created_by": USER}
        for number in ACTIVITIES
    ]
    command(environ, "import", "-", given="\n".join(map(json.dumps, records)).encode())
    Key.value = make_keys(database_url, user_id=USER, schemas=TENANT)["schemas"]["key"]
    with served(environ, log=tmp_path_factory.mktemp("schemas") / "log") as port:
        yield f"http://127.0.0.1:{port}"


def excluded(case: Any, response: Any) -> list[Any]:
    """Return the checks that an answer need not pass."""
    found = []
    if response.status_code == TOO_LONG or (case.method, case.path) == ("PUT", "/activities"):
        # The URL is judged before the method; and Feathers has a 400 of its own for this one.
        found.append(unsupported_method)
    if (
        response.status_code == BAD
        and reasons(response)
        and all(map(RELATED.search, reasons(response)))
    ):
        found.append(positive_data_acceptance)
    if any(not str((case.query or {}).get(name, 0)).isdigit() for name in LENIENT):
        found.append(negative_data_rejection)
    return found


def reasons(response: Any) -> list[str]:
    """Return why fields were refused, in the words of either dialect."""
    body = json.loads(response.content)
    named = body.get("errors") or body.get("data") or ()
    return [one.get("error") or one.get("message") for one in named]


@DESKERA.parametrize()
@BOUNDED
def test_deskera_does_as_documented(case: Any, url: str):
    response = case.call(base_url=url)
    case.validate_response(response, excluded_checks=excluded(case, response))


@ACHIEVEAPEX.parametrize()
@BOUNDED
def test_achieveapex_does_as_documented(case: Any, url: str):
    response = case.call(base_url=url)
    case.validate_response(response, excluded_checks=excluded(case, response))
