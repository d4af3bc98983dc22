"""Secrets in what the service and its programs write: there must be none, in no test."""

import re

from support.callers import JWT_SECRET

SECRETS = {
    "an opaque key": re.compile(r"crm[0-9]{1,16}x[a-z2-7]{10}[\w-]{43}", re.ASCII),
    "a JWT": re.compile(r"eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]{16,}", re.ASCII),
    "a URL with a password": re.compile(r"[a-z]+://[^\s:/@\"']*:[^\s@/\"'{]+@", re.ASCII),
    "a private key": re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----"),
    "a session": re.compile(r"crm_console=[\w.~-]{20,}", re.ASCII),
    "the secret of JWTs": re.compile(re.escape(JWT_SECRET)),
}


def secrets_in(text: str) -> list[str]:
    """Return the kinds of secrets that stand in a text."""
    return [kind for kind, pattern in SECRETS.items() if pattern.search(text)]
