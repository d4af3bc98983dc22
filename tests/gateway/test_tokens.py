"""JWTs: claims, secrets, and jsonwebtoken's words for what is wrong."""

import hmac
import json
from datetime import timedelta
from typing import Any

import jwt
import pytest
from support.callers import JWT_SECRET
from support.jwt_tokens import LATER, NOW, USUAL, claims_of, refusal, signed

from core.domain.errors import TokenExpired, TokenNotActive
from gateway.auth.tokens import Claims
from gateway.variables import MIN_SECRET_BYTES


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
