"""The object that gunicorn imports."""

from core.domain.clock import SharedClock
from gateway.app import create_app
from gateway.embedded import lease
from gateway.settings import Settings

# The lease is each worker's own: workers outlive a master that was killed by a moment.
settings, servers = lease.resolve_servers(Settings.from_env())
clock = SharedClock()
application = create_app(settings, clock=clock)
application.extensions["heartbeat"].clock = clock
