"""Rate limits: what is refused, in whose words, and who counts."""

import hmac
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from redis import Redis, RedisCluster, RedisError
from support.callers import Home
from support.own_servers import OwnServer
from support.redis_cluster import redis_cluster
from werkzeug.test import TestResponse

from gateway.auth.rate_limits import CREDENTIAL, RateLimits
from gateway.settings import Settings

DESKERA, APEX = "/v1/crm/activities", "/activities"
BAD_KEY = "crm27xabcdefgh27" + "a" * 43
MakeApp = Callable[..., Flask]


def last_of(client: FlaskClient, count: int, path: str = APEX, **headers: str) -> TestResponse:
    """Make equal requests; return the last response."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return [client.get(path, headers=named) for _ in range(count)][-1]


def test_nothing_is_limited_by_default(app: Flask, tenant: Home):
    response = last_of(app.test_client(), 30, x_api_key=tenant.caller().key)
    assert response.status_code == 200
    assert not [name for name, _ in response.headers if name.startswith("RateLimit")]


def test_feathers_clients_read_the_refusal(make_app: MakeApp, tenant: Home):
    client, key = make_app(credential_rate_limit="3/minute").test_client(), tenant.caller().key
    allowed = last_of(client, 3, x_api_key=key)
    assert (allowed.status_code, allowed.headers["RateLimit-Remaining"]) == (200, "0")
    assert "RateLimit-Remaining" in allowed.headers["Access-Control-Expose-Headers"]
    refused = client.get(APEX, headers={"x-api-key": key})
    seconds = int(refused.headers["Retry-After"])
    assert 1 <= seconds <= 120
    assert refused.status_code == 429
    assert refused.json == {
        "name": "TooManyRequests",
        "message": "Too many requests: at most 3 per 1 minute for each credential. "
        f"Try again in {seconds} s.",
        "code": 429,
        "className": "too-many-requests",
    }


def test_deskera_clients_read_the_refusal(make_app: MakeApp, tenant: Home):
    client, key = make_app(credential_rate_limit="2/minute").test_client(), tenant.caller().key
    refused = last_of(client, 3, DESKERA, x_access_token=key)
    assert (refused.status_code, refused.json["httpStatus"]) == (429, "TOO_MANY_REQUESTS")
    assert refused.json["code"] == 429
    assert refused.headers["RateLimit-Policy"] == "2;w=60"
    assert (refused.headers["RateLimit-Limit"], refused.headers["RateLimit-Remaining"]) == (
        "2",
        "0",
    )
    assert refused.headers["RateLimit-Reset"] == refused.headers["Retry-After"]


def test_directory_tells_of_the_limit(make_app: MakeApp, tenant: Home):
    client = make_app(credential_rate_limit="2/minute").test_client()
    key = tenant.caller(1, "directory").key
    refused = last_of(client, 3, "/directory/contact/7", x_api_key=key)
    assert (refused.status_code, refused.json["code"]) == (429, 429)
    assert refused.headers["RateLimit-Reset"] == refused.headers["Retry-After"]


def test_credentials_are_counted_apart(make_app: MakeApp, tenant: Home):
    client = make_app(credential_rate_limit="2/minute").test_client()
    assert last_of(client, 3, x_api_key=tenant.caller(1).key).status_code == 429
    assert last_of(client, 2, x_api_key=tenant.caller(2).key).status_code == 200


def test_tenant_shares_one_limit(make_app: MakeApp, tenant: Home):
    client = make_app(tenant_rate_limit="3/minute", credential_rate_limit="9/minute").test_client()
    tightest = last_of(client, 2, x_api_key=tenant.caller(1).key)
    assert tightest.headers["RateLimit-Limit"] == "3"
    assert last_of(client, 2, x_access_token=tenant.token(2)).status_code == 429


def test_workers_count_together(make_app: MakeApp, tenant: Home):
    key = tenant.caller().key
    first, second = (make_app(credential_rate_limit="3/minute") for _ in range(2))
    assert last_of(first.test_client(), 2, x_api_key=key).status_code == 200
    assert last_of(second.test_client(), 2, x_api_key=key).status_code == 429


def test_workers_count_together_on_a_cluster(make_app: MakeApp, tenant: Home):
    key = tenant.caller().key
    with redis_cluster() as nodes:
        node = f"redis://127.0.0.1:{nodes[0].port}"
        limited = {"credential_rate_limit": "3/minute", "tenant_rate_limit": "5/minute"}
        first, second = (
            make_app(redis_url=node, redis_cluster=True, redis_deadline_ms=500, **limited)
            for _ in range(2)
        )
        assert last_of(first.test_client(), 2, x_api_key=key).status_code == 200
        assert last_of(second.test_client(), 2, x_api_key=key).status_code == 429
        names = [name for each in nodes for name in each.client.keys("crm-limits*")]
        assert len(names) >= 2
        for each in nodes:
            each.process.kill()
        assert last_of(first.test_client(), 1, x_api_key=key).status_code == 200


def test_cluster_that_never_was_counts_nothing(make_app: MakeApp, tenant: Home):
    limited = {"credential_rate_limit": "2/minute", "redis_cluster": True}
    client = make_app(redis_url="redis://:p%40ss@127.0.0.1:1", **limited).test_client()
    key = tenant.caller().key
    assert last_of(client, 2, x_api_key=key).status_code == 200
    assert last_of(client, 1, x_api_key=key).status_code == 429


def test_cluster_is_reached_as_its_url_says(monkeypatch: pytest.MonkeyPatch):
    seen: list[dict[str, Any]] = []

    def noted(_self: object, **options: Any) -> None:
        seen.append(options)
        raise RedisError

    monkeypatch.setattr(RedisCluster, "__init__", noted)
    url = "rediss://:p%40ss@cache.internal?ssl_ca_certs=ca.pem"
    limited = Settings(redis_url=url, redis_cluster=True, credential_rate_limit="2/minute")
    RateLimits(limited, lambda: "scope").count([(CREDENTIAL, "key")])
    assert seen[0]["url"] == url
    assert [(node.host, node.port) for node in seen[0]["startup_nodes"]] == [
        ("cache.internal", 6379)
    ]


def test_worker_counts_alone_without_redis(make_app: MakeApp, own_redis: OwnServer, tenant: Home):
    limited = {"credential_rate_limit": "3/minute", "redis_url": own_redis.url}
    client, key = make_app(**limited).test_client(), tenant.caller().key
    own_redis.kill()
    assert last_of(client, 3, x_api_key=key).status_code == 200
    assert last_of(client, 1, x_api_key=key).status_code == 429
    assert last_of(make_app(**limited).test_client(), 1, x_api_key=key).status_code == 200


def test_keys_of_redis_hold_no_credential(make_app: MakeApp, own_redis: OwnServer, tenant: Home):
    client, key = (
        make_app(credential_rate_limit="3/minute", redis_url=own_redis.url).test_client(),
        tenant.caller().key,
    )
    last_of(client, 1, x_api_key=key)
    with Redis.from_url(own_redis.url) as redis:
        names = b" ".join(redis.keys("crm-limits*"))
    assert names
    assert key.encode() not in names
    assert key[-43:].encode() not in names


def test_address_of_failed_logins_is_refused(make_app: MakeApp, tenant: Home):
    client = make_app(failed_login_limit="3/minute").test_client()
    known = tenant.caller().key
    assert last_of(client, 1, x_api_key=known).status_code == 200
    assert last_of(client, 3, x_api_key=BAD_KEY).status_code == 401
    refused = last_of(client, 1, DESKERA, x_access_token=BAD_KEY)
    assert (refused.status_code, refused.json["code"]) == (429, 429)
    assert int(refused.headers["Retry-After"]) >= 1
    assert last_of(client, 1, x_api_key=known).status_code == 200
    elsewhere = client.get(
        APEX, headers={"x-api-key": BAD_KEY}, environ_base={"REMOTE_ADDR": "192.0.2.7"}
    )
    assert elsewhere.status_code == 401


@pytest.mark.parametrize(
    ("first", "second", "status"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", 429),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", 401),
        ("::ffff:192.0.2.7", "192.0.2.7", 429),
        ("::ffff:192.0.2.7", "::ffff:192.0.2.8", 401),
    ],
    ids=["one network", "two networks", "one mapped", "two mapped"],
)
def test_ipv6_network_is_one_client(make_app: MakeApp, first: str, second: str, status: int):
    client = make_app(failed_login_limit="3/minute").test_client()
    headers = {"x-api-key": BAD_KEY}
    for _ in range(3):
        assert client.get(APEX, headers=headers, environ_base={"REMOTE_ADDR": first}).status_code
    answer = client.get(APEX, headers=headers, environ_base={"REMOTE_ADDR": second})
    assert answer.status_code == status


def test_requests_without_credential_are_no_logins(make_app: MakeApp):
    client = make_app(failed_login_limit="2/minute").test_client()
    assert last_of(client, 5).status_code == 401


def test_unknown_keys_take_as_long(
    client: FlaskClient, tenant: Home, monkeypatch: pytest.MonkeyPatch
):
    """Each refusal hashes what came and compares whole digests, whether there is a key or not."""
    compared: list[tuple[int, int]] = []
    compare = hmac.compare_digest

    def watched(one: bytes, other: bytes) -> bool:
        compared.append((len(one), len(other)))
        return compare(one, other)

    monkeypatch.setattr(hmac, "compare_digest", watched)
    key = tenant.caller().key
    for guess in (key[:-43] + "a" * 43, f"crm{tenant.id}xaaaaaaaaaa" + "a" * 43, BAD_KEY):
        assert client.get(APEX, headers={"x-api-key": guess}).status_code == 401
    assert compared == [(32, 32)] * 3
