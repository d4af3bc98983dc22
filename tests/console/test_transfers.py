"""Processes of imports and exports: what becomes of a place when none can be begun."""

import pytest
import structlog
from support.callers import JWT_SECRET

from core.storage.database import Database
from gateway.console import transfers
from gateway.console.transfers import EXPORTS_AT_A_TIME, Transfers
from gateway.settings import Settings

TENANT_ID = 5


def test_export_that_cannot_begin_takes_no_place(
    database_url: str, monkeypatch: pytest.MonkeyPatch
):
    settings = Settings(database_url=database_url, jwt_secret=JWT_SECRET)
    database = Database(database_url)
    made = Transfers(settings, database, structlog.get_logger())
    with monkeypatch.context() as patch:
        patch.setattr(transfers, "PROGRAM", ("/nonexistent/program",))
        for _ in range(EXPORTS_AT_A_TIME + 1):
            with pytest.raises(FileNotFoundError):
                made.export(TENANT_ID)
    export = made.export(TENANT_ID)
    assert export is not None
    export.close()
    database.close()
