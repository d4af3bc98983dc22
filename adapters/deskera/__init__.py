"""Deskera's dialect: what the gateway mounts, and nothing else."""

from adapters.deskera.errors import edge_error, on_core_error, on_http_error
from adapters.deskera.routes import NAME, blueprint

__all__ = ["NAME", "blueprint", "edge_error", "on_core_error", "on_http_error"]
