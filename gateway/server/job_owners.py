"""JobOwners: on whose account a request waits for a thread and holds it.

That is the credential, once it has opened something. All others share one account: whoever makes
up a new credential for each request would else have as many accounts.
"""

import hashlib
from http import HTTPStatus

from gateway.server.environ import Environ

CREDENTIAL_HEADERS = ("HTTP_X_ACCESS_TOKEN", "HTTP_X_API_KEY", "HTTP_AUTHORIZATION")
MAX_KNOWN = 10_000
DIGEST_BYTES = 16
STRANGERS = b""
OPERATORS = b"operators"
OPERATORS_PATHS = frozenset({"/metrics", "/version", "/health/startup"})


class JobOwners:
    """Remembers the digests of credentials that opened something."""

    def __init__(self) -> None:
        """Know nobody."""
        self._known: set[bytes] = set()

    def find(self, environ: Environ) -> tuple[bytes, bytes]:
        """Return whose request it is, and the digest of its credentials to `learn` about."""
        shown = [environ[header] for header in CREDENTIAL_HEADERS if header in environ]
        if not shown:
            is_operators = environ["PATH_INFO"] in OPERATORS_PATHS
            return OPERATORS if is_operators else STRANGERS, b""
        text = "\n".join(shown).encode("latin-1")
        digest = hashlib.blake2b(text, digest_size=DIGEST_BYTES).digest()
        return digest if digest in self._known else STRANGERS, digest

    def learn(self, digest: bytes, status: int) -> bool:
        """Take note of what a request's credentials came to; return whether that is new."""
        if not digest or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return False
        if status == HTTPStatus.UNAUTHORIZED:
            self._known.discard(digest)
            return False
        if digest in self._known:
            return False
        if len(self._known) >= MAX_KNOWN:
            self._known.clear()
        self._known.add(digest)
        return True
