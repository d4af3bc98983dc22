"""The grammar of the `query` parameter: a text is cut into conditions, whatever they mean.

    query     = ["query="] [condition *("," condition)] [","]
    condition = key ("=" | "!=" | ">" | ">=" | "<" | "<=") value  /  key "!null"
    value     = '"' any text without '"' '"'  /  any text up to the next ","

Its only documentation is one example; the rest are fossils of the 2020 page (quoted text) and of
Deskera's other APIs (`>=`, `!null`, the trailing comma); `!=` is ours. The leading `query=` is the
parameter's own name, which the example repeats. Blanks around a key or a bare value do not count.
Source: docs/dialects/deskera.md D80, D81, D87.
"""

import re
from typing import NamedTuple

from core.domain.errors import InvalidQuery

MAX_BYTES = 8192
MAX_CONDITIONS = 100
MAX_EXCERPT = 60
BLANKS = " \t\r\n"
HEAD = re.compile(r"[ \t\r\n]*(\w+)[ \t\r\n]*(!null|!=|>=|<=|>|<|=)[ \t\r\n]*", re.ASCII)
NOT_NULL = "!null"
NOT_EQUAL = "!="


class Term(NamedTuple):
    """One condition as it was written; `text` is all of it."""

    key: str
    operator: str
    value: str
    text: str


def parse(query: str) -> list[Term]:
    """Return the conditions of a query, in their order.

    Raises: InvalidQuery, naming `query` and the condition that cannot be read.
    """
    if len(query.encode()) > MAX_BYTES:
        raise InvalidQuery("query", f"is longer than {MAX_BYTES} bytes")
    query = query.strip(BLANKS).removeprefix("query=").removesuffix(",")
    terms: list[Term] = []
    position = -1 if query else 0  # As if a comma stood before the first condition.
    while position < len(query):
        term, position = _term(query, position + 1)
        terms.append(term)
        if len(terms) > MAX_CONDITIONS:
            raise InvalidQuery("query", f"holds more than {MAX_CONDITIONS} conditions")
    return terms


def _term(query: str, start: int) -> tuple[Term, int]:
    """Return the condition that begins at `start`, and the place of the comma or end after it."""
    head = HEAD.match(query, start)
    if head is None:
        rest = query[start:].partition(",")[0]
        raise unreadable(rest, "is not a key, an operator (= != > >= < <= !null) and a value")
    value, end = "", head.end()
    if head[2] != NOT_NULL:
        value, end = _value(query, start, end)
    end = len(query) - len(query[end:].lstrip(BLANKS))
    text = query[start:end]
    if end < len(query) and query[end] != ",":
        raise unreadable(text, "must be followed by a comma")
    return Term(head[1], head[2], value, text), end


def _value(query: str, start: int, position: int) -> tuple[str, int]:
    """Return the value that begins at `position`, and where it ends."""
    if not query.startswith('"', position):
        comma = query.find(",", position)
        end = len(query) if comma < 0 else comma
        return query[position:end].rstrip(BLANKS), end
    closing = query.find('"', position + 1)
    if closing < 0:
        raise unreadable(query[start:], "has no closing quote")
    return query[position + 1 : closing], closing + 1


def unreadable(condition: str, reason: str) -> InvalidQuery:
    """Return the error that shows a condition, or its beginning, and what is wrong with it."""
    return InvalidQuery("query", f"condition '{condition.strip(BLANKS)[:MAX_EXCERPT]}' {reason}")
