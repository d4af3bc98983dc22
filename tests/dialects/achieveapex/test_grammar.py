"""Query strings in brackets, as the JavaScript library `qs` writes and reads them."""

from contextlib import suppress

import pytest
from support.cpu_time import least_seconds

from adapters.achieveapex.grammar import MAX_PARAMETERS, parse
from core.domain.errors import InvalidQuery
from core.domain.validators import MAX_DEPTH


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (b"", {}),
        (b"a=1", {"a": "1"}),
        (b"a", {"a": ""}),
        (b"a=&b", {"a": "", "b": ""}),
        (b"&a=1&&", {"a": "1"}),
        (b"=1", {}),
        (b"a=b=c", {"a": "b=c"}),
        (b"a=x+y%20z%2B", {"a": "x y z+"}),
        (b"a=100%&b=%zz", {"a": "100%", "b": "%zz"}),
        (b"%24sort%5Ba%5D=-1", {"$sort": {"a": "-1"}}),
        (b"$sort[a]=1&$sort[b]=-1", {"$sort": {"a": "1", "b": "-1"}}),
        (b"a[]=1&a[]=2", {"a": ["1", "2"]}),
        (b"a[]=1", {"a": ["1"]}),
        (b"a[0]=1&a[1]=2", {"a": ["1", "2"]}),
        (b"a[1]=y&a[0]=x", {"a": ["x", "y"]}),
        (b"a[7]=y&a[3]=x", {"a": ["x", "y"]}),
        (b"a=1&a=2", {"a": ["1", "2"]}),
        (b"a[]=1&a=2&a[5]=3", {"a": ["1", "2", "3"]}),
        (b"a[$in]=5", {"a": {"$in": "5"}}),
        (b"a[$in][]=5", {"a": {"$in": ["5"]}}),
        (b"$select=a,b", {"$select": "a,b"}),
        (b"a.b=1", {"a.b": "1"}),
        (b"$or[0][a]=1&$or[0][b]=2&$or[1][c]=3", {"$or": [{"a": "1", "b": "2"}, {"c": "3"}]}),
        (b"$or[][a]=1&$or[][b]=2", {"$or": [{"a": "1", "b": "2"}]}),
        (b"[a]=1&[b][c]=2", {"a": "1", "b": {"c": "2"}}),
        (b"a[b=1&c]d=2&e[f]g=3", {"a[b": "1", "c]d": "2", "e[f]g": "3"}),
        (b"a[0]=1&a[x]=2", {"a": {"0": "1", "x": "2"}}),
        (b"a[999999999999999]=1", {"a": ["1"]}),
        (b"__proto__=1&a[__proto__][b]=2&c=3", {"c": "3"}),
        (b"constructor[prototype]=1", {"constructor": {"prototype": "1"}}),
        (b"a=%C3%A9", {"a": "\u00e9"}),
        ("a=\u00e9".encode(), {"a": "\u00e9"}),
    ],
)
def test_keys_and_brackets_nest(raw: bytes, value: dict):
    assert parse(raw) == value


def test_thousand_elements_make_a_list():
    raw = "&".join(f"id[$in][{n}]={n}" for n in range(1000)).encode()
    assert parse(raw) == {"id": {"$in": [str(n) for n in range(1000)]}}


def test_ten_levels_nest():
    inner = parse(b"a" + b"[b]" * 10 + b"=1")
    for _ in range(10):
        inner = next(iter(inner.values()))
    assert inner == {"b": "1"}


@pytest.mark.parametrize(
    ("raw", "field"),
    [
        (b"a=1&a[$gt]=2", "a"),
        (b"a[$gt]=2&a=1", "a"),
        (b"x[a]=1&x[a][b]=2", "x/a"),
        (b"a=%ff", "query"),
        (b"a=%00", "query"),
        (b"a%00b=1", "query"),
        (b"a=%ed%a0%80", "query"),
        (b"a" + b"[b]" * MAX_DEPTH + b"=1", "query"),
        (b"&" * MAX_PARAMETERS, "query"),
    ],
)
def test_contradictions_and_excess_are_refused(raw: bytes, field: str):
    with pytest.raises(InvalidQuery) as caught:
        parse(raw)
    assert caught.value.problems[0][0] == field


@pytest.mark.parametrize(
    "raw",
    [
        b"a" + b"[b]" * 200 + b"=1",
        b"a" + b"[" * 8000,
        b"&".join(b"a%d=1" % n for n in range(10_000)),
        b"&".join(b"a[%d][b]=1" % n for n in range(MAX_PARAMETERS)),
        b"&".join(b"a[x%d]=1" % n for n in range(MAX_PARAMETERS)),
        b"a[" + b"9" * 100_000 + b"]=1",
        b"a" + b"[0]" * (MAX_DEPTH - 1) + b"=1",
    ],
)
def test_hostile_strings_cost_little(raw: bytes):
    def parse_it() -> None:
        with suppress(InvalidQuery):
            parse(raw)

    assert least_seconds(parse_it) < 0.5
