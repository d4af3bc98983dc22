"""One gateway for all tests of what watches it, and what it shows."""

from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from support.gateway_process import served


@pytest.fixture(scope="session")
def gateway_port(
    database_url: str, redis_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[int]:
    """Give the port of a gateway on the shared servers."""
    environ = {"DATABASE_URL": database_url, "REDIS_URL": redis_url}
    log: Path = tmp_path_factory.mktemp("gateway") / "log"
    with served(environ, log=log) as port:
        yield port


@pytest.fixture(scope="session")
def exposition(gateway_port: int) -> str:
    """Give what /metrics shows once each kind of request was made."""
    connection = HTTPConnection("127.0.0.1", gateway_port, timeout=20)
    text = ""
    for path in ("/activities", "/v1/crm/activities", "/version", "/metrics"):
        connection.request("GET", path, headers={"x-api-key": "not a key"})
        text = connection.getresponse().read().decode()
    connection.close()
    return text


@pytest.fixture(scope="session")
def metric_names(exposition: str) -> set[str]:
    """Give the name of every series that the gateway exposes."""
    families = text_string_to_metric_families(exposition)
    return {sample.name for family in families for sample in family.samples}
