"""Fragments of entities: rendered once, cached within a bound in bytes."""

from typing import Any

import orjson

from adapters.fragments import ENTRY_BYTES, Bound
from core.domain.entity import Entity

FIELDS = '{"name": "A"}'
JSON = b'{"id":1}'


def entity() -> Entity:
    return Entity("user", 1, FIELDS)


SIZE = entity().size_bytes + ENTRY_BYTES + len(JSON)


class Counting:
    """A cached rendering function that counts how often it really renders."""

    def __init__(self, *, entries: int) -> None:
        self.rendered = 0
        self.cache = Bound(2 * entries * SIZE).cached(self._render)

    def _render(self, shown: Entity) -> dict[str, Any]:
        self.rendered += 1
        return {"id": shown.id}


def test_entity_is_rendered_once() -> None:
    counting, user = Counting(entries=2), entity()
    assert orjson.dumps([counting.cache(user), counting.cache(user)]) == b"[%s,%s]" % (JSON, JSON)
    assert counting.rendered == 1


def test_changed_entity_is_rendered_anew() -> None:
    counting = Counting(entries=2)
    counting.cache(entity())
    counting.cache(entity())
    assert counting.rendered == 2


def test_used_entity_outlives_the_others() -> None:
    counting, user = Counting(entries=3), entity()
    for _ in range(20):
        counting.cache(user)
        counting.cache(entity())
    assert counting.rendered == 21


def test_unused_entity_is_evicted() -> None:
    counting, user = Counting(entries=3), entity()
    counting.cache(user)
    for _ in range(20):
        counting.cache(entity())
    counting.cache(user)
    assert counting.rendered == 22


def test_caches_of_one_bound_share_it() -> None:
    bound, users = Bound(20 * SIZE), [entity() for _ in range(100)]
    caches = [bound.cached(lambda shown: {"id": shown.id}) for _ in range(5)]
    for cache in caches:
        for user in users:
            cache(user)
    assert sum(len(cache._recent) + len(cache._older) for cache in caches) <= 20
