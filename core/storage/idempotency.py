"""Idempotency keys: a repeated create gets the first answer, in the same transaction.

The key's row is inserted before the record: a parallel repeat waits on it until the first
transaction ends, and then reads its answer or, if that one failed, goes ahead itself. The ages of
keys are judged by the database's clock, because each gateway has another one.
"""

from datetime import timedelta
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, and_, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert

from core.domain.errors import IdempotencyConflict, Unavailable
from core.domain.model import IdempotencyKey
from core.storage.tables import idempotency_keys

KEY_LIFETIME = timedelta(hours=24)
MAX_ATTEMPTS = 3
_columns = idempotency_keys.c


class IdempotencyRecord(NamedTuple):
    """The row of one key; `answer` is the answer to the first request, None before there is one."""

    tenant_id: int
    user_id: int
    key: IdempotencyKey
    answer: bytes | None

    def save_answer(self, connection: Connection, answer: bytes) -> None:
        """Save the answer, which every repeat of the request will get."""
        connection.execute(
            update(idempotency_keys).where(self._is_this_key()).values(answer=answer)
        )

    def _is_this_key(self) -> ColumnElement[bool]:
        return and_(
            _columns.tenant_id == self.tenant_id,
            _columns.user_id == self.user_id,
            _columns.dialect == self.key.dialect,
            _columns.key == self.key.key,
        )


def claim_key(
    connection: Connection, *, tenant_id: int, user_id: int, key: IdempotencyKey
) -> IdempotencyRecord:
    """Insert a key and return its record, or return the record of its first use.

    Keys of this tenant older than a day are dropped first. Raises: IdempotencyConflict, if the
    key came with another body before.
    """
    connection.execute(
        delete(idempotency_keys).where(
            _columns.tenant_id == tenant_id, _columns.created_at < func.now() - KEY_LIFETIME
        )
    )
    record = IdempotencyRecord(tenant_id, user_id, key, None)
    for _ in range(MAX_ATTEMPTS):
        if _insert(connection, record):
            return record
        place = select(_columns.digest, _columns.answer).where(record._is_this_key())
        found = connection.execute(place).first()
        if found is not None:
            if found.digest != key.digest:
                raise IdempotencyConflict
            return record._replace(answer=found.answer)
    raise Unavailable(detail="an Idempotency-Key was dropped again and again")


def _insert(connection: Connection, record: IdempotencyRecord) -> bool:
    """Insert the key's row; return False if there is one, which may be dropped a moment later."""
    inserted = connection.execute(
        insert(idempotency_keys)
        .values(
            tenant_id=record.tenant_id,
            user_id=record.user_id,
            dialect=record.key.dialect,
            key=record.key.key,
            digest=record.key.digest,
            created_at=func.now(),
        )
        .on_conflict_do_nothing()
        .returning(_columns.key)
    ).first()
    return inserted is not None
