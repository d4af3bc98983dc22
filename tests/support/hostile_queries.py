"""Hostile queries of the AchieveApex dialect: as URLs, as JSON, and as requests that lie."""

from typing import Any


def deep(levels: int) -> dict[str, Any]:
    """Return `$or` inside `$or`, so many levels deep."""
    query: dict[str, Any] = {"id": 1}
    for _ in range(levels):
        query = {"$or": [query]}
    return query


REFUSED_URLS = {
    # Too deep, too many, not balanced.
    "200 brackets": "deal_id" + "[x]" * 200 + "=1",
    "200 levels of $or": "$or[0]" + "[$or][0]" * 200 + "[id]=1",
    "open brackets": "[" * 4000,
    "closing brackets": "]" * 4000,
    "unbalanced keys": "a" + "[x" * 2000 + "=1",
    "4,000 parameters": "a&" * 4000,
    "8,000 empty parameters": "&" * 8000,
    "1,500 times one key": "id=1&" * 1500,
    # Twice, and in forms that contradict each other.
    "a value twice": "id=1&id=2",
    "a value, then an object": "id=1&id[$gt]=0",
    "an object, then a value": "id[$gt]=0&id=1",
    "a list of one": "note[]=a",
    "an order twice": "$sort[id]=1&$sort[id]=-1",
    "an order and a text": "$sort=id&$sort[id]=1",
    "$or with a text": "$or[0][id]=1&$or=x",
    "$or as an object": "$or[x][id]=1",
    "$select as an object": "$select[x]=id",
    # JavaScript's and Python's own names are no columns.
    "constructor": "constructor[prototype][x]=1",
    "hasOwnProperty": "hasOwnProperty=1",
    "__class__": "__class__=1",
    # Numbers and texts that no column holds.
    "an exponent": "id=1e400",
    "400 digits": "id=" + "9" * 400,
    "5,000 digits": "id=" + "9" * 5000,
    "4,000 digits of minutes": "duration=" + "9" * 4000,
    "NaN": "duration[$lt]=NaN",
    "a huge index": "note[$in][" + "9" * 30 + "]=a",
    "a negative index": "note[$in][-1]=a",
    "NUL": "note=%00",
    "not UTF-8": "note=%ff",
    "a lone surrogate": "note=%ED%A0%80",
    "a day that never was": "start_date=0000-00-00",
    "an instant before all years": "created_at[$lt]=0001-01-01T00:00:00%2B14:00",
    "an instant after all years": "created_at[$gt]=9999-12-31T23:59:59-23:59",
    "a leap second": "start_time=23:59:60",
    "an unfinished escape": "subject[$like]=%5C",
    "a pattern of 1,501 letters": "subject[$like]=" + "%25a" * 1500 + "b",
    "a pattern of many wildcards": "subject[$ilike]=" + "%25_a" * 5 + "b",
    "an order of JSON": "$sort[location_geocoded]=1",
}

ANSWERED_URLS = {
    # The query, and how many activities it finds.
    "__proto__ is dropped": ("__proto__[x]=1&id[__proto__]=1&__proto__=1", 3),
    "a huge $limit": ("$limit=" + "9" * 5000, 3),
    "a huge $skip": ("$skip=" + "9" * 5000, 3),
    "a huge number": ("duration[$gt]=1e308", 0),
    "a pattern that backtracks": ("subject[$like]=" + "%25a" * 8 + "b", 0),
    "a pattern that backtracks, folded": ("subject[$ilike]=" + "%25_a" * 4 + "b", 0),
    "a long substring": ("subject=" + "a" * 1000, 3),
    "a large index": ("id[$in][100000000]=2", 1),
    "ten levels": ("$or[0]" + "[$or][0]" * 9 + "[id]=2", 1),
    "nine hundred values": ("&".join(f"id[$in][]={number}" for number in range(3, 550)), 1),
}

REFUSED_BODIES = {
    "200 levels": {"query": deep(200)},
    "10,000 parameters": {"query": {f"x{number}": 1 for number in range(10_000)}},
    "10,000 conditions": {"query": {"$or": [{"id": number} for number in range(10_000)]}},
    "100,000 values": {"query": {"id": {"$in": list(range(1, 100_001))}}},
    "a boolean for a number": {"query": {"id": True}},
    "a list in a list": {"query": {"id": {"$in": [[1]]}}},
    "an object in a list": {"query": {"id": {"$in": {"x": 1}}}},
    "a number for a text": {"query": {"note": 5}},
    "$or of null": {"query": {"$or": None}},
    "no object": [1],
    "no query": {"query": [1]},
    "__proto__": {"query": {"__proto__": {"x": 1}}},
    "a lone surrogate": {"query": {"note": "\ud800"}},
    "NUL": {"query": {"note": "\0"}},
}

REFUSED_TEXTS = {
    "a hundred thousand brackets": b'{"query":' + b"[" * 100_000,
    "5,000 digits": b'{"query":{"id":' + b"9" * 5000 + b"}}",
    "infinity": b'{"query":{"id":1e400}}',
    "NaN": b'{"query":{"id":NaN}}',
    "not UTF-8": b'{"query":{"note":"\xff"}}',
    "half of it": b'{"query":{"id":1',
}

SECOND = b"GET /activities?$limit=1 HTTP/1.1\r\nHost: x\r\n\r\n"
"""A whole request, where a body or nothing is due."""

UNFRAMED = {
    # Node's http sends a GET's body so: a type, no length, and the bytes.
    "a body": b'{"query":{"id":1}}',
    "a request": SECOND,
    "a body and a request": b'{"query":{"id":1}}' + SECOND,
    "garbage": b"\x00\xff" * 2000,
    "blank lines": b"\r\n" * 50 + SECOND,
}

FALSE_LENGTHS = ["-1", "+5", "0x2", "1e0", "abc", "", "2, 2", "2,90", "9" * 5000, "\u00b2"]

FALSE_FRAMES = {
    # Headers, and what follows them.
    "two lengths": ("Content-Length: 2\r\nContent-Length: 90", b"{}"),
    "a length twice": ("Content-Length: 2\r\nContent-Length: 2", b"{}"),
    "length and chunks": (
        "Content-Length: 2\r\nTransfer-Encoding: chunked",
        b"2\r\n{}\r\n0\r\n\r\n",
    ),
    "a coding that is none": ("Transfer-Encoding: xchunked", b"{}"),
    "no coding": ("Transfer-Encoding: identity", b"{}"),
    "two codings": ("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity", b"0\r\n\r\n"),
    "a broken chunk": ("Transfer-Encoding: chunked", b"zz\r\n{}\r\n0\r\n\r\n"),
    "a negative chunk": ("Transfer-Encoding: chunked", b"-1\r\n{}\r\n0\r\n\r\n"),
    "a space before the colon": ("Content-Length : 2", b"{}"),
    "a folded header": ("X-Folded: a\r\n b", b""),
}

UNFINISHED = {
    "headers that never end": b"GET /activities HTTP/1.1\r\nHost: x\r\nX-",
    "a body that never comes": (
        b"POST /activities HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        b'Content-Length: 500\r\n\r\n{"subject":'
    ),
}
