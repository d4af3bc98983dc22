"""Records of pages as JSON: rendered once while neither they nor the directory change.

After a write a page renders the one record that was written, and takes the others from here. An
entry counts only at the version of its activity and at the directory's version that the page's own
snapshot has, so that it can never be stale.
"""

from collections.abc import Callable, Hashable, Sequence, Set
from threading import Lock

import orjson

from core.domain.entity import EntityRef
from core.domain.model import Activity, Page, Versions

ENTRY_BYTES = 400
"""What an entry takes beside its JSON: key, versions, objects, a place in a table."""

Key = tuple[Hashable, int, int]
Entry = tuple[int, int, orjson.Fragment]


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

    def find(self, key: Key, version: int, directory_version: int) -> orjson.Fragment | None:
        """Return the record under a key, if it was rendered at just these versions."""
        entry = self._recent.get(key)
        if entry is None:
            entry = self._older.get(key)
            if entry is not None:
                self.add(key, entry)
        if entry is None or entry[0] != version or entry[1] != directory_version:
            return None
        return entry[2]

    def add(self, key: Key, entry: Entry) -> None:
        """Keep a record; of its versions the activity's comes first."""
        size = ENTRY_BYTES + len(orjson.dumps(entry[2]))
        if size > self._max_recent_bytes:
            return
        with self._lock:
            self._recent_bytes += size
            if self._recent_bytes > self._max_recent_bytes:
                self._recent_bytes = size
                self._older, self._recent = self._recent, {}
            self._recent[key] = entry

    @property
    def size(self) -> int:
        """The bytes of the recent generation, counted once for each time that one was added."""
        return self._recent_bytes


NO_CACHE = RecordCache(max_bytes=0)
"""Keeps nothing."""


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
        self._found: list[orjson.Fragment | None] = []

    def expand(self, activities: Sequence[Activity], versions: Versions) -> Set[EntityRef]:
        """Return the entities that are needed for those records that have to be rendered."""
        find, form, directory = self._cache.find, self._form, versions.directory
        self._found = [
            find((form, activity.tenant_id, activity.id), activity.version, directory)
            for activity in activities
        ]
        pairs = zip(activities, self._found, strict=True)
        return self._references([activity for activity, found in pairs if found is None])

    def render(self, page: Page, show: Callable[[Activity], object]) -> list[orjson.Fragment]:
        """Return all records of the page that `expand` was called for."""
        directory = page.versions.directory
        pairs = zip(page.activities, self._found, strict=True)
        return [
            self._add(activity, directory, show(activity)) if found is None else found
            for activity, found in pairs
        ]

    def _add(self, activity: Activity, directory_version: int, record: object) -> orjson.Fragment:
        # A copy, because the bytes that orjson returns occupy 4 KiB each.
        fragment = orjson.Fragment(bytes(memoryview(orjson.dumps(record))))
        key = (self._form, activity.tenant_id, activity.id)
        self._cache.add(key, (activity.version, directory_version, fragment))
        return fragment
