"""Lines of an import on their way to the database: checked, and handed on where they are good."""

from collections import Counter
from datetime import datetime
from functools import partial

from sqlalchemy import Connection

from core.domain.errors import InvalidEntity
from core.domain.model import Tenant
from core.storage.tenant_store import find_tenant
from core.transfer import ndjson
from core.transfer.background import Background
from core.transfer.copy_lines import activity_line, entity_line, numbered
from core.transfer.direct_writes import DirectWrites
from core.transfer.import_report import BadLine
from core.transfer.staging import BATCH_SIZE, Staging

MAX_BAD_LINES_SHOWN = 1000
DIRECT_FROM = 1000
"""Staged activities of a tenant from which on it is written to directly, where it may be."""
BATCH_BYTES = 4 * 2**20
MAX_LINE_BYTES = 8 * 2**20


class _Batch:
    """Rendered lines that will be handed to the database together."""

    def __init__(self) -> None:
        self.activities: list[str] = []
        self.entities: list[str] = []
        self.direct: list[str] = []
        self.bytes = 0

    @property
    def is_full(self) -> bool:
        rows = len(self.activities) + len(self.entities) + len(self.direct)
        return rows >= BATCH_SIZE or self.bytes >= BATCH_BYTES


class LineLoader:
    """Checks lines one by one and hands on what is good, for as long as nothing was bad.

    What it hands on is staged, or written directly where `DirectWrites` may be used, in the
    background.
    """

    def __init__(
        self,
        connection: Connection,
        background: Background,
        *,
        tenant_id: int | None,
        now: datetime,
    ) -> None:
        self.staging = Staging(connection)
        self.direct = DirectWrites(connection)
        self.tenants: dict[int, Tenant] = {}  # The tenants that the file itself brings.
        self.now = now
        self.records = 0
        self.bad_lines: list[BadLine] = []
        self.bad_count = 0
        self.is_ascending = True
        """Whether the ids of each tenant and kind only grew, so that none came twice."""
        self._connection = connection
        self._background = background
        self._tenant_id = tenant_id
        self._known: dict[int, Tenant | None] = {}
        self._last_ids: dict[tuple[int, str], int] = {}
        self._staged: Counter[int] = Counter()
        self._tried: set[int] = set()
        self._batch = _Batch()

    def load(self, number: int, line: bytes) -> None:
        """Check one line and buffer its record, or note why it is bad."""
        if not line.strip():
            return
        try:
            if len(line.rstrip(b"\r\n")) > MAX_LINE_BYTES:
                raise InvalidEntity("body", f"is longer than {MAX_LINE_BYTES // 2**20} MiB")
            record = ndjson.read(ndjson.parse(line), tenant_id=self._tenant_id)
            if self._tenant_id not in (None, record.tenant_id):
                raise InvalidEntity("tenant_id", f"must be {self._tenant_id}, as was asked for")
            # JSON writes control characters and backslashes with a backslash.
            self._buffer(number, record, is_plain=b"\\" not in line)
            self.records += 1
            self._batch.bytes += len(line)
        except InvalidEntity as error:
            self.bad_count += 1
            if len(self.bad_lines) < MAX_BAD_LINES_SHOWN:
                self.bad_lines.append(BadLine(number, error.public_message))

    def _buffer(self, number: int, record: ndjson.Record, *, is_plain: bool) -> None:
        if record.kind == "tenant":
            self.tenants[record.id] = ndjson.to_tenant(record)
            return
        tenant = self._tenant(record.tenant_id)
        ids_of = record.tenant_id, record.kind
        is_new = record.id > self._last_ids.get(ids_of, 0)
        if is_new:
            self._last_ids[ids_of] = record.id
        self.is_ascending &= is_new
        if record.kind == "activity":
            self._buffer_activity(number, record, tenant, is_new=is_new, is_plain=is_plain)
        else:
            self._batch.entities.append(numbered(entity_line(record), number))
        if self._batch.is_full:
            self._hand_on()

    def _buffer_activity(
        self, number: int, record: ndjson.Record, tenant: Tenant, *, is_new: bool, is_plain: bool
    ) -> None:
        is_direct = self._is_written_directly(tenant)
        if is_direct:  # Nothing is stored that could have other stamps.
            created_at = record.fields.get("updated_at", self.now)
            record.fields.setdefault(
                "updated_at", record.fields.setdefault("created_at", created_at)
            )
        activity = ndjson.to_activity(record, tenant, now=self.now)
        line = activity_line(activity, given=record.fields, is_plain=is_plain)
        if is_direct and is_new:
            self.direct.count(activity)
            self._batch.direct.append(line)
        else:
            self._staged[tenant.id] += 1
            self._batch.activities.append(numbered(line, number))

    def _is_written_directly(self, tenant: Tenant) -> bool:
        """Return whether a tenant is written to directly; this begins when many of it came."""
        if self._staged[tenant.id] == DIRECT_FROM and tenant.id not in self._tried:
            self._tried.add(tenant.id)
            is_candidate = tenant.id in self.tenants and self._known[tenant.id] is None
            if is_candidate and self.is_ascending and not self.bad_count:
                self._background.run(partial(self.direct.begin, tenant))
        return tenant.id in self.direct.counts

    def _tenant(self, tenant_id: int) -> Tenant:
        if tenant_id not in self._known:
            find = partial(find_tenant, self._connection, tenant_id)
            self._known[tenant_id] = self._background.run(find)
        tenant = self.tenants.get(tenant_id) or self._known[tenant_id]
        if tenant is None:
            raise InvalidEntity("tenant_id", f"there is no tenant {tenant_id}")
        return tenant

    def last_id(self, tenant_id: int) -> int:
        """Return the largest id of a tenant's activities."""
        return self._last_ids[tenant_id, "activity"]

    def _hand_on(self) -> None:
        """Have the buffered rows stored in the background; after a bad line, discard them."""
        if not self.bad_count:
            self._background.submit(partial(self._store, self._batch))
        self._batch = _Batch()

    def _store(self, batch: _Batch) -> None:
        self.staging.add_activities(batch.activities)
        self.staging.add_entities(batch.entities)
        self.direct.add(batch.direct)

    def finish(self) -> None:
        """Store what is left when all lines were read; after a bad one, leave nothing."""
        if self.bad_count:
            self._background.run(self.direct.roll_back)
        else:
            self._background.run(partial(self._store, self._batch))
