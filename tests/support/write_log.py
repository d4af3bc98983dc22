"""The log of a load's writes: what each write was to do, and what was acknowledged.

Each record has a subject of its own, so that a create that was done twice shows as two rows of one
subject. Its changes are counted in its notes, one after the other, so that the last one which was
acknowledged, or one that was sent after it, must be there in the end.
"""

import random
import uuid
from base64 import b64encode
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import psycopg
from support.fault_wire import WRONG, Answer, Request

CHANGED_PART = 0.25
"""So many of the writes change a record that is there, the others create one."""
PAGE_SIZE = 5
SUBJECT, NOTES = {"deskera": "name", "achieveapex": "subject"}, "notes"


@dataclass(slots=True)
class Record:
    """One activity: its tenant, what names it, and how often it was changed."""

    tenant_id: int
    subject: str
    activity_id: int = 0
    sent_count: int = 0
    acknowledged_count: int = 0
    is_in_use: bool = False


@dataclass(slots=True)
class Write:
    """One write, which is sent with the same key until it is acknowledged."""

    record: Record
    dialect: str
    count: int
    key: str = field(default_factory=lambda: str(uuid.uuid4()))
    not_before: float = 0.0

    def request(self, credential: str) -> Request:
        """Return what is sent."""
        text = f"n{self.count}"
        is_deskera = self.dialect == "deskera"
        notes = {"notes": b64encode(text.encode()).decode()} if is_deskera else {"note": text}
        headers = {"Idempotency-Key": self.key}
        if self.count:
            method, target = "PUT" if is_deskera else "PATCH", f"/{self.record.activity_id}"
            return Request(self.dialect, credential, method, target, notes, headers)
        body = {SUBJECT[self.dialect]: self.record.subject, **notes}
        return Request(self.dialect, credential, "POST", "", body, headers)


@dataclass(frozen=True, slots=True)
class Read:
    """One read, and what it must show at least; without a record it is of the newest page."""

    request: Request
    record: Record | None
    least: int

    def is_right(self, answer: Answer) -> bool:
        """Return whether an answer shows what was acknowledged before it was asked for."""
        if self.record is not None:
            shown = answer.body.get("note", answer.body.get("notes"))
            subject = answer.body[SUBJECT[self.request.dialect]]
            return bool(subject == self.record.subject and int(shown[1:]) >= self.least)
        ids = [one["id"] for one in answer.body["data"]]
        return ids == sorted(ids, reverse=True) and max([0, *ids]) >= self.least


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is in the database against the log; every list should be empty."""

    lost: list[str]
    doubled: list[str]
    unacknowledged: list[str]

    @property
    def is_clean(self) -> bool:
        """Whether nothing is missing, nothing is there twice, and nothing is undecided."""
        return not (self.lost or self.doubled or self.unacknowledged)


class WriteLog:
    """What was acknowledged to the callers of some tenants."""

    def __init__(self, keys: Mapping[int, str], *, seed: int = 1) -> None:
        """Begin with nothing; `keys` are one credential for each tenant."""
        self._keys = dict(keys)
        self._random = random.Random(seed)
        self._run = uuid.uuid4().hex[:8]
        self._newest = dict.fromkeys(keys, 0)
        self.records: list[Record] = []
        self._known: list[Record] = []
        self.pending: list[Write] = []
        """Writes that failed, to be sent again."""

    def write(self, now: float) -> tuple[Write, Request]:
        """Return the next write: one that failed and is due again, or else a new one."""
        write = next((each for each in self.pending if each.not_before <= now), None)
        if write is not None:
            self.pending.remove(write)
        else:
            write = self._new_write()
        return write, write.request(self._keys[write.record.tenant_id])

    def _new_write(self) -> Write:
        dialect = self._random.choice(("deskera", "achieveapex"))
        if self._known and self._random.random() < CHANGED_PART:
            record = self._random.choice(self._known[-200:])
            if not record.is_in_use:
                record.is_in_use = True
                record.sent_count += 1
                return Write(record, dialect, record.sent_count)
        tenant_id = self._random.choice(list(self._keys))
        record = Record(tenant_id, f"{self._run}-{len(self.records)}", is_in_use=True)
        self.records.append(record)
        return Write(record, dialect, 0)

    def settle(self, write: Write, answer: Answer) -> str:
        """Note what came of a write; return the kind of its failure, or ""."""
        if answer.failure:
            delay = answer.headers.get("retry-after", "0.3")
            write.not_before = answer.began_at + answer.seconds + float(delay)
            self.pending.append(write)
            return answer.failure
        record = write.record
        record.is_in_use = False
        record.acknowledged_count = write.count
        if not write.count:
            record.activity_id = answer.body["id"]
            self._known.append(record)
            newest = self._newest[record.tenant_id]
            self._newest[record.tenant_id] = max(newest, record.activity_id)
        return ""

    def read(self) -> Read:
        """Return the next read: of one record, or of the newest page."""
        dialect = self._random.choice(("deskera", "achieveapex"))
        if self._known and self._random.random() < 0.6:
            record = self._random.choice(self._known[-50:])
            key, target = self._keys[record.tenant_id], f"/{record.activity_id}"
            request = Request(dialect, key, "GET", target)
            return Read(request, record, record.acknowledged_count)
        tenant_id = self._random.choice(list(self._keys))
        query = (
            f"?sortBy=id&sortDir=desc&pageSize={PAGE_SIZE}"
            if dialect == "deskera"
            else f"?$sort[id]=-1&$limit={PAGE_SIZE}"
        )
        request = Request(dialect, self._keys[tenant_id], "GET", query)
        return Read(request, None, self._newest[tenant_id])

    @staticmethod
    def judge(read: Read, answer: Answer) -> str:
        """Return the kind of failure of a read, or ""."""
        return answer.failure or ("" if read.is_right(answer) else WRONG)

    def compare(self, database_url: str) -> Verdict:
        """Return how what is stored differs from what was acknowledged."""
        stored = self._stored(database_url)
        times = Counter(subject for subject, _, _ in stored)
        notes = {subject: (number, text) for subject, number, text in stored}
        lost = [
            f"{record.subject}: {notes.get(record.subject)}, {record}"
            for record in self.records
            if record.activity_id and not _is_kept(record, notes.get(record.subject))
        ]
        doubled = [subject for subject, count in times.items() if count > 1]
        undecided = [each.record.subject for each in self.pending]
        return Verdict(lost, doubled, undecided)

    def _stored(self, database_url: str) -> Sequence[tuple[str, int, str]]:
        with psycopg.connect(database_url) as connection:
            rows: list[Any] = connection.execute(
                "SELECT subject, id, notes FROM activities WHERE subject LIKE %s"
                " AND tenant_id = ANY (%s) AND deleted_at IS NULL",
                [f"{self._run}-%", list(self._keys)],
            ).fetchall()
        return rows


def _is_kept(record: Record, found: tuple[int, str] | None) -> bool:
    """Return whether a record is there with its last change, or one sent after it."""
    if found is None or found[0] != record.activity_id:
        return False
    return record.acknowledged_count <= int(found[1][1:]) <= record.sent_count
