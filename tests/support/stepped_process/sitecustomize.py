"""Sets the wall clock of a gateway's processes; Python imports this first where PYTHONPATH leads.

The file that STEPPED_CLOCK names says by how many seconds the clock is off, at every look.
"""

import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from core.domain import clock

_file = Path(os.environ["STEPPED_CLOCK"])
_true_time = time.time


def stepped_time() -> float:
    """Return what the clock shows, in seconds since 1970."""
    return _true_time() + float(_file.read_text() or 0)


def stepped_now() -> datetime:
    """Return what the clock shows."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=stepped_time())


time.time = stepped_time
clock.utc_now = stepped_now
