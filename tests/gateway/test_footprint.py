"""What a worker has imported when it begins to serve: each module takes memory of every worker."""

import json
import subprocess
import sys
from pathlib import Path

from support.gateway_process import ROOT

# The example of RFC 7517, appendix A.1.
PUBLIC_KEY = {
    "kty": "EC",
    "crv": "P-256",
    "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
    "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
}
UNUSED = {"alembic", "opentelemetry", "psutil", "pygments", "rich", "wtforms", "yaml"}
SIGNATURES = "cryptography.hazmat"


def modules(**environ: str) -> set[str]:
    """Return what a worker imports, its master's part included."""
    code = "import sys, gateway.server.gunicorn_conf, gateway.server.wsgi; print(*sys.modules)"
    command = [sys.executable, "-c", code]
    found = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, check=True)
    return set(found.stdout.decode().split())


def test_worker_imports_what_it_uses(database_url: str, redis_url: str):
    found = modules(DATABASE_URL=database_url, REDIS_URL=redis_url)
    assert {"redis.cluster", "jwt", "flask_smorest", "gateway.app"} <= found
    assert not found & {*UNUSED, SIGNATURES, "gateway.console"}


def test_set_of_public_keys_is_usable(database_url: str, redis_url: str, tmp_path: Path):
    keys = tmp_path / "keys.json"
    keys.write_text(json.dumps({"keys": [PUBLIC_KEY]}))
    found = modules(DATABASE_URL=database_url, REDIS_URL=redis_url, GATEWAY_JWKS=str(keys))
    assert SIGNATURES in found
