"""Which data directory the service of this installation was last run on.

A command without GATEWAY_DATA_DIR works on that one, so that a key made beside a running service
opens it, and no second, empty database comes into being.
"""

import os
import sys
from contextlib import suppress
from pathlib import Path

MARKER = "crm-gateway-last-run"


def record(data_dir: Path) -> None:
    """Note a directory, or nothing where the installation may not be written to."""
    draft = _marker().with_name(f"{MARKER}.{os.getpid()}")
    with suppress(OSError):
        draft.write_text(str(data_dir))
        draft.rename(_marker())


def data_directory() -> Path | None:
    """Return the directory of the last run, if it is still there."""
    with suppress(OSError):
        noted = Path(_marker().read_text())
        return noted if noted.is_dir() else None
    return None


def _marker() -> Path:
    return Path(sys.prefix) / MARKER
