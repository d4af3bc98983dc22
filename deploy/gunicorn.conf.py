"""gunicorn --config deploy/gunicorn.conf.py gateway.server.wsgi:application

The configuration itself is in the package, so that an installed `crm-gateway serve` finds it.
"""

from gateway.server.gunicorn_conf import *
