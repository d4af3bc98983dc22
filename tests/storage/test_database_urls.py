"""URLs of a database that name one host or several."""

import pytest
from sqlalchemy.engine import make_url

from core.storage.database import Database, driver_url


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgresql://u:p@h/crm", {"host": "h"}),
        ("postgres://u:p@h1:5432,h2:5433/crm", {"host": "h1,h2", "port": "5432,5433"}),
        ("postgresql://u:p@h1,h2:1/crm?sslmode=prefer", {"host": "h1,h2", "port": ",1"}),
    ],
)
def test_driver_is_told_all_hosts(url: str, expected: dict[str, str]):
    found = driver_url(url)
    _, named = found.get_dialect()().create_connect_args(found)
    assert {name: named.get(name) for name in expected} == expected
    assert (named["user"], named["password"], named["dbname"]) == ("u", "p", "crm")


@pytest.mark.one_server("the hosts that it names are directories of sockets")
def test_second_host_is_tried(database_url: str):
    host = str(make_url(database_url).query["host"])
    hosts = f"host=/nowhere,{host}&port=5432,5432&target_session_attrs=read-write"
    database = Database(f"postgresql://postgres@/crm?{hosts}")
    assert database.read("SELECT 1", {}) == [(1,)]
    database.close()
