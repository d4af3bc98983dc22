"""TLS with real certificates to PostgreSQL and to Redis; clients find it at a proxy."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from click.testing import CliRunner
from redis import ConnectionError as RedisConnectionError
from support.certificates import Certificates, make_certificates, spoken_before

from core.caching.redis_cache import RedisCache
from core.domain.errors import Unavailable
from core.storage.database import Database
from gateway.cli.program import main

ON_ITS_SOCKET = pytest.mark.one_server("the proxy that speaks TLS looks for the server's socket")


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Give certificates of an authority that nobody else trusts."""
    return make_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def postgres_port(database_url: str, certificates: Certificates) -> Iterator[int]:
    """Give the port of PostgreSQL behind TLS."""
    parts = parse_qs(urlsplit(database_url).query)
    path = f"{unquote(parts['host'][0])}/.s.PGSQL.{parts['port'][0]}"
    with spoken_before(path, certificates, postgres=True) as port:
        yield port


@ON_ITS_SOCKET
@pytest.mark.parametrize("mode", ["require", "verify-ca", "verify-full"])
def test_postgres_is_reached_by_tls(postgres_port: int, certificates: Certificates, mode: str):
    query = f"sslmode={mode}&sslrootcert={certificates.authority}"
    database = Database(f"postgresql://postgres@localhost:{postgres_port}/crm?{query}")
    assert database.read("SELECT 1", {}) == [(1,)]
    with database.transaction() as connection:
        driver = connection.connection.driver_connection
        assert driver is not None
        assert driver.pgconn.ssl_in_use
    database.close()


@ON_ITS_SOCKET
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_wrong_postgres_is_refused(
    postgres_port: int, certificates: Certificates, tmp_path: Path, host: str
):
    """By its name, or by an authority that is not the one that was named."""
    trusted = certificates if host == "127.0.0.1" else make_certificates(tmp_path)
    query = f"sslmode=verify-full&sslrootcert={trusted.authority}"
    database = Database(f"postgresql://postgres@{host}:{postgres_port}/crm?{query}")
    with pytest.raises(Unavailable):
        database.read("SELECT 1", {})
    database.close()


def test_redis_is_reached_by_tls(redis_url: str, certificates: Certificates, tmp_path: Path):
    parts = urlsplit(redis_url)
    with spoken_before(unquote(parts.path), certificates, postgres=False) as port:
        url = f"rediss://:{parts.password}@localhost:{port}?ssl_ca_certs="
        cache = RedisCache(url + str(certificates.authority), deadline_ms=2000)
        cache.set_many({"tls": b"1"})
        assert cache.get_many(["tls"]) == [b"1"]
        stranger = make_certificates(tmp_path)
        with pytest.raises(RedisConnectionError, match="CERTIFICATE_VERIFY_FAILED"):
            RedisCache(url + str(stranger.authority), deadline_ms=2000).ping()


@pytest.mark.parametrize(("host", "count"), [("0.0.0.0", 1), ("127.0.0.1", 0)])
def test_serving_others_expects_a_proxy(
    database_url: str, monkeypatch: pytest.MonkeyPatch, host: str, count: int
):
    monkeypatch.setattr("os.execve", lambda *_: None)
    monkeypatch.setattr("gateway.cli.service.demo_key_is_active", lambda *_: False)
    environment = {"DATABASE_URL": database_url, "REDIS_URL": "none"}
    result = CliRunner().invoke(main, ["serve", "--host", host], env=environment)
    assert (result.exit_code, result.stderr.count("put a proxy")) == (0, count)
