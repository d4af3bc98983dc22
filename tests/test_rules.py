"""The house itself: sizes, names, tables that must be whole, and who reads the environment."""

import ast
import re
import statistics
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import Path

import pytest

from adapters.error_status import STATUS
from core.domain import errors
from gateway.settings import VARIABLES
from gateway.variables import Variable

ROOT = Path(__file__).parent.parent
ROOMS = ("adapters", "core", "gateway")
MODULES = sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
BENCH = sorted((ROOT / "deploy" / "bench").rglob("*.py"))
CODE = [*MODULES, *TESTS, *BENCH]
MAX_MODULE_LINES, MAX_FUNCTION_LINES, MEDIAN_FUNCTION_LINES = 300, 40, 10
DIALECTS = ("deskera", "achieveapex")
MAX_VALUE_LINES = 6
TWINS = {
    "bodies": ("object_body", "bulk_ids"),
    "errors": ("on_core_error", "on_http_error"),
    "fields": ("Field", "FIELDS"),
    "filters": ("to_condition",),
    "grammar": ("parse",),
    "operations": ("LIST", "CREATE", "READ", "UPDATE", "DELETE", "BULK_UPDATE"),
    "query": ("ListRequest", "to_query"),
    "routes": ("NAME", "ActivityItem", "ActivityList", "blueprint"),
    "schemas": ("Activity", "ErrorBody"),
    "translate": ("apply", "references", "show"),
}
PLACELESS_NAMES = {"utils", "helpers", "common", "misc"}
PRIVATE_WORDS = frozenset(
    "alike asked distrust equip gather journal patience shelf shelves voice voices wishes "
    "worth".split()
)
"""Words that only an author understands; the trade has one for each of them."""

Function = ast.FunctionDef | ast.AsyncFunctionDef
MIN_WORDS, MAX_WORDS = 3, 10


@cache
def tree_of(path: Path) -> ast.Module:
    """Return a module as Python reads it."""
    return ast.parse(path.read_text())


def functions(path: Path) -> Iterator[tuple[str, int]]:
    """Give the name and the number of lines of every function of a module.

    A literal that a function ends with counts as one line: a renderer may be one long literal.
    """
    for node in ast.walk(tree_of(path)):
        if isinstance(node, Function):
            yield f"{path.relative_to(ROOT)}:{node.name}", lines_of(node)


def lines_of(function: Function) -> int:
    """Return the number of lines of a function without the literal that it returns."""
    last = function.body[-1]
    literal = last.value if isinstance(last, ast.Return) else None
    spared = literal and is_flat_literal(literal) and (last.end_lineno or 0) - last.lineno
    return (function.end_lineno or 0) - function.lineno + 1 - (spared or 0)


def is_flat_literal(node: ast.expr) -> bool:
    """Return whether an expression is a list of values, as a renderer writes them, without rules.

    That is a dictionary, list or tuple, a class that is called with keywords, or a function of one
    such literal. The values may be default for what is missing; they decide nothing else.
    """
    match node:
        case ast.Dict(values=values):
            return all(map(is_plain_value, values))
        case ast.List(elts=values) | ast.Tuple(elts=values):
            return all(map(is_plain_value, values))
        case ast.Call(func=ast.Name(id=name), args=[], keywords=keywords):
            values = [keyword.value for keyword in keywords]
            return name[0].isupper() and all(map(is_plain_value, values))
        case ast.Call(args=[argument], keywords=[]):
            return is_flat_literal(argument)
    return False


def is_plain_value(node: ast.expr) -> bool:
    """Return whether a value takes few lines, and neither compares, filters nor defines."""
    is_short = (node.end_lineno or 0) - node.lineno < MAX_VALUE_LINES
    rules = [inner for inner in ast.walk(node) if isinstance(inner, ast.Lambda | ast.NamedExpr)]
    for inner in ast.walk(node):
        if isinstance(inner, ast.Compare) and not isinstance(inner.ops[0], ast.Is | ast.IsNot):
            rules.append(inner)
        if isinstance(inner, ast.comprehension):
            rules += inner.ifs
    return is_short and not rules


def identifiers(path: Path) -> Iterator[str]:
    """Give every name that a module defines or uses, tests' own names aside."""
    return (name for name in every_identifier(path) if not name.startswith("test_"))


def every_identifier(path: Path) -> Iterator[str]:
    """Give every name that a module defines or uses."""
    for node in ast.walk(tree_of(path)):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield name
            case ast.ClassDef(name=name) | ast.Name(id=name) | ast.Attribute(attr=name):
                yield name
            case ast.arg(arg=name) | ast.keyword(arg=str(name)):
                yield name


def words_of(identifier: str) -> set[str]:
    """Return the words of an identifier, in lower case."""
    return {word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", identifier)}


def core_errors(base: type[errors.CoreError] = errors.CoreError) -> set[type[errors.CoreError]]:
    """Return an error of the core and all below it."""
    return {base}.union(*(core_errors(below) for below in base.__subclasses__()))


def test_modules_are_short():
    lengths = {path: len(path.read_text().splitlines()) for path in CODE}
    assert {path for path, length in lengths.items() if length > MAX_MODULE_LINES} == set()


def test_functions_are_short():
    sizes = [size for path in CODE for size in functions(path)]
    assert [size for size in sizes if size[1] > MAX_FUNCTION_LINES] == []
    in_rooms = [lines for path in MODULES for _, lines in functions(path)]
    assert statistics.median(in_rooms) < MEDIAN_FUNCTION_LINES


@pytest.mark.parametrize(
    ("literal", "is_spared"),
    [
        ('{"id": activity.id, "name": activity.subject or ""}', True),
        ('Activity(subject="", done=activity.end is not None)', True),
        ("Fragment([activity.id, owner.name if owner else None])", True),
        ("show(activity, tenant=tenant)", False),
        ("first + second", False),
        ("[activity.id for activity in activities]", False),
        ('{"done": activity.end < now}', False),
        ('{"ids": [id_ for id_ in ids if id_]}', False),
        ('{"name": lambda: activity.subject}', False),
    ],
)
def test_only_flat_literals_are_spared(literal: str, is_spared: bool):
    assert is_flat_literal(ast.parse(literal, mode="eval").body) is is_spared


def test_names_of_modules_are_unique():
    dialects = [ROOT / "adapters" / name for name in ("achieveapex", "deskera")]
    own = [{path.stem for path in MODULES if path.parent == folder} for folder in dialects]
    outside = [path.stem for path in MODULES if path.parent not in dialects]
    names = [*outside, *(own[0] ^ own[1])]  # Twins are in both, and may be named as in the core.
    assert {name for name in names if name[0] != "_" and names.count(name) > 1} == set()


def test_names_are_the_trades():
    used = {(path, name) for path in CODE for name in identifiers(path)}
    assert {(path, name) for path, name in used if words_of(name) & PRIVATE_WORDS} == set()


def test_modules_have_a_place():
    assert [path for path in MODULES if path.stem in PLACELESS_NAMES] == []


def test_packages_hold_no_logic():
    allowed = ast.Expr | ast.ImportFrom | ast.Import | ast.Assign
    for path in MODULES:
        if path.name == "__init__.py":
            assert all(isinstance(node, allowed) for node in tree_of(path).body), path


def test_settings_alone_read_the_environment():
    readers = {
        path.name for path in MODULES if re.search(r"os\.(environ|getenv)", path.read_text())
    }
    assert readers == {"settings.py"}


def test_every_core_error_has_a_status():
    assert core_errors() == set(STATUS)


def test_error_tree_is_drawn_whole():
    drawn = errors.__doc__ or ""
    assert [kind.__name__ for kind in core_errors() if kind.__name__ not in drawn] == []


def test_twins_have_the_same_modules():
    deskera, achieveapex = (
        {path.stem for path in (ROOT / "adapters" / dialect).glob("*.py")} for dialect in DIALECTS
    )
    assert deskera == achieveapex


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("module", TWINS)
def test_twins_match_in_names(dialect: str, module: str):
    twin = import_module(f"adapters.{dialect}.{module}")
    assert [name for name in TWINS[module] if not hasattr(twin, name)] == []


def readme_row(variable: Variable) -> str:
    """Return the line of the README's table that describes a setting."""
    default = variable.default
    if isinstance(default, tuple):
        default = ",".join(default)
    if isinstance(default, bool):
        default = str(default).lower()
    shown = "" if default is None else f"`{default}`"
    return f"| `{variable.name}` | {shown} | {variable.purpose} |"


def test_readme_describes_every_setting():
    lines = (ROOT / "README.md").read_text().splitlines()
    missing = [row for row in map(readme_row, VARIABLES.values()) if row not in lines]
    assert missing == [], "\n" + "\n".join(missing)


def test_readme_describes_no_other_setting():
    named = set(re.findall(r"^\| `([A-Z][A-Z_]+)` \|", (ROOT / "README.md").read_text(), re.M))
    assert named - {variable.name for variable in VARIABLES.values()} == set()


def test_example_environment_names_real_settings():
    text = (ROOT / "deploy" / "env.example").read_text()
    named = set(re.findall(r"^#?\s?([A-Z][A-Z_]+)=", text, re.M))
    assert named <= {variable.name for variable in VARIABLES.values()}


def test_every_golden_file_is_used():
    for folder in (ROOT / "tests" / "golden").iterdir():
        (reader,) = (ROOT / "tests").rglob(f"{folder.name}/test_golden.py")
        assert 'glob("*.json")' in reader.read_text()


def test_names_of_tests_are_sentences():
    names = [
        node.name
        for path in TESTS
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    ]
    words = {name: len(name.split("_")) - 1 for name in names}
    assert [name for name in names if not MIN_WORDS <= words[name] <= MAX_WORDS] == []


def test_requirements_pin_what_runs():
    wanted = (ROOT / "setup.cfg").read_text().partition("install_requires =")[2].partition("[")[0]
    names = {re.split(r"[\s\[>]", line.strip())[0].lower() for line in wanted.splitlines() if line}
    pinned = (ROOT / "requirements.txt").read_text().lower().replace("_", "-")
    assert [name for name in names if name and f"\n{name}==" not in pinned] == []


def test_lines_never_silence_without_a_reason():
    silencers = re.compile(r"# (type: ignore|noqa|pragma)(?!.*\])")
    assert [path for path in MODULES if silencers.search(path.read_text())] == []


def test_names_spared_by_vulture_exist():
    rule = (ROOT / "Makefile").read_text().partition("FRAMEWORK_NAMES :=")[2]
    spared = re.sub(r"\\\n\s*", "", rule).partition("\n")[0].strip().split(",")
    used = {name for path in CODE for name in every_identifier(path)}
    assert [name for name in spared if "*" not in name and name not in used] == []
