"""Entries in and out of Redis, and that a Redis that fails costs nothing but speed."""

import time
from collections.abc import Callable

import pytest
from redis import Redis
from support.own_servers import OwnServer

from core.caching.redis_cache import RETRY_SECONDS, RedisCache

DEADLINE_MS = 50


@pytest.fixture
def cache(redis_url: str) -> RedisCache:
    Redis.from_url(redis_url).flushall()
    return RedisCache(redis_url, deadline_ms=1000)


@pytest.fixture
def redis_cache(own_redis: OwnServer) -> RedisCache:
    cache = RedisCache(own_redis.url, deadline_ms=DEADLINE_MS)
    cache.set_many({"a": b"1"})
    assert cache.get_many(["a"]) == [b"1"]
    return cache


def seconds_of(call: Callable[[], object]) -> float:
    began = time.monotonic()
    call()
    return time.monotonic() - began


def test_entries_come_in_order_of_keys(cache: RedisCache) -> None:
    cache.set_many({"a": b"1", "b": b"2"})
    assert cache.get_many(["b", "x", "a"]) == [b"2", None, b"1"]


def test_later_entry_replaces_earlier(cache: RedisCache) -> None:
    cache.set_many({"a": b"1"})
    cache.set_many({"a": b"2"})
    assert cache.get_many(["a"]) == [b"2"]


def test_no_keys_find_no_entries(cache: RedisCache) -> None:
    cache.set_many({})
    assert cache.get_many([]) == []


def test_bytes_come_back_as_they_were(cache: RedisCache) -> None:
    entry = bytes(range(256))
    cache.set_many({"\u00fc {x}": entry})
    assert cache.get_many(["\u00fc {x}"]) == [entry]


def test_dead_redis_is_a_miss(redis_cache: RedisCache, own_redis: OwnServer) -> None:
    own_redis.kill()
    assert redis_cache.get_many(["a"]) == [None]
    redis_cache.set_many({"b": b"2"})


def test_frozen_redis_costs_one_deadline(redis_cache: RedisCache, own_redis: OwnServer) -> None:
    own_redis.freeze()
    try:
        assert seconds_of(lambda: redis_cache.get_many(["a"])) < 10 * DEADLINE_MS / 1000
        hundreds = [
            seconds_of(lambda: [redis_cache.get_many(["a"]) for _ in range(100)]) for _ in range(3)
        ]
        assert min(hundreds) < 0.05
    finally:
        own_redis.thaw()


def test_redis_is_used_again_after_return(redis_cache: RedisCache, own_redis: OwnServer) -> None:
    own_redis.kill()
    assert redis_cache.get_many(["a"]) == [None]
    own_redis.start()
    deadline = time.monotonic() + 2
    while time.monotonic() < deadline and redis_cache.get_many(["c"]) == [None]:
        redis_cache.set_many({"c": b"3"})
        time.sleep(0.05)
    assert redis_cache.get_many(["c"]) == [b"3"]


def test_thawed_redis_is_used_again(redis_cache: RedisCache, own_redis: OwnServer) -> None:
    own_redis.freeze()
    redis_cache.get_many(["a"])
    own_redis.thaw()
    time.sleep(RETRY_SECONDS + 0.1)
    assert redis_cache.get_many(["a"]) == [b"1"]


def test_wiped_redis_is_a_miss(redis_cache: RedisCache, own_redis: OwnServer) -> None:
    Redis.from_url(own_redis.url).flushall()
    assert redis_cache.get_many(["a"]) == [None]


def test_value_of_other_type_is_a_miss(redis_cache: RedisCache, own_redis: OwnServer) -> None:
    Redis.from_url(own_redis.url).hset("h", "field", "value")
    assert redis_cache.get_many(["h", "a"]) == [None, b"1"]
