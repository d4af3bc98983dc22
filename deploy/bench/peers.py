"""How each of the measured services is started: ours in its builds, the yardsticks, FeathersJS."""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from deploy.bench.servers import Server, ServerError
from deploy.bench.workload import AUDIENCE, ISSUER, SECRET

HERE = Path(__file__).parent
WORKERS = 2
WORKER_CLASS = "gateway.server.worker.Worker"
ANSWER_CACHE_BYTES = 32 * 2**20
BUILDS: Mapping[str, Mapping[str, str]] = {
    "uncached": {"GATEWAY_ANSWER_CACHE_BYTES": "0"},
    "no-records": {"GATEWAY_ANSWER_CACHE_BYTES": "0", "GATEWAY_RECORD_CACHE_BYTES": "0"},
    "cached": {"GATEWAY_ANSWER_CACHE_BYTES": str(ANSWER_CACHE_BYTES)},
    "many": {"GATEWAY_ANSWER_CACHE_BYTES": str(4 * ANSWER_CACHE_BYTES)},
    "no-caches": {
        "GATEWAY_ANSWER_CACHE_BYTES": "0",
        "GATEWAY_RECORD_CACHE_BYTES": "0",
        "GATEWAY_DIRECTORY_CACHE_BYTES": "0",
        "REDIS_URL": "none",
    },
}
"""The service itself, by what it may keep; "uncached" means whole answers."""

GUNICORN = [sys.executable, "-m", "gunicorn", "--no-control-socket", "--bind", "127.0.0.1:{port}"]
FEATHERS_FILES = ("package.json", "package-lock.json", "app.js")
INSTALL_SECONDS = 120


def environ_of(build: str, *, database_url: str, redis_url: str) -> dict[str, str]:
    """Return the settings of one build of the service."""
    return {
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "GATEWAY_JWT_SECRET": SECRET,
        "GATEWAY_JWT_AUDIENCE": AUDIENCE,
        "GATEWAY_JWT_ISSUER": ISSUER,
        **BUILDS[build],
    }


def ours(build: str, *, database_url: str, redis_url: str, scratch: Path, name: str = "") -> Server:
    """Start the service as `crm-gateway serve` does."""
    command = [sys.executable, "-m", "gateway", "serve", "--port", "{port}"]
    environ = environ_of(build, database_url=database_url, redis_url=redis_url)
    command += ["--workers", str(WORKERS)]
    return Server(name or build, command, environ=environ, scratch=scratch)


def usual(*, database_url: str, scratch: Path) -> Server:
    """Start the yardstick, under the worker class that suits it best."""
    options = ["--workers", str(WORKERS), "--worker-class", "sync"]
    environ = {"DATABASE_URL": database_url, "JWT_SECRET": SECRET}
    command = [*GUNICORN, *options, "deploy.bench.usual.app:create_app()"]
    return Server("usual", command, environ=environ, scratch=scratch)


def floor(body: bytes, *, scratch: Path) -> Server:
    """Start a bare Flask route that answers with this body, under our worker class."""
    kept = scratch / "floor.json"
    kept.write_bytes(body)
    options = ["--workers", str(WORKERS), "--worker-class", WORKER_CLASS, "--threads", "2"]
    command = [*GUNICORN, *options, "--keep-alive", "75", "deploy.bench.floor:create_app()"]
    return Server("floor", command, environ={"FLOOR_BODY": str(kept)}, scratch=scratch)


def feathers(*, database_url: str, scratch: Path) -> Server:
    """Start the FeathersJS peer. Raises: ServerError, if Node or its packages are missing."""
    directory = _installed_feathers()
    parts = urlsplit(database_url)
    query = {name: values[0] for name, values in parse_qs(parts.query).items()}
    environ = {
        "PGHOST": query.get("host") or parts.hostname or "",
        "PGPORT": query.get("port") or str(parts.port or 5432),
        "PGUSER": unquote(parts.username or ""),
        "PGDATABASE": parts.path.lstrip("/"),
        "JWT_SECRET": SECRET,
        "WORKERS": str(WORKERS),
        "NODE_ENV": "production",
    }
    command = ["node", str(directory / "app.js")]
    return Server("feathers", command, environ=environ, scratch=scratch)


def _installed_feathers() -> Path:
    """Return where the peer and its packages are; they are installed once for each lock file."""
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            raise ServerError(f"{program} is not installed")
    sources = HERE / "feathers"
    digest = hashlib.sha256(b"".join((sources / name).read_bytes() for name in FEATHERS_FILES))
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    directory = cache / "crm-gateway-bench" / digest.hexdigest()[:16]
    if not (directory / "installed").exists():
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir(parents=True)
        for name in FEATHERS_FILES:
            shutil.copy(sources / name, directory)
        _npm_ci(directory)
        (directory / "installed").touch()
    return directory


def _npm_ci(directory: Path) -> None:
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    try:
        subprocess.run(
            command, cwd=directory, check=True, capture_output=True, timeout=INSTALL_SECONDS
        )
    except (subprocess.SubprocessError, OSError) as error:
        raise ServerError(f"npm ci failed: {error}") from error
