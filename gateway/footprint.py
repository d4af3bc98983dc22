"""What keeps a worker small, and its garbage collector out of the way; imported before the rest.

structlog would import rich, and that Pygments, for tracebacks that nobody here asks for: they take
9 MiB of each worker.
"""

import gc
import sys
from importlib import import_module
from typing import cast

COLLECT_AFTER = 50_000  # Objects that were made and not freed; Python begins with 700.
OLDER_GENERATIONS = (20, 50)


def _import_without_rich(name: str) -> None:
    """Import a module that does without rich where there is none."""
    modules = cast(dict[str, object], sys.modules)
    if "rich" not in modules:
        modules["rich"] = None  # Such a module cannot be imported.
        import_module(name)
        del modules["rich"]


_import_without_rich("structlog")


def spare_collector() -> None:
    """Spare the garbage collector what lives as long as the worker.

    Requests leave next to no cycles, and each full collection would walk through everything that
    the directory remembers: that is what the slowest requests would wait for.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER, *OLDER_GENERATIONS)
