"""The guard of tenants: every statement of a request names its tenant by equality, for each table.

It reads statements as PostgreSQL would, not by their letters: a predicate beneath an OR, or one
that ties a table to nothing, does not count.
"""

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

import sqlglot
from flask import g, has_request_context
from sqlglot import exp

from core.storage.database import Database
from core.storage.tables import metadata

COLUMN = "tenant_id"
GUARDED = frozenset(name for name, table in metadata.tables.items() if COLUMN in table.columns)
PARAMETER = re.compile(r"%\((\w+)\)s")
QUERIES = (exp.Select, exp.Update, exp.Delete)
violations: list[str] = []
"""What was found since the last test; `conftest` fails a test that leaves something here."""


class TenantMissingError(AssertionError):
    """A statement of a request reaches beyond the tenant of its credential."""


def guard(sql: str, parameters: Any) -> None:
    """Check a statement, if a request sends it."""
    if not has_request_context():
        return
    try:
        _guard(sql, parameters)
    except TenantMissingError as error:
        violations.append(str(error))
        raise


def _guard(sql: str, parameters: Any) -> None:
    names = tenant_parameters(sql)
    principal = g.get("principal")
    rows = parameters if isinstance(parameters, list) else [parameters]
    for row in rows if principal is not None else ():
        strangers = {row[name] for name in names} - set(principal.tenant_ids)
        if strangers:
            raise TenantMissingError(f"{strangers} are not the caller's: {sql}")


@lru_cache(maxsize=10_000)
def tenant_parameters(sql: str) -> frozenset[str]:
    """Return the names of the parameters that tie the tables of a statement to a tenant.

    Raises: TenantMissingError, for a table that none of them ties.
    """
    found = set()
    for tree in sqlglot.parse(PARAMETER.sub(r":\1", sql), read="postgres"):
        if tree is not None and any(_guarded_tables(tree)):
            found |= _check(tree, sql)
    return frozenset(found)


def _guarded_tables(tree: exp.Expr) -> Iterator[exp.Table]:
    common = {cte.alias for cte in tree.find_all(exp.CTE)}
    for table in tree.find_all(exp.Table):
        if table.name in GUARDED and table.name not in common:
            yield table


def _check(tree: exp.Expr, sql: str) -> set[str]:
    ties: dict[str, set[str]] = {}
    for one, other in _equalities(tree):
        ties.setdefault(one, set()).add(other)
        ties.setdefault(other, set()).add(one)
    found = set()
    for table in _guarded_tables(tree):
        parameters = _inserted(table) or _reachable(_node(table.alias_or_name, table), ties)
        if not parameters:
            raise TenantMissingError(f"{table.alias_or_name} has no tenant in: {sql}")
        found |= parameters
    return {name for name in found if name != "*"}


def _inserted(table: exp.Table) -> set[str]:
    """Return the parameters of an INSERT's own tenant column; {"*"} if a SELECT gives it."""
    schema = table.parent
    if not isinstance(schema, exp.Schema) or not isinstance(schema.parent, exp.Insert):
        return set()
    columns = [column.name for column in schema.expressions]
    values = schema.parent.expression
    if COLUMN not in columns:
        return set()
    if not isinstance(values, exp.Values):
        return {"*"}
    given = [row.expressions[columns.index(COLUMN)] for row in values.expressions]
    return {found.name for value in given if (found := value.find(exp.Placeholder))} or {"*"}


def _reachable(start: str, ties: Mapping[str, set[str]]) -> set[str]:
    seen, waiting = {start}, [start]
    while waiting:
        for node in ties.get(waiting.pop(), ()):
            if node not in seen:
                seen.add(node)
                waiting.append(node)
    return {node[1:] for node in seen if node.startswith(":")}


def _equalities(tree: exp.Expr) -> Iterator[tuple[str, str]]:
    """Give the pairs that a statement holds equal wherever it gives a row."""
    for equality in tree.find_all(exp.EQ):
        if _always_holds(equality):
            one, other = _side(equality.this), _side(equality.expression)
            if one and other:
                yield one, other


def _always_holds(node: exp.Expr) -> bool:
    parent = node.parent
    while isinstance(parent, exp.And | exp.Paren):
        parent = parent.parent
    return isinstance(parent, exp.Where | exp.Join)


def _side(node: exp.Expr) -> str | None:
    while isinstance(node, exp.Cast | exp.Paren):
        node = node.this
    if isinstance(node, exp.Placeholder):
        return f":{node.name}"
    if isinstance(node, exp.Column) and node.name == COLUMN:
        return _node(node.table, node)
    return None


def _node(alias: str, place: exp.Expr) -> str:
    """Return a name of a table's tenant column; without a table it is the query's only one."""
    if alias:
        return alias
    query = place.find_ancestor(*QUERIES)
    if query is None:
        return "?"
    tables = [table for table in _guarded_tables(query) if table.find_ancestor(*QUERIES) is query]
    return tables[0].alias_or_name if len(tables) == 1 else "?"


def install() -> None:
    """Guard every database that is made from now on."""
    make = Database.__init__

    def make_guarded(self: Database, *arguments: Any, **options: Any) -> None:
        make(self, *arguments, **options)
        self.observers.append(guard)

    Database.__init__ = make_guarded
