"""The house itself: sizes, names, tables that must be whole, and who reads the environment."""

import ast
import re
import statistics
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

from adapters.error_status import STATUS
from core.domain import errors
from gateway.settings import VARIABLES, Variable

ROOT = Path(__file__).parent.parent
ROOMS = ("adapters", "core", "gateway")
MODULES = sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
MAX_MODULE_LINES, MAX_FUNCTION_LINES, MEDIAN_FUNCTION_LINES = 300, 40, 10
DIALECTS = ("deskera", "achieveapex")
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
MIN_WORDS, MAX_WORDS = 3, 10


def tree_of(path: Path) -> ast.Module:
    """Return a module as Python reads it."""
    return ast.parse(path.read_text())


def functions(path: Path) -> Iterator[tuple[str, int]]:
    """Give the name and the number of lines of every function of a module.

    The value of a last `return` counts as one line: a renderer may be one long literal.
    """
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            last = node.body[-1]
            literal = last if isinstance(last, ast.Return) else None
            spared = (literal.end_lineno or 0) - literal.lineno if literal else 0
            lines = (node.end_lineno or 0) - node.lineno + 1 - spared
            yield f"{path.relative_to(ROOT)}:{node.name}", lines


def core_errors(base: type[errors.CoreError] = errors.CoreError) -> set[type[errors.CoreError]]:
    """Return an error of the core and all below it."""
    return {base}.union(*(core_errors(below) for below in base.__subclasses__()))


def test_modules_are_short():
    lengths = {path: len(path.read_text().splitlines()) for path in [*MODULES, *TESTS]}
    in_rooms = {path: length for path, length in lengths.items() if path in MODULES}
    assert {path for path, length in in_rooms.items() if length > MAX_MODULE_LINES} == set()


def test_functions_are_short():
    sizes = [size for path in MODULES for size in functions(path)]
    assert [size for size in sizes if size[1] > MAX_FUNCTION_LINES] == []
    assert statistics.median(lines for _, lines in sizes) < MEDIAN_FUNCTION_LINES


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
