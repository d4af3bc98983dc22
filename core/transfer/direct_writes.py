"""Activities of tenants that a file itself brings, written while the file is still being read.

Nobody else can see, change or make records of a tenant that is not there yet. Its activities need
neither be staged nor compared, therefore, and PostgreSQL takes them in while the next lines are
checked. All of it comes after a savepoint: one bad line, and nothing of it was written.
"""

from collections.abc import Sequence

from sqlalchemy import Connection, NestedTransaction, text

from core.domain.model import Activity, Tenant
from core.storage.tenant_store import add_tenant
from core.transfer.copy_lines import ACTIVITY_COLUMNS
from core.transfer.staging import LIVE_COUNTS, NOTHING, MergeCounts, Staging, copy_in

_ADD = f"COPY activities ({', '.join(ACTIVITY_COLUMNS)}) FROM STDIN"
# Whoever writes directly holds its tenants while it waits for others: so there is one at a time.
# COPY knows no row-level security.
_TRY_LOCKS = text("""
    SELECT NOT row_security_active('activities')
        AND pg_try_advisory_xact_lock(hashtextextended('direct import', 0))
        AND pg_try_advisory_xact_lock(hashtextextended('import', :tenant_id))""")
_TAKE_BACK = text(
    "DELETE FROM activities WHERE tenant_id = :tenant_id AND id = ANY(CAST(:ids AS BIGINT[]))"
)


class DirectWrites:
    """The tenants that are written to directly, and what they got."""

    def __init__(self, connection: Connection) -> None:
        """Write nothing yet."""
        self.counts: dict[int, MergeCounts] = {}
        """What was written, by tenant: all of it was created."""
        self._connection = connection
        self._savepoint: NestedTransaction | None = None

    def begin(self, tenant: Tenant) -> None:
        """Make a tenant and write to it directly from now on.

        It is left alone if it is there, if another import brings it, or if one writes directly.
        """
        savepoint = self._connection.begin_nested()
        if not self._make(tenant):
            savepoint.rollback()  # Which also gives the locks back.
            return
        self.counts[tenant.id] = NOTHING
        if self._savepoint is None:
            self._savepoint = savepoint
        else:
            savepoint.commit()

    def _make(self, tenant: Tenant) -> bool:
        locked = self._connection.execute(_TRY_LOCKS, {"tenant_id": tenant.id})
        return bool(locked.scalar_one()) and add_tenant(self._connection, tenant)

    def count(self, activity: Activity) -> None:
        """Count an activity whose line will be added."""
        is_live, is_private = activity.deleted_at is None, activity.visibility == "private"
        _, created, shared, private = self.counts[activity.tenant_id]
        self.counts[activity.tenant_id] = MergeCounts(
            created + 1,
            created + 1,
            shared + (is_live and not is_private),
            private + (is_live and is_private),
        )

    def add(self, lines: Sequence[str]) -> None:
        """Write what `activity_line` made of activities with all their stamps and new ids."""
        copy_in(self._connection, _ADD, lines)

    def take_back_staged(self, staging: Staging) -> None:
        """Remove what has a later line, which was staged because its id had come before."""
        for tenant_id in self.counts:
            for ids in staging.id_batches(tenant_id):
                parameters = {"tenant_id": tenant_id, "ids": ids}
                taken = self._connection.execute(LIVE_COUNTS, parameters).one()
                self._connection.execute(_TAKE_BACK, parameters)
                self.counts[tenant_id] = self.counts[tenant_id].minus(MergeCounts(*taken))

    def roll_back(self) -> None:
        """Leave nothing of what was written."""
        self.counts.clear()
        if self._savepoint is not None:
            self._savepoint.rollback()
