"""Workloads: which requests a load sends, random pages or random ids with their tenants' tokens."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import jwt
import psycopg

from deploy.bench.dataset import reader_of

SECRET = "a-secret-of-the-bench-and-of-nothing-else"
AUDIENCE, ISSUER = "https://bench.example", "feathers"
PAGES = 20
MOST_IDS = 200_000
PAGE_SIZE = 10
CHOSEN_IDS = """
    SELECT tenant_id, id FROM activities
    WHERE mod(id, (SELECT 1 + count(*) / %(most)s FROM activities)) = 0
        AND deleted_at IS NULL AND visibility <> 'private'
    ORDER BY tenant_id, id"""
DESKERA_LIST = "/v1/crm/activities?page={page}&pageSize={size}&sortBy=updated_at&sortDir=DESC"
APEX_LIST = "/activities?organization_id={tenant_id}&$limit=10&$skip={skip}&$sort[updated_at]=-1"


class Workload(NamedTuple):
    """Requests to choose from at random: a path, and the number of its credential in `tokens`."""

    tokens: Sequence[str]
    paths: Sequence[tuple[int, str]]


def token(tenant_id: int) -> str:
    """Return a JWT of the tenant's reader, good for the service and for each of its peers."""
    claims = {
        "sub": str(reader_of(tenant_id)),
        "organization_id": tenant_id,
        "scope": "read write",
        "aud": AUDIENCE,
        "iss": ISSUER,
        "exp": datetime.now(UTC) + timedelta(days=1),
    }
    return jwt.encode(claims, SECRET, algorithm="HS256")


def deskera_pages(
    tenant_ids: Sequence[int], pages: Iterable[int] = range(1, PAGES + 1)
) -> Workload:
    """Return these pages of every tenant, in Deskera's dialect."""
    found = [
        (number, DESKERA_LIST.format(page=page, size=PAGE_SIZE))
        for number in range(len(tenant_ids))
        for page in pages
    ]
    return Workload([token(tenant_id) for tenant_id in tenant_ids], found)


def totals(tenant_ids: Sequence[int]) -> Workload:
    """Return the smallest request whose response carries a tenant's total."""
    path = DESKERA_LIST.format(page=1, size=1)
    tokens = [token(tenant_id) for tenant_id in tenant_ids]
    return Workload(tokens, [(number, path) for number in range(len(tokens))])


def apex_pages(tenant_ids: Sequence[int], *, fast_join: bool) -> Workload:
    """Return the first pages of every tenant, in AchieveApex's dialect."""
    suffix = "&fastJoinForActivityList=true" if fast_join else ""
    found = [
        (number, APEX_LIST.format(tenant_id=tenant_id, skip=PAGE_SIZE * page) + suffix)
        for number, tenant_id in enumerate(tenant_ids)
        for page in range(PAGES)
    ]
    return Workload([token(tenant_id) for tenant_id in tenant_ids], found)


def apex_gets(url: str, tenant_ids: Sequence[int], *, most: int = MOST_IDS) -> Workload:
    """Return the records that the readers may see, by id, in AchieveApex's dialect.

    Of more than `most` only so many, spread evenly: the load tool holds them all.
    """
    numbers = {tenant_id: number for number, tenant_id in enumerate(tenant_ids)}
    with psycopg.connect(url) as connection:
        chosen = connection.execute(CHOSEN_IDS, {"most": most}).fetchall()
    found = [(numbers[tenant_id], f"/activities/{id_}") for tenant_id, id_ in chosen]
    return Workload([token(tenant_id) for tenant_id in tenant_ids], found)
