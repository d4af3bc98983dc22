"""Health, metrics, logs and traces."""

import sys
from importlib import import_module
from typing import cast

_modules = cast(dict[str, object], sys.modules)
if "rich" not in _modules:
    # structlog would import rich, and that Pygments, for tracebacks that nobody here asks for: they
    # take 9 MiB of each worker. A module that is None cannot be imported.
    _modules["rich"] = None
    import_module("structlog")
    del _modules["rich"]
