"""What the project says of itself: every row, document, test and command that is named exists."""

import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FOLDERS = (".ci", "adapters", "core", "deploy", "docs", "gateway", "tests")
SUFFIXES = {".cfg", ".conf", ".js", ".json", ".lua", ".md", ".py", ".sql", ".toml", ".yaml", ".yml"}
NOT_OURS = {"node_modules", "__pycache__", "package-lock.json"}

NUMBERED = {
    "docs/dialects/deskera.md": "D",
    "docs/dialects/achieveapex.md": "A",
    "docs/laws.md": "R",
}
DIALECTS = ("deskera", "achieveapex")
ROW = re.compile(r"^\| ([DAR]\d+) \|", re.MULTILINE)
CITATION = re.compile(
    r"\b(docs/(?:dialects/\w+|laws)\.md)`?((?:(?:,| and| to)? [DAR]\d+\b)+)?", re.ASCII
)
NUMBER = re.compile(r"\b[DAR]\d+\b")
DOCUMENT = re.compile(r"(?<![\w/.*-])(?:\.\./)*[\w/.-]*\w\.md\b")
LINE_BREAK = re.compile(r"[ \t]*\n[ \t#/*]*")
PRIVATE = re.compile(
    # Documents that readers do not have, and the numbers of their rows.
    r"\breferences? \d|\b[Ll]edger\b|\bSPEC\b|\bSTYLE\b|\bPERFORMANCE\b|\bASSUMPTION\b"
    r"|\bL\d{1,2}\b|\bissue \d"
)
TEST_NAME = re.compile(r"`(test_\w+)`")
MAKE = re.compile(r"(?:`|^|&& |\d )make ([a-z]+)\b", re.MULTILINE)
PLACE = re.compile(r"`((?:adapters|core|deploy|docs|gateway|tests)/[\w./*<>-]*)`")
NAME = re.compile(r"`((?:adapters|core|gateway)(?:\.\w+)+)`")
LINK = re.compile(r"\]\(([^)#:]+)\)")


def is_ours(path: Path) -> bool:
    """Return whether people of the project wrote a file."""
    return path.suffix in SUFFIXES and not NOT_OURS.intersection(path.parts)


FILES = sorted(
    path
    for found in (ROOT.glob("*"), *((ROOT / folder).rglob("*") for folder in FOLDERS))
    for path in found
    if path.is_file() and (path.name == "Makefile" or is_ours(path))
)
PAGES = [path for path in FILES if path.suffix == ".md"]
BARE_NAMES = {page.name for page in PAGES}
TEXTS = {path: path.read_text(encoding="utf-8") for path in FILES}
CODE = {path: LINE_BREAK.sub(" ", TEXTS[path]) for path in FILES if path.suffix != ".md"}
ROWS = {name: ROW.findall((ROOT / name).read_text(encoding="utf-8")) for name in NUMBERED}


def name_of(path: Path) -> str:
    """Return a file's path inside the repository."""
    return str(path.relative_to(ROOT))


def citations(text: str) -> Iterator[tuple[str, list[str]]]:
    """Give the pages that a text cites, each with the numbers of its rows."""
    for document, numbers in CITATION.findall(text):
        yield document, NUMBER.findall(numbers)


@pytest.mark.parametrize("page", NUMBERED)
def test_numbers_are_given_out_once(page: str):
    assert {number[0] for number in ROWS[page]} == {NUMBERED[page]}
    assert len(set(ROWS[page])) == len(ROWS[page])


def test_cited_rows_exist():
    unknown = [
        (name_of(path), document, number)
        for path, text in TEXTS.items()
        for document, numbers in citations(CODE.get(path, text))
        for number in numbers
        if number not in ROWS.get(document, ())
    ]
    assert unknown == []


@pytest.mark.parametrize("page", [page for page in NUMBERED if "dialects" in page])
def test_dialects_cite_rows_in_full(page: str):
    """A number alone is found by nobody who searches for the page."""
    letter, package = NUMBERED[page], ROOT / "adapters" / Path(page).stem
    for path in (path for path in CODE if path.is_relative_to(package)):
        cited = [n for name, found in citations(CODE[path]) if name == page for n in found]
        assert re.findall(rf"\b{letter}\d+\b", CODE[path]) == cited, path


def test_code_cites_rows_not_pages():
    """In prose a page may be meant as a whole; a comment says which row it leans on."""
    vague = [
        name_of(path)
        for path, text in CODE.items()
        if path != Path(__file__)
        for _, numbers in citations(text)
        if not numbers
    ]
    assert vague == []


@pytest.mark.parametrize("page", NUMBERED)
def test_rows_name_rows_that_exist(page: str):
    named = re.findall(rf"\b{NUMBERED[page]}\d+\b", TEXTS[ROOT / page])
    assert set(named) - set(ROWS[page]) == set()


def test_no_private_document_is_cited():
    private = {name_of(path): PRIVATE.findall(text) for path, text in TEXTS.items()}
    assert {name: words for name, words in private.items() if words} == {}


def test_named_documents_exist():
    missing = {
        (name_of(path), name)
        for path, text in TEXTS.items()
        for name in DOCUMENT.findall(CODE.get(path, text))
        if name not in BARE_NAMES
        and not (ROOT / name).is_file()
        and not (path.parent / name).is_file()
    }
    assert missing == set()


def test_named_tests_exist():
    tests = [path for path in FILES if path.suffix == ".py" and path.is_relative_to(ROOT / "tests")]
    known = {path.stem for path in tests}
    for path in tests:
        known.update(re.findall(r"def (test_\w+)", TEXTS[path]))
    missing = {
        (name_of(page), name)
        for page in PAGES
        for name in TEST_NAME.findall(TEXTS[page])
        if name not in known
    }
    assert missing == set()


def test_named_commands_exist():
    targets = set(re.findall(r"^([a-z]+):", TEXTS[ROOT / "Makefile"], re.MULTILINE))
    unknown = {(name_of(page), word) for page in PAGES for word in MAKE.findall(TEXTS[page])}
    assert {pair for pair in unknown if pair[1] not in targets} == set()


def test_named_places_exist():
    places = {(name_of(page), place) for page in PAGES for place in PLACE.findall(TEXTS[page])}
    assert {(page, place) for page, place in places if not exists(place)} == set()


def test_named_parts_can_be_imported():
    for part in {name for page in PAGES for name in NAME.findall(TEXTS[page])}:
        assert pkgutil.resolve_name(part) is not None


def exists(place: str) -> bool:
    """Return whether a file, a module or a folder is there; `<dialect>` stands for both."""
    names = [place.replace("<dialect>", dialect).rstrip("/") for dialect in DIALECTS]
    return all(any(ROOT.glob(name)) or any(ROOT.glob(f"{name}.py")) for name in names)


def test_links_lead_somewhere():
    links = {(page, link) for page in PAGES for link in LINK.findall(TEXTS[page])}
    assert {
        (name_of(page), link) for page, link in links if not (page.parent / link).exists()
    } == set()
