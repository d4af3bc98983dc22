"""JWTs: keys and algorithms, claims, and jsonwebtoken's words for what is wrong."""

import hmac
import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm, RSAAlgorithm
from support.stage import JWT_SECRET, START_OF_TIME

from core.domain.errors import NotAuthenticated, TokenExpired, TokenNotActive, Unavailable
from gateway.auth import keys
from gateway.auth.keys import KeySet
from gateway.auth.tokens import Claims, TokenVerifier
from gateway.jwk_set import KeySetError
from gateway.settings import MIN_SECRET_BYTES, Settings

NOW = START_OF_TIME
LATER = NOW + timedelta(hours=1)
USUAL = {"sub": "45", "organization_id": 27, "exp": LATER}
RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC_KEY = ec.generate_private_key(ec.SECP256R1())


def claims_of(token: str, **settings: Any) -> Claims:
    """Return what a verifier with these settings makes of a token."""
    return TokenVerifier(Settings(**{"jwt_secret": JWT_SECRET, **settings})).verify(token, now=NOW)


def signed(**claims: Any) -> str:
    """Return a good token, with these claims changed; None takes one away."""
    kept = {name: value for name, value in {**USUAL, **claims}.items() if value is not None}
    return jwt.encode(kept, JWT_SECRET, algorithm="HS256")


def refusal(token: str, **settings: Any) -> str:
    """Return what the client is told of a token that is refused."""
    with pytest.raises(NotAuthenticated) as refused:
        claims_of(token, **settings)
    return refused.value.public_message


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


def test_usual_claims_are_read():
    expected = Claims(45, (27,), frozenset({"read", "write"}), LATER)
    assert claims_of(signed()) == expected


@pytest.mark.parametrize(
    ("claims", "user_id", "tenant_ids"),
    [
        ({"sub": 45}, 45, (27,)),
        ({"sub": None, "userId": 126944}, 126944, (27,)),
        ({"sub": 7, "userId": 8}, 7, (27,)),
        ({"organization_id": "27"}, 45, (27,)),
        ({"organization_id": [27, "28", 27]}, 45, (27, 28)),
        ({"organization_id": None, "tenant_id": 64797}, 45, (64797,)),
        ({"organization_id": None, "user_name": "126944:116903"}, 45, (116903,)),
        ({"organization_id": list(range(1, 101))}, 45, tuple(range(1, 101))),
        ({"sub": 2**53 - 1}, 2**53 - 1, (27,)),
    ],
)
def test_claims_come_in_several_forms(
    claims: dict[str, Any], user_id: int, tenant_ids: tuple[int, ...]
):
    found = claims_of(signed(**claims))
    assert (found.user_id, found.tenant_ids) == (user_id, tenant_ids)


@pytest.mark.parametrize(
    "claims",
    [
        {"sub": None},
        {"sub": "ada"},
        {"sub": "0"},
        {"sub": 2**53},
        {"sub": 45.0},
        {"sub": True},
        {"sub": "٤٥"},
        {"sub": "ada", "userId": 45},
        {"sub": [45]},
        {"organization_id": None},
        {"organization_id": []},
        {"organization_id": list(range(1, 102))},
        {"organization_id": [27, None]},
        {"organization_id": {"id": 27}},
        {"organization_id": -1},
        {"organization_id": None, "user_name": "126944"},
        {"organization_id": None, "user_name": ["1:2"]},
        {"scope": 7},
        {"scope": {"read": True}},
    ],
)
def test_unusable_claims_are_refused(claims: dict[str, Any]):
    assert refusal(signed(**claims)) == "Not authenticated"


@pytest.mark.parametrize(
    ("scope", "scopes"),
    [
        ("read", {"read"}),
        ("openid  read,admin", {"read", "admin"}),
        (["write", "directory", 5], {"write", "directory"}),
        ("", set()),
        ([], set()),
        ("READ", set()),
    ],
)
def test_only_our_scopes_count(scope: object, scopes: set[str]):
    assert claims_of(signed(scope=scope)).scopes == scopes


def test_claim_names_are_settings():
    token = signed(iamUserId=1, org=2, scp="read")
    settings = {
        "jwt_user_claims": ("iamUserId",),
        "jwt_tenant_claims": ("org",),
        "jwt_scope_claim": "scp",
    }
    assert claims_of(token, **settings)[:3] == (1, (2,), frozenset({"read"}))


@pytest.mark.parametrize("token", ["", "x", "a.b", "a.b.c", "é.é.é", "." * 9, signed() + "!"])
def test_malformed_token_is_named(token: str):
    assert refusal(token) == "jwt malformed"


def test_payload_must_be_an_object():
    token = jwt.api_jws.encode(b"[1]", JWT_SECRET, algorithm="HS256")
    assert refusal(token) == "jwt malformed"


def test_unsigned_token_is_refused():
    assert refusal(jwt.encode(USUAL, None, algorithm="none")) == "jwt signature is required"


def test_signature_of_another_secret_is_refused():
    token = jwt.encode(USUAL, "another secret, which is as long as ours is", algorithm="HS256")
    assert refusal(token) == "invalid signature"


def test_short_secret_signs_as_it_is():
    secret = "x" * MIN_SECRET_BYTES
    header = jwt.utils.base64url_encode(b'{"alg":"HS256"}')
    body = header + b"." + jwt.utils.base64url_encode(json.dumps({**USUAL, "exp": 2e9}).encode())
    signature = jwt.utils.base64url_encode(hmac.digest(secret.encode(), body, "sha256"))
    assert claims_of((body + b"." + signature).decode(), jwt_secret=secret).user_id == 45


@pytest.mark.parametrize("algorithm", ["HS384", "HS512"])
def test_other_algorithms_are_refused(algorithm: str):
    secret = JWT_SECRET + "x" * 64
    token = jwt.encode(USUAL, secret, algorithm=algorithm)
    assert refusal(token, jwt_secret=secret) == "invalid algorithm"


def test_public_key_is_no_secret(key_file: str):
    # PyJWT itself refuses to sign like that, so an attacker's token is made by hand.
    header = jwt.utils.base64url_encode(b'{"alg":"HS256","kid":"r"}')
    body = header + b"." + jwt.utils.base64url_encode(json.dumps({**USUAL, "exp": 2e9}).encode())
    public = RSA_KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    signature = jwt.utils.base64url_encode(hmac.digest(public, body, "sha256"))
    token = (body + b"." + signature).decode()
    assert refusal(token, jwt_secret=None, jwks=key_file) == "invalid algorithm"
    assert refusal(token, jwks=key_file) == "invalid signature"


def test_without_keys_there_are_no_tokens():
    assert refusal(signed(), jwt_secret=None) == "invalid algorithm"


@pytest.mark.parametrize("seconds", [0, -1, -(10**30)])
def test_expired_token_names_its_end(seconds: int):
    with pytest.raises(TokenExpired) as refused:
        claims_of(signed(exp=NOW.timestamp() + seconds))
    assert refused.value.moment == max(refused.value.moment, NOW.fromtimestamp(0, NOW.tzinfo))


def test_token_before_its_time_is_refused():
    with pytest.raises(TokenNotActive) as refused:
        claims_of(signed(nbf=LATER, exp=LATER + timedelta(1)))
    assert refused.value.moment == LATER


def test_token_issued_in_the_future_is_accepted():
    assert claims_of(signed(iat=LATER)).user_id == 45


@pytest.mark.parametrize("value", ["soon", True, [], float("nan")])
@pytest.mark.parametrize("claim", ["exp", "nbf"])
def test_time_must_be_a_number(claim: str, value: object):
    payload = json.dumps({**USUAL, "exp": 2e9, claim: value}).encode()
    token = jwt.api_jws.encode(payload, JWT_SECRET, algorithm="HS256")
    assert refusal(token) == f"invalid {claim} value"


def test_endless_token_is_refused():
    assert refusal(signed(exp=None)) == "jwt exp is required"
    assert claims_of(signed(exp=10**400)).expires_at.year == 9999


def test_audience_is_checked_if_set():
    assert claims_of(signed(aud="crm"), jwt_audience="crm").user_id == 45
    assert claims_of(signed(aud=["x", "crm"]), jwt_audience="crm").user_id == 45
    assert claims_of(signed(aud="other")).user_id == 45
    expected = "jwt audience invalid. expected: crm"
    assert refusal(signed(aud="other"), jwt_audience="crm") == expected
    assert refusal(signed(), jwt_audience="crm") == expected


def test_issuer_is_checked_if_set():
    assert claims_of(signed(iss="feathers"), jwt_issuer="feathers").user_id == 45
    expected = "jwt issuer invalid. expected: feathers"
    assert refusal(signed(iss="other"), jwt_issuer="feathers") == expected
    assert refusal(signed(), jwt_issuer="feathers") == expected


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
        self.asked = 0
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                owner.asked += 1
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
    assert key_server.asked == 0
    for _ in range(3):
        assert verifier.verify(token, now=NOW).user_id == 45
    assert key_server.asked == 1


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
    assert key_server.asked == 1
    key_server.keys = [public_jwk(RSA_KEY, kid="r")]
    elapse(keys.MIN_AGE_SECONDS)
    assert key_set.candidates("RS256", "r")
