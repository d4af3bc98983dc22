"""Whole answers, kept while they are right and where keeping them pays.

An answer is kept under the tenant's two versions, both of which PostgreSQL moves in the writing
transaction itself. Before a kept answer is given, the versions are read again: there is so no
moment at which a worker gives an answer older than an acknowledged write, and nothing to repair
when a process or a cache dies. An answer is kept only after it was asked for twice between two
writes; a tenant whose answers seldom live to be asked for again is left alone for most of the time,
so that the reading of versions is not paid in vain.
"""

from collections.abc import Callable, Hashable
from threading import Lock
from typing import NamedTuple

from cachetools import LRUCache

Stamp = tuple[int, int]
MAX_QUESTIONS = 20_000
LOOKED_BACK = 64
"""Kept answers of one tenant after which its past counts half."""
WORTHWHILE = 0.5
"""How often a kept answer must be given, on average, for keeping to go on."""
SAMPLED = 16
"""Of the answers of a tenant that is left alone, one in so many is kept, to see if that changed."""


class Answer(NamedTuple):
    """A body, and the versions of activities and directory that it shows."""

    body: bytes
    stamp: Stamp


class _Worth:
    """How well keeping answers has paid for one tenant."""

    def __init__(self) -> None:
        self.kept = 0.0
        self.given = 0.0
        self.passed = 0

    def keep(self) -> bool:
        """Return whether to keep an answer now, and count it."""
        if self.kept >= LOOKED_BACK:
            self.kept, self.given = self.kept / 2, self.given / 2
        if self.kept >= SAMPLED and self.given < WORTHWHILE * self.kept:
            self.passed += 1
            if self.passed % SAMPLED:
                return False
        self.kept += 1
        return True


class AnswerCache:
    """Answers of this process, at most `max_bytes` of them in all; 0 keeps none."""

    def __init__(self, *, max_bytes: int) -> None:
        """Prepare an empty cache."""
        self._max_bytes = max_bytes
        self._lock = Lock()
        self._answers: LRUCache[Hashable, Answer] = LRUCache(
            max(1, max_bytes), getsizeof=lambda answer: len(answer.body)
        )
        self._asked: LRUCache[Hashable, Stamp] = LRUCache(MAX_QUESTIONS)
        self._worth: LRUCache[int, _Worth] = LRUCache(MAX_QUESTIONS)

    @property
    def size(self) -> int:
        """The bytes of all kept answers."""
        return int(self._answers.currsize)

    def answer(
        self,
        tenant_id: int,
        question: Hashable,
        *,
        read_stamp: Callable[[], Stamp],
        make: Callable[[], Answer],
    ) -> bytes:
        """Return the kept answer to a question if it is right now, else make it.

        `question` must name everything that the answer depends on beside the tenant's data: the
        dialect, the user, and what was asked.
        """
        if not self._max_bytes:
            return make().body
        key = (tenant_id, question)
        with self._lock:  # Looking up moves an entry to the front.
            kept = self._answers.get(key)
        if kept is not None:
            if kept.stamp == read_stamp():
                self._worth_of(tenant_id).given += 1
                return kept.body
            with self._lock:
                self._answers.pop(key, None)
        made = make()
        self._consider(tenant_id, key, made)
        return made.body

    def _consider(self, tenant_id: int, key: Hashable, made: Answer) -> None:
        """Keep an answer that was the same when it was last asked for."""
        with self._lock:
            asked_before = self._asked.get(key) == made.stamp
            self._asked[key] = made.stamp
            fits = len(made.body) <= self._max_bytes
            if asked_before and fits and self._worth_of(tenant_id).keep():
                self._answers[key] = made

    def _worth_of(self, tenant_id: int) -> _Worth:
        worth = self._worth.get(tenant_id)
        if worth is None:
            worth = self._worth[tenant_id] = _Worth()
        return worth
