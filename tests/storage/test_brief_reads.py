"""Brief reads are tried where they are enough, and seldom where they are not."""

from sqlalchemy import Text
from support.clock import START_OF_TIME

from core.domain.model import TEXTS, blank_activity, text_bytes
from core.storage.brief_reads import FIRST_PAUSE, MAX_TENANTS, MOST_PAUSE, BriefReads
from core.storage.tables import ACTIVITY_COLUMNS


def tries(reads: BriefReads, *, known: list[bool]) -> list[int]:
    """Return the pages that were read whole before each brief read of these outcomes."""
    found = []
    for is_known in known:
        count = 0
        while not reads.are_due(7):
            count += 1
        reads.note(7, is_known=is_known)
        found.append(count)
    return found


def test_pauses_grow_while_nothing_is_known() -> None:
    reads = BriefReads()
    assert tries(reads, known=[False] * 6) == [FIRST_PAUSE, 7, 15, 31, 31, 31]
    assert MOST_PAUSE == 31


def test_pauses_end_with_what_is_known() -> None:
    reads = BriefReads()
    tries(reads, known=[False, True])
    assert tries(reads, known=[True, True, False, True, True]) == [0, 0, 0, 1, 0]


def test_tenants_are_bounded() -> None:
    reads = BriefReads()
    for tenant_id in range(2 * MAX_TENANTS):
        reads.note(tenant_id, is_known=True)
    assert len(reads._pauses) <= MAX_TENANTS
    assert reads.are_due(2 * MAX_TENANTS - 1)
    assert not reads.are_due(-1)


def test_texts_are_the_columns_without_a_bound() -> None:
    unbounded = [each.name for each in ACTIVITY_COLUMNS if isinstance(each.type, Text)]
    assert [name for name in unbounded if name != "timezone"] == list(TEXTS)


def test_bytes_of_texts_are_those_of_utf8() -> None:
    blank = blank_activity(tenant_id=1, user_id=1, now=START_OF_TIME)
    more = blank._replace(subject="\u00e9", notes="abc", location=None)
    assert text_bytes(more) - text_bytes(blank) == 5
