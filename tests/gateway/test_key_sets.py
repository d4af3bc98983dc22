"""Public keys of JWTs, from a file or a server."""

import hmac
import json
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm, RSAAlgorithm
from support.jwt_tokens import NOW, USUAL, claims_of, refusal

from core.domain.errors import Unavailable
from gateway.auth import keys
from gateway.auth.keys import KeySet
from gateway.auth.tokens import TokenVerifier
from gateway.jwk_set import KeySetError
from gateway.settings import Settings

RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC_KEY = ec.generate_private_key(ec.SECP256R1())


def public_jwk(key: Any, **members: str) -> dict[str, Any]:
    """Return a public key as a JWK."""
    algorithm = RSAAlgorithm if isinstance(key, rsa.RSAPrivateKey) else ECAlgorithm
    return {**algorithm.to_jwk(key.public_key(), as_dict=True), **members}


@pytest.fixture
def key_file(tmp_path: Path) -> str:
    """Give a file with an RSA key and an EC key."""
    path = tmp_path / "keys.json"
    keys = [public_jwk(RSA_KEY, kid="r"), public_jwk(EC_KEY, kid="e", use="sig")]
    path.write_text(json.dumps({"keys": keys}))
    return str(path)


def test_public_key_is_no_secret(key_file: str):
    # PyJWT itself refuses to sign like that, so an attacker's token is made by hand.
    header = jwt.utils.base64url_encode(b'{"alg":"HS256","kid":"r"}')
    body = header + b"." + jwt.utils.base64url_encode(json.dumps({**USUAL, "exp": 2e9}).encode())
    public = RSA_KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    signature = jwt.utils.base64url_encode(hmac.digest(public, body, "sha256"))
    token = (body + b"." + signature).decode()
    assert refusal(token, jwt_secret=None, jwks=key_file) == "invalid algorithm"
    assert refusal(token, jwks=key_file) == "invalid signature"


@pytest.mark.parametrize(
    ("key", "algorithm", "kid"), [(RSA_KEY, "RS256", "r"), (EC_KEY, "ES256", "e")]
)
def test_public_keys_verify(key_file: str, key: Any, algorithm: str, kid: str):
    named = jwt.encode(USUAL, key, algorithm=algorithm, headers={"kid": kid})
    unnamed = jwt.encode(USUAL, key, algorithm=algorithm)
    misnamed = jwt.encode(USUAL, key, algorithm=algorithm, headers={"kid": "z"})
    assert claims_of(named, jwks=key_file) == claims_of(unnamed, jwks=key_file)
    assert refusal(misnamed, jwks=key_file) == "invalid signature"


def test_algorithm_is_pinned_by_key(key_file: str):
    token = jwt.encode(USUAL, RSA_KEY, algorithm="RS512", headers={"kid": "r"})
    assert refusal(token, jwks=key_file) == "invalid algorithm"


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{}",
        "[]",
        '{"keys": []}',
        '{"keys": 5}',
        '{"keys": [{"kty": "oct", "k": "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0", "alg": "HS256"}]}',
    ],
)
def test_useless_key_file_stops_the_start(tmp_path: Path, content: str):
    path = tmp_path / "keys.json"
    path.write_text(content)
    with pytest.raises(KeySetError, match=r"keys\.json"):
        TokenVerifier(Settings(jwks=str(path)))


class KeyServer:
    """An HTTP server of a JWK set that can change and fail."""

    def __init__(self) -> None:
        """Serve nothing yet."""
        self.keys: list[dict[str, Any]] | None = None
        self.fetches = 0
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                owner.fetches += 1
                self.send_response(503 if owner.keys is None else 200)
                self.end_headers()
                self.wfile.write(json.dumps({"keys": owner.keys}).encode())

            def log_message(self, *_: object) -> None:
                pass

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/jwks"
        Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        """Free the port."""
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def key_server() -> Iterator[KeyServer]:
    """Give a server of keys."""
    server = KeyServer()
    yield server
    server.stop()


@pytest.fixture
def elapse(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Give a function that lets time pass for key sets."""
    now = [1000.0]
    monkeypatch.setattr(keys.time, "monotonic", lambda: now[0])

    def elapse(seconds: float) -> None:
        now[0] += seconds

    return elapse


def test_keys_are_fetched_once(key_server: KeyServer):
    key_server.keys = [public_jwk(RSA_KEY, kid="r")]
    verifier = TokenVerifier(Settings(jwks=key_server.url))
    token = jwt.encode(USUAL, RSA_KEY, algorithm="RS256", headers={"kid": "r"})
    assert key_server.fetches == 0
    for _ in range(3):
        assert verifier.verify(token, now=NOW).user_id == 45
    assert key_server.fetches == 1


def test_unknown_key_is_fetched_again_later(key_server: KeyServer, elapse: Callable[[float], None]):
    key_server.keys = [public_jwk(EC_KEY, kid="old")]
    key_set = KeySet(key_server.url)
    assert key_set.candidates("RS256", "new") == []
    key_server.keys.append(public_jwk(RSA_KEY, kid="new"))
    assert key_set.candidates("RS256", "new") == []
    elapse(keys.MIN_AGE_SECONDS)
    assert [key.key_id for key in key_set.candidates("RS256", "new")] == ["new"]


def test_removed_key_is_forgotten(key_server: KeyServer, elapse: Callable[[float], None]):
    key_server.keys = [public_jwk(EC_KEY, kid="e"), public_jwk(RSA_KEY, kid="r")]
    key_set = KeySet(key_server.url)
    assert key_set.candidates("RS256", "r")
    key_server.keys.pop()
    elapse(keys.MAX_AGE_SECONDS)
    assert key_set.candidates("RS256", "r") == []


def test_removed_key_signed_nothing(key_server: KeyServer, elapse: Callable[[float], None]):
    key_server.keys = [public_jwk(EC_KEY, kid="e"), public_jwk(RSA_KEY, kid="r")]
    verifier = TokenVerifier(Settings(jwks=key_server.url))
    tokens = {
        kid: jwt.encode(USUAL, key, algorithm=algorithm, headers={"kid": kid})
        for key, algorithm, kid in ((RSA_KEY, "RS256", "r"), (EC_KEY, "ES256", "e"))
    }
    signed = verifier.verify_signed(tokens["r"], now=NOW)
    assert verifier.takes(signed.key)
    key_server.keys.pop()
    elapse(keys.MAX_AGE_SECONDS)
    assert not verifier.takes(signed.key)
    verifier.verify(tokens["e"], now=NOW)
    assert not verifier.takes(signed.key)


def test_failing_server_leaves_old_keys(key_server: KeyServer, elapse: Callable[[float], None]):
    key_server.keys = [public_jwk(RSA_KEY, kid="r")]
    key_set = KeySet(key_server.url)
    assert key_set.candidates("RS256", "r")
    key_server.keys = None
    elapse(keys.MAX_AGE_SECONDS)
    assert key_set.candidates("RS256", "r")


def test_no_keys_yet_is_unavailable(key_server: KeyServer, elapse: Callable[[float], None]):
    key_set = KeySet(key_server.url)
    for _ in range(2):
        with pytest.raises(Unavailable):
            key_set.candidates("RS256", "r")
    assert key_server.fetches == 1
    key_server.keys = [public_jwk(RSA_KEY, kid="r")]
    elapse(keys.MIN_AGE_SECONDS)
    assert key_set.candidates("RS256", "r")
