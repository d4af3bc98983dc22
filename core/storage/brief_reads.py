"""BriefReads: for which tenants a page's ids and versions are read before its records.

Where all records of a page were shown before, their ids and versions are all that has to be read:
a third of what the whole page costs. Where some were not, the whole page has to be read as well.
Whoever is met by that too often is left alone, for longer each time.
"""

MAX_TENANTS = 10_000
FIRST_PAUSE = 3
MOST_PAUSE = 31
"""Pages that are read whole until a brief read is tried again."""


class BriefReads:
    """What brief reads brought, by tenant. Threads may lose a count to each other: no harm."""

    def __init__(self) -> None:
        """Begin with nobody known."""
        self._pauses: dict[int, tuple[int, int]] = {}

    def are_due(self, tenant_id: int) -> bool:
        """Return whether to try one now."""
        left, pause = self._pauses.get(tenant_id, (FIRST_PAUSE, FIRST_PAUSE))
        if left:
            self._keep(tenant_id, left - 1, pause)
        return not left

    def note(self, tenant_id: int, *, is_known: bool) -> None:
        """Take note of whether one was enough."""
        _, pause = self._pauses.get(tenant_id, (0, 0))
        pause = 0 if is_known else min(2 * pause + 1, MOST_PAUSE)
        self._keep(tenant_id, pause, pause)

    def _keep(self, tenant_id: int, left: int, pause: int) -> None:
        if len(self._pauses) >= MAX_TENANTS:
            self._pauses.clear()
        self._pauses[tenant_id] = left, pause
