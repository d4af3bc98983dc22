"""What keeps a worker small, and its garbage collector out of the way.

gunicorn's configuration imports it before the rest. Libraries look for others that they could use:
structlog for rich, whose tracebacks nobody here asks for, Redis for OpenTelemetry, whose figures
are not ours, flask-smorest for YAML, which no document is written in. None is imported for that.
"""

import gc
import sys
from importlib import import_module
from typing import cast

COLLECT_AFTER = 5_000  # Objects that were made and not freed; Python begins with 700.
OLDER_GENERATIONS = (20, 500)

UNUSED = {"structlog": "rich", "redis": "opentelemetry", "flask_smorest": "yaml"}
"""By the library that would use it, where it is installed."""


def import_without(name: str, optional: str) -> None:
    """Import a module as it is where another one, that it can do without, is not installed."""
    modules = cast(dict[str, object], sys.modules)
    before = modules.pop(optional, None)
    modules[optional] = None  # Such a module cannot be imported.
    try:
        import_module(name)
    finally:
        del modules[optional]
        if before is not None:
            modules[optional] = before


for _name, _optional in UNUSED.items():
    import_without(_name, _optional)


def spare_collector() -> None:
    """Spare the garbage collector what lives as long as the worker.

    Each full collection would walk through everything that the directory remembers: that is what
    the slowest requests would wait for. Young objects are collected often, because each request
    leaves a cycle, the eight objects of werkzeug's router: 50,000 of them take up to 75 ms, and
    nothing else runs meanwhile.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER, *OLDER_GENERATIONS)
