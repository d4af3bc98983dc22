"""The AchieveApex dialect: what the gateway mounts."""

from adapters.achieveapex.errors import on_core_error, on_http_error
from adapters.achieveapex.routes import NAME, blueprint

__all__ = ["NAME", "blueprint", "on_core_error", "on_http_error"]
