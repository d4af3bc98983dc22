"""The published documents, compared whole: a difference is a change that callers will see.

`make golden` writes them anew.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

GOLDEN = Path(__file__).parents[1] / "golden" / "gateway"
CASES = ("openapi_achieveapex", "openapi_deskera")


@pytest.mark.parametrize("case", CASES)
def test_published_document_is_as_reviewed(
    client: FlaskClient, assert_golden: Callable[[str, Any], None], case: str
):
    dialect = case.removeprefix("openapi_")
    document = client.get(f"/docs/{dialect}/openapi.json").json
    del document["info"]["version"]
    assert_golden(f"gateway/{case}.json", document)


def test_every_case_is_used():
    assert {path.stem for path in GOLDEN.glob("*.json")} == set(CASES)
