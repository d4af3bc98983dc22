"""What an import tells of itself: how far it is, what it did to each kind, or what is wrong."""

from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

Tell = Callable[[str, int, int], None]
"""Is told, after the file was read: a stage, the records done in it, and all of it (0: unknown)."""


class StageProgress:
    """How many records of one stage are done."""

    def __init__(self, tell: Tell | None, stage: str, total: int) -> None:
        """Tell that the stage begins."""
        self._tell = tell
        self._stage = stage
        self._total = total
        self._done = 0
        self.advance(0)

    def advance(self, records: int) -> None:
        """Tell that so many more records are done."""
        self._done += records
        if self._tell is not None:
            self._tell(self._stage, self._done, self._total)


class BadLine(NamedTuple):
    """A line that cannot be imported: its number, from 1, and why."""

    number: int
    reason: str


class KindCounts(NamedTuple):
    """How many records of one kind were new, differed from what was stored, or equalled it."""

    created: int
    replaced: int
    unchanged: int


class Tally:
    """Counts what happens to the records of each kind while they are written."""

    def __init__(self) -> None:
        self._created: Counter[str] = Counter()
        self._replaced: Counter[str] = Counter()
        self._unchanged: Counter[str] = Counter()

    def add(self, kind: str, counts: KindCounts) -> None:
        """Add what happened to some records of a kind."""
        self._created[kind] += counts.created
        self._replaced[kind] += counts.replaced
        self._unchanged[kind] += counts.unchanged

    def counts(self) -> dict[str, KindCounts]:
        """Return the counts of every kind that was added."""
        return {
            kind: KindCounts(self._created[kind], self._replaced[kind], self._unchanged[kind])
            for kind in self._created
        }


class ImportReport(NamedTuple):
    """How many lines held a record, and what happened to the records of each kind.

    Of several lines with one id only the last is written and counted. Nothing was written if
    `bad_count` is above 0; `bad_lines` are the first of them.
    """

    records: int
    counts: dict[str, KindCounts]
    bad_lines: list[BadLine]
    bad_count: int
