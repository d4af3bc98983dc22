"""Records of pages as JSON: rendered once while neither they nor the directory change.

After a write a page renders the one record that was written, and takes the others from here. An
entry counts only at the version of its activity and at the directory's version that the page's own
snapshot has, so that it can never be stale.
"""

from collections.abc import Callable, Hashable, Iterable, Sequence, Set
from threading import Lock
from typing import NamedTuple

import orjson

from core.domain.entity import EntityRef
from core.domain.errors import page_too_large
from core.domain.model import (
    MAX_PAGE_BYTES,
    Activity,
    Knows,
    Listed,
    Page,
    Versions,
    text_bytes,
)

ENTRY_BYTES = 400
"""What an entry takes beside its JSON: key, versions, objects, a place in a table."""

Key = tuple[Hashable, int, int]


class Entry(NamedTuple):
    """A rendered record, and the versions of its activity and of the directory.

    `size_bytes` are those of the JSON, `text_bytes` those of the activity's texts.
    """

    version: int
    directory_version: int
    fragment: orjson.Fragment
    size_bytes: int
    text_bytes: int


class RecordCache:
    """Rendered records of this process, at most `max_bytes` of them; 0 keeps none.

    They are kept in two generations: when the recent one has grown to half of the bound, the older
    one is dropped and takes its place. An entry that is used moves to the recent one.
    """

    def __init__(self, *, max_bytes: int) -> None:
        """Begin empty."""
        self._max_recent_bytes = max_bytes // 2
        self._recent_bytes = 0
        self._recent: dict[Key, Entry] = {}
        self._older: dict[Key, Entry] = {}
        self._lock = Lock()

    def find(self, key: Key, version: int, directory_version: int) -> Entry | None:
        """Return the record under a key, if it was rendered at just these versions."""
        entry = self._recent.get(key)
        if entry is None:
            entry = self._older.get(key)
            if entry is not None:
                self.add(key, entry)
        if entry is None or entry[:2] != (version, directory_version):
            return None
        return entry

    def add(self, key: Key, entry: Entry) -> None:
        """Keep a record."""
        size = ENTRY_BYTES + entry.size_bytes
        if size > self._max_recent_bytes:
            return
        with self._lock:
            self._recent_bytes += size
            if self._recent_bytes > self._max_recent_bytes:
                self._recent_bytes = size
                self._older, self._recent = self._recent, {}
            self._recent[key] = entry

    @property
    def keeps_any(self) -> bool:
        """Whether it may keep something."""
        return self._max_recent_bytes > 0

    @property
    def size(self) -> int:
        """The bytes of the recent generation, counted once for each time that one was added."""
        return self._recent_bytes


NO_CACHE = RecordCache(max_bytes=0)
"""Keeps nothing."""


def bounded(records: Iterable[object]) -> list[orjson.Fragment]:
    """Return records as JSON. Raises: AnswerTooLarge, as soon as they are more than a page."""
    size = 0
    fragments: list[orjson.Fragment] = []
    for record in records:
        body = orjson.dumps(record)
        size += len(body)
        _check(size, len(fragments))
        fragments.append(orjson.Fragment(body))
    return fragments


def _check(size: int, fits: int) -> None:
    if size > MAX_PAGE_BYTES:
        raise page_too_large(fits, f"it gives more than {MAX_PAGE_BYTES} bytes")


class PageRecords:
    """The records of one page: those that were rendered before, and those that are not yet.

    `form` names all that the rendering depends on beside activity, entities and tenant.
    """

    def __init__(
        self,
        cache: RecordCache,
        form: Hashable,
        references: Callable[[Sequence[Activity]], Set[EntityRef]],
    ) -> None:
        """Look nothing up yet; `references` names the entities that records show."""
        self._cache = cache
        self._form = form
        self._references = references
        self._found: list[Entry | None] = []

    @property
    def knows(self) -> Knows | None:
        """The function that tells whether no record has to be read; None, if none is kept."""
        return self._knows if self._cache.keeps_any else None

    def _knows(self, listed: Sequence[Listed], versions: Versions) -> bool:
        found = self._look_up(listed, versions)
        text_bytes = sum(entry.text_bytes for entry in found if entry is not None)
        return None not in found and text_bytes <= MAX_PAGE_BYTES

    def _look_up(
        self, listed: Sequence[Listed] | Sequence[Activity], versions: Versions
    ) -> list[Entry | None]:
        find, form, directory = self._cache.find, self._form, versions.directory
        self._found = [
            find((form, each.tenant_id, each.id), each.version, directory) for each in listed
        ]
        return self._found

    def expand(self, activities: Sequence[Activity], versions: Versions) -> Set[EntityRef]:
        """Return the entities that are needed for those records that have to be rendered."""
        self._look_up(activities, versions)
        pairs = zip(activities, self._found, strict=True)
        return self._references([activity for activity, found in pairs if found is None])

    def render(self, page: Page, show: Callable[[Activity], object]) -> list[orjson.Fragment]:
        """Return all records of the page that `expand` was called for, or that are known.

        Raises: InvalidQuery, naming `limit`, as soon as they come to more than a page may have.
        """
        directory, size = page.versions.directory, 0
        fragments: list[orjson.Fragment] = []
        for index, found in enumerate(self._found):
            entry = found or self._add(page.activities[index], directory, show)
            size += entry.size_bytes
            _check(size, len(fragments))
            fragments.append(entry.fragment)
        return fragments

    def _add(
        self, activity: Activity, directory_version: int, show: Callable[[Activity], object]
    ) -> Entry:
        # A copy, because the bytes that orjson returns occupy 4 KiB each.
        body = bytes(memoryview(orjson.dumps(show(activity))))
        entry = Entry(
            activity.version,
            directory_version,
            orjson.Fragment(body),
            len(body),
            text_bytes(activity),
        )
        self._cache.add((self._form, activity.tenant_id, activity.id), entry)
        return entry
